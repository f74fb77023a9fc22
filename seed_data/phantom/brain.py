"""The picture of a head in magnetic resonance: which tissue is where, and how bright each one is.

Coordinates are the patient's in mm from the middle of the brain: x to the left hand, y to the back,
z to the crown. A tissue's brightness depends on the weighting only, as it does in the scanner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from seed_data.phantom.identities import Patient
from seed_data.phantom.uids import number_from

Plane = NDArray[np.float32]
# Brightness by weighting: (T1, T2), on the scale of the stored values.
BRIGHTNESS: Final[dict[str, tuple[float, float]]] = {
    "air": (6, 6), "skin": (330, 260), "scalp": (760, 520), "bone": (40, 30), "marrow": (420, 260),
    "fluid": (110, 900), "grey": (330, 480), "white": (480, 330), "deep": (390, 380), "muscle": (260, 150),
    "eye": (130, 920), "lens": (220, 150), "vessel": (700, 30), "lesion": (640, 760), "oedema": (360, 640),
    "necrosis": (170, 840),
}  # fmt: skip
_METASTASES = ((32.0, -18.0, 26.0), (-36.0, 28.0, 14.0), (-24.0, -40.0, 34.0))


@dataclass(frozen=True)
class Head:
    """One subject's head: its scale, and the smooth random fields that fold the cortex."""

    scale: float
    folds: NDArray[np.float32]
    """Unit noise (slice, row, column)."""


def head_of(patient: Patient, seed: int, slices: int, size: int) -> Head:
    """Give the head of a person; the same for every visit with the same number of slices."""
    rng = np.random.default_rng(number_from("head", seed, patient.patient_id) % 2**63)
    shape = (slices, size, size)
    spectrum = np.fft.rfftn(rng.standard_normal(shape, dtype=np.float32))
    z, y, x = np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1]), np.fft.rfftfreq(shape[2])
    ring = np.sqrt(y[:, None] ** 2 + x[None, :] ** 2) * size
    # Gyri have one width: a ring of frequencies, about one fold in 10 mm of a field of 230 mm.
    spectrum *= np.exp(-(((ring - 11) / 3.2) ** 2))[None] * np.exp(-((z * 5.0) ** 2))[:, None, None]
    folds = np.fft.irfftn(spectrum, shape, axes=(0, 1, 2)).astype(np.float32)
    return Head(0.97 + 0.06 * float(rng.random()), folds / folds.std())


def paint_head(head: Head, index: int, z: float, *, pixel: float, weighting: str, diameters: Sequence[float]) -> Plane:
    """Give one noiseless slice at height ``z`` (mm), as brightness; ``weighting`` is T1 or T2.

    ``diameters`` are those of the metastases in mm, the first always at the same place.
    """
    size = head.folds.shape[1]
    axis = ((np.arange(size) - (size - 1) / 2) * pixel / head.scale).astype(np.float32)
    p = _Picture(axis[None, :], axis[:, None], z / head.scale, pixel, 0 if weighting == "T1" else 1)
    folds = head.folds[index]
    _paint_skull(p, folds)
    _paint_brain(p, folds)
    _paint_depth(p)
    if p.z < -12:
        _paint_base(p, folds)
    for (x, y, height), diameter in zip(_METASTASES, diameters, strict=False):
        _paint_metastasis(p, (x, y, height), diameter / head.scale, folds)
    return p.values


