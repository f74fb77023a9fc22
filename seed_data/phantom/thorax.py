"""The chest: lungs with their trees, airways, heart and great vessels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seed_data.phantom.build import FAT, LUNG, MUSCLE, Build
from seed_data.phantom.canvas import Balls, Canvas, Plane
from seed_data.phantom.trees import Points, chain, grow_tree, without

BLOOD, ENHANCED = 150.0, 178.0


@dataclass(frozen=True)
class Chest:
    """The branching things of one subject's chest, and the vessels that run through it."""

    lung_vessels: Balls
    airways: Balls
    trachea: Balls
    arch: Balls
    veins: Balls
    pulmonary: Balls


def chest_of(build: Build, clear: list[tuple[float, float, float]]) -> Chest:
    """Grow the chest of one subject; no vessel is grown through the places of nodules (``clear``)."""
    rng = np.random.default_rng(build.key + 1)
    vessels, airways = [], []
    for right, side in ((True, -1), (False, 1)):
        for roof, tips, power in ((128, 800, 0.34), (146, 600, 0.33)):
            root = np.array(build.at(side * 33, 6, roof))
            ends = _inside_lung(build, tips, rng, right=right)
            vessels.append(grow_tree(root, ends, leaf=0.55, power=power, rng=rng))
        root = np.array(build.at(side * 30, 14, 124))
        tips_of_airways = _inside_lung(build, 46, rng, right=right, deep=20)
        airways.append(grow_tree(root, tips_of_airways, leaf=0.75, power=0.5, rng=rng))
    fork, k = build.at(0, 22, 104), build.scale
    wind = chain(np.array([build.at(0, 22, -20), build.at(1, 22, 40), fork]), 8.6 * k)
    main = [
        chain(np.array([fork, build.at(side * 16, 18, 116), build.at(side * 32, 14, 126)]), 6.2 * k) for side in (-1, 1)
    ]
    return Chest(
        lung_vessels=without(_merge(vessels), clear, 22.0),
        airways=without(_merge([*airways, *main]), clear, 22.0),
        trachea=_merge([wind, *main]),
        arch=_arch(build),
        veins=_veins(build),
        pulmonary=_pulmonary(build),
    )


def _merge(parts: list[Balls]) -> Balls:
    rows = np.vstack(parts)
    return rows[np.argsort(rows[:, 0])]


def _inside_lung(build: Build, count: int, rng: np.random.Generator, *, right: bool, deep: float = 3) -> Points:
    side, middle = (-1 if right else 1), float(build.cavity(200)[2])
    cloud = rng.uniform((2, middle - 95, 10), (135, middle + 95, 312), (count * 8, 3))
    cloud[:, 0] *= side
    inside = build.lung(cloud[:, 0], cloud[:, 1], cloud[:, 2], right=right) < -deep
    found: Points = cloud[inside][:count]
    return found


def _arch(build: Build) -> Balls:
    """Lay the aorta from the heart over the arch and down to where it divides."""
    k = build.scale
    path = [
        (-2, -14, 152),
        (-14, -22, 128),
        (-15, -20, 102),
        (-8, -10, 84),
        (6, 6, 76),
        (20, 24, 84),
        (25, 34, 104),
    ]
    points = [build.at(*p) for p in path]
    for depth, x, gap in (
        (140, 24, 13),
        (200, 19, 12),
        (260, 10, 14),
        (320, 5, 17),
        (380, 4, 18),
        (424, 3, 17),
    ):
        points.append((x * k, float(build.spine(depth)) - gap * k - 9, depth))
    radius = np.interp(np.arange(len(points)), (0, 4, 7, 9, 12), (16, 14, 12.5, 11, 9)) * k
    aorta = chain(np.array(points), radius)
    last = points[-1]
    legs = [
        chain(np.array([last, (s * 20 * k, last[1] + 2, 452), (s * 34 * k, last[1] + 8, 486)]), 6.2 * k)
        for s in (-1, 1)
    ]
    heads = [
        chain(np.array([build.at(x, y, 80), build.at(x - 2, y - 2, 40), build.at(x * 1.5, y - 6, -10)]), r * k)
        for x, y, r in ((-9, -8, 6.0), (4, 2, 4.2), (14, 10, 4.6))
    ]
    return _merge([aorta, *legs, *heads])


def _veins(build: Build) -> Balls:
    """Lay the caval veins and those that join them above."""
    k = build.scale
    upper = chain(np.array([build.at(-24, -16, 56), build.at(-25, -12, 100), build.at(-24, -10, 150)]), 9.5 * k)
    left = chain(np.array([build.at(36, -12, 36), build.at(4, -26, 56), build.at(-22, -18, 66)]), 5.6 * k)
    right = chain(np.array([build.at(-44, -6, 16), build.at(-28, -14, 58)]), 6.0 * k)
    points = [
        (-22 * k, float(build.spine(d)) - g * k, d) for d, g in ((206, 42), (240, 33), (300, 27), (380, 27), (430, 25))
    ]
    points.extend(((-24 * k, float(build.spine(455)) - 14 * k, 455), (-38 * k, float(build.spine(486)) - 8, 486)))
    return _merge([upper, left, right, chain(np.array(points), 10.5 * k)])


