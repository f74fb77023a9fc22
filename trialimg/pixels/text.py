"""Where a picture shows text: the detector of PP-OCRv6, whose model lies in RapidOCR's wheel; it reads no word of it.

In a child process only: it brings onnxruntime. Nothing is ever fetched.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialimg.domain.mask import Box
from trialimg.errors import OurFault, UnreadableObject
from trialimg.pixels.frames import COLOURS

Levels = NDArray[np.uint8]
_MODEL: Final = "models/PP-OCRv6_det_small.onnx"
_NOT_ENOUGH: Final = (
    "Text could not be sought in this picture: that needs more memory than a child process may use here (setting "
    "child_memory_mb). Look at every part of it yourself."
)
_STEP: Final = 32
"""The network takes sides of a multiple of this."""
_TILE: Final = 1280
_OVERLAP: Final = 160
"""Pixels that neighbouring parts of a large picture share, so that a word at their edge is whole in one of them."""
_THRESHOLD: Final = 0.2
_UNCLIP: Final = 1.8
"""How far the shrunken areas that the network marks are grown again (Liao et al., arXiv 1911.08947)."""
_SMALLEST: Final = 3
_WASTE: Final = 1.25
"""How much larger than what it covers a joined box may be."""
_LARGEST: Final = 0.12
"""The part of a picture's height that a line of text may take (64 pixels of a small one): the rest is anatomy."""
_LARGE: Final = 64
_LEGIBLE: Final = 8
"""Pixels of a box's height, or width if that is less, below which it is a speck."""
_FILLED: Final = 0.3
"""The part of its box that a line of text fills, unless it is written aslant."""
_BENT: Final = 0.8
_SURE_ASLANT: Final = 0.8
"""How sure the detector must be of what is no level line: speckle and the edges of a sector are taken for such."""


class Found(NamedTuple):
    """A place that shows text, and how sure the detector is, from 0 to 1."""

    box: Box
    score: float


@cache
def _session() -> Any:
    spec = find_spec("rapidocr")
    folder = next(iter(spec.submodule_search_locations or ()), None) if spec else None
    model = Path(folder) / _MODEL if folder else None
    if model is None or not model.is_file():
        raise OurFault("The model that finds text in pictures is not installed. The operator must run the setup again.")
    # Only here: it takes 50 MB, and most children never look for text.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def find_text(levels: Levels, *, sure: float = 0.4) -> list[Found]:
    """Give the places of one picture (8 bits of grey, or of RGB) that show text, where the detector is so ``sure``."""
    found: list[Found] = []
    rows, columns = levels.shape[:2]
    for top in _starts(rows):
        for left in _starts(columns):
            for box, score in _in_tile(levels[top : top + _TILE, left : left + _TILE], max(_LARGEST * rows, _LARGE)):
                moved = Box(box.x + left, box.y + top, box.width, box.height).clipped(columns, rows)
                if score >= sure and not moved.is_empty:
                    found.append(Found(moved, score))
    return found


def joined(found: Iterable[Found]) -> list[Found]:
    """Join places that touch and lie along each other; the surest of them speaks for the whole.

    Two that only touch at a corner stay two: the box around both would cover what shows no text.
    """
    left = sorted(set(found), key=lambda each: -_area(each.box))
    done: list[Found] = []
    while left:
        each = left.pop(0)
        other = next((other for other in left if _lie_along(each.box, other.box)), None)
        if other is None:
            done.append(each)
            continue
        left.remove(other)
        left.insert(0, Found(each.box.joined(other.box), max(each.score, other.score)))
    return sorted(done)


def _area(box: Box) -> int:
    return box.width * box.height


def _lie_along(one: Box, other: Box) -> bool:
    shared = Box(max(one.x, other.x), max(one.y, other.y), 0, 0)
    width, height = min(one.right, other.right) - shared.x, min(one.bottom, other.bottom) - shared.y
    if width < 0 or height < 0:
        return False
    covered = _area(one) + _area(other) - width * height
    return _area(one.joined(other)) <= _WASTE * covered