class _Picture:
    def __init__(self, x: Plane, y: Plane, z: float, pixel: float, column: int) -> None:
        self.x, self.y, self.z, self.pixel, self.column = x, y, z, pixel, column
        self.values: Plane = np.full((y.shape[0], x.shape[1]), BRIGHTNESS["air"][column], np.float32)

    def paint(self, distance: Any, tissue: str, strength: Any = 1.0) -> None:
        alpha = np.clip(0.5 - distance / self.pixel, 0, 1) * strength
        self.values += (alpha * (BRIGHTNESS[tissue][self.column] - self.values)).astype(np.float32)

    def egg(self, middle: tuple[float, float, float], radii: tuple[float, float, float], turn: float = 0.0) -> Any:
        rest = 1 - ((self.z - middle[2]) / radii[2]) ** 2
        if rest <= 0.01:
            return np.full(self.values.shape, 99, np.float32)
        dx, dy = self.x - middle[0], self.y - middle[1]
        u = (dx * np.cos(turn) + dy * np.sin(turn)) / radii[0]
        v = (dy * np.cos(turn) - dx * np.sin(turn)) / radii[1]
        return (np.sqrt(u * u + v * v) / np.sqrt(rest) - 1) * min(radii[0], radii[1]) * np.sqrt(rest)


def _paint_skull(p: _Picture, folds: Plane) -> None:
    outer = p.egg((0, 2, -8), (80, 99, 104))
    p.paint(outer, "skin")
    p.paint(outer + 2.0, "scalp")
    p.paint(outer + 6.5 + 0.4 * folds, "bone")
    p.paint(np.abs(outer + 9.5) - 1.6, "marrow", 0.8)
    p.paint(outer + 12.0, "fluid")


def _paint_brain(p: _Picture, folds: Plane) -> None:
    brain = p.egg((0, 2, -6), (66.5, 85, 91))
    # Frontal lobes are narrower than the back of the head; the hemispheres part in the midline.
    brain = brain + np.clip(-p.y - 30, 0, 60) * 0.0012 * np.abs(p.x) + 0.5 * folds
    split = 0.7 + np.clip((np.abs(p.y) - 48) * 0.045, 0, 2.2) + (p.z > 40) * 0.3
    brain = np.maximum(brain, split + 0.6 * folds - np.abs(p.x)) if p.z > -4 else brain
    p.paint(brain, "grey")
    # Furrows run where the smooth noise crosses zero, a labyrinth as in a real cortex, and end in the depth.
    shallow = np.clip(1 + brain / 25, 0, 1)
    bank = np.abs(folds) * 4.6
    white = np.maximum(brain + 3.2, 3.8 * np.sqrt(shallow) - 2 * (shallow < 0.1) - bank)
    white = np.maximum(white, 3.4 - np.abs(p.x)) if p.z > 30 else white
    p.paint(white, "white")
    furrow = np.maximum(bank - 1.7 * shallow, brain - 0.5)
    p.paint(furrow, "fluid", 0.85 * np.clip(shallow * 2.2 - 0.5, 0, 1))


def _paint_depth(p: _Picture) -> None:
    """Paint ventricles, basal ganglia, thalami, corpus callosum, insula."""
    if -30 < p.z < 44:
        p.paint(p.egg((0, -2, 26), (22, 44, 10)), "white")
    for side in (-1, 1):
        p.paint(p.egg((side * 25, -4, 8), (9, 20, 18), turn=side * -0.25), "deep")
        p.paint(p.egg((side * 14, -20, 14), (6.5, 12, 16), turn=side * 0.3), "deep")
        p.paint(p.egg((side * 10.5, 14, 10), (9.5, 15, 13), turn=side * -0.5), "deep")
        island = np.abs(p.egg((side * 33, -4, 4), (9, 24, 19), turn=side * -0.1))
        p.paint(np.maximum(island - 1.8, 36 - p.x * side), "grey")
        p.paint(np.maximum(island - 0.7, 37 - p.x * side), "fluid", 0.8)
        p.paint(p.egg((side * 54, -10, 0), (13, 1.5, 14), turn=side * 0.12), "fluid", 0.9)
        p.paint(p.egg((side * 9, -20, 20), (5.4, 20, 13), turn=side * 0.28), "fluid")
        p.paint(p.egg((side * 17, 26, 14), (6.6, 21, 15), turn=side * -0.4), "fluid")
        p.paint(p.egg((side * 16, 25, 13), (2.6, 6, 6)), "deep", 0.8)
    p.paint(p.egg((0, 6, 4), (2.0, 14, 12)), "fluid")
    if p.z < 6:
        p.paint(p.egg((0, 10, -14), (24, 21, 17)), "fluid", 0.9)
        p.paint(p.egg((0, -14, -14), (15, 12, 15)), "fluid", 0.9)
        for side in (-1, 1):
            p.paint(p.egg((side * 9, 2, -14), (8.5, 11, 18), turn=side * 0.5), "white")
        p.paint(p.egg((0, 11, -14), (13, 9, 18)), "deep")
        p.paint(p.egg((0, 13, -14), (1.3, 1.3, 18)), "fluid")


