"""The whole of one subject, slice by slice: everything that does not change from visit to visit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from seed_data.phantom import abdomen, skeleton, thorax
from seed_data.phantom.build import BACK_Y, FAT, MUSCLE, Build, build_of
from seed_data.phantom.canvas import Canvas, Plane
from seed_data.phantom.identities import Patient
from seed_data.phantom.lesions import places

FIELD_MM = 400.0
"""The reconstructed field of view."""


@dataclass(frozen=True)
class Body:
    """A subject's build with everything grown in it."""

    build: Build
    chest: thorax.Chest
    belly: abdomen.Belly
    bones: skeleton.Bones


@lru_cache(maxsize=4)
def body_of(patient: Patient, seed: int) -> Body:
    """Grow one subject; kept, since the next visit shows the same body."""
    build = build_of(patient, seed)
    return Body(
        build=build,
        chest=thorax.chest_of(build, places(build, "lung")),
        belly=abdomen.belly_of(build, places(build, "liver")),
        bones=skeleton.bones_of(build),
    )


def anatomy(patient: Patient, seed: int, *, size: int, depth: float, thickness: float, index: int) -> Plane:
    """Give one noiseless slice in HU (``size`` rows and columns), the caller's own to paint on."""
    return _anatomy(patient, seed, size=size, depth=depth, thickness=thickness, index=index).astype(np.float32)


# One large study is kept: so write all visits of one subject before those of the next.
@lru_cache(maxsize=100)
def _anatomy(
    patient: Patient, seed: int, *, size: int, depth: float, thickness: float, index: int
) -> NDArray[np.int16]:
    body = body_of(patient, seed)
    c = Canvas(size, FIELD_MM / size, depth, thickness, index)
    _paint_table(c)
    _paint_outside(c, body.build)
    abdomen.paint_back_muscles(c, body.build)
    thorax.paint_great_vessels(c, body.build, body.chest)
    thorax.paint_heart(c, body.build)
    if depth > 190:
        abdomen.paint_bowel(c, body.build, body.belly)
        abdomen.paint_kidneys(c, body.build)
        abdomen.paint_upper_organs(c, body.build, body.belly)
        abdomen.paint_liver(c, body.build, body.belly)
    thorax.paint_trachea(c, body.chest)
    thorax.paint_lungs(c, body.build, body.chest)
    skeleton.paint_shoulder(c, body.build)
    skeleton.paint_pelvis(c, body.build)
    skeleton.paint_ribs(c, body.bones)
    skeleton.paint_breastbone(c, body.build)
    skeleton.paint_spine(c, body.build)
    return np.rint(_blurred(c.hu)).astype(np.int16)


def _blurred(hu: Plane) -> Plane:
    """Give the picture with edges as soft as the scanner's: no detector sees them pixel-sharp."""
    down = hu * np.float32(0.64)
    down[1:-1] += np.float32(0.18) * (hu[:-2] + hu[2:])
    down[0], down[-1] = hu[0], hu[-1]
    across = down * np.float32(0.64)
    across[:, 1:-1] += np.float32(0.18) * (down[:, :-2] + down[:, 2:])
    across[:, 0], across[:, -1] = down[:, 0], down[:, -1]
    return across


def _paint_table(c: Canvas) -> None:
    top = BACK_Y + 2 - np.float32(0.0011) * c.x**2
    plate = np.broadcast_to(np.abs(c.y - top - 9) - 9, c.hu.shape).astype(np.float32)
    c.paint(c.cover(plate), -885)
    skin = np.abs(plate) - np.float32(0.7)
    c.paint(c.cover(skin.astype(np.float32)), -120)


def _paint_outside(c: Canvas, build: Build) -> None:
    rx, ry, middle = build.wall(c.depth)
    fat_side = build.fat * 1.05
    outer = _body(c, rx + fat_side, ry + build.fat, middle, build)
    if build.female:
        outer = np.minimum(outer, _breasts(c, build, middle - ry - build.fat))
    skin = c.cover(outer)
    c.paint(skin, 20)
    c.paint(c.cover(outer + np.float32(2.0)), (FAT + 3 * c.texture(4.0)).astype(np.float32))
    if build.female:
        _paint_glands(c, build, middle - ry - build.fat)
    wall = _body(c, rx, ry, middle, build)
    c.paint(c.cover(wall), MUSCLE)
    half_x, half_y, centre = (float(v) for v in build.cavity(c.depth))
    whole = (slice(None), slice(None))
    ring = c.ellipse_distance(0, centre, half_x, half_y, whole)
    # Between the muscles of the rib cage and the outer ones lies fat: without it the wall looks like putty.
    gap = np.maximum(np.float32(11) - ring, wall + np.float32(6.5) + 1.5 * c.texture(4.0))
    c.paint(c.cover(gap.astype(np.float32), edge=2.5) * np.float32(0.85), FAT + 14)
    sheet = np.abs(ring - np.float32(5.5)) - np.float32(0.4) + (c.depth < 300) * np.float32(90)
    c.paint(c.cover(sheet) * np.float32(0.5), -40)
    _paint_muscles(c, build)
    box = c.box(-half_x, half_x, centre - half_y, centre + half_y)
    if box:
        distance = ring[box]
        c.paint(c.cover(distance), (FAT + 5 + 3 * c.texture(4.0)[box]).astype(np.float32), box)


