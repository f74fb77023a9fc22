"""Damages planted objects in every way that can be thought of, and looks whether the engine crashes, hangs or tells.

Usage: nice -n 15 python -m tools.deid_fuzz --count 20000 [--state var/deid_fuzz.json] [--seed 1] [--corpora FOLDER]

Each mutant is made from its number, the seed and the files that are damaged, so that one can be made again: ``--only
NUMBER --keep FILE``. Beside the planted objects these are real ones of the corpora, where they are, with a name planted
into each. A run goes on where the last one with the same state file ended. It ends with 1 where anything was found, a
fault of ours among it.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any, Final

from pydicom import dcmread

from tests.dicom.conftest import corpora as _corpora
from tests.dicom.planted_objects import KINDS, plant_object
from tests.dicom.planted_places import ENCODINGS
from trialimg.dicom.deidentify import clean_file, verify_clean
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.errors import BadInput

_BATCH: Final = 250
_SECONDS: Final = 30
_PROFILES: Final = tuple(Profile("fuzz", "1", dates, keep_age=True) for dates in ("removed", "shifted", "kept"))
_IDENTITY: Final = SubjectIdentity("Sponsor", "P-1", "Protocol", "101", "Site", "101-001", "W8", "Week 8")
_STEMS: Final = (
    "okonkwo",
    "müllerst",
    "žaneta",
    "奥孔乔",
    "오콘조",
    "欧阳锋",
    "山田崎",
    "やまださき",
    "洪吉洞",
    "홍길동",
    "иван",
)
_NEEDLES: Final = frozenset(
    stem.encode(encoding).lower()
    for stem in _STEMS
    for encoding in ENCODINGS
    if stem.encode(encoding, "ignore").decode(encoding, "ignore") == stem and len(stem.encode(encoding)) > 5
)
_MOST_REAL, _LARGEST_REAL = 120, 2**20
_VRS: Final = b"AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SL SQ SS ST TM UC UI UL UN UR US UT XX".split()


class TooSlow(Exception):
    """A mutant took more processor time than any file may."""


def mutant(seeds: list[bytes], seed: int, number: int) -> bytes:
    """Make one damaged file: one to eight changes to a planted object."""
    chance = random.Random(f"{seed}/{number}")  # noqa: S311 - no secret
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        if len(data) > 200:
            chance.choice(_CHANGES)(data, chance, seeds)
    return bytes(data)


def _at(data: bytearray, chance: random.Random) -> int:
    return (
        chance.randrange(128, min(len(data) - 8, 12000)) if chance.random() < 0.9 else chance.randrange(len(data) - 8)
    )


def _flip(data: bytearray, chance: random.Random, _seeds: list[bytes]) -> None:
    data[_at(data, chance)] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random, _seeds: list[bytes]) -> None:
    at = _at(data, chance)
    data[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\x00\xe0", chance.randbytes(4)))


def _insert(data: bytearray, chance: random.Random, _seeds: list[bytes]) -> None:
    at = _at(data, chance)
    data[at:at] = chance.choice((b"\0", b"\xff", b"\x1b$B", b"\\", chance.randbytes(chance.randrange(1, 40))))


def _delete(data: bytearray, chance: random.Random, _seeds: list[bytes]) -> None:
    at = _at(data, chance)
    del data[at : at + chance.choice((1, 2, 8, 100))]


def _truncate(data: bytearray, chance: random.Random, _seeds: list[bytes]) -> None:
    del data[_at(data, chance) :]


def _repeat(data: bytearray, chance: random.Random, _seeds: list[bytes]) -> None:
    at, size = _at(data, chance), chance.choice((8, 16, 64, 512))
    part = data[at : at + size]
    data[at:at] = part * chance.choice((1, 2, 50))


def _splice(data: bytearray, chance: random.Random, seeds: list[bytes]) -> None:
    other = bytearray(chance.choice(seeds))
    at, there = _at(data, chance), _at(other, chance)
    data[at:] = other[there:]


def _other_vr(data: bytearray, chance: random.Random, _seeds: list[bytes]) -> None:
    start = _at(data, chance)
    for at in range(start, min(start + 400, len(data) - 2)):
        if bytes(data[at : at + 2]) in _VRS:
            data[at : at + 2] = chance.choice(_VRS)
            return


def _other_tag(data: bytearray, chance: random.Random, _seeds: list[bytes]) -> None:
    start = _at(data, chance)
    for at in range(start, min(start + 400, len(data) - 6)):
        if bytes(data[at + 4 : at + 6]) in _VRS:
            data[at : at + 2] = chance.choice((b"\x08\0", b"\x10\0", b"\x09\0", b"\x28\0", b"\x40\0", b"\xe0\x7f"))
            return


def _other_characters(data: bytearray, chance: random.Random, _seeds: list[bytes]) -> None:
    at = data.find(b"\x08\0\x05\0CS")
    if at > 0:
        data[at + 8 : at + 18] = chance.choice((b"ISO_IR 13 ", b"ISO_IR 999", b"ISO_IR 192", b"\\ISO 2022 ", bytes(10)))


def _other_syntax(data: bytearray, chance: random.Random, _seeds: list[bytes]) -> None:
    at = data.find(b"1.2.840.10008.1.2")
    if at > 0:
        data[at : at + 19] = chance.choice((b"1.2.840.10008.1.2\0\0", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.5"))


_CHANGES: Final[tuple[Callable[[bytearray, random.Random, list[bytes]], None], ...]] = (
    *(_flip, _overwrite, _insert, _delete, _truncate, _repeat, _splice, _other_vr, _other_tag),
    *(_other_characters, _other_syntax),
)


def tells(content: bytes) -> bool:
    """Tell whether something of a planted identity is in some bytes."""
    small = content.lower()
    return any(needle in small for needle in _NEEDLES)


def real_ones(folder: Path) -> list[bytes]:
    """Give real objects of many kinds, each with a name planted where names stand; what cannot be written as it is."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < _LARGEST_REAL)
    chosen = random.Random("real ones").sample(files, min(_MOST_REAL, len(files)))  # noqa: S311 - no secret
    return [_named(path, number) for number, path in enumerate(sorted(chosen))]


