"""Both ways of cleaning do the same: by bytes where a file is ordinary, by the parser everywhere."""

from __future__ import annotations

import random
import subprocess
import sys
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from tests.dicom.conftest import pydicom_files
from tests.dicom.planted_objects import write_as_it_stands
from tools.deid_fuzz import mutant, seeds
from trialimg.dicom.deidentify import clean_file, clean_unusual, plan_of
from trialimg.dicom.files.header import read_facts
from trialimg.dicom.splicing.ground import Unusual
from trialimg.dicom.splicing.splice_file import splice_file
from trialimg.domain.deidentification import OPTIONS, Profile, Rule
from trialimg.errors import TrialimgError

PROFILES = {
    "basic": Profile("demo", "1"),
    "shifted": Profile("demo", "1", "shifted", keep_age=True),
    "kept": Profile("demo", "1", "kept", keep_sex=True, keep_age=True, keep_size=True, keep_weight=True),
    "options": Profile(
        "demo", "1", "shifted", chosen=frozenset(OPTIONS) - {"retain_safe_private"}, rules=(Rule(0x00081030, "K", "named"),)
    ),
}
CT = [path for path in pydicom_files() if path.name in {"CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm"}]


class Both:
    """Cleans by both ways and compares what they do."""

    def __init__(self, folder, identity, key):
        self.by_bytes, self.by_parser, self.given = folder / "bytes", folder / "parser", (identity, key)
        self.ordinary = self.unusual = 0

    def compare(self, source, profile):
        given = (plan_of(profile), *self.given)
        try:
            made = splice_file(source, self.by_bytes, given)
        except Unusual:
            assert not self.by_bytes.exists()
            self.unusual += 1
            return
        self.ordinary += 1
        facts, report, found = clean_unusual(source, self.by_parser, given)
        assert self.by_bytes.read_bytes() == self.by_parser.read_bytes()
        assert (made.before, made.report, []) == (facts, report, found)
        written = self.by_bytes.read_bytes()
        assert (made.after, made.size) == (read_facts(memoryview(written)), len(written))
        self.by_bytes.unlink()
        self.by_parser.unlink()


@pytest.fixture
def both(tmp_path, identity, key):
    return Both(tmp_path, identity, key)


@pytest.mark.parametrize("name", PROFILES)
def test_both_ways_write_the_same_bytes_and_account_for_every_file_of_pydicom(both, name):
    for path in pydicom_files():
        try:
            both.compare(path, PROFILES[name])
        except TrialimgError as refusal:
            pytest.fail(f"{path.name}: the parser's way refuses what the other cleans: {refusal.sentence}")
    assert both.ordinary > 60


@pytest.mark.parametrize("name", PROFILES)
def test_both_ways_do_the_same_to_real_files(both, corpus_files, name):
    for path in corpus_files[::4]:
        both.compare(path, PROFILES[name])
    assert both.ordinary > both.unusual


def test_both_ways_do_the_same_to_damaged_files(both):
    small = [path.read_bytes() for path in pydicom_files() if path.stat().st_size < 20_000]
    made = [data for data in small if is_ordinary(both, data)]
    assert len(made) > 20
    both.ordinary = 0
    for number in range(1500):
        both.compare(BytesIO(mutant(made, 23, number)), PROFILES[("basic", "shifted", "kept")[number % 3]])
    assert both.ordinary > 150


def test_both_ways_do_the_same_to_damaged_files_that_tell_everywhere(both):
    made = seeds()
    for number in range(300):
        both.compare(BytesIO(mutant(made, 23, number)), PROFILES["basic"])
    assert both.ordinary + both.unusual == 300


def is_ordinary(both, data):
    before = both.ordinary
    both.compare(BytesIO(data), PROFILES["basic"])
    return both.ordinary > before


def test_files_of_a_series_are_cleaned_as_each_would_be_alone(both, tmp_path):
    """What the files share is cleaned once; whatever differs in one of them, wherever, is seen."""
    data, chance = CT[0].read_bytes(), random.Random(5)
    number = data.index(b"\x20\x00\x13\x00IS") + 8
    header = data.index(b"\xe0\x7f\x10\x00OW")
    for turn in range(120):
        made = bytearray(data)
        made[number : number + 1] = b"%d" % (turn % 10)
        if turn > 4:  # a letter of some text is another one
            at = chance.randrange(400, header)
            made[at : at + 1] = bytes([made[at] ^ 2]) if chr(made[at]).isalnum() else made[at : at + 1]
        if turn % 40 == 39:
            made[header:header] = b"\x88\x00\x40\x01UI\x04\x001.2\0"
        both.compare(BytesIO(bytes(made)), PROFILES["shifted"])
    assert both.ordinary > 90


def test_a_file_on_disk_and_a_stream_in_memory_are_cleaned_alike(both, tmp_path):
    path = CT[0]
    splice_file(path, tmp_path / "disk", (plan_of(PROFILES["kept"]), *both.given))
    splice_file(BytesIO(path.read_bytes()), tmp_path / "memory", (plan_of(PROFILES["kept"]), *both.given))
    with path.open("rb") as stream:
        splice_file(stream, tmp_path / "stream", (plan_of(PROFILES["kept"]), *both.given))
    assert (tmp_path / "disk").read_bytes() == (tmp_path / "memory").read_bytes() == (tmp_path / "stream").read_bytes()


