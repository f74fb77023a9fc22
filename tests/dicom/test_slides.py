"""Whole slides: what shows tissue only, and says so, is cleaned by rule; whatever may show a label is looked at."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.dicom.conftest import corpora, pydicom_files
from tests.dicom.test_splice import Both
from trialimg.dicom.deidentify import clean_file, verify_clean
from trialimg.dicom.files.screen import looking_suffices
from trialimg.domain.deidentification import Profile

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
BASIC = Profile("demo", "1")
TISSUE = {"ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "SpecimenLabelInImage": "NO", "BurnedInAnnotation": "NO"}


def slide(**said) -> BytesIO:
    """Make a slide that says what is given besides that it shows tissue only; None leaves an attribute out."""
    made = dcmread(next(path for path in pydicom_files() if path.name == "SC_rgb_small_odd.dcm"))
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = WHOLE_SLIDE
    made.Modality = "SM"
    for keyword in ("ConversionType", "ImageType"):
        if keyword in made:
            delattr(made, keyword)
    for keyword, value in (TISSUE | said).items():
        if value is not None:
            setattr(made, keyword, value)
    stream = BytesIO()
    made.save_as(stream)
    stream.seek(0)
    return stream


@pytest.fixture
def cleaned(tmp_path, identity, key):
    """Clean by both ways, which must do the same; give why the slide is held, None where rules suffice."""

    def clean(source):
        both = Both(tmp_path, identity, key)
        both.compare(source, BASIC)
        if isinstance(source, BytesIO):
            assert both.ordinary == 1
            source.seek(0)
        target = tmp_path / "clean.dcm"
        result = clean_file(source, target, profile=BASIC, identity=identity, subject_key=key)
        again = verify_clean(target, profile=BASIC, identity=identity)
        assert again.hold_reason == result.hold_reason
        return result

    return clean


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"ImageType": ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "THUMBNAIL", "NONE"]},
        {"ImageType": ["DERIVED", "PRIMARY", "THUMBNAIL", "RESAMPLED"]},
    ],
    ids=str,
)
def test_a_slide_that_shows_tissue_only_is_cleaned_by_rule(cleaned, said):
    assert cleaned(slide(**said)).hold_reason is None


@pytest.mark.parametrize(
    "said",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "OVERVIEW", "NONE"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE", "LABEL"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "LABEL"]},
        {"ImageType": ["LABEL", "PRIMARY", "VOLUME", "NONE"]},
        {"ImageType": ["ORIGINAL", "OVERVIEW", "VOLUME", "NONE"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "NONE", "VOLUME"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "VOLUME"]},
        {"ImageType": "VOLUME"},
        {"ImageType": None},
        {"SpecimenLabelInImage": None},
        {"SpecimenLabelInImage": "YES"},
        {"SpecimenLabelInImage": ["NO", "YES"]},
        {"BurnedInAnnotation": None},
        {"BurnedInAnnotation": ["NO", "NO"]},
    ],
    ids=str,
)
def test_a_slide_that_may_show_its_label_or_does_not_say_waits_for_a_look(cleaned, said):
    result = cleaned(slide(**said))
    assert "label" in result.hold_reason
    assert result.hold_code == "image.may_show_text"
    assert looking_suffices(result.facts)


@pytest.mark.parametrize("burned_in", ["YES", ["NO", "YES"]], ids=str)
def test_a_slide_into_which_text_is_burned_waits_for_a_look(cleaned, burned_in):
    assert "burned into" in cleaned(slide(BurnedInAnnotation=burned_in)).hold_reason


def test_what_an_item_says_of_another_image_is_not_said_of_the_slide(cleaned):
    item = Dataset()
    item.BurnedInAnnotation = "NO"
    item.SpecimenLabelInImage = "NO"
    for left_out in ("BurnedInAnnotation", "SpecimenLabelInImage"):
        result = cleaned(slide(**{left_out: None}, OpticalPathSequence=[item]))
        assert "label" in result.hold_reason


def test_a_yes_inside_an_item_holds_the_slide(cleaned):
    item = Dataset()
    item.BurnedInAnnotation = "YES"
    assert "burned into" in cleaned(slide(OpticalPathSequence=[item])).hold_reason


def test_other_microscopy_waits_for_a_look_whatever_it_says(cleaned):
    source = dcmread(slide())
    for leaf in ("77.1.3", "77.1.8", "77.1.9"):
        source.SOPClassUID = source.file_meta.MediaStorageSOPClassUID = f"1.2.840.10008.5.1.4.1.1.{leaf}"
        stream = BytesIO()
        source.save_as(stream)
        stream.seek(0)
        assert "microscopy" in cleaned(stream).hold_reason


def test_real_slides_go_on_where_they_say_all_that_the_standard_demands(cleaned):
    folder = corpora()
    if not folder.is_dir():
        pytest.skip(f"the shared corpora are not here ({folder}); set TRIALIMG_CORPORA")
    found = [path for path in sorted(folder.rglob("*")) if path.name.startswith(("sm_image", "level-")) and path.is_file()]
    held = {path: cleaned(path).hold_reason for path in found if path.stat().st_size < 5_000_000}
    gone_on = {path.name for path, reason in held.items() if reason is None}
    assert {"sm_image.dcm", "sm_image_grayscale.dcm", "sm_image_jpegls.dcm"} <= gone_on
    assert not any(name.startswith("level-") for name in gone_on)
    assert any(path.name.startswith("level-") for path in held)
