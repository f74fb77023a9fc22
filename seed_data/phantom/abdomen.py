"""The belly: liver, spleen, stomach, kidneys, pancreas, bowel, and the muscles beside the spine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seed_data.phantom.build import AIR, FAT, FLUID, MUSCLE, Build, Number
from seed_data.phantom.canvas import Balls, Canvas, Plane, cut
from seed_data.phantom.trees import Points, chain, grow_tree, sorted_balls, wander, without

Place = tuple[float, float, float]
LIVER, SPLEEN, PANCREAS = 108.0, 122.0, 88.0


@dataclass(frozen=True)
class Belly:
    """The winding and branching things of one subject's belly."""

    liver_vessels: Balls
    small_bowel: Balls
    colon: Balls
    pancreas: Balls
    mesentery: Balls


def belly_of(build: Build, clear: list[tuple[float, float, float]]) -> Belly:
    """Grow the belly of one subject; no liver vessel runs through the places of metastases (``clear``)."""
    rng = np.random.default_rng(build.key + 2)
    k = build.scale
    cloud = rng.uniform((-125 * k, -85, 215), (60 * k, 90, 372), (2500, 3))
    cloud[:, 1] += float(build.cavity(290)[2])
    cloud = cloud[liver_distance(build, cloud[:, 0], cloud[:, 1], cloud[:, 2]) < -6]
    trees = [
        grow_tree(np.array(build.at(-34, 8, 318)), cloud[:95], leaf=1.0, power=0.36, rng=rng),
        grow_tree(np.array(build.at(-20, 16, 246)), cloud[95:170], leaf=1.1, power=0.34, rng=rng),
    ]
    loops = [
        chain(
            wander(np.array(build.at(x, y, depth)), np.array((34.0, 22.0, 30.0)) * k, 24, 15, rng),
            10.0 * k,
            3,
        )
        for x, y, depth in (
            (-32, -36, 400),
            (34, -36, 394),
            (0, -34, 448),
            (50, -14, 436),
            (-44, -8, 440),
            (8, -44, 480),
            (-40, -30, 476),
            (56, -40, 470),
        )
    ]
    around = [(-88, 22, 478), (-92, 16, 430), (-90, 4, 380), (-74, -34, 350), (-24, -58, 366), (32, -60, 362),
              (76, -36, 332), (96, 10, 306), (99, 30, 350), (96, 34, 410), (88, 34, 482)]  # fmt: skip
    width = np.array([25, 24, 22, 19, 17, 17, 17, 16, 15, 14, 14]) * k
    head = [(-30, -2, 352), (-26, -8, 338), (-6, -16, 328), (20, -10, 318), (48, 6, 306), (72, 20, 298)]
    return Belly(
        liver_vessels=without(_merge(trees), clear, 14.0),
        small_bowel=_merge(loops),
        colon=chain(np.array([build.at(*p) for p in around]), width, 4),
        pancreas=_lumpy(chain(np.array([build.at(*p) for p in head]), np.array([14, 13, 10, 10, 11, 8.0]) * k), rng),
        mesentery=grow_tree(np.array(build.at(4, -8, 350)), _mesentery(build, rng), leaf=0.9, power=0.33, rng=rng),
    )


def _merge(parts: list[Balls]) -> Balls:
    rows = np.vstack(parts)
    return rows[np.argsort(rows[:, 0])]


def _lumpy(balls: Balls, rng: np.random.Generator) -> Balls:
    rows = balls[:, [1, 2, 0, 3]].astype(np.float64)
    rows[:, :3] += rng.normal(0, 2.2, (len(rows), 3))
    return sorted_balls(rows)


def _mesentery(build: Build, rng: np.random.Generator) -> Points:
    half = np.array((78.0, 34.0, 62.0)) * build.scale
    cloud: Points = rng.uniform(-1, 1, (150, 3)) * half + np.array(build.at(4, -30, 408))
    return cloud


