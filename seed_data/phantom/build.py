"""How one subject is built: the measures that stay the same from visit to visit, and the outer shapes.

All lengths in mm; ``depth`` is the distance from the apex of the lungs towards the feet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seed_data.phantom.identities import Patient
from seed_data.phantom.uids import number_from

Number = Any
"""One measure or an array of them: the same formula serves a point, a slice and a cloud of points."""

BACK_Y = 122.0
"""Where the back lies on the table, whatever the patient."""
AIR, LUNG, FAT, FLUID, MUSCLE, MARROW, CORTEX = -1000.0, -862.0, -102.0, 12.0, 58.0, 210.0, 620.0

_DEPTH = (0, 30, 80, 140, 200, 260, 320, 380, 430, 480)
_WALL_X = (140, 152, 156, 152, 148, 142, 134, 131, 140, 152)
_WALL_Y = (66, 80, 95, 105, 109, 105, 98, 93, 94, 98)
_CAVITY_X = (18, 66, 106, 127, 132, 129, 121, 119, 124, 118)
_CAVITY_Y = (14, 44, 66, 83, 90, 88, 82, 76, 74, 72)


@dataclass(frozen=True)
class Build:
    """The measures of one subject."""

    key: int
    female: bool
    scale: float
    fat: float
    lean: tuple[float, ...]
    """Six small personal offsets between -1 and 1, for what differs from one person to the next."""

    def wall(self, depth: float) -> tuple[float, float, float]:
        """Give half width, half height and middle (y) of the muscles' outer border."""
        half_y = self.scale * float(np.interp(depth, _DEPTH, _WALL_Y))
        # The back lies flat on the table, so the middle rises where the body is thick.
        return self.scale * float(np.interp(depth, _DEPTH, _WALL_X)), half_y, BACK_Y - self.fat - half_y

    def cavity(self, depth: Number) -> tuple[Number, Number, Number]:
        """Give half width, half height and middle (y) of the inside of chest and belly."""
        half_x = self.scale * np.interp(depth, _DEPTH, _CAVITY_X)
        half_y = self.scale * np.interp(depth, _DEPTH, _CAVITY_Y)
        wall_y = self.scale * np.interp(depth, _DEPTH, _WALL_Y)
        front = np.interp(depth, (0, 60, 130, 300, 480), (26, 17, 15, 10, 9))
        return _light(half_x), _light(half_y), _light(BACK_Y - self.fat - 2 * wall_y + front + half_y)

    def spine(self, depth: Number) -> Number:
        """Give y of the middle of the vertebral bodies: the curves of chest and loin."""
        bend = np.interp(depth, (0, 60, 160, 260, 360, 440, 480), (38, 50, 58, 52, 40, 44, 54))
        return _light(self.scale * bend + (BACK_Y - self.fat - 110 * self.scale) * 0.75)

    def at(self, x: float, y: float, depth: float) -> tuple[float, float, float]:
        """Place a point of the average body in this one (y counted from the middle of its cavity)."""
        return x * self.scale, float(self.cavity(depth)[2]) + y * self.scale, depth

    def dome(self, x: Number, y: Number, *, right: bool) -> Number:
        """Give the depth of the diaphragm over a point: deep at the sides and behind, high in the middle."""
        sign, top = (-1, 206 + 5 * self.lean[0]) if right else (1, 222 + 5 * self.lean[0])
        middle = float(self.cavity(240)[2])
        away = ((x - sign * 60 * self.scale) / (72 * self.scale)) ** 2
        away = away + ((y - middle + 14) / (86 * self.scale)) ** 2
        return np.minimum(top + 78 * away, 318)

    def lung(self, x: Number, y: Number, depth: Number, *, right: bool, below: float = 0.0) -> Number:
        """Give about the distance in mm to the border of one lung, negative inside.

        ``below`` lowers its floor by so many mm, to find the diaphragm.
        """
        half_x, half_y, middle = self.cavity(depth)
        outside = _ellipse(x, y, 0, middle, half_x - 3, half_y - 3, power=2.25)
        outside = outside + 1.3 * np.sin(x / 17 + depth / 9) * np.sin(y / 21 - depth / 15)
        floor = (depth - below - self.dome(x, y, right=right)) * 0.8
        side = (x if right else -x) + 2.5
        return np.maximum(np.maximum(outside, floor), np.maximum(side, -self.mediastinum(x, y, depth)))

    def mediastinum(self, x: Number, y: Number, depth: Number) -> Number:
        """Give about the distance in mm to what lies between the lungs: great vessels, heart, spine."""
        k, middle, spine = self.scale, self.cavity(depth)[2], self.spine(depth)
        back = _ellipse(x, y, 0, spine, 21 * k, 22 * k)
        pipe = _ellipse(x, y, 22 * k, spine - 13 * k - 9, 15 * k, 15 * k) + 99 * ((depth < 88) | (depth > 335))
        upper = _light(np.interp(depth, (0, 40, 80, 120, 160, 320), (26, 35, 36, 32, 20, 15)) * k)
        # Vessels and fat bulge: a smooth oval would look drawn.
        bulge = _light(4 * np.sin(depth / 31 + 3 * self.lean[5])) + 3.5 * np.sin(y / 13 + depth / 37 + self.lean[4])
        core = _ellipse(x, y, 1 + bulge, middle - 2, upper, 58 * k)
        scale = _light(np.sqrt(np.maximum(1 - ((depth - 172) / 60) ** 2, 1e-3)))
        heart = _ellipse(x, y, 20 * k, middle - 26 * k, 63 * k * scale, 52 * k * scale)
        return np.minimum(np.minimum(back, core), np.minimum(heart, pipe))


def _light(value: Number) -> Number:
    """Give a lone number as a plain float: numpy's own would turn whole pictures into double precision."""
    return float(value) if np.ndim(value) == 0 else value


def _ellipse(  # noqa: PLR0917 - a point, a middle and two radii are read in this order everywhere here
    x: Number, y: Number, cx: Number, cy: Number, rx: Number, ry: Number, *, power: float = 2.0
) -> Number:
    rx, ry = _light(np.maximum(rx, 0.1)), _light(np.maximum(ry, 0.1))
    u, v = np.abs((x - cx) / rx), np.abs((y - cy) / ry)
    size = np.sqrt(u * u + v * v) if power == 2 else (u**power + v**power) ** (1 / power)
    result: Number = (size - 1) * _light(np.minimum(rx, ry))
    return result


def build_of(patient: Patient, seed: int) -> Build:
    """Give the build of a person: the same for every visit, different from one person to the next."""
    key = number_from("build", seed, patient.patient_id) % 2**63
    rng = np.random.default_rng(key)
    weight_for_size = patient.weight_kg / patient.size_m**2
    return Build(
        key=key,
        female=patient.sex == "F",
        scale=0.94 + 0.35 * (patient.size_m - 1.62) - (0.02 if patient.sex == "F" else 0),
        fat=float(np.clip(3 + 1.35 * (weight_for_size - 17), 6, 26)) + (3 if patient.sex == "F" else 0),
        lean=tuple(float(v) for v in rng.uniform(-1, 1, 6)),
    )