def _paint_base(p: _Picture, folds: Plane) -> None:
    """Paint what lies below: cerebellum and brain stem, eyes, air of the sinuses, muscles."""
    head = p.egg((0, 2, -8), (80, 99, 104))
    front = p.egg((0, -58, -48), (70, 44, 27))
    p.paint(np.maximum(front - 2.5, head + 8), "bone")
    p.paint(np.maximum(front, head + 9), "marrow", 0.75)
    p.paint(p.egg((0, -26, -48), (17, 24, 25)), "bone")
    p.paint(p.egg((0, -26, -48), (14, 21, 23)), "marrow")
    p.paint(p.egg((0, 38, -44), (52.5, 38, 33)), "fluid", 0.9)
    cerebellum = p.egg((0, 40, -44), (51, 36, 32)) + 0.8 * folds
    p.paint(cerebellum, "grey")
    leaves = np.abs(np.sin(np.hypot(p.x * 0.55, p.y - 4) / 2.1 + 0.5 * folds))
    p.paint(cerebellum + 5 + 9 * leaves, "white", 0.6)
    for side in (-1, 1):
        p.paint(p.egg((side * 20, 32, -44), (17, 13, 18), turn=side * 0.5), "white")
    p.paint(p.egg((0, 3, -46), (15, 13, 44)), "fluid")
    p.paint(p.egg((0, 4, -46), (13, 11.5, 44)), "white")
    p.paint(p.egg((0, 19, -40), (7, 4.5, 13)), "fluid")
    p.paint(p.egg((0, -6, -40), (1.8, 1.8, 40)), "vessel")
    for side in (-1, 1):
        p.paint(np.maximum(p.egg((side * 29, -62, -42), (18, 24, 17), turn=side * 0.3), head + 3), "scalp")
        p.paint(p.egg((side * 31, -71, -42), (12, 12, 12.5)), "eye")
        p.paint(p.egg((side * 31, -80.5, -42), (4.4, 2.2, 4)), "lens")
        p.paint(p.egg((side * 25, -50, -42), (1.8, 12, 2.5), turn=side * -0.3), "white")
        p.paint(p.egg((side * 17.5, -62, -42), (2, 14, 7), turn=side * -0.15), "muscle")
        p.paint(p.egg((side * 15, -12, -44), (2.4, 2.4, 22)), "vessel")
        p.paint(p.egg((side * 48, 24, -58), (11, 15, 20)), "bone")
    p.paint(p.egg((0, -62, -50), (10, 19, 20)), "air")
    p.paint(np.abs(p.egg((0, -62, -50), (5, 17, 18))) - 0.8, "muscle")


def _paint_metastasis(p: _Picture, middle: tuple[float, float, float], diameter: float, folds: Plane) -> None:
    if diameter <= 0:
        return
    r = diameter / 2
    p.paint(p.egg(middle, (r * 1.9, r * 1.7, r * 1.8), 0.4) + 2.5 * folds, "oedema", 0.75)
    p.paint(p.egg(middle, (r, r, r)), "lesion")
    if diameter > 9:
        p.paint(p.egg(middle, (r - 3, r - 3.4, r - 3)), "necrosis")
