"""What stands where a value must and may not be told is legal: in its VR, its number of values, its character set."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.data import get_testdata_file

from bench.validity import IDENTITY, KEY, new_violations, violations
from trialimg.dicom.deidentify import clean_file, verify_clean
from trialimg.dicom.rules.values import dummy
from trialimg.dicom.standard.table import vm_of, vr_of
from trialimg.domain.deid_rule import Rule
from trialimg.domain.deidentification import Profile

FORMS = {
    "AE": r"[A-Z]{1,16}", "AS": r"\d{3}[DWMY]", "CS": r"[A-Z0-9_ ]{1,16}", "DA": r"\d{8}", "DS": r"\d{1,16}",
    "DT": r"\d{14}", "IS": r"\d{1,12}", "LO": r".{1,64}", "LT": r".{1,64}", "PN": r"\w{1,64}", "SH": r".{1,16}",
    "ST": r".{1,64}", "TM": r"\d{6}", "UC": r".{1,64}", "UR": r"urn:\w+", "UT": r".{1,64}",
}  # fmt: skip
SIZES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "UV": 8, "SV": 8, "FD": 8}


def test_a_dummy_of_every_attribute_is_legal():
    seen = 0
    for tag in DicomDictionary:
        fewest = vm_of(tag).split("-")[0]
        for vr in vr_of(tag).split(" or "):
            made, wanted = dummy(vr, tag), int(fewest) if fewest.isdecimal() else 1
            if vr in FORMS:
                values = made.decode("ascii").split("\\")
                assert all(re.fullmatch(FORMS[vr], value) or vr == "SH" for value in values), (hex(tag), vr)
                assert len(values) >= wanted or vr in {"LT", "ST", "UT"}, (hex(tag), vr)
                seen += 1
            elif vr in SIZES:
                assert len(made) == SIZES[vr] * wanted, (hex(tag), vr)
    assert seen > 2400


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("action", ["X", "Z", "D"])
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_a_rule_that_removes_what_the_object_needs_leaves_it_valid(name, action, tmp_path):
    tags = (0x00280030, 0x00200032, 0x00200037, 0x00180050, 0x00281053, 0x00281050, 0x00281051, 0x00200052, 0x00081140)
    profile = Profile("p", "1", rules=tuple(Rule(tag, action, "it is not wanted") for tag in tags))
    source = tmp_path / "in.dcm"
    source.write_bytes(Path(get_testdata_file(name)).read_bytes())
    assert new_violations(source, profile, tmp_path / "out.dcm", violations(source)[0]) == {}
    verify_clean(tmp_path / "out.dcm", profile=profile, identity=IDENTITY)
    made = pydicom.dcmread(tmp_path / "out.dcm")
    assert (list(made.PixelSpacing), list(made.ImageOrientationPatient)) == ([1, 1], [1, 0, 0, 0, 1, 0])


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm"])
@pytest.mark.parametrize(
    ("subject", "site"),
    [("被験者-001", "東京大学病院"), ("Пациент 7", "Больница № 1"), ("Ünal", "CHU Liège"), ("1/2", "a")],
)
def test_names_of_a_trial_in_any_script_are_written_in_a_set_that_is_declared(subject, site, name, tmp_path):
    source, declared = (
        Path(get_testdata_file(name)),
        pydicom.dcmread(get_testdata_file(name)).get("SpecificCharacterSet"),
    )
    whose = IDENTITY._replace(subject_number=subject, site_name=site)
    profile = Profile("p", "1", "shifted")
    clean_file(source, tmp_path / "out.dcm", profile=profile, identity=whose, subject_key=KEY)
    verify_clean(tmp_path / "out.dcm", profile=profile, identity=whose)
    made = pydicom.dcmread(tmp_path / "out.dcm")
    assert (str(made.PatientName), made.PatientID, made.ClinicalTrialSiteName) == (subject, subject, site)
    assert made.get("SpecificCharacterSet") == (declared if (subject + site).isascii() else "ISO_IR 192")
