"""Text burned into pictures: how much of it is found, what is found wrongly, and what that takes.

``python -m bench.burned_in [--pictures N]``. Sets: *plain* (the font that Pillow brings, from 12 points, contrast from
40: the suite's promise), *hard* (fonts of this machine, 8 to 32 points, contrast from 12, also over speckle),
*Cyrillic* and *CJK* where this machine has such a font, *clips* (speckle that moves under text that stands still, and
text in one frame only), and the pictures of the Presidio corpus, whose lines of identity a person read. Tesseract,
where it is installed, looks at the same pictures, enlarged twice, in its mode for sparse text. A text counts as found
where four fifths of its box are covered; a box that touches no text is a false one. Processor seconds, one thread.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.pixels.rendered import Text, covered, ground, image, picture, written
from trialimg.domain.mask import Box
from trialimg.pixels.frames import Frames
from trialimg.pixels.looks import look

FONTS: Final = Path("/usr/share/fonts")
FOUND: Final = 0.8
CYRILLIC: Final = ("ИВАНОВА АННА", "Род. 14.03.1956", "ПЕТРОВ И. С.", "Больница №4")  # noqa: RUF001 (meant)
CJK: Final = ("王小东", "金哲洙 1956-03-14", "東京病院", "佐藤 花子")
PRESIDIO: Final = {
    "2_ORIGINAL.dcm": (Box(2, 2, 226, 11), Box(4, 13, 110, 11)),
    "0_ORIGINAL_compressed.dcm": (Box(4, 4, 810, 38), Box(12, 50, 354, 36)),
    "RGB_ORIGINAL.dcm": (),
}
"""Lines that name somebody, as a person sees them in the picture."""
Levels = NDArray[np.uint8]
Finder = Callable[[Frames], list[Box]]


@dataclass
class Tally:
    """What one finder did on one set."""

    pictures: int = 0
    texts: int = 0
    found: int = 0
    false: int = 0
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)

    def take(self, texts: Sequence[Text], boxes: Sequence[Box], seconds: float) -> None:
        """Count one picture."""
        self.pictures, self.texts, self.seconds = self.pictures + 1, self.texts + len(texts), self.seconds + seconds
        for text in texts:
            if covered(text, boxes) >= FOUND:
                self.found += 1
            else:
                self.missed.append(f"{text.points}pt/{text.contrast}")
        self.false += sum(not any(box.grown(6).touches(text.box) for text in texts) for box in boxes)

    def line(self, name: str) -> str:
        """Give it as a line of the table."""
        each = max(self.pictures, 1)
        missed = f"  missed {', '.join(sorted(self.missed)[:6])}" if self.missed else ""
        return (
            f"{name:22} {self.found:4}/{self.texts:<4} false a picture {self.false / each:6.2f}   "
            f"{self.seconds / each:5.2f} s a picture{missed}"
        )


def ours(frames: Frames) -> list[Box]:
    """Look as a child process does."""
    return [each.box for each in look(frames).found]


def tesseract(frames: Frames) -> list[Box]:
    """Ask Tesseract about the middle frame."""
    grey = Image.fromarray(frames.levels(frames.frame(frames.frames // 2))).convert("L")
    stream = BytesIO()
    grey.resize((grey.width * 2, grey.height * 2)).save(stream, "PNG")
    done = subprocess.run(
        ["tesseract", "-", "-", "--psm", "11", "tsv"],
        input=stream.getvalue(), capture_output=True, check=True, env={**os.environ, "OMP_THREAD_LIMIT": "1"},
    )  # fmt: skip
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()[1:]]
    words = [row for row in rows if row[0] == "5" and row[11].strip() and float(row[10]) > 0]
    return [Box(*(int(number) // 2 for number in row[6:10])) for row in words]


def fonts_in(*folders: str) -> list[Path]:
    """Give the font files of this machine in these folders."""
    return sorted(path for folder in folders for path in (FONTS / folder).rglob("*.ttf"))


def stills(count: int, **given: Any) -> Iterator[tuple[bytes, list[Text]]]:
    """Give rendered pictures as DICOM files, with their texts."""
    for seed in range(count):
        shown, texts = picture(1000 + seed, **given)
        yield written(image(shown)), texts


def clips(count: int) -> Iterator[tuple[bytes, list[Text]]]:
    """Give clips of 24 frames: text that stands still over what moves, and one line that shows in one frame only."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        shown, texts = picture(2000 + seed, still=np.zeros((480, 640), np.uint8))
        letters = shown.max(axis=2)
        once = texts.pop() if len(texts) > 1 else None
        frames = np.stack([np.where(letters > 0, letters, ground(rng, 640, 480)) for _ in range(24)])
        if once is not None:
            box = once.box
            part = (slice(box.y, box.bottom), slice(box.x, box.right))
            on_dark = letters[part].copy()
            frames[(slice(None), *part)] = 0
            frames[(int(rng.integers(1, 23)), *part)] = on_dark
            texts.append(once)
        yield written(image(frames)), texts


def presidio() -> Iterator[tuple[bytes, list[Text]]]:
    """Give the pictures of the corpus, where it is."""
    here = Path(os.environ.get("TRIALIMG_CORPORA", Path(__file__).parents[2] / "shared" / "corpora"))
    folder = here / "dicom" / "burned_in_presidio" / "presidio-image-redactor" / "tests"
    for name, boxes in PRESIDIO.items():
        for path in sorted(folder.rglob(name))[:1]:
            yield path.read_bytes(), [Text(box, box.height, (255, 255, 255), name, 255) for box in boxes]


def seconds_of(work: Callable[[], list[Box]]) -> tuple[list[Box], float]:
    """Give what it found and the processor time it took, of children too."""
    before = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    boxes = work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    children = after.ru_utime + after.ru_stime - before[1].ru_utime - before[1].ru_stime
    return boxes, time.process_time() - before[0] + children


def sets(pictures: int) -> Iterator[tuple[str, Iterator[tuple[bytes, list[Text]]]]]:
    """Give every set that can be made here."""
    yield "plain", stills(pictures)
    latin = fonts_in("truetype/dejavu", "truetype/liberation")
    if latin:
        yield "hard", stills(pictures, fonts=latin, sizes=(8, 9, 10, 12, 14, 16, 20, 24, 32), contrast=12)
        yield "Cyrillic", stills(pictures // 3, fonts=latin, words=CYRILLIC, sizes=(12, 14, 16, 20, 28))
    wide = fonts_in("truetype/droid")
    if wide:
        yield "CJK", stills(pictures // 3, fonts=wide, words=CJK, sizes=(14, 16, 20, 28))
    yield "clips", clips(max(pictures // 5, 1))
    yield "Presidio corpus", presidio()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=30)
    arguments = parser.parse_args()
    finders: dict[str, Finder] = {"trialimg": ours}
    if shutil.which("tesseract"):
        finders["tesseract"] = tesseract
    total = {name: Tally() for name in finders}
    for set_name, files in sets(arguments.pictures):
        here = {name: Tally() for name in finders}
        for data, texts in files:
            for name, find in finders.items():
                frames = Frames(BytesIO(data))
                boxes, seconds = seconds_of(partial(find, frames))
                for tally in (here[name], total[name]):
                    tally.take(texts, boxes, seconds)
        for name, tally in here.items():
            print(tally.line(f"{set_name}, {name}"), flush=True)
    for name, tally in total.items():
        tally.missed.clear()
        print(tally.line(f"all, {name}"))
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
