"""Large native pixel data: neither the parser's way nor a check holds them in memory, and they come out as they were."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from trialimg.dicom.deidentify import clean_file, clean_unusual, plan_of, verify_clean
from trialimg.dicom.parsing import dataset as held
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.errors import NotClean

_PROGRAM = """
import resource, sys
import pydicom, pydicom.filereader
from pathlib import Path
from trialimg.dicom.deidentify import clean_unusual, plan_of, verify_clean
from trialimg.domain.deidentification import Profile, SubjectIdentity
profile = Profile("large", "1")
identity = SubjectIdentity("S", "P", "T", "101", "", "101-001", "", "")
source, target = map(Path, sys.argv[1:3])
before = int(next(l for l in open("/proc/self/status") if l.startswith("VmSize")).split()[1]) * 1024
room = before + int(1.6 * source.stat().st_size)
resource.setrlimit(resource.RLIMIT_AS, (room, room))
clean_unusual(source, target, (plan_of(profile), identity, b"k" * 32))
verify_clean(target, profile=profile, identity=identity)
"""


def write_clip(path: Path, frames: int, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Write a clip of CT_small's picture; give its pixels."""
    dataset = dcmread(get_testdata_file("CT_small.dcm"))
    dataset.NumberOfFrames = frames
    dataset.PixelData = bytes(dataset.PixelData) * frames
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.decode()
    dataset.walk(lambda part, element: part[element.tag])  # all are decoded, so that they can be written otherwise
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    dcmwrite(path, dataset, implicit_vr=implicit, little_endian=little, force_encoding=True)
    return bytes(dataset.PixelData)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_pixels_kept_apart_are_written_as_if_they_were_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: str
) -> None:
    profile, identity = Profile("demo", "1"), SubjectIdentity("S", "P", "T", "101", "", "101-001", "", "")
    pixels = write_clip(tmp_path / "in", 3, syntax)
    given = plan_of(profile), identity, b"k" * 32
    clean_unusual(tmp_path / "in", tmp_path / "whole", given)
    monkeypatch.setattr(held, "_LARGE", 1000)
    clean_unusual(tmp_path / "in", tmp_path / "apart", given)
    assert (tmp_path / "apart").read_bytes() == (tmp_path / "whole").read_bytes()
    assert dcmread(tmp_path / "apart").PixelData == pixels
    verify_clean(tmp_path / "apart", profile=profile, identity=identity)


def test_what_is_changed_in_a_large_file_is_found_by_its_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: Profile, identity: SubjectIdentity, key: bytes
) -> None:
    write_clip(tmp_path / "in", 3)
    monkeypatch.setattr(held, "_LARGE", 1000)
    clean_file(tmp_path / "in", tmp_path / "out", profile=profile, identity=identity, subject_key=key)
    changed = dcmread(tmp_path / "out")
    changed.OtherPatientIDs = "MRN-4711"
    changed.save_as(tmp_path / "changed")
    with pytest.raises(NotClean, match=r"0010,1000"):
        verify_clean(tmp_path / "changed", profile=profile, identity=identity)


def test_a_clip_of_hundreds_of_megabytes_is_not_held_in_memory(tmp_path: Path) -> None:
    write_clip(tmp_path / "in", 5_000)
    size = (tmp_path / "in").stat().st_size
    assert size > 160e6
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "in"), str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert abs((tmp_path / "out").stat().st_size - size) < 10_000
