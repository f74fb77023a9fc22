"""Branching things: the vessels and airways of the lungs, the vessels of the liver, the loops of the bowel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seed_data.phantom.canvas import Balls

Points = NDArray[np.float64]
"""Rows of (x, y, depth)."""


def grow_tree(root: Points, tips: Points, *, leaf: float, power: float, rng: np.random.Generator) -> Balls:
    """Grow a tree from ``root`` to every tip and give it as balls.

    Each tip joins the nearest point already grown that is nearer to the root; a branch is as thick as
    the number of tips it feeds to the ``power`` says (Murray), beginning with ``leaf`` mm.
    """
    tips = tips[np.argsort(np.linalg.norm(tips - root, axis=1))]
    nodes = np.vstack([root[None], tips])
    from_root = np.linalg.norm(nodes - root, axis=1)
    parent = np.zeros(len(nodes), np.int64)
    for i in range(1, len(nodes)):
        away = np.linalg.norm(nodes[:i] - nodes[i], axis=1)
        parent[i] = int(np.argmin(away + 0.25 * from_root[:i]))
    feeds = np.ones(len(nodes))
    for i in range(len(nodes) - 1, 0, -1):
        feeds[parent[i]] += feeds[i]
    radius = leaf * feeds**power
    chains = [
        _bend(nodes[parent[i]], nodes[i], min(radius[parent[i]], 1.5 * radius[i]), radius[i], rng)
        for i in range(1, len(nodes))
    ]
    return sorted_balls(np.vstack(chains))


def _bend(start: Points, end: Points, first: float, last: float, rng: np.random.Generator) -> Points:
    length = float(np.linalg.norm(end - start))
    t = np.linspace(0, 1, max(2, int(length / max(0.8, 0.55 * last)) + 1))[:, None]
    bow = rng.normal(0, 0.07 * length, 3) * np.sin(np.pi * t)
    return np.hstack([start + (end - start) * t + bow, first + (last - first) * t])


def chain(points: Points, radius: float | NDArray[np.float64], step: float = 1.5) -> Balls:
    """Give a smooth tube through the points as balls, one every ``step`` mm."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    along = np.linspace(0, length[-1], max(2, int(length[-1] / step)))
    smooth = np.stack([_smooth(along, length, points[:, axis]) for axis in range(3)], axis=1)
    thick = np.interp(along, length, np.broadcast_to(radius, length.shape))
    return sorted_balls(np.hstack([smooth, thick[:, None]]))


def _smooth(along: Points, length: Points, values: Points) -> Points:
    # A cubic through the points whose slopes are those of its neighbours (Catmull and Rom).
    slope = np.gradient(values, length)
    i = np.clip(np.searchsorted(length, along, side="right") - 1, 0, len(length) - 2)
    step = length[i + 1] - length[i]
    t = (along - length[i]) / step
    result: Points = (
        (1 + 2 * t) * (1 - t) ** 2 * values[i] + t * (1 - t) ** 2 * step * slope[i]
        + t**2 * (3 - 2 * t) * values[i + 1] + t**2 * (t - 1) * step * slope[i + 1]
    )  # fmt: skip
    return result


def sorted_balls(rows: Points) -> Balls:
    """Turn rows of (x, y, depth, radius) into balls in the order of their depth."""
    return rows[np.argsort(rows[:, 2])][:, [2, 0, 1, 3]].astype(np.float32)


def without(balls: Balls, places: list[tuple[float, float, float]], clear: float) -> Balls:
    """Leave out the balls nearer than ``clear`` mm to one of the places (x, y, depth)."""
    keep = np.ones(len(balls), bool)
    for x, y, depth in places:
        keep &= np.linalg.norm(balls[:, :3] - np.array([depth, x, y], np.float32), axis=1) > clear
    return balls[keep]


def wander(start: Points, half: Points, count: int, step: float, rng: np.random.Generator) -> Points:
    """Give a winding path of ``count`` points that stays in a box around ``start``: a loop of bowel."""
    path, heading = [start], rng.normal(size=3)
    for _ in range(count - 1):
        heading = heading + rng.normal(0, 0.75, 3)
        # Pull back from the walls, so that the path folds instead of leaving.
        heading -= 1.1 * ((path[-1] - start) / half) ** 3
        heading /= np.linalg.norm(heading)
        path.append(start + np.clip(path[-1] + heading * step - start, -half, half))
    return np.array(path)
