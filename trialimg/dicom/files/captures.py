"""Pictures of a screen, of paper, of a page of doses: told by the words of a file, and by the device that made it.

What is known of devices is data (``captures.json``), which is not read for an ordinary CT or MR.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from trialimg.dicom.files.header import InstanceFacts
from trialimg.dicom.standard.table import read_data
from trialimg.domain.pattern import late

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1"
CT: Final = frozenset(f"{_STORAGE}.{leaf}" for leaf in ("2", "2.1", "2.2"))
MR: Final = frozenset(f"{_STORAGE}.{leaf}" for leaf in ("4", "4.1", "4.3", "4.4"))
_SLICES: Final = CT | MR
_NO_PHOTOGRAPHS: Final = tuple(f"{_STORAGE}.{leaf}." for leaf in ("30", "66", "481", "77.1.6"))
"""Of what is computed or planned, and of slides, the description says what they are for and not what they show."""
_KINDS: Final = late(
    r"SCREEN|SNAPSHOT|(?<!LOW)(?<!LOW.)DOSE|REPORT|SCANNED|SAVE|CAPTURE|VOLREN|VXTL|DEMOGRAPHIC|\bPROT(OCOL)?\b"
)
_DESCRIPTIONS: Final = late(
    r"(?<![a-z])(?:reports?|summary|worksheet|scanned|requisition|consent|screen[\W_]*(?:saves?|shots?|cap\w*|snaps?)|"
    r"(?:patient|exam|examination|scan)s?[\W_]*protocols?|(?:patienten|dosis)protokoll|(?:dosis|befund)bericht|"
    r"protoc\w+[\W_]*(?:du[\W_]*|del[\W_]*)?pa[ct]i?[ez]\w+|rapport[\W_]*de[\W_]*dose|informe[\W_]*de[\W_]*dosis|"
    r"(?<!low.)dose[\W_]*(?:info|information|record|sheet|page|sr)|dosim\w+|medrad|injection[\W_]*profile|"
    r"(?:enhancement|time[\W_]*intensity)[\W_]*curves?|electronic[\W_]*film|nomination[\W_]*form|outside[\W_]*hospital)"
    r"(?![a-z])|^\W*dose(?![a-z])"
)
"""For texts in small letters."""
_PICTURES: Final = frozenset({"US", "IVUS", "SC", "OT", "DOC", "ES", "HC", "XC", "GM", "SM", "OP"})
"""Modalities whose pictures show text, or may be anything."""
_SCANNERS: Final = frozenset(f"{_STORAGE}.{leaf}" for leaf in ("20", "128")) | _SLICES


def capture(facts: InstanceFacts) -> str | None:
    """Say by what an image is told to be a picture of something else than a body, or None. Holds no value of it."""
    told = _by_words(facts)
    if told is None and not _is_ordinary(facts) and any(_applies(rule, facts) for rule in known_captures()):
        return "Pictures of this kind, by the device that made it, are known to show text."
    return told


def _by_words(facts: InstanceFacts) -> str | None:
    kinds = [kind.strip().upper() for kind in facts.image_type]
    is_photograph = not facts.sop_class_uid.startswith(_NO_PHOTOGRAPHS)
    words = kinds if is_photograph else [kind.replace("DOSE", "") for kind in kinds]
    if facts.conversion_type or any(map(_KINDS.search, words)):
        return "It is a picture of a screen, a scan of paper or a dose report, which usually shows text."
    if is_photograph and any(
        _DESCRIPTIONS.search(told.lower()) for told in (facts.series_description, facts.protocol_name)
    ):
        return "By its description it is a dose report, a protocol or a picture of a screen, which usually shows text."
    if facts.sop_class_uid in _SCANNERS and facts.modality in _PICTURES:
        return "Its Modality is none of its class, but one whose pictures may show text."
    if facts.sop_class_uid in CT and kinds[1:2] == ["SECONDARY"] and not {*kinds[2:]} - {"", "OTHER"}:
        return "It is a secondary CT image that does not say what was computed; pictures of screens are called so too."
    return None


def _is_ordinary(facts: InstanceFacts) -> bool:
    """Tell whether no rule of devices can apply: it is a slice that nothing was made of."""
    return facts.sop_class_uid in _SLICES and not any("SECONDARY" in kind.upper() for kind in facts.image_type)


@cache
def known_captures() -> tuple[Mapping[str, Any], ...]:
    """Give the rules of devices as data; ``read`` of the file says how they are read."""
    return tuple(read_data("captures.json")["rules"])


def _applies(rule: Mapping[str, Any], facts: InstanceFacts) -> bool:
    return (
        rule["manufacturer"].casefold() in facts.manufacturer.casefold()
        and _plain(rule.get("model", "")) in _plain(facts.model)
        and rule.get("modality", facts.modality) == facts.modality
        and any(rule.get("image_type", "") in kind.upper() for kind in facts.image_type)
        and rule.get("rows", facts.rows) == facts.rows
        and rule.get("columns", facts.columns) == facts.columns
        and (not facts.software or rule.get("software", "").casefold() in facts.software.casefold())
        and not (rule.get("window_width") == 1 and facts.is_black_and_white is False)
    )


def _plain(model: str) -> str:
    return "".join(model.split()).casefold()
