"""Large compressed pixel data are cleaned frame by frame: a clip, a slide or a film takes no more memory than a frame."""

from __future__ import annotations

import os
import resource
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from tests.conftest import ROOT
from tests.dicom import large_files
from tests.dicom.conftest import pydicom_files
from tests.dicom.large_files import JPEG, NAME, header, item, picture, write_large
from trialimg.dicom.deidentify import clean_file, clean_into, clean_unusual, plan_of, verify_clean
from trialimg.dicom.encapsulated import codestream, frames
from trialimg.dicom.splicing.ground import Unusual
from trialimg.dicom.splicing.splice_file import splice_file
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.errors import NotClean, UnreadableObject

_LARGE = 200_000_000
_ROOM = 48 * 2**20
"""Bytes that the work may take beyond what the program has before it begins: a fourth of any of these files."""
_PROGRAM = """
import resource, sys
import pydicom, pydicom.filereader, pydicom.filewriter
from pathlib import Path
from trialimg.dicom.deidentify import clean_file, clean_into, clean_unusual, plan_of, verify_clean
from trialimg.dicom.splicing.splice_file import splice_file
from trialimg.domain.deidentification import Profile, SubjectIdentity
profile = Profile("large", "1")
identity = SubjectIdentity("S", "P", "T", "101", "", "101-001", "", "")
what, source, target, more = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
before = int(next(l for l in open("/proc/self/status") if l.startswith("VmData")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (before + more, before + more))
given = {"profile": profile, "identity": identity, "subject_key": b"k" * 32}
if what == "bytes":
    splice_file(source, target, (plan_of(profile), identity, b"k" * 32))
if what == "parser":
    clean_unusual(source, target, (plan_of(profile), identity, b"k" * 32))
if what == "library":
    clean_into(source, target, **given)
if what == "file":
    clean_file(source, target, **given)
if what != "bytes":
    verify_clean(target, profile=profile, identity=identity)
print(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])
"""


def clean_within(what: str, source: Path, target: Path, room: int = _ROOM) -> int:
    """Clean in a process of its own that may take no more; give the most that it had in memory, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, what, str(source), str(target), str(room)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout) * 1024


def parts_of(path: Path) -> Iterator[bytes]:
    """Give the fragments of a file's pixel data, the offset table first."""
    with path.open("rb") as stream:
        head = stream.read(1 << 20)
        stream.seek(head.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 12)
        while (found := struct.unpack("<HHL", stream.read(8)))[1] == 0xE000:
            yield stream.read(found[2])
        assert found == (0xFFFE, 0xE0DD, 0)
        assert stream.read() == b""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("large")


@pytest.fixture(scope="module", params=["clip", "slide", "film"])
def large(request: pytest.FixtureRequest, folder: Path) -> Iterator[Path]:
    path = folder / request.param
    assert large_files.KINDS[request.param](path, _LARGE) > 0.9 * _LARGE
    yield path
    path.unlink()


@pytest.mark.slow
def test_an_ordinary_one_is_cleaned_without_being_held_or_mapped(large: Path, tmp_path: Path) -> None:
    most = clean_within("bytes", large, tmp_path / "out")
    assert most < _LARGE / 2, "and what a mapped file has in memory counts here"
    before, after = parts_of(large), parts_of(tmp_path / "out")
    for one, other in zip(before, after, strict=True):
        assert len(one) == len(other)
        assert NAME not in other


@pytest.mark.slow
@pytest.mark.parametrize("what", ["library", "file", "parser"])
def test_every_way_of_cleaning_and_checking_takes_a_bounded_memory(large: Path, tmp_path: Path, what: str) -> None:
    clean_within(what, large, tmp_path / "out")
    assert abs((tmp_path / "out").stat().st_size - large.stat().st_size) < 100_000