def _paint_muscles(c: Canvas, build: Build) -> None:
    """Paint the muscles that stand apart: of the breast and the shoulder above, of the back all the way."""
    k, (rx, ry, middle), spine = build.scale, build.wall(c.depth), float(build.spine(c.depth))
    for side in (-1, 1):
        if c.depth < 120:
            size = float(np.interp(c.depth, (0, 90, 120), (1, 0.8, 0.3)))
            _muscle(c, side * rx * 0.52, middle - ry * 0.78, 50 * k, 11 * size * k, turn=side * 0.38)
            _muscle(c, side * rx * 0.66, middle - ry * 0.50, 26 * k, 7 * size * k, turn=side * 0.7)
            _muscle(c, side * rx * 0.36, middle + ry * 0.40, 30 * k, 8 * size * k, turn=side * -0.55)
            _muscle(c, side * rx * 0.9, middle + ry * 0.24, 11 * size * k, 34 * k, turn=side * 0.25)
        if c.depth > 235:
            _muscle(c, side * 33 * k, middle - ry + 7, 31 * k, 6.2 * k, turn=side * 0.1)
        wide = float(np.interp(c.depth, (0, 120, 320, 400, 480), (17, 19, 26, 31, 26))) * k
        deep = float(np.interp(c.depth, (0, 120, 320, 400, 480), (13, 13, 17, 21, 20))) * k
        back = BACK_Y - build.fat - deep - 7
        _muscle(c, side * (wide + 5), max(back, spine + 20 * k), wide, deep, turn=side * -0.12)
        _muscle(c, side * 2.25 * wide, back - 1, 0.55 * wide, 0.75 * deep, turn=side * -0.4)


def _muscle(c: Canvas, x: float, y: float, rx: float, ry: float, *, turn: float) -> None:
    c.ellipse(x, y, rx + 1.3, ry + 1.3, FAT + 10, turn=turn, edge=1.5, strength=0.8)
    c.ellipse(x, y, rx, ry, MUSCLE + 2, turn=turn, edge=1.5)
    for part in (-0.35, 0.3):
        c.ellipse(x + part * rx, y, 0.7, ry * 0.7, -20, turn=turn + part, strength=0.5)


def _body(c: Canvas, rx: float, ry: float, middle: float, build: Build) -> Plane:
    u, v = np.abs(c.x / np.float32(rx)), (c.y - np.float32(middle)) / np.float32(ry)
    squared = u**2.35 + np.abs(v) ** 2.35
    distance = (squared ** np.float32(1 / 2.35) - 1) * np.float32(min(rx, ry))
    groove = 5.5 * np.exp(-((c.x / 13) ** 2)) * (v > 0)
    uneven = 1.6 * build.lean[3] * np.sin(c.x / 41 + 2 * build.lean[4])
    result: Plane = (distance + groove + uneven).astype(np.float32)
    return result


def _breasts(c: Canvas, build: Build, front: float) -> Plane:
    size = float(np.sqrt(max(1e-4, 1 - ((c.depth - 152) / 58) ** 2)))
    everything: tuple[slice, slice] = (slice(None), slice(None))
    left, right = (
        c.ellipse_distance(side * 74 * build.scale, front + 24, 60 * size, 40 * size, everything, turn=side * 0.3)
        for side in (-1, 1)
    )
    return np.minimum(left, right)


def _paint_glands(c: Canvas, build: Build, front: float) -> None:
    if abs(c.depth - 150) < 38:
        size = 1 - abs(c.depth - 150) / 44
        for side in (-1, 1):
            x, y = side * 78 * build.scale, front + 6
            box = c.box(x - 34, x + 34, y - 20, y + 26)
            if box:
                shape = c.cover(c.ellipse_distance(x, y + 4, 30 * size, 15 * size, box), edge=6)
                c.paint(shape * np.clip(c.texture(4.0)[box] * 0.6 + 0.35, 0, 1).astype(np.float32), 30, box)
