"""Damaged and hostile files: no crash, no hang, no memory beyond measure, and nothing told."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from tests.client.hostile import make_hostile
from tests.dicom.conftest import corpora, pydicom_files
from tests.dicom.planted_places import Ledger
from tools import deid_fuzz
from tools.deid_fuzz import mutant, run, seeds
from trialimg.dicom.deidentify import clean_file
from trialimg.dicom.parsing.residue import identifying_values
from trialimg.dicom.rules.needles import InBytes
from trialimg.dicom.standard.words import cleaned_words
from trialimg.errors import BadInput, NotDicom, OurFault, UnreadableObject

MEGABYTE = 2**20


def test_damaged_objects_are_refused_held_or_clean_and_never_tell():
    told = run(0, 700, seed=7)
    assert told["wrong"] == []
    assert sum(told["ends"].values()) == 700
    assert told["ends"]["cleaned"] > 30
    assert told["ends"]["refused"] > 100


def test_a_mutant_can_be_made_again():
    made = seeds()
    assert made == seeds()
    assert mutant(made, 1, 5) == mutant(made, 1, 5) != mutant(made, 1, 6)


def test_a_fault_of_ours_is_a_finding(tmp_path, monkeypatch):
    def fails(*_given, **_more):
        raise OurFault("Something of ours failed.")

    monkeypatch.setattr(deid_fuzz, "clean_file", fails)
    assert deid_fuzz.try_one(seeds()[0], 0, tmp_path / "out.dcm") == "!OurFault"


def test_real_objects_are_damaged_too_where_they_are(tmp_path):
    (tmp_path / "ct.dcm").write_bytes(Path(get_testdata_file("CT_small.dcm")).read_bytes())
    (tmp_path / "no image").write_bytes(b"nothing")
    planted, nothing = deid_fuzz.real_ones(tmp_path)
    assert deid_fuzz.tells(planted)
    assert nothing == b"nothing"
    assert seeds(tmp_path) == [*seeds(), planted, nothing]


def damaged(chance, data):
    made = bytearray(data)
    for _ in range(chance.choice((1, 2, 4))):
        at = chance.randrange(132, min(len(made), 6000) - 8)
        made[at : at + 1] = chance.choice((b"", b"\xff", b"\0\0", bytes([chance.randrange(256)])))
    return bytes(made)


def test_damaged_files_of_others_tell_nothing_of_who_is_in_them(tmp_path, profile, identity, key):
    """Of pydicom's files, and of the corpora where they are; what names somebody in the original is searched."""
    folder, chance, cleaned = corpora(), random.Random(11), 0
    files = [path for path in pydicom_files() if path.stat().st_size < MEGABYTE]
    if folder.is_dir():
        more = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < MEGABYTE)
        files += chance.sample(more, 100)
    for path in files:
        data = path.read_bytes()
        try:
            values = identifying_values(pydicom.dcmread(BytesIO(data), force=True))
        except Exception:  # noqa: BLE001 - no image
            continue
        for _ in range(4):
            given_key = {"profile": profile, "identity": identity, "subject_key": key}
            try:
                result = clean_file(BytesIO(damaged(chance, data)), tmp_path / "out.dcm", **given_key)
            except BadInput:
                assert not (tmp_path / "out.dcm").exists()
                continue
            cleaned += 1
            if result.hold_reason is None:
                names = frozenset(value for value in values if not any(c.isdigit() for c in value))
                assert not InBytes(names).finds((tmp_path / "out.dcm").read_bytes()), path
            (tmp_path / "out.dcm").unlink()
    assert cleaned > 100


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=600))
def test_any_bytes_behind_a_preamble_end_in_a_sentence(tmp_path, profile, identity, key, data):
    with pytest.raises((NotDicom, UnreadableObject), match=r"\.$"):
        clean_file(
            BytesIO(bytes(128) + b"DICM" + data),
            tmp_path / "out.dcm",
            profile=profile,
            identity=identity,
            subject_key=key,
        )


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=80))
def test_cleaned_words_are_clean_and_ascii(text):
    once = cleaned_words(text)
    assert cleaned_words(once) == once
    assert once == text or once.isascii()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(("CT CHEST W CONTRAST", "head", "T1 axial")), st.integers(90, 120), st.sampled_from("Yy"))
def test_a_name_and_an_age_go_and_the_known_words_stay(words, age, unit):
    name = Ledger("X")("Name")
    assert cleaned_words(f"{words} {name}, {age}{unit}") == words


# ----- hostile files: what they cost


def hostile_files(folder: Path) -> list[Path]:
    """Those of the facts: false lengths, a bomb, deep nesting, a million empty items, no end."""
    good = folder / "good.dcm"
    good.write_bytes(Path(get_testdata_file("MR_small.dcm")).read_bytes())
    made = [path for path in make_hostile(folder / "more", good) if path.is_file()]
    data = good.read_bytes()
    at = data.index(b"\x08\x00\x60\x00CS")
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
    whole = {
        "million.dcm": b"\x08\x00\x40\x11SQ\0\0" + struct.pack("<L", 8_000_000) + item * 1_000_000,
        "many.dcm": b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + item * 400_000 + b"\xfe\xff\xdd\xe0\0\0\0\0",
        "elements.dcm": b"".join(struct.pack("<HH2sH", 0x0009, n & 0xFFFF, b"LO", 0) for n in range(900_000)),
        "endless.dcm": b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * 100_000,
        "length.dcm": b"\x08\x00\x40\x11SQ\0\0\xf0\xff\xff\xff" * 3000,
        "ut.dcm": b"\x08\x00\x40\x11UT\0\0\xf0\xff\xff\x7f",
    }
    for name, between in whole.items():
        (folder / name).write_bytes(data[:at] + between + data[at:])
        made.append(folder / name)
    return made


_COST = """
import json, re, sys, time
from pathlib import Path
from trialimg.dicom.deidentify import clean_file
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.errors import BadInput
def clean(path):
    clean_file(Path(path), Path(sys.argv[2]), profile=Profile("p", "1"), subject_key=b"k",
               identity=SubjectIdentity("s", "p", "n", "1", "s", "1-1", "W", "w"))
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
clean(sys.argv[3])
before = peak()
start = time.process_time()
try:
    clean(sys.argv[1])
    end = "cleaned"
except BadInput as refusal:
    end = refusal.sentence
print(json.dumps([peak() - before, time.process_time() - start, end]))
"""


def test_hostile_files_cost_bounded_memory_and_end_in_a_sentence(tmp_path):
    good = get_testdata_file("MR_small.dcm")
    files = hostile_files(tmp_path)
    assert len(files) > 7
    for path in files:
        order = [sys.executable, "-c", _COST, str(path), str(tmp_path / "out.dcm"), good]
        done = subprocess.run(order, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, (path.name, done.stderr[-300:])
        memory, seconds, end = json.loads(done.stdout)
        print(f"{path.name}: {path.stat().st_size / MEGABYTE:.1f} MB, {memory / MEGABYTE:.0f} MB more, {seconds:.1f} s")
        assert memory < 200 * MEGABYTE + path.stat().st_size, (path.name, memory / MEGABYTE)
        assert end == "cleaned" or end.endswith(".")