@pytest.mark.slow
def test_one_with_an_extended_offset_table_keeps_it_and_is_not_held(folder: Path, tmp_path: Path) -> None:
    source, target = folder / "extended", tmp_path / "out"
    large_files.clip(source, _LARGE, extended=True)
    clean_within("library", source, target)
    source.unlink()
    made = pydicom.dcmread(target, stop_before_pixels=True)
    lengths = [len(part) for part in parts_of(target)][1:]
    told = struct.unpack(f"<{len(lengths)}Q", made.ExtendedOffsetTableLengths)
    assert [length + length % 2 for length in told] == lengths
    last = struct.unpack("<Q", made.ExtendedOffsetTable[-8:])[0]
    assert last == sum(length + 8 for length in lengths[:-1])


@pytest.mark.slow
def test_a_frame_that_alone_is_huge_is_held_once(tmp_path: Path) -> None:
    frame = bytearray(picture("JPEG", 64))
    frame[-2:-2] = bytes(120_000_000)
    for cut in (0, 50_000_000):
        write_large(tmp_path / "in", header(JPEG, 1, 64), bytes(frame), cut=cut)
        clean_within("bytes", tmp_path / "in", tmp_path / "out", 170 * 2**20)
        clean_within("parser", tmp_path / "in", tmp_path / "out", 170 * 2**20)


@pytest.mark.slow
def test_the_command_takes_a_bounded_memory_in_every_process(folder: Path, tmp_path: Path) -> None:
    source, out, most = folder / "named", tmp_path / "out", 160 * 2**20
    large_files.clip(source, _LARGE, extended=True)
    done = subprocess.run(
        command_of(source, out), cwd=ROOT, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (most, most)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("study-*/series-*/*.dcm")
    assert abs(made.stat().st_size - source.stat().st_size) < 100_000
    source.unlink()


# --- how it ends when it does not end well --------------------------------------------------------------------


def command_of(source: Path, out: Path) -> list[object]:
    command = [sys.executable, "-m", "trialimg", "--data", out.with_name("none"), "deidentify", source, out]
    return [*command, "--profile", "basic", "--subject", "S-1", "--pixels", "reviewed"]


@pytest.mark.slow
def test_a_kill_in_the_middle_leaves_no_half_file_and_the_next_run_cleans_it(folder: Path, tmp_path: Path) -> None:
    source, out = folder / "killed", tmp_path / "out"
    size = large_files.clip(source, _LARGE)
    process = subprocess.Popen(
        command_of(source, out), cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None:
        begun = [path for path in out.rglob("*") if path.is_file() and path.stat().st_size > size // 10]
        if begun:
            os.killpg(process.pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL
    assert begun[0].stat().st_size < size * 9 // 10, "it was killed in the middle"
    assert not list(out.rglob("*.dcm"))
    assert subprocess.run(command_of(source, out), cwd=ROOT, check=False, capture_output=True).returncode == 0
    (made,) = out.rglob("*.dcm")
    assert abs(made.stat().st_size - size) < 100_000
    assert [path for path in out.rglob("*") if path.is_file()] == [made]
    source.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("extended", [False, True])
def test_a_disk_that_fills_up_in_the_middle_leaves_no_half_file(
    folder: Path, tmp_path: Path, *, extended: bool
) -> None:
    source, out = folder / "filling", tmp_path / "out"
    size = large_files.clip(source, _LARGE, extended=extended)
    done = subprocess.run(
        command_of(source, out), cwd=ROOT, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2)),
    )  # fmt: skip
    assert done.returncode == 75, done.stderr
    assert "The disk is full" in done.stderr
    assert not [path for path in out.rglob("*") if path.is_file()]
    source.unlink()


# --- the same, small ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [4, 12, 100])
def test_in_parts_of_any_size_the_same_is_written_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: SubjectIdentity, key: bytes, step: int
) -> None:
    given = plan_of(Profile("demo", "1")), identity, key
    compressed = [path for path in pydicom_files() if _is_compressed(path) and path.stat().st_size < 8000]
    assert len(compressed) > 20
    for path in compressed:
        told = []
        for chunk in (1 << 20, step):
            monkeypatch.setattr(frames, "_CHUNK", chunk)
            monkeypatch.setattr(codestream, "_CHUNK", chunk)
            *told_of_it, found = clean_unusual(path, tmp_path / "out", given)
            told.append((told_of_it, found, (tmp_path / "out").read_bytes()))
            try:
                made = splice_file(path, tmp_path / "out", given)
            except Unusual:
                continue
            told[-1] += (made, (tmp_path / "out").read_bytes())
        assert told[0] == told[1], path


def _is_compressed(path: Path) -> bool:
    try:
        dataset = pydicom.dcmread(path)
    except pydicom.errors.InvalidDicomError:
        return False
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    is_whole = "PixelData" in dataset and "StudyInstanceUID" in dataset
    return is_whole and syntax is not None and syntax.is_compressed


@pytest.mark.parametrize("at", range(0, 40, 3))
def test_a_name_that_lies_across_two_parts_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: SubjectIdentity, key: bytes, at: int
) -> None:
    """A film is not quietened, so its bytes are searched as they are."""
    monkeypatch.setattr(frames, "_CHUNK", 16)
    dataset = header(large_files.MPEG4, 1, 64)
    write_large(tmp_path / "in", dataset, b"." * at + b"seen with OKONKWO" + b"." * 30, table=False)
    profile = Profile("demo", "1")
    made = clean_into(tmp_path / "in", tmp_path / "out", profile=profile, identity=identity, subject_key=key)
    assert (made.hold_code, made.report.residue.paths) == ("image.residue", ("(7FE0,0010)",))