def liver_distance(build: Build, x: Number, y: Number, depth: Number) -> Number:
    """Give about the distance in mm to the border of the liver, negative inside."""
    k, middle = build.scale, build.cavity(depth)[2]

    def ball(middle_at: Place, radii: Place) -> Number:
        (cx, cy, cd), (rx, ry, rd) = middle_at, radii
        u, v, w = (x - cx * k) / (rx * k), (y - middle - cy * k) / (ry * k), (depth - cd) / rd
        result: Number = (np.sqrt(u * u + v * v + w * w) - 1) * min(rx, ry, rd)
        return result

    main, low = ball((-66, 2, 286), (70, 80, 84)), ball((-92, 12, 330), (36, 52, 62))
    left = ball((2, -44, 266), (68, 36, 36))
    # A soft minimum: lobes flow into each other.
    lobes = -9 * np.log(np.exp(-main / 9) + np.exp(-low / 9) + np.exp(-left / 9))
    half_x, half_y, _ = build.cavity(depth)
    u, v = x / (half_x - 3), (y - middle) / (half_y - 3)
    wall = (np.sqrt(u * u + v * v) - 1) * np.minimum(half_x, half_y)
    hilum = ball((-24, 16, 320), (16, 24, 32))
    result: Number = np.maximum(np.maximum(lobes, wall), -hilum)
    return result


def paint_liver(c: Canvas, build: Build, belly: Belly) -> None:
    """Paint the liver with its vessels, and the gall bladder below it."""
    if not 196 < c.depth < 400:
        return
    alpha = c.cover(liver_distance(build, c.x, c.y, c.depth).astype(np.float32), edge=1.5)
    c.paint(alpha, (LIVER + 2.5 * c.texture(4.0)).astype(np.float32))
    vessels = c.balls(belly.liver_vessels)
    if vessels is not None:
        c.paint(vessels * alpha, 158)
    x, y, _ = build.at(-46, -34, 350)
    c.ellipsoid((x, y, 350), (17, 21, 30), 40)
    c.ellipsoid((x, y, 350), (15.4, 19.4, 28.6), FLUID)


def paint_upper_organs(c: Canvas, build: Build, belly: Belly) -> None:
    """Paint spleen, stomach with its gas, pancreas and adrenals."""
    k = build.scale
    x, y, _ = build.at(88, 30, 278)
    size = cut(c.depth - 278, 52)
    box = c.box(x - 60, x + 60, y - 60, y + 60)
    if size and box:
        half_x, half_y, middle = build.cavity(c.depth)
        wall = c.ellipse_distance(0, float(middle), float(half_x) - 3, float(half_y) - 3, box)
        spleen = c.ellipse_distance(x, y, 28 * k * size, 46 * k * size, box, turn=-0.35)
        c.paint(c.cover(np.maximum(wall, spleen)), SPLEEN, box)
    _paint_stomach(c, build)
    pancreas = c.balls(belly.pancreas)
    if pancreas is not None:
        c.paint(pancreas, (PANCREAS + 10 * c.texture(4.0)).astype(np.float32))
        duct = c.depth
        if 318 < duct < 350:
            c.ellipse(*build.at(-24, -6, duct)[:2], 2.6, 2.6, 14)
    for side, depth in ((-1, 306), (1, 310)):
        x, y, _ = build.at(side * 34, 34, depth)
        size = cut(c.depth - depth, 17)
        if size:
            c.ellipse(x, y, 2.4, 9 * size, 66, turn=side * 0.2)
            c.ellipse(x + side * 4, y + 8, 2.2, 10 * size, 66, turn=side * 0.75)


def _paint_stomach(c: Canvas, build: Build) -> None:
    k = build.scale
    x, y, _ = build.at(54, -22, 272)
    x += float(np.interp(c.depth, (225, 300, 350), (10, 0, -42))) * k
    size = cut(c.depth - 284, 66)
    if not size:
        return
    rx, ry = 44 * k * size, 36 * k * size
    c.ellipse(x, y, rx, ry, 72, turn=0.3)
    box = c.box(x - 50, x + 50, y - 50, y + 50)
    if box is None or rx < 8:
        return
    inner = c.cover(c.ellipse_distance(x, y, rx - 4.5, ry - 4.5, box, turn=0.3))
    c.paint(inner, FLUID + 12, box)
    c.paint(inner * _above(c, y - 0.25 * ry, box), AIR + 20, box)


