"""Lesions: where they sit in a subject, and how they are painted at a given size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from seed_data.phantom.build import FAT, Build
from seed_data.phantom.canvas import Canvas, Plane, cut
from seed_data.phantom.uids import number_from

Site = Literal["lung", "liver", "node", "adrenal"]


@dataclass(frozen=True)
class Lesion:
    """One lesion at one visit: its site and its longest axial diameter in mm.

    The first lesion of a site named in a study is always the same one, so is the second, and so on:
    the order tells them apart from visit to visit. A diameter of 0 means it has gone.
    """

    site: Site
    diameter_mm: float


# x from the midline, y from the middle of the body cavity, depth below the apex of the lungs (mm).
_PLACES: Final[dict[Site, tuple[tuple[float, float, float], ...]]] = {
    "lung": ((-78, 22, 200), (74, 30, 208), (-66, -30, 96), (66, -22, 108)),
    "liver": ((-82, 8, 288), (-58, -34, 262), (-88, -18, 316), (8, -46, 262)),
    "node": ((22, 4, 345), (-3, 8, 140), (30, 4, 372), (-24, -4, 92)),
    "adrenal": ((35, 30, 288), (-40, 34, 296)),
}
# The lesion's own HU and, for those that lie in the midst of organs, the HU of the fat around them.
_LOOKS: Final[dict[Site, tuple[float, float | None]]] = {
    "lung": (45, None), "liver": (52, None), "node": (82, FAT), "adrenal": (62, FAT),
}  # fmt: skip


@dataclass(frozen=True)
class PlacedLesion:
    """A lesion in its subject: middle (x, y, depth in mm), radius, and its own irregular outline."""

    lesion: Lesion
    number: int
    x: float
    y: float
    depth: float
    key: int

    def radius(self, angle: Plane | float) -> Plane:
        """Give the equatorial radius in mm at an angle; the longest diameter is the one asked for."""
        outline = self._waves(np.asarray(angle, np.float32))
        around = self._waves(np.linspace(0, 2 * np.pi, 360, endpoint=False, dtype=np.float32))
        longest = float((around[:180] + around[180:]).max())
        result: Plane = (outline * (self.lesion.diameter_mm / longest)).astype(np.float32)
        return result

    def _waves(self, angle: Plane) -> Plane:
        rng = np.random.default_rng(self.key)
        height = 0.3 if self.lesion.site == "lung" else 0.8
        size = np.ones_like(angle)
        for wave in (2, 3, 5):
            size = size + height * rng.uniform(0.02, 0.07) * np.cos(wave * angle + rng.uniform(0, 6))
        return size

    def size_at(self, depth: float) -> float:
        """Give how large the cut at a depth is, relative to the largest; 0 outside."""
        radius = self.lesion.diameter_mm / 2
        return cut(depth - self.depth, radius) if radius > 0 else 0.0


def places(build: Build, site: Site) -> list[tuple[float, float, float]]:
    """Give where the lesions of one site can sit in this subject."""
    rng = np.random.default_rng(number_from("places", build.key, site) % 2**63)
    shift = rng.uniform(-4, 4, (len(_PLACES[site]), 3))
    return [
        build.at(x + dx, y + dy, depth + dz) for (x, y, depth), (dx, dy, dz) in zip(_PLACES[site], shift, strict=True)
    ]


def place(build: Build, lesions: tuple[Lesion, ...], depths: list[float]) -> list[PlacedLesion]:
    """Place the lesions of one study; each one's middle is moved to the nearest slice.

    Raises ValueError when a site has fewer places than lesions were asked for.
    """
    result: list[PlacedLesion] = []
    for number, lesion in enumerate(lesions, 1):
        earlier = sum(other.site == lesion.site for other in lesions[: number - 1])
        options = places(build, lesion.site)
        if earlier >= len(options):
            raise ValueError(f"The {lesion.site} of a phantom has room for {len(options)} lesions.")
        x, y, depth = options[earlier]
        on_slice = min(depths, key=lambda other: abs(other - depth))
        key = number_from("outline", build.key, lesion.site, earlier) % 2**63
        result.append(PlacedLesion(lesion, number, x, y, on_slice, key))
    return result


def paint_lesions(c: Canvas, placed: list[PlacedLesion]) -> None:
    """Paint the cuts of all lesions that reach into this slice."""
    for one in placed:
        size = one.size_at(c.depth)
        if not size:
            continue
        hu, around = _LOOKS[one.lesion.site]
        reach = one.lesion.diameter_mm * 0.62 + 9
        box = c.box(one.x - reach, one.x + reach, one.y - reach, one.y + reach)
        if box is None:
            continue
        dx, dy = c.x[:, box[1]] - np.float32(one.x), c.y[box[0]] - np.float32(one.y)
        far = np.sqrt(dx * dx + dy * dy)
        distance = far - one.radius(np.arctan2(dy, dx)) * np.float32(size)
        if around is not None:
            c.paint(c.cover(distance - np.float32(4), edge=5), around + 8, box)
        inside = c.cover(distance, edge=1.8)
        if one.lesion.site == "liver":
            # A metastasis in the portal phase: darker than the liver, darkest in its middle.
            c.paint(inside, hu, box)
            c.paint(c.cover(distance + np.float32(0.3 * one.lesion.diameter_mm), edge=5), hu - 18, box)
        else:
            c.paint(inside, hu + 4 * c.texture(4.0)[box], box)
