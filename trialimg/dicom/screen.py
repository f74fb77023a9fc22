"""Which images may carry text in their pixels, and must be seen by a person before they leave."""

from __future__ import annotations

from typing import Final

from trialimg.dicom.header import InstanceFacts

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1"

CLEANED_BY_RULE: Final = frozenset(
    f"{_STORAGE}.{leaf}"
    for leaf in (
        *("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1"),  # CR, DX, mammography, intra-oral
        *("2", "2.1", "2.2"),  # CT, enhanced CT, converted CT
        *("4", "4.1", "4.2", "4.3", "4.4"),  # MR, enhanced MR, spectroscopy, enhanced colour MR, converted MR
        *("9.1.1", "9.1.2", "9.1.3", "9.2.1", "9.3.1", "9.4.1", "9.4.2", "9.5.1", "9.6.1"),  # waveforms
        *("11.1", "11.2", "11.3", "11.4", "11.5", "11.6", "11.7", "11.8", "11.9", "11.10", "11.11", "11.12"),
        *("13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.1.5"),  # X-ray 3D, breast tomosynthesis
        *("14.1", "14.2"),  # intravascular OCT
        *("20", "30", "66", "66.1", "66.2", "66.3", "66.4", "66.5", "66.6", "66.7", "67", "68.1", "68.2"),
        *("128", "128.1", "130"),  # PET, converted PET, enhanced PET
        *("88.11", "88.22", "88.33", "88.34", "88.35", "88.40", "88.50", "88.59", "88.65", "88.67", "88.68"),
        *("88.69", "88.70", "88.71", "88.72", "88.73", "88.74", "88.75", "88.76"),  # SR
        *("481.1", "481.2", "481.3", "481.4", "481.5", "481.6", "481.7", "481.8", "481.9"),  # radiotherapy
        *("481.10", "481.11", "481.12", "481.13", "481.14", "481.15", "481.16", "481.17", "481.18"),
    )
)
"""SOP classes whose header rules clean them whole, unless the file itself says there is text in it.

CT, MR, PET, nuclear medicine, projection X-ray, radiotherapy objects, segmentations, parametric and
deformation maps, presentation states, structured reports, key objects, waveforms.
"""

_MAY_SHOW_TEXT: Final = {
    **dict.fromkeys(("3.1", "6.1", "6.2", "6.3", "3", "6"), "an ultrasound image"),
    **dict.fromkeys(("7", "7.1", "7.2", "7.3", "7.4"), "a secondary capture"),
    **dict.fromkeys(("12.1", "12.1.1"), "an angiography image"),
    **dict.fromkeys(("12.2", "12.2.1"), "a fluoroscopy image"),
    **dict.fromkeys(("77.1.1", "77.1.1.1", "77.1.2", "77.1.2.1", "77.1.4", "77.1.4.1"), "a photograph or film"),
    **dict.fromkeys(("77.1.3", "77.1.6"), "a microscopy image, whose label may be part of it,"),
    **dict.fromkeys(("77.1.5.1", "77.1.5.2", "77.1.5.4"), "an ophthalmic image"),
}
_GREY: Final = frozenset(f"{_STORAGE}.{leaf}" for leaf in ("1", "1.1", "1.2", "2", "4", "20", "128"))
_DOCUMENTS: Final = tuple(f"{_STORAGE}.104.{n}" for n in range(1, 9))
_CAPTURED: Final = (
    "SCREEN SAVE",
    "SCREENSAVE",
    "SCREEN",
    "SNAPSHOT",
    "DOSE_INFO",
    "DOSE INFO",
    "REPORT",
    "SCANNED",
)
_LOOK: Final = "Look at it and decide: send it, or discard it."
_UNLISTED: Final = f"It is of a kind (SOP class) that nobody has listed as safe. {_LOOK}"


def pixel_risk(facts: InstanceFacts) -> str | None:
    """Say why a person of the site must see this instance before it leaves, or None if rules suffice.

    A class that nobody listed is never let through. The sentence holds no value of the file.
    """
    if facts.sop_class_uid.startswith(_DOCUMENTS):
        return (
            "It is a document inside DICOM (PDF, CDA or a model), which no rule can clean; its content was taken "
            "out. Discard it, and send what it says through the forms."
        )
    if facts.is_video:
        return f"It is a film, in which text may be burned in. {_LOOK}"
    if not facts.has_pixels:
        return None if facts.sop_class_uid in CLEANED_BY_RULE else _UNLISTED
    return _what_the_file_says(facts) or _what_the_class_says(facts)


def _what_the_file_says(facts: InstanceFacts) -> str | None:
    kinds = {part.strip().upper() for part in facts.image_type}
    captured = any(word in kind for kind in kinds for word in _CAPTURED) or bool(facts.conversion_type)
    coloured = facts.sop_class_uid in _GREY and not facts.photometric_interpretation.startswith("MONOCHROME")
    reasons = (
        (facts.burned_in == "YES", "The file says that text is burned into its pixels."),
        (
            facts.has_regions,
            "The image is divided into regions, as ultrasound screens are, and may show text.",
        ),
        (facts.has_overlay_in_pixels, "An overlay is stored inside the pixel data and may be text."),
        (
            facts.pixel_surplus > 0,
            "There are more bytes of pixel data than the image needs; they may be anything.",
        ),
        (
            captured,
            "It is a picture of a screen, a scan of paper or a dose report, which usually shows text.",
        ),
        (
            coloured,
            "It is a colour picture where the scanner makes grey ones: a result page, which may show text.",
        ),
    )
    return next((f"{sentence} {_LOOK}" for applies, sentence in reasons if applies), None)


def _what_the_class_says(facts: InstanceFacts) -> str | None:
    kind = _MAY_SHOW_TEXT.get(facts.sop_class_uid.removeprefix(f"{_STORAGE}."))
    if kind is not None:
        if facts.burned_in == "NO" and kind.startswith(("an angiography", "an ophthalmic")):
            return None
        return f"It is {kind} and may show text. {_LOOK}"
    return None if facts.sop_class_uid in CLEANED_BY_RULE else _UNLISTED