def _pulmonary(build: Build) -> Balls:
    k = build.scale
    trunk = chain(np.array([build.at(14, -34, 158), build.at(18, -28, 134), build.at(16, -12, 121)]), 13 * k)
    left = chain(np.array([build.at(16, -12, 121), build.at(30, 2, 118), build.at(40, 10, 124)]), 10 * k)
    right = chain(np.array([build.at(14, -12, 123), build.at(-10, -3, 126), build.at(-36, 2, 130)]), 9.5 * k)
    return _merge([trunk, left, right])


def paint_heart(c: Canvas, build: Build) -> None:
    """Paint the heart in its bag: muscle, and the four chambers with contrast."""
    k = build.scale
    x, y, _ = build.at(20, -26, 172)
    if c.ellipsoid((x, y, 172), (60 * k, 49 * k, 57), FAT + 8) == 0:
        return
    c.ellipsoid((x, y, 173), (55 * k, 45 * k, 52), 96)
    c.ellipsoid((x + 16 * k, y + 2 * k, 180), (29 * k, 19 * k, 38), ENHANCED - 8, turn=0.75, edge=4)
    c.ellipsoid((x - 8 * k, y - 22 * k, 180), (33 * k, 15 * k, 38), BLOOD + 6, turn=0.45, edge=4)
    c.ellipsoid((x - 38 * k, y + 4 * k, 172), (19 * k, 25 * k, 36), BLOOD, edge=4)
    c.ellipsoid((x - 12 * k, y + 32 * k, 150), (31 * k, 15 * k, 24), ENHANCED - 4, edge=4)
    c.ellipsoid((x + 4 * k, y + 8 * k, 178), (3 * k, 26 * k, 30), 104, turn=0.75, edge=4)


def paint_great_vessels(c: Canvas, build: Build, chest: Chest) -> None:
    """Paint aorta, caval veins and pulmonary arteries, and the gullet."""
    for balls, hu in ((chest.veins, BLOOD), (chest.pulmonary, BLOOD + 14), (chest.arch, ENHANCED)):
        cover = c.balls(balls)
        if cover is not None:
            c.paint(cover, hu)
    if c.depth < 236:
        y = build.spine(c.depth) - float(np.interp(c.depth, (0, 130, 236), (26, 27, 42))) * build.scale
        x = float(np.interp(c.depth, (0, 150, 236), (3, 1, 10)))
        c.ellipse(x, y, 8.5, 5.5, 44)
        c.ellipse(x, y, 2.6, 1.4, -260, strength=0.7)
    if c.depth < 14:
        for side in (-1, 1):
            c.ellipse(*build.at(side * 18, -2, c.depth)[:2], 9, 13, 135)


def paint_lungs(c: Canvas, build: Build, chest: Chest) -> None:
    """Paint both lungs over what is there, with pleura, diaphragm, vessels, airways and fissures."""
    if c.depth > 325:
        return
    both = None
    for right in (True, False):
        distance = build.lung(c.x, c.y, c.depth, right=right).astype(np.float32)
        c.paint(c.cover(distance - np.float32(0.7)) * np.float32(0.6), MUSCLE)
        if c.depth > 200:
            floor = build.lung(c.x, c.y, c.depth, right=right, below=3.2)
            c.paint(c.cover(floor.astype(np.float32)), MUSCLE)
        both = distance if both is None else np.minimum(both, distance)
    assert both is not None
    # The thin floor of the lung covers part of a thick slice: a softer edge than the in-plane one.
    inside = c.cover(both, edge=1.6)
    hanging = np.clip((c.y - build.cavity(c.depth)[2]) * np.float32(0.55), -40, 55).astype(np.float32)
    tissue = LUNG + hanging + 13 * c.texture(1.2) + 11 * c.texture(4.0)
    c.paint(inside, tissue.astype(np.float32))
    _paint_fissures(c, build, inside)
    air = c.balls(chest.airways)
    if air is not None:
        wall = c.balls(chest.airways, grow=0.8)
        assert wall is not None
        c.paint(wall * inside * np.float32(0.6), -300)
        c.paint(air * inside, -955)
    vessels = c.balls(chest.lung_vessels)
    if vessels is not None:
        c.paint(vessels * inside * (1 if air is None else 1 - air), 90)


def _paint_fissures(c: Canvas, build: Build, inside: Plane) -> None:
    for side in (-1, 1):
        slope = (c.depth - 70) * 0.85
        y = float(build.cavity(c.depth)[2]) + 52 - slope
        line = np.abs(c.y - y + 0.0012 * (c.x - side * 70) ** 2)
        alpha = c.cover(np.broadcast_to(line - 0.45, (c.size, c.size)).astype(np.float32))
        alpha = alpha * inside * (c.x * side > 12)
        c.paint(alpha.astype(np.float32), -640)


def paint_trachea(c: Canvas, chest: Chest) -> None:
    """Paint the windpipe and main bronchi outside the lungs."""
    air = c.balls(chest.trachea)
    if air is not None:
        wall = c.balls(chest.trachea, grow=1.6)
        assert wall is not None
        c.paint(wall, 40)
        c.paint(air, -985)