def test_a_frame_in_a_thousand_fragments_is_one_picture(
    tmp_path: Path, profile: Profile, identity: SubjectIdentity, key: bytes
) -> None:
    frame = picture("JPEG", 64, comment=NAME)
    write_large(tmp_path / "in", header(JPEG, 3, 64), frame, cut=4, table=False)
    made = clean_file(tmp_path / "in", tmp_path / "out", profile=profile, identity=identity, subject_key=key)
    assert made.hold_code == "image.may_show_text"
    joined = b"".join(parts_of(tmp_path / "out"))
    assert len(joined) == 3 * (len(frame) + len(frame) % 2)
    assert b"Okonkwo" not in joined
    verify_clean(tmp_path / "out", profile=profile, identity=identity)


def test_a_comment_put_into_any_frame_is_found_by_the_check(
    tmp_path: Path, profile: Profile, identity: SubjectIdentity, key: bytes
) -> None:
    write_large(tmp_path / "in", header(JPEG, 3, 64), picture("JPEG", 64, comment=b"x" * 17))
    clean_file(tmp_path / "in", tmp_path / "out", profile=profile, identity=identity, subject_key=key)
    clean = (tmp_path / "out").read_bytes()
    at = -1
    for _ in range(3):
        at = clean.index(bytes(17), clean.index(b"\xff\xfe\0\x13", at + 1))
        changed = clean[:at] + NAME + clean[at + 17 :]
        with pytest.raises(NotClean, match="7FE0,0010"):
            verify_clean(BytesIO(changed), profile=profile, identity=identity)


def test_fragments_without_end_are_refused_with_a_sentence(
    tmp_path: Path, profile: Profile, identity: SubjectIdentity, key: bytes
) -> None:
    write_large(tmp_path / "in", header(JPEG, 1, 64), b"")
    with (tmp_path / "in").open("r+b") as stream:
        stream.seek(-8, 2)
        stream.write(item(b"") * 2_100_000 + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0))
    with pytest.raises(UnreadableObject, match="more parts than any image needs"):
        clean_into(tmp_path / "in", tmp_path / "out", profile=profile, identity=identity, subject_key=key)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("vr", [b"UN", b"SQ", b"OF", b"UT"])
def test_compressed_pixel_data_that_are_said_to_be_something_else_are_refused(
    tmp_path: Path, profile: Profile, identity: SubjectIdentity, key: bytes, vr: bytes
) -> None:
    """A parser may read them as a sequence, and write them unseen."""
    write_large(tmp_path / "in", header(JPEG, 1, 64), picture("JPEG", 64, comment=NAME))
    data = (tmp_path / "in").read_bytes().replace(b"\xe0\x7f\x10\x00OB", b"\xe0\x7f\x10\x00" + vr)
    with pytest.raises(UnreadableObject, match="said to be something else"):
        clean_into(BytesIO(data), tmp_path / "out", profile=profile, identity=identity, subject_key=key)
    assert not (tmp_path / "out").exists()
