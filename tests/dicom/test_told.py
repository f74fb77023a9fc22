"""What a report says was done is what was done: the data sets before and after, element by element, are its judge."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from bench.validity import IDENTITY, KEY
from tests.dicom.conftest import pydicom_files
from trialimg.dicom.deidentify import clean_into, clean_ordinary, clean_unusual, plan_of
from trialimg.dicom.rules.actions import Attribute, Do
from trialimg.dicom.splicing.ground import Unusual
from trialimg.dicom.standard.table import confidentiality_table, vr_of
from trialimg.domain.deid_report import Report
from trialimg.domain.deidentification import OPTIONS, Profile
from trialimg.errors import BadInput

RULES = (
    {"tag": "0008,103E", "action": "K", "why": "series are chosen by it"},
    {"tag": "0008,1030", "action": "C", "why": "as above"},
    {"tag": "0008,0070", "action": "Z"},
    {"tag": "0020,0052", "action": "X"},
)
PROFILES = {
    "basic": Profile("basic", "1"),
    "shifted": Profile.from_mapping({"version": "1", "dates": "shifted", "options": ["clean_descriptors", "retain_safe_private"]}),
    "kept": Profile.from_mapping({"version": "1", "dates": "kept", "options": list(OPTIONS), "safe_private": "curated"}),
    "ruled": Profile.from_mapping({"version": "1", "options": ["clean_structured_content", "clean_graphics"], "rules": list(RULES)}),
}  # fmt: skip
WRITTEN = frozenset({0x00100010, 0x00100020, 0x00200010, 0x00280303})
MAY_TELL = {"gone": "X", "emptied": "Z", "other": "DUC"}
"""Which letters say so."""


def differences(before: Dataset, after: Dataset, path: str = "") -> Counter[tuple[str, str]]:
    """Count by path what became of the elements: gone, emptied, other, the same."""
    found: Counter[tuple[str, str]] = Counter()
    for tag in before.keys():  # noqa: SIM118 - iterating decodes
        if not path and (tag in WRITTEN or tag.group == 0x0012):
            continue
        here = f"{path}({tag.group:04X},{tag.element:04X})"
        one, two = before[tag], after.get(tag)
        if two is None:
            found[here, "gone"] += 1
        elif one.VR == "SQ" and len(one.value) == len(two.value):
            found[here, "same"] += 1
            for first, second in zip(one.value, two.value, strict=True):
                found += differences(first, second, f"{here}.")
        elif one.value == two.value:
            found[here, "same"] += 1
        else:
            found[here, "emptied" if two.is_empty or not two.value else "other"] += 1
    return found


def lies(report: Report, found: Counter[tuple[str, str]]) -> list[str]:
    """Give what a report leaves untold, tells wrongly, or tells of what was not there."""
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for action in report.actions:
        told[action.tag][action.action] += action.times
    wrong = []
    for (path, what), count in found.items():
        if what != "same" and sum(told[path][letter] for letter in MAY_TELL[what]) < count:
            wrong.append(f"{path}: {count} {what}, told {dict(told[path])}")
    here = {path for path, _ in found}
    wrong += [f"{path}: told, and was not there" for path in told if path not in here and told[path] and path[1:5] != "0012"]
    return [each for each in wrong if not any(f"({tag >> 16:04X},{tag & 0xFFFF:04X}):" in each for tag in WRITTEN)]


@pytest.mark.parametrize("name", PROFILES)
def test_a_report_tells_all_that_was_done_and_nothing_else_whichever_way_was_taken(name, tmp_path):
    profile, target, judged, by_bytes = PROFILES[name], tmp_path / "out", 0, 0
    wrong = {}
    for path in pydicom_files()[::2]:
        try:
            _, report, _ = clean_unusual(path, target, (plan_of(profile), IDENTITY, KEY))
            before, after = pydicom.dcmread(path, force=True), pydicom.dcmread(target)
            found = differences(before, after)
        except (BadInput, NotImplementedError):
            continue
        wrong[path.name] = lies(report, found)
        judged += 1
        try:
            ordinary = clean_ordinary(path, target, profile=profile, identity=IDENTITY, subject_key=KEY).report
        except Unusual:
            continue
        by_bytes += 1
        assert (ordinary.actions, ordinary.options) == (report.actions, report.options), path.name
    assert {file: each for file, each in wrong.items() if each} == {}
    assert judged > 40
    assert by_bytes > 15


def actions_of(dataset: Dataset, profile: Profile, tmp_path: Path) -> set[tuple[str, str]]:
    """Clean a data set as a file; give paths and letters that are told."""
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    made = clean_into(stream, tmp_path / "out", profile=profile, identity=IDENTITY, subject_key=KEY)
    return {(action.tag, action.action) for action in made.report.actions}


def test_a_date_and_a_uid_that_could_not_be_kept_are_not_told_as_kept(tmp_path):
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.StudyDate, dataset.FrameOfReferenceUID = "4711OKON", "OKONKWO"
    told = actions_of(dataset, PROFILES["kept"], tmp_path)
    assert told & {("(0008,0020)", "K"), ("(0020,0052)", "K")} == set()
    assert {("(0008,0020)", "Z"), ("(0020,0052)", "U"), ("(0008,0021)", "K")} <= told


def fraction_of_a_study() -> Dataset:
    """A small CT with what options let stand, as text that stays, as text that goes, and as what is none of it."""
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.PatientSex, dataset.PatientAge, dataset.PatientSize, dataset.PatientWeight = "F", "044Y", "1.8", "70"
    dataset.EthnicGroup, dataset.SmokingStatus = "Caucasian", "YES"
    dataset.StudyDescription, dataset.SeriesDescription = "CT CHEST", "CHEST Okonkwo"
    dataset.ImageComments, dataset.TimezoneOffsetFromUTC = "Okonkwo", "+0100"
    block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "1000")
    block.add_new(0x0D, "CS", "OKONKWO")
    return dataset


def told_of(dataset: Dataset, profile: Profile, tmp_path: Path) -> dict[str, str]:
    """Give the letter for each path, both ways where both can, which must be equal."""
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    target, given = tmp_path / "out", {"profile": profile, "identity": IDENTITY, "subject_key": KEY}
    actions = clean_unusual(stream, target, (plan_of(profile), IDENTITY, KEY))[1].actions
    try:
        assert clean_ordinary(stream, target, **given).report.actions == actions
    except Unusual:
        assert profile.chosen & {"retain_safe_private", "clean_descriptors"}, "these need the parser"
    letters = {action.tag: action.action for action in actions}
    assert len(letters) == len(actions)
    return letters


def test_what_a_trial_keeps_of_a_patient_is_told_as_kept(tmp_path):
    kept = Profile.from_mapping({"version": "1", "keep": ["sex", "age", "size", "weight"]})
    told = told_of(fraction_of_a_study(), kept, tmp_path)
    assert {tag: told.get(tag) for tag in ("(0010,0040)", "(0010,1010)", "(0010,1020)", "(0010,1030)")} == {
        **dict.fromkeys(("(0010,0040)", "(0010,1010)", "(0010,1020)", "(0010,1030)"), "K")
    }
    assert told["(0010,2160)"] == told["(0010,21A0)"] == "X"
    option = Profile.from_mapping({"version": "1", "options": ["retain_patient_characteristics"]})
    told = told_of(fraction_of_a_study(), option, tmp_path)
    assert {told.get(tag) for tag in ("(0010,0040)", "(0010,1010)", "(0010,1020)", "(0010,2160)", "(0010,21A0)")} == {"K"}


def test_an_age_that_is_capped_or_is_none_is_not_told_as_kept(tmp_path):
    for age, letter in (("097Y", "C"), ("22Y", "Z"), ("089Y", "K")):
        dataset = fraction_of_a_study()
        dataset["PatientAge"]._value = age
        assert told_of(dataset, Profile.from_mapping({"version": "1", "keep": ["age"]}), tmp_path)["(0010,1010)"] == letter


def test_descriptors_are_told_as_they_came_out(tmp_path):
    """Kept where every word stayed, cleaned where some went, and a dummy or nothing where none could."""
    profile = Profile.from_mapping({"version": "1", "options": ["clean_descriptors"], "dates": "shifted"})
    told = told_of(fraction_of_a_study(), profile, tmp_path)
    assert [told[tag] for tag in ("(0008,1030)", "(0008,103E)", "(0020,4000)", "(0008,0201)")] == ["K", "C", "D", "K"]


def test_a_safe_private_attribute_is_told_as_kept_with_its_creator(tmp_path):
    told = told_of(fraction_of_a_study(), Profile.from_mapping({"version": "1", "options": ["retain_safe_private"]}), tmp_path)
    assert [told[tag] for tag in ("(0019,0011)", "(0019,110C)", "(0019,110D)")] == ["K", "K", "D"]


def test_a_date_that_could_not_be_moved_is_told_as_emptied(tmp_path):
    dataset = fraction_of_a_study()
    dataset["SeriesDate"]._value = "200401"
    told = told_of(dataset, Profile.from_mapping({"version": "1", "dates": "shifted"}), tmp_path)
    assert (told["(0008,0021)"], told["(0008,0020)"], told["(0008,0030)"]) == ("Z", "C", "K")


def test_a_sequence_of_references_that_stays_is_told_with_the_identifiers_inside(tmp_path):
    dataset, item = fraction_of_a_study(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4"
    dataset.ReferencedImageSequence = [item]
    told = told_of(dataset, PROFILES["basic"], tmp_path)
    assert (told["(0008,1140)"], told["(0008,1140).(0008,1155)"]) == ("C", "U")


@pytest.mark.parametrize("options", [*([option] for option in OPTIONS), list(OPTIONS)])
def test_no_attribute_of_the_table_is_untold_under_any_option(options):
    plan = plan_of(Profile.from_mapping({"version": "1", "dates": "shifted", "options": options, "keep": ["sex", "age", "size", "weight"]}))
    for kind in ("1", "2", "3"):
        for tag in confidentiality_table().rows:
            vr = vr_of(tag).split(" or ")[0]
            do, told, _why = plan.choose(Attribute(tag, vr, kind, is_code=False)) if vr else (Do.REMOVE, "X", "")
            assert told, (f"{tag:08X}", kind, do)


@pytest.mark.parametrize("name", ["MR_small.dcm", "CT_small.dcm"])
def test_what_stood_behind_the_pixel_data_is_told_as_removed(name, tmp_path):
    told = actions_of(pydicom.dcmread(get_testdata_file(name)), PROFILES["basic"], tmp_path)
    assert ("(FFFC,FFFC)", "X") in told


def test_comments_inside_compressed_frames_are_told_as_cleaned(tmp_path):
    path = Path(get_testdata_file("GDCMJ2K_TextGBR.dcm"))
    for clean in (clean_ordinary, clean_into):
        made = clean(path, tmp_path / "out", profile=PROFILES["basic"], identity=IDENTITY, subject_key=KEY)
        assert ("(7FE0,0010)", "C") in {(action.tag, action.action) for action in made.report.actions}