def _named(path: Path, number: int) -> bytes:
    stream = BytesIO()
    try:
        dataset = dcmread(path)
        dataset.PatientName = dataset.ReferringPhysicianName = f"OkonkwoReal{number:03d}^Ada"
        dataset.OperatorsName = f"OkonkwoOperator{number:03d}"
        dataset.InstitutionAddress = f"{number} Okonkwostrasse"
        dataset.PatientComments = dataset.ImageComments = f"seen by Dr. Okonkwo{number:03d}"
        dataset.save_as(stream)
    except Exception:  # noqa: BLE001 - damaged already
        return path.read_bytes()
    return stream.getvalue()


def seeds(corpora: Path | None = None) -> list[bytes]:
    """Make the objects that are damaged; real ones among them where there is a folder of such."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.dcm"
        made = []
        for kind in KINDS:
            plant_object(kind, path)
            made.append(path.read_bytes())
    return made + (real_ones(corpora) if corpora is not None and corpora.is_dir() else [])


def try_one(data: bytes, number: int, target: Path) -> str:
    """Clean one mutant; give what became of it, beginning with ``!`` where that is wrong."""
    profile = _PROFILES[number % len(_PROFILES)]
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        result = clean_file(BytesIO(data), target, profile=profile, identity=_IDENTITY, subject_key=b"k" * 32)
        if result.hold_reason:
            return "!the reason tells" if tells(result.hold_reason.encode()) else "held"
        verify_clean(target, profile=profile, identity=_IDENTITY)
        return "!an identifier is left" if tells(target.read_bytes()) else "cleaned"
    except BadInput as refusal:
        if target.exists() and not target.stat().st_size:
            return "!half a file"
        return "!the refusal tells" if tells(refusal.sentence.encode()) else "refused"
    except Exception as error:  # noqa: BLE001 - every other end is what is looked for
        return f"!{type(error).__name__}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        target.unlink(missing_ok=True)


def run(first: int, count: int, seed: int, corpora: Path | None = None) -> dict[str, Any]:
    """Try mutants in this process; give the count of each end, and the numbers of the wrong ones."""
    made, ends, wrong = seeds(corpora), Counter[str](), []
    signal.signal(signal.SIGPROF, _out_of_time)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, first + count):
            end = try_one(mutant(made, seed, number), number, Path(folder) / "out.dcm")
            ends[end] += 1
            if end.startswith("!"):
                wrong.append([number, end])
    return {"ends": dict(ends), "wrong": wrong}


def _out_of_time(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlow


def _go_on(state: dict[str, Any], count: int, seed: int, path: Path, corpora: Path) -> None:
    """Run batches in child processes: a crash of the interpreter is an end like any other."""
    while state["done"] < count:
        size = min(_BATCH, count - state["done"])
        order = [sys.executable, "-m", "tools.deid_fuzz", "--batch", str(state["done"]), str(size), "--seed", str(seed)]
        order += ["--corpora", str(corpora)]
        done = subprocess.run(order, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            told = json.loads(done.stdout.splitlines()[-1])
        else:
            told = {"ends": {"!crash": size}, "wrong": [[state["done"], f"!crash {done.returncode}"]]}
        for end, number in told["ends"].items():
            state["ends"][end] = state["ends"].get(end, 0) + number
        state["wrong"] += told["wrong"]
        state["done"] += size
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(state))


def main(arguments: list[str]) -> int:
    """Read the order, go on with the run, and print what became of all mutants."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--count", type=int, default=1000)
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--state", type=Path, default=Path("var/deid_fuzz.json"))
    reader.add_argument("--batch", type=int, nargs=2, metavar=("FIRST", "COUNT"))
    reader.add_argument("--only", type=int)
    reader.add_argument("--keep", type=Path)
    reader.add_argument("--corpora", type=Path, default=_corpora())
    order = reader.parse_args(arguments)
    if order.batch:
        print(json.dumps(run(order.batch[0], order.batch[1], order.seed, order.corpora)))
        return 0
    if order.only is not None:
        if order.keep:
            order.keep.write_bytes(mutant(seeds(order.corpora), order.seed, order.only))
        print(json.dumps(run(order.only, 1, order.seed, order.corpora)))
        return 0
    state: dict[str, Any] = {"done": 0, "ends": {}, "wrong": []}
    if order.state.exists():
        state = json.loads(order.state.read_text())
    _go_on(state, order.count, order.seed, order.state, order.corpora)
    print(f"{state['done']} mutants: {state['ends']}; wrong: {state['wrong'][:20] or 'none'}")
    return 1 if state["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
