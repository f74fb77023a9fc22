"""What must hold on real files that nobody here wrote."""

from __future__ import annotations

import pydicom
import pytest

from tests.dicom.conftest import corpora
from tests.dicom.pictures import same_image
from trialimg.dicom.deidentify import clean_file, verify_clean
from trialimg.dicom.parsing.residue import identifying_values
from trialimg.domain.deidentification import Profile
from trialimg.errors import BadInput

pytestmark = pytest.mark.corpora


CLEANED = Profile(
    "demo",
    "1",
    chosen=frozenset({"clean_descriptors", "clean_structured_content", "clean_graphics", "retain_safe_private"}),
    safe_private="curated",
)


@pytest.mark.parametrize("how", [None, CLEANED], ids=["the demo's", "with what options clean and keep"])
def test_real_files_are_refused_or_come_out_clean_with_the_same_pixels(how, corpus_files, tmp_path, request):
    profile = how or request.getfixturevalue("profile")
    identity, key = request.getfixturevalue("identity"), request.getfixturevalue("key")
    cleaned = 0
    for source in corpus_files:
        try:
            result = clean_file(source, tmp_path / "c.dcm", profile=profile, identity=identity, subject_key=key)
        except BadInput:
            continue
        cleaned += 1
        assert verify_clean(tmp_path / "c.dcm", profile=profile, identity=identity).sha256 == result.sha256
        before, after = pydicom.dcmread(source, force=True), pydicom.dcmread(tmp_path / "c.dcm")
        assert same_image(before, after)
        if result.hold_reason is None:
            content = (tmp_path / "c.dcm").read_bytes().lower()
            names = [v for v in identifying_values(before) if len(v) > 7 and v.isascii() and not v.isdecimal()]
            assert [name for name in names if name.encode() in content] == []
    assert cleaned > 200


def test_a_structure_set_still_points_at_its_images_though_cleaned_on_another_day(tmp_path, profile, identity, key):
    folder = corpora() / "rt"
    if not folder.is_dir():
        pytest.skip(f"the shared corpora are not here ({folder}); set TRIALIMG_CORPORA")
    images, referred = set(), []
    for source in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            result = clean_file(source, tmp_path / "c.dcm", profile=profile, identity=identity, subject_key=bytes(key))
        except BadInput:
            continue
        made = pydicom.dcmread(tmp_path / "c.dcm")
        if result.modality == "CT":
            images.add(result.sop_instance_uid)
        elif result.modality == "RTSTRUCT":
            found = {str(e.value) for e in made.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
            before = pydicom.dcmread(source)
            assert len(found) == len(
                {str(e.value) for e in before.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
            )
            referred.append(found)
    assert images
    assert any(images & found for found in referred)
