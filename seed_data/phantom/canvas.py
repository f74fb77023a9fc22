"""One axial slice on which anatomy is painted with soft edges.

Coordinates are those of the patient in millimetres: x to the left hand, y to the back; the third one,
``depth``, runs from the apex of the lungs towards the feet. Values are Hounsfield units.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Box = tuple[slice, slice]
Balls = NDArray[np.float32]
"""Rows of (depth, x, y, radius): curved tubes as chains of balls, sorted by depth."""


class Canvas:
    """A square slice of ``size`` pixels, ``pixel`` mm each, of a slab ``thickness`` mm thick."""

    def __init__(self, size: int, pixel: float, depth: float, thickness: float, index: int) -> None:
        self.size, self.pixel, self.depth, self.thickness, self.index = size, pixel, depth, thickness, index
        axis = ((np.arange(size) - (size - 1) / 2) * pixel).astype(np.float32)
        self.x, self.y = axis[None, :], axis[:, None]
        self.hu: Plane = np.full((size, size), -1000, np.float32)

    def box(self, left: float, right: float, front: float, back: float) -> Box | None:
        """Give the pixels of a rectangle in mm, one pixel wider; None when it lies outside."""
        half = (self.size - 1) / 2
        low = [int(np.floor(v / self.pixel + half)) - 1 for v in (front, left)]
        high = [int(np.ceil(v / self.pixel + half)) + 2 for v in (back, right)]
        rows, columns = (slice(max(0, a), min(self.size, b)) for a, b in zip(low, high, strict=True))
        return None if rows.start >= rows.stop or columns.start >= columns.stop else (rows, columns)

    def cover(self, distance: Plane, edge: float = 1.0) -> Plane:
        """Give how much of each pixel lies inside, from signed distances in mm (negative is inside)."""
        alpha: Plane = distance * np.float32(-1 / (edge * self.pixel))
        alpha += np.float32(0.5)
        np.clip(alpha, 0, 1, out=alpha)
        return alpha

    def paint(self, alpha: Plane, hu: float | Plane, box: Box = (slice(None), slice(None))) -> None:
        """Lay ``hu`` over what is there, as thickly as ``alpha`` says."""
        under = self.hu[box]
        under += alpha * (np.asarray(hu, np.float32) - under)

    def ellipse_distance(self, x: float, y: float, rx: float, ry: float, box: Box, *, turn: float = 0.0) -> Plane:
        """Give about the distance in mm from an ellipse's border, turned by ``turn`` radians."""
        dx, dy = self.x[:, box[1]] - np.float32(x), self.y[box[0]] - np.float32(y)
        u, v = (dx, dy) if turn == 0 else (
            dx * np.float32(np.cos(turn)) + dy * np.float32(np.sin(turn)),
            dy * np.float32(np.cos(turn)) - dx * np.float32(np.sin(turn)),
        )  # fmt: skip
        u, v = u * np.float32(1 / rx), v * np.float32(1 / ry)
        distance: Plane = (np.sqrt(u * u + v * v) - np.float32(1)) * np.float32(min(rx, ry))
        return distance

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, hu: float, *,
        turn: float = 0.0, edge: float = 1.0, strength: float = 1.0,
    ) -> None:  # fmt: skip
        """Paint one ellipse."""
        reach = max(rx, ry) if turn else 0.0
        box = self.box(x - (reach or rx), x + (reach or rx), y - (reach or ry), y + (reach or ry))
        if box and min(rx, ry) > 0:
            alpha = self.cover(self.ellipse_distance(x, y, rx, ry, box, turn=turn), edge)
            self.paint(alpha if strength == 1 else alpha * np.float32(strength), hu, box)

    def ellipsoid(
        self, centre: tuple[float, float, float], radii: tuple[float, float, float], hu: float, *,
        turn: float = 0.0, edge: float = 1.0,
    ) -> float:  # fmt: skip
        """Paint the cut through an ellipsoid (x, y, depth); gives how large the cut is, 0 to 1."""
        scale = cut(self.depth - centre[2], radii[2])
        if scale > 0:
            self.ellipse(centre[0], centre[1], radii[0] * scale, radii[1] * scale, hu, turn=turn, edge=edge)
        return scale

    def balls(self, balls: Balls, *, grow: float = 0.0) -> Plane | None:
        """Give the cover of a chain of balls (each ``grow`` mm larger), or None where there is none.

        A ball thinner than the slab covers it in part only: that is the partial volume of small vessels.
        """
        depths = balls[:, 0]
        reach = float(balls[:, 3].max(initial=0)) + grow + self.thickness / 2
        near = balls[np.searchsorted(depths, self.depth - reach) : np.searchsorted(depths, self.depth + reach)]
        away, radius = np.abs(near[:, 0] - np.float32(self.depth)), near[:, 3] + np.float32(grow)
        hit = away < radius + self.thickness / 2
        near, away, radius = near[hit], away[hit], radius[hit]
        if not len(near):
            return None
        half = self.thickness / 2
        overlap = np.minimum(away + radius, half) - np.maximum(away - radius, -half)
        thin = np.minimum(1, 2 * radius / self.thickness)
        weight = np.clip(overlap / np.minimum(self.thickness, 2 * radius), 0, 1) * (0.45 + 0.55 * thin)
        section = np.sqrt(np.maximum(radius**2 - np.maximum(away - half / 2, 0) ** 2, (0.3 * radius) ** 2))
        result: Plane = np.zeros((self.size, self.size), np.float32)
        # Small balls are stamped in one go; the kernel grows with the largest of its group.
        for low, high in ((0.0, 2.0), (2.0, 6.0), (6.0, 60.0)):
            group = (section >= low) & (section < high)
            if group.any():
                self._stamp(result, near[group], section[group], weight[group])
        return result

    def _stamp(self, result: Plane, balls: Balls, radius: Plane, weight: Plane) -> None:
        reach = int(np.ceil(float(radius.max()) / self.pixel)) + 1
        half = (self.size - 1) / 2
        offset = np.arange(-reach, reach + 1)
        columns = np.rint(balls[:, 1] / self.pixel + half).astype(np.int32)[:, None] + offset
        rows = np.rint(balls[:, 2] / self.pixel + half).astype(np.int32)[:, None] + offset
        inside = (columns >= 0).all(1) & (columns < self.size).all(1)
        inside &= (rows >= 0).all(1) & (rows < self.size).all(1)
        columns, rows, balls = columns[inside], rows[inside], balls[inside]
        dx = (columns - half) * self.pixel - balls[:, 1:2]
        dy = (rows - half) * self.pixel - balls[:, 2:3]
        far = np.sqrt((dy**2)[:, :, None] + (dx**2)[:, None, :]).astype(np.float32)
        alpha = self.cover(far - radius[inside][:, None, None].astype(np.float32))
        alpha *= weight[inside][:, None, None].astype(np.float32)
        at = (rows[:, :, None] * self.size + columns[:, None, :]).ravel()
        np.maximum.at(result.reshape(-1), at, alpha.ravel())

    def texture(self, grain: float) -> Plane:
        """Give unit noise that changes slowly from slice to slice; ``grain`` in pixels of a 512 picture."""
        layers = _texture(grain)
        step = 512 // self.size if self.size < 512 else 1
        plane = layers[self.index % len(layers)]
        tiles = -(-self.size // 512)
        return np.tile(plane, (tiles, tiles))[: self.size, : self.size] if tiles > 1 else plane[::step, ::step]


def cut(away: float, radius: float) -> float:
    """Give the size of a cut through a ball, relative to its equator; 0 outside and at its very tip."""
    rest = 1 - (away / radius) ** 2
    return float(np.sqrt(rest)) if rest > 0.02 else 0.0


@cache
def _texture(grain: float) -> NDArray[np.float32]:
    shape = (8, 512, 512)
    noise = np.random.default_rng(int(grain * 1000)).standard_normal(shape, dtype=np.float32)
    spectrum = np.fft.rfftn(noise)
    frequency = [np.fft.fftfreq(n) for n in shape[:2]] + [np.fft.rfftfreq(shape[2])]
    plane = frequency[1][:, None] ** 2 + frequency[2][None, :] ** 2
    spectrum *= np.exp(-2 * (np.pi * grain) ** 2 * plane)[None]
    spectrum *= np.exp(-2 * np.pi**2 * frequency[0] ** 2)[:, None, None]
    smooth = np.fft.irfftn(spectrum, shape, axes=(0, 1, 2)).astype(np.float32)
    smooth /= smooth.std()
    return smooth