def _starts(size: int) -> list[int]:
    if size <= _TILE:
        return [0]
    return [*range(0, size - _TILE, _TILE - _OVERLAP), size - _TILE]


def _in_tile(levels: Levels, largest: float) -> list[Found]:
    session = _session()
    rows, columns = levels.shape[:2]
    high, wide = (-(-size // _STEP) * _STEP for size in (rows, columns))
    # The picture is not scaled but filled up with its own edge, so that a pixel of the answer is one of the picture.
    ground = np.full((1, 3, high, wide), -1, dtype=np.float32)
    scaled = levels.astype(np.float32) * np.float32(2 / 255) - np.float32(1)
    ground[0, :, :rows, :columns] = scaled[..., ::-1].transpose(2, 0, 1) if levels.ndim == COLOURS else scaled
    try:
        likely = session.run(None, {session.get_inputs()[0].name: ground})[0][0, 0, :rows, :columns]
    except Exception as error:
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        raise UnreadableObject(_NOT_ENOUGH) from None
    grown = [Found(_grown(box), score) for box, score in _areas(likely, largest)]
    return [each for each in grown if min(each.box.width, each.box.height) >= _LEGIBLE]


def _grown(box: Box) -> Box:
    by = box.width * box.height * _UNCLIP / (2 * (box.width + box.height))
    return box.grown(max(round(by), 2))


def _areas(likely: NDArray[np.float32], largest: float) -> list[Found]:
    """Give the box of each connected area over the threshold, and its mean likelihood."""
    found = []
    for runs in _connected(likely > _THRESHOLD):
        x, right = min(run[1] for run in runs), max(run[2] for run in runs)
        y, bottom = runs[0][0], runs[-1][0] + 1
        if right - x < _SMALLEST or bottom - y < _SMALLEST:
            continue
        weight = sum(run[2] - run[1] for run in runs)
        score = sum(float(likely[row, start:end].sum()) for row, start, end in runs) / weight
        thick, strays = _shape(runs, weight)
        aslant = weight < _FILLED * (right - x) * (bottom - y)
        wide = aslant or min(right - x, bottom - y) * _UNCLIP > largest
        if thick * _UNCLIP > largest or (aslant and strays > _BENT * thick) or (wide and score < _SURE_ASLANT):
            continue
        found.append(Found(Box(x, y, right - x, bottom - y), round(score, 3)))
    return found


def _shape(runs: list[tuple[int, int, int]], weight: int) -> tuple[float, float]:
    """Give how thick an area is across its longer axis, and how far it strays from that: an arc strays, a line not."""
    points = np.array([(x, row) for row, start, end in runs for x in (start, end)], dtype=np.float32)
    away = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(away, full_matrices=False)
    along, across = away @ axes[0], away @ axes[-1]
    return weight / max(float(np.ptp(along)), 1.0), float(across.std())


def _connected(marked: NDArray[np.bool_]) -> list[list[tuple[int, int, int]]]:
    """Part a bitmap into connected areas, each as runs (row, first column, end) from top to bottom."""
    edges = np.diff(np.pad(marked, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
    runs = [(int(row), int(x), int(end)) for (row, x), (_, end) in zip(starts, ends, strict=True)]
    parent = list(range(len(runs)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    above = 0
    for number, (row, start, end) in enumerate(runs):
        while runs[above][0] < row - 1 or (runs[above][0] == row - 1 and runs[above][2] <= start - 1):
            above += 1
        other = above
        while other < number and runs[other][0] == row - 1 and runs[other][1] <= end:
            parent[root(other)] = root(number)
            other += 1
    areas: dict[int, list[tuple[int, int, int]]] = {}
    for number, run in enumerate(runs):
        areas.setdefault(root(number), []).append(run)
    return list(areas.values())