def _above(c: Canvas, level: float, box: tuple[slice, slice]) -> Plane:
    # Gas rises to the front of somebody who lies on the back, and leaves a level.
    return c.cover(np.broadcast_to(c.y[box[0]] - np.float32(level), c.hu[box].shape))


def paint_kidneys(c: Canvas, build: Build) -> None:
    """Paint both kidneys: bright cortex, pyramids, fat and pelvis in the sinus."""
    k = build.scale
    for side, depth in ((-1, 362 + 4 * build.lean[1]), (1, 352 + 4 * build.lean[2])):
        lean = (c.depth - depth) * 0.14
        x, y = side * (56 + lean) * k, float(build.spine(c.depth)) + 4 * k
        size = cut(c.depth - depth, 57)
        if not size:
            continue
        rx, ry, turn = 25 * k * size, 31 * k * size, -side * 0.7
        c.ellipse(x, y, rx + 1.5, ry + 1.5, 40, turn=turn, strength=0.5)
        c.ellipse(x, y, rx, ry, 192, turn=turn)
        c.ellipse(x, y, rx * 0.72, ry * 0.76, 172, turn=turn)
        for angle in np.linspace(-2.2, 2.2, 6) + (0 if side > 0 else np.pi):
            c.ellipse(x + np.cos(angle) * rx * 0.56, y + np.sin(angle) * ry * 0.56, 5, 5, 132, strength=0.8)
        middle = cut(c.depth - depth, 34)
        if middle:
            c.ellipse(x - side * rx * 0.42, y - 5 * k, 13 * middle, 10 * middle, FAT + 15, turn=turn)
            c.ellipse(x - side * rx * 0.5, y - 5 * k, 6 * middle, 4 * middle, 30, turn=turn)
        if abs(c.depth - depth) < 6:
            c.ellipse(x - side * 34 * k, y - 18 * k, 19, 4.6, 150, turn=side * 0.45)


def paint_bowel(c: Canvas, build: Build, belly: Belly) -> None:
    """Paint mesenteric vessels, small bowel, and the colon with stool and gas."""
    fat = c.balls(belly.mesentery)
    if fat is not None:
        c.paint(fat, 130)
    wall = c.balls(belly.small_bowel)
    if wall is not None:
        c.paint(wall, 84)
        fill = c.balls(belly.small_bowel, grow=-2.6)
        if fill is not None:
            c.paint(fill, (26 + 16 * c.texture(4.0)).astype(np.float32))
    wall = c.balls(belly.colon)
    if wall is None:
        return
    c.paint(wall, 70)
    fill = c.balls(belly.colon, grow=-2.4)
    if fill is None:
        return
    mottled = 10 + 45 * c.texture(1.2) + 60 * c.texture(4.0)
    c.paint(fill, np.where(c.texture(4.0) > 1.5, -500, mottled).astype(np.float32))
    gas = c.balls(belly.colon, grow=-4.5)
    if gas is not None:
        front = float(build.cavity(c.depth)[2]) - 16 * build.scale
        level = front + 22 * np.sign(c.x)
        c.paint(gas * c.cover((c.y - level).astype(np.float32)), AIR + 30)


def paint_back_muscles(c: Canvas, build: Build) -> None:
    """Paint psoas and quadratus beside the lumbar spine; the long ones of the back are in the wall."""
    k, spine = build.scale, float(build.spine(c.depth))
    grow = float(np.clip((c.depth - 308) / 110, 0, 1))
    for side in (-1, 1):
        if grow > 0.03:
            c.ellipse(side * (31 + 12 * grow) * k, spine + 2, (7 + 15 * grow) * k, (9 + 15 * grow) * k, MUSCLE + 6)
            c.ellipse(side * 66 * k, spine + 22 * k, 24 * k * min(1, 2 * grow), 9 * k, MUSCLE, turn=side * -0.3)
        if 236 < c.depth < 336:
            c.ellipse(side * 10 * k, spine - 17 * k, 8 * k, 11 * k, MUSCLE, turn=side * 0.5)
