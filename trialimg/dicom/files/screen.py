"""Which images may carry text in their pixels, and must be seen by a person before they leave."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from trialimg.dicom.files.captures import CT, MR, capture
from trialimg.dicom.files.header import InstanceFacts
from trialimg.dicom.standard.iod import is_known
from trialimg.dicom.standard.table import read_data
from trialimg.domain.pattern import late

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1"
_DOCUMENTS: Final = f"{_STORAGE}.104."
_GREY: Final = frozenset(f"{_STORAGE}.{leaf}" for leaf in ("1", "1.1", "1.2", "2", "4", "20", "128"))
_LOOK: Final = "A person must look at it before it leaves."
_DECIDE: Final = "Somebody who knows what is inside must decide before it leaves."
_BELIEVED: Final = ("an angiography", "an ophthalmic", "a computed radiograph")
"""Kinds of which few show text, so that a file that says it shows none is believed."""
_UNLISTED: Final = f"It is of a kind (SOP class) that nobody has listed as safe. {_DECIDE}"
CLAIMS_A_LOOK: Final = (
    "It says that a person looked at its pixels before it came here, or covered parts of them. That is the word of "
    f"whoever sent it. {_LOOK}"
)
FACE: Final = f"It is a head in thin slices, of which a face can be made, and this trial holds such images. {_LOOK}"
_LOCALIZER: Final = f"It is a localizer, into which some scanners write the patient's name. {_LOOK}"
_PLANNING: Final = ("LOCALI", "TOPOGRAM", "SCOUT", "SURVIEW", "SCANO")
_PLANNED: Final = late(r"(?<![a-z])(locali[sz]er|topogram|scout|surview|scano)")
_HEAD: Final = late(
    r"(?<![a-z])(head|brain|skull|face|facial|orbit(s|as?|es?|en)?|sinus(es)?|crani\w*|cr[aáâ]neo|cr[aâ]ne|cerebr\w*|"
    r"neuro\w*|en[ck][eé](ph|f)al\w*|iac|jaw|mandib\w+|maxill\w+|pituitar\w+|hypophys\w*|headneck|petrous|mastoids?|"
    r"mp2?rage|mpr2?age|flair|dark[\W_]*fluid|kopf\w*|sch(ä|a|ae)del\w*|(ge|gross|klein)?hirn\w*|gesicht\w*|kiefer|nnh|"
    r"felsenbeine?|t[eê]te|cerveau|visage|testa|cervello|cabe[zç]a|c[eé]rebro|cara|hoofd|hersenen|schedel|"
    r"g[lł]ow\w+|m[oó]zg\w*|hlava|huvud|hjärna)(?![a-z])|голов|мозг|череп|[头頭脑脳颅顔]"
)
"""Like the others in small letters, for a text in small letters: such a pattern is made in a third of the time."""
_THIN_MM: Final = 3.0
_MANY: Final = 30
"""Frames of an instance that says nothing of their thickness, from which they are taken for a volume."""
_SLIDE: Final = f"{_STORAGE}.77.1.6"
_TISSUE_ONLY: Final = (
    {"ORIGINAL", "DERIVED"}, {"PRIMARY"}, {"VOLUME", "THUMBNAIL"}, {"NONE", "RESAMPLED"},
)  # fmt: skip
"""The four values of Image Type of a whole slide that shows tissue; LABEL and OVERVIEW are others (C.8.12.4.1.1)."""


class _Kind(NamedTuple):
    """What is known of a storage class: whether rules clean it, and what it is where they do not suffice."""

    how: str
    """``rule``, ``pixels`` (the picture may show text), ``held`` (no rule reads what is inside), "" if unlisted."""
    what: str


@cache
def _kinds() -> Mapping[str, str]:
    kinds: Mapping[str, str] = read_data("sop_classes.json")["classes"]
    return kinds


def _kind_of(sop_class_uid: str) -> _Kind:
    """Look a class up; one that PS3.3 does not describe is not listed, whatever else is said of it."""
    how, _, what = _kinds().get(sop_class_uid, "").partition("|")
    return _Kind(how, what) if is_known(sop_class_uid) else _Kind("", "")


def pixel_risk(facts: InstanceFacts, *, hold_faces: bool = False, hold_localizers: bool = True) -> str | None:
    """Say why a person of the site must see this instance before it leaves, or None if rules suffice.

    A class that nobody listed is never let through; localizers are held unless the trial says otherwise, what may
    show a face where it says so. The sentence holds no value of the file.
    """
    if risk := _risk(facts):
        return risk
    if hold_localizers and is_localizer(facts):
        return _LOCALIZER
    return FACE if hold_faces and is_recognisable(facts) else None


def is_localizer(facts: InstanceFacts) -> bool:
    """Tell whether it is the picture on which a scan is planned, into which consoles write more than into others.

    Of CT its descriptions tell it too. Of MR it is a slice as all others are, made by no console: only one that was
    derived from it is meant.
    """
    kinds = [kind.strip().upper() for kind in facts.image_type]
    if not facts.has_pixels or (facts.sop_class_uid in MR and kinds[:2] == ["ORIGINAL", "PRIMARY"]):
        return False
    if any(word in kind for kind in kinds for word in _PLANNING):
        return True
    told = (facts.series_description, facts.protocol_name)
    return facts.sop_class_uid in CT and any(_PLANNED.search(text.lower()) for text in told)


def is_recognisable(facts: InstanceFacts) -> bool:
    """Tell whether a face could be made of this instance and its neighbours: a head in CT or MR, in thin slices.

    Told by body part, descriptions and thickness only (a clip of slices, which says it elsewhere, by their number);
    a head that no word names is not noticed.
    """
    if facts.modality not in {"CT", "MR"} or not facts.has_pixels:
        return False
    told = (facts.body_part, facts.series_description, facts.study_description, facts.protocol_name)
    if not any(_HEAD.search(text.lower()) for text in told):
        return False
    try:
        return 0 < float(facts.slice_thickness.split("\\")[0]) <= _THIN_MM
    except ValueError:
        return facts.frames >= _MANY


def _risk(facts: InstanceFacts) -> str | None:
    kind = _kind_of(facts.sop_class_uid)
    if kind.how == "held":
        return _held_because(facts.sop_class_uid, kind.what)
    if facts.is_video:
        return f"It is a film, in which text may be burned in. {_LOOK}"
    if not facts.has_pixels:
        return None if kind.how == "rule" else _UNLISTED
    return _what_the_file_says(facts) or _what_the_class_says(facts, kind)


def looking_suffices(facts: InstanceFacts) -> bool:
    """Tell whether whoever looked at the pixels may let it pass: not what no picture shows, or nobody listed."""
    listed = _kind_of(facts.sop_class_uid).how in {"rule", "pixels"}
    return listed and (facts.has_pixels or facts.is_video) and facts.pixel_surplus <= 0 and facts.is_followed_well


def _held_because(sop_class_uid: str, what: str) -> str:
    if sop_class_uid.startswith(_DOCUMENTS):
        return (
            f"It is {what} inside DICOM, which no rule can clean; its content was taken out. It is of no use so: "
            "tell what it says in the forms of the trial."
        )
    return f"It is {what}: no rule can clean what is inside. {_DECIDE}"


def _what_the_file_says(facts: InstanceFacts) -> str | None:
    coloured = facts.sop_class_uid in _GREY and not facts.photometric_interpretation.startswith("MONOCHROME")
    reasons = (
        (facts.burned_in == "YES", "The file says that text is burned into its pixels."),
        (
            facts.has_regions,
            "The image is divided into regions, as ultrasound screens are, and may show text.",
        ),
        (facts.has_overlay_in_pixels, "An overlay is stored inside the pixel data and may be text."),
        (
            not facts.is_followed_well,
            "What follows the pixel data is damaged, so bytes of it may have slid into the picture.",
        ),
        (
            facts.pixel_surplus > 0,
            "There are more bytes of pixel data than the image needs; they may be anything.",
        ),
        (
            coloured,
            "It is a colour picture where the scanner makes grey ones: a result page, which may show text.",
        ),
    )
    told = next((sentence for applies, sentence in reasons if applies), None) or capture(facts)
    return f"{told} {_LOOK}" if told else None


def _what_the_class_says(facts: InstanceFacts, kind: _Kind) -> str | None:
    if kind.how == "pixels":
        if facts.burned_in == "NO" and (kind.what.startswith(_BELIEVED) or _is_tissue_only(facts)):
            return None
        return f"It is {kind.what} and may show text. {_LOOK}"
    return None if kind.how == "rule" else _UNLISTED


def _is_tissue_only(facts: InstanceFacts) -> bool:
    """Tell whether a whole slide says, by all that the standard demands of it, that its label is not to be seen."""
    if facts.sop_class_uid != _SLIDE or facts.label_in_image != "NO":
        return False
    told = [value.strip() for value in facts.image_type]
    return len(told) == len(_TISSUE_ONLY) and all(a in b for a, b in zip(told, _TISSUE_ONLY, strict=True))
