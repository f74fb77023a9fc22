"""Bones: spine with canal, ribs and their cartilage, breastbone, shoulder blades, collar bones, pelvis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seed_data.phantom.build import CORTEX, FLUID, MARROW, Build
from seed_data.phantom.canvas import Balls, Canvas, cut
from seed_data.phantom.trees import chain, sorted_balls

# Where each vertebra ends above the next disc: T1 to T12 grow from 19 to 27 mm, the lumbar ones to 36.
_HEIGHTS = np.concatenate([np.linspace(19, 27, 12), np.linspace(30, 36, 5)])
_LEVELS = np.concatenate([[-6.0], -6.0 + np.cumsum(_HEIGHTS)])


@dataclass(frozen=True)
class Bones:
    """The curved bones of one subject, as chains of balls."""

    ribs: Balls
    cartilage: Balls
    collar: Balls


def bones_of(build: Build) -> Bones:
    """Lay the ribs around the chest: each starts at its vertebra, falls forward and ends in cartilage."""
    ribs, cartilage, k = [], [], build.scale
    for number in range(12):
        start = float(_LEVELS[number]) + 3
        end = (0.70, 0.80, 0.84, 0.86, 0.86, 0.84, 0.80, 0.76, 0.70, 0.63, 0.48, 0.34)[number]
        drop = (26, 44, 56, 64, 70, 74, 78, 80, 80, 78, 60, 40)[number]
        for side in (-1, 1):
            bone = _rib(build, start, side, end=end, drop=drop)
            ribs.append(bone)
            if number < 10:
                cartilage.append(_cartilage(build, bone, side, number))
    collar = []
    for side in (-1, 1):
        near, far = build.at(side * 22, -34, 26), build.at(side * 128, 6, 2)
        middle = build.at(side * 70, -42, 16)
        collar.append(chain(np.array([near, middle, far]), 5.8 * k))
    return Bones(_joined(ribs), _joined(cartilage), _joined(collar))


def _joined(parts: list[Balls]) -> Balls:
    rows = np.vstack(parts)[:, [1, 2, 0, 3]].astype(np.float64)
    return sorted_balls(rows)


def _rib(build: Build, start: float, side: int, *, end: float, drop: float) -> Balls:
    t = np.linspace(0.04, end, 60)
    angle = np.pi * t
    depth = start + drop * ((1 - np.cos(np.minimum(angle * 1.05, np.pi))) / 2) ** 0.8
    half_x, half_y, middle = build.cavity(depth)
    x = side * (half_x + 4) * np.sin(angle) ** 0.82
    y = middle + (half_y + 4) * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.9
    # The neck of the rib comes in to the vertebra.
    join = np.clip((0.13 - t) / 0.09, 0, 1)
    x = x * (1 - join) + side * 24 * build.scale * join
    y = y * (1 - join) + (build.spine(depth) + 14) * join
    return chain(np.stack([x, y, depth], axis=1), 4.9 * build.scale, 1.8)


def _cartilage(build: Build, bone: Balls, side: int, number: int) -> Balls:
    depth, x, y, _ = bone[np.argmin(bone[:, 2])] if number < 3 else bone[-1]
    goal = (30, 62, 90, 115, 140, 165, 185, 200, 214, 228)[number]
    inner = side * (16 if number < 7 else 22 + 11 * (number - 6)) * build.scale
    half_x, half_y, middle = build.cavity(goal)
    front = float(middle - (half_y + 5) * np.sqrt(max(0.0, 1 - (inner / half_x) ** 2)))
    turn = build.cavity((depth + goal) / 2)
    between_x = (float(x) + inner) / 2
    between_y = float(turn[2] - (turn[1] + 5) * np.sqrt(max(0.0, 1 - (between_x / turn[0]) ** 2)))
    path = np.array([[x, y, depth], [between_x, between_y, (depth + goal) / 2 + 4], [inner, front, goal]])
    return chain(path, 4.4 * build.scale, 1.8)


def paint_spine(c: Canvas, build: Build) -> None:
    """Paint the vertebra or disc at this depth, with canal, cord and processes."""
    level = int(np.clip(np.searchsorted(_LEVELS, c.depth) - 1, 0, len(_HEIGHTS) - 1))
    height = float(_HEIGHTS[level])
    within = min(1.0, (c.depth - float(_LEVELS[level])) / height)
    k, y, lumbar = build.scale, float(build.spine(c.depth)), np.clip((level - 6) / 10, 0, 1)
    rx, ry = k * (14 + 10 * lumbar), k * (12.5 + 5 * lumbar)
    waist = 1 - 0.09 * np.sin(np.pi * min(1.0, within / 0.8))
    canal = y + ry + 7.5 * k
    # Pedicles are in the upper half of each vertebra; below them are the nerve roots' openings.
    if 0.12 < within < 0.55:
        for side in (-1, 1):
            _bone(c, side * rx * 0.66, y + ry + 3 * k, 4.6 * k, 8 * k)
            _bone(c, side * (rx + 12 * k), canal + 3 * k, 15 * k, 4.2 * k, turn=side * 0.32)
    for side in (-1, 1):
        _bone(c, side * 9.5 * k, canal + 8.5 * k, 10 * k, 3.6 * k, turn=side * 0.75)
        if within > 0.6:
            _bone(c, side * 13 * k, canal + 1 * k, 5.2 * k, 6.4 * k)
    reach = (15 + 6 * float(lumbar)) * k * float(np.interp(within, (0, 0.3, 0.9, 1), (0.75, 1, 1, 0.75)))
    _bone(c, 0, canal + 10 * k + reach * 0.75, 3.6 * k, reach)
    if within > 0.84:
        c.ellipse(0, y, rx, ry, 92)
        c.ellipse(0, y + 1, rx * 0.6, ry * 0.55, 74)
    else:
        plate = 160 if within < 0.07 or within > 0.77 else 0
        _bone(c, 0, y, rx * waist, ry * waist, marrow=MARROW - 35 + plate, rind=1.5)
        c.ellipse(0, y + ry * 0.9, 3.2, 2.2, 60, strength=0.6)
    c.ellipse(0, canal, 10.5 * k, 8.2 * k, 8)
    c.ellipse(0, canal + 0.5, 10.5 * k, 8.2 * k, FLUID + 8)
    if c.depth < 300:
        c.ellipse(0, canal, 5.6 * k, 4.2 * k, 42)


def _bone(
    c: Canvas, x: float, y: float, rx: float, ry: float, *,
    marrow: float = MARROW, rind: float = 1.7, turn: float = 0.0,
) -> None:  # fmt: skip
    c.ellipse(x, y, rx, ry, CORTEX, turn=turn)
    if min(rx, ry) > rind + 1:
        c.ellipse(x, y, rx - rind, ry - rind, marrow, turn=turn)


def paint_ribs(c: Canvas, bones: Bones) -> None:
    """Paint ribs as a dense shell around marrow, their cartilage, and the collar bones."""
    for balls, outside, inside in (
        (bones.cartilage, 105.0, 95.0), (bones.ribs, 640.0, 230.0), (bones.collar, 640.0, 240.0)
    ):  # fmt: skip
        cover = c.balls(balls)
        if cover is not None:
            c.paint(cover, outside)
            core = c.balls(balls, grow=-1.9)
            if core is not None:
                c.paint(core, inside)


def paint_breastbone(c: Canvas, build: Build) -> None:
    """Paint the breastbone: broad handle, narrow body, pointed tip."""
    if not 24 < c.depth < 208:
        return
    _, half_y, middle = build.cavity(c.depth)
    width = float(np.interp(c.depth, (24, 34, 62, 80, 150, 186, 208), (12, 29, 20, 15, 18, 12, 5)))
    thick = float(np.interp(c.depth, (24, 60, 186, 208), (6, 6.4, 5.4, 3)))
    y = float(middle - half_y - 6)
    _bone(c, 0, y, width * build.scale, thick, marrow=130, rind=1.4)


def paint_shoulder(c: Canvas, build: Build) -> None:
    """Paint the shoulder blades: thin bent plates behind the ribs, with spine and socket above."""
    if c.depth > 128:
        return
    rx, ry, middle = build.wall(c.depth)
    length = float(np.interp(c.depth, (0, 40, 90, 128), (34, 46, 34, 8))) * build.scale
    for side in (-1, 1):
        x, y, turn = side * rx * 0.63, middle + ry * 0.60, -side * 0.62
        c.ellipse(x + side * 4, y + 6, length + 4, 13 * build.scale, 62, turn=turn)
        c.ellipse(x, y - 7, length, 9 * build.scale, 60, turn=turn)
        _bone(c, x, y, length, 2.5, rind=1.3, turn=turn, marrow=260)
        if c.depth < 42:
            _bone(c, x + side * 12, y + 8, 24 * build.scale, 3.4, turn=turn - side * 0.5)
            size = cut(c.depth, 30)
            _bone(c, side * (rx - 23), middle + 3, 21 * size * build.scale, 22 * size * build.scale, marrow=190)


def paint_pelvis(c: Canvas, build: Build) -> None:
    """Paint the top of the pelvis: the wings of the ilium, and the sacrum between them."""
    k = build.scale
    if c.depth > 428:
        grow = min(1.0, (c.depth - 428) / 46)
        _, ry, middle = build.wall(c.depth)
        for side in (-1, 1):
            x, y = side * (100 - 8 * grow) * k, middle + ry * (0.30 + 0.1 * grow)
            turn = side * (-1.0 + 0.15 * grow)
            c.ellipse(x + side * 12, y + 8, 42 * k * grow + 8, 15 * k, 60, turn=turn)
            _bone(c, x, y, (14 + 38 * grow) * k, (3.2 + 2.6 * grow) * k, turn=turn, rind=1.6)
    if c.depth > 462:
        wide = min(1.0, (c.depth - 458) / 20)
        y = float(build.spine(c.depth)) + 8
        for side in (-1, 1):
            _bone(c, side * 30 * k, y + 8, 26 * k * wide, 15 * k, marrow=165, turn=side * 0.35)