def test_a_header_longer_than_what_is_read_at_once_is_read_on(both, tmp_path):
    data = CT[0].read_bytes()
    at = data.index(b"\x08\x00\x60\x00CS")
    long = b"\x08\x00\x5a\x00UT\0\0" + (300_000).to_bytes(4, "little") + b"CT " * 100_000
    (tmp_path / "long.dcm").write_bytes(data[:at] + long + data[at:])
    both.compare(tmp_path / "long.dcm", PROFILES["basic"])
    assert both.ordinary == 1


_FAST = """
import sys
from pathlib import Path
from trialimg.dicom.deidentify import clean_file
from trialimg.domain.deidentification import Profile, SubjectIdentity
identity = SubjectIdentity("S", "P", "Trial", "101", "Site", "101-001", "W8", "Week 8")
for number, path in enumerate(sys.argv[2:]):
    clean_file(Path(path), Path(sys.argv[1]) / str(number), profile=Profile("p", "1"), identity=identity, subject_key=b"k")
print(sorted({"pydicom", "numpy"} & set(sys.modules)))
"""


def test_ordinary_files_load_neither_the_parser_nor_numpy(tmp_path):
    order = [sys.executable, "-c", _FAST, str(tmp_path), *map(str, CT)]
    done = subprocess.run(order, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert len(CT) == len(list(tmp_path.iterdir())) == 3


def test_a_name_left_in_an_ordinary_file_is_found_and_told(tmp_path, identity, key):
    data = CT[0].read_bytes()
    at = data.index(b"\x10\x00\x10\x00PN")
    length = int.from_bytes(data[at + 6 : at + 8], "little")
    data = data[:at] + b"\x10\x00\x10\x00PN\x08\x00SIEMENSX" + data[at + 8 + length :]
    model = data.index(b"\x08\x00\x90\x10LO")
    length = int.from_bytes(data[model + 6 : model + 8], "little")
    data = data[:model] + b"\x08\x00\x90\x10LO\x08\x00siemensx" + data[model + 8 + length :]
    result = clean_file(
        BytesIO(data), tmp_path / "out", profile=PROFILES["basic"], identity=identity, subject_key=key
    )
    assert result.hold_reason is not None
    assert "(0008,1090)" in result.hold_reason


def frames_of(number, count, *, marked=False):
    """Per-frame groups of which some are the same from frame to frame, some are not, and some tell names and marks."""
    made = []
    for frame in range(count):
        groups, code = Dataset(), Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "12738006", "SCT", "Brain"
        groups.FrameAnatomySequence = [Dataset()]
        groups.FrameAnatomySequence[0].AnatomicRegionSequence = [code]
        groups.FrameAnatomySequence[0].FrameLaterality = "L" if frame in {5, 6} else "U"
        groups.PlaneOrientationSequence = [Dataset()]
        groups.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        groups.PlaneOrientationSequence[0].SoftwareVersions = "77123"
        groups.PlanePositionSequence = [Dataset()]
        groups.PlanePositionSequence[0].ImagePositionPatient = [number, 0, frame]
        groups.ReferencedImageSequence = [Dataset()]
        groups.ReferencedImageSequence[0].ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        groups.ReferencedImageSequence[0].ReferencedSOPInstanceUID = f"1.2.3.{frame // 3}"
        groups.RequestAttributesSequence = [Dataset()]
        groups.RequestAttributesSequence[0].AccessionNumber = "ACC-4711"
        groups.RequestAttributesSequence[0].ScheduledProcedureStepDescription = "CT CHEST Okonkwo"
        if marked:
            groups.PlaneOrientationSequence[0].BurnedInAnnotation = "YES"
        made.append(groups)
    return made


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("name", PROFILES)
def test_what_is_the_same_from_frame_to_frame_is_cleaned_as_if_it_were_met_once(both, name, undefined, tmp_path):
    original = dcmread(get_testdata_file("MR_small.dcm"))
    for number in range(5):
        original.PerFrameFunctionalGroupsSequence = frames_of(number, 24 if number % 2 else 18)
        for frame in original.PerFrameFunctionalGroupsSequence if undefined else ():
            for element in frame:
                element.is_undefined_length = True
                element.value[0].is_undefined_length_sequence_item = True
        original.SoftwareVersions = "ACC-4711" if number == 3 else "7"
        original.PatientID = "77123" if number == 4 else "4MR1"
        write_as_it_stands(original, tmp_path / "in.dcm")
        both.compare(tmp_path / "in.dcm", PROFILES[name])
    assert both.unusual == 2  # where what names the patient is in a frame and left elsewhere, or left in a frame


def test_a_mark_in_frames_that_are_alike_is_told_of_every_file(tmp_path, identity, key):
    original = dcmread(get_testdata_file("MR_small.dcm"))
    given = {"profile": PROFILES["basic"], "identity": identity, "subject_key": key}
    for number in range(4):
        original.PerFrameFunctionalGroupsSequence = frames_of(number, 18, marked=number > 0)
        write_as_it_stands(original, tmp_path / "in.dcm")
        result = clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", **given)
        assert result.hold_code == ("image.may_show_text" if number > 0 else "")
