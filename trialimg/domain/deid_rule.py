"""A trial's own rule: one attribute, public or of a manufacturer, that is treated otherwise than the profile says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, Self, cast

from trialimg.domain.pattern import late
from trialimg.errors import BadDefinition

RuleAction = Literal["K", "X", "Z", "D", "U", "C"]

_ACTIONS: Final = frozenset({"K", "X", "Z", "D", "U", "C"})
_OF_PRIVATE: Final = frozenset({"K", "X", "Z"})
_KEEP_MORE: Final = frozenset({"K", "U", "C"})
"""Actions that let more stand than the profile may; whoever uses one says what it is needed for."""
_KEYS: Final = frozenset({"tag", "private", "action", "why", "sop_class"})
_OF_CREATOR: Final = frozenset({"creator", "element", "vr"})
_TAG: Final = late(r"\(?([0-9A-Fa-f]{4}),? ?([0-9A-Fa-f]{4})\)?")
_ELEMENT: Final = late(r"([0-9A-Fa-f]{3}[13579BDFbdf]),[xX]{2}([0-9A-Fa-f]{2})")
_UID: Final = late(r"[0-9]+(\.[0-9]+)+")
_REASON: Final = late(r"\w{3}")
_VR: Final = late("A[EST]|CS|D[AST]|F[DL]|IS|L[OT]|O[BDFLVW]|PN|S[HLQSTV]|TM|U[CILRSTV]")
_LONGEST_CREATOR: Final = 64
_LONGEST_UID: Final = 64
_FIRST_PRIVATE_GROUP: Final = 0x0009

SOP_CLASSES: Final[Mapping[str, str]] = {
    name: f"1.2.840.10008.5.1.4.1.1.{leaf}"
    for name, leaf in {
        "Computed Radiography Image Storage": "1",
        "Digital X-Ray Image Storage - For Presentation": "1.1",
        "Digital Mammography X-Ray Image Storage - For Presentation": "1.2",
        "CT Image Storage": "2",
        "Enhanced CT Image Storage": "2.1",
        "Ultrasound Multi-frame Image Storage": "3.1",
        "MR Image Storage": "4",
        "Enhanced MR Image Storage": "4.1",
        "MR Spectroscopy Storage": "4.2",
        "Ultrasound Image Storage": "6.1",
        "Secondary Capture Image Storage": "7",
        "Grayscale Softcopy Presentation State Storage": "11.1",
        "X-Ray Angiographic Image Storage": "12.1",
        "X-Ray Radiofluoroscopic Image Storage": "12.2",
        "Nuclear Medicine Image Storage": "20",
        "Segmentation Storage": "66.4",
        "VL Whole Slide Microscopy Image Storage": "77.1.6",
        "Ophthalmic Tomography Image Storage": "77.1.5.4",
        "Enhanced SR Storage": "88.22",
        "Comprehensive SR Storage": "88.33",
        "Positron Emission Tomography Image Storage": "128",
        "Enhanced PET Image Storage": "130",
        "RT Dose Storage": "481.2",
        "RT Structure Set Storage": "481.3",
        "RT Plan Storage": "481.5",
    }.items()
}
"""The classes that a rule may name as PS3.6 does; any other it names by its UID."""

# What a rule of a trial may not touch: who the subject is, and what we say about the cleaning.
_FIXED_GROUPS: Final = frozenset({0x0000, 0x0002, 0x0004, 0x0012, 0x7FE0, 0xFFFA, 0xFFFC, 0xFFFE})
_FIXED_TAGS: Final = frozenset(
    {
        *(0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00200010),
        *(0x00100010, 0x00100020, 0x00100030, 0x00280301, 0x00280302, 0x00280303, 0x04000561, 0x04000500),
    }
)


class Rule(NamedTuple):
    """One attribute that this trial treats otherwise than the profile does, and why.

    Of a manufacturer's attribute ``creator`` is the text that reserves its block, ``tag`` has the block left out
    (``0x0019000C`` of ``0019,xx0C``), and ``vr`` is given where files do not tell it. ``sop_classes`` are UIDs; none
    means every class.
    """

    tag: int
    action: RuleAction
    justification: str
    creator: str = ""
    vr: str = ""
    sop_classes: tuple[str, ...] = ()

    @classmethod
    def from_mapping(cls, entry: Any, number: int) -> Self:
        """Read entry ``number`` (from 1) under ``rules``; BadDefinition names what is wrong with it."""
        where = f"deidentification.yaml, rules, entry {number}"
        if not isinstance(entry, Mapping):
            raise BadDefinition(f"{where}: expected tag or private, action and why.")
        if unknown := sorted(set(map(str, entry)) - _KEYS):
            raise BadDefinition(f"{where}: nobody knows the key '{unknown[0]}'.")
        if ("tag" in entry) == ("private" in entry):
            raise BadDefinition(f"{where}: give either 'tag' or 'private', and not both.")
        action = entry.get("action")
        if action not in _ACTIONS:
            raise BadDefinition(f"{where}: 'action' must be one of K, X, Z, D, U, C (PS3.15 table E.1-1a).")
        creator = vr = ""
        if "private" in entry:
            tag, creator, vr = _private(entry["private"], where)
            if action not in _OF_PRIVATE:
                raise BadDefinition(f"{where}: 'action' of a private attribute must be K, X or Z.")
        else:
            tag = _public(entry["tag"], where)
        why = " ".join(str(entry.get("why") or "").split())
        if action in _KEEP_MORE and not _REASON.search(why):
            raise BadDefinition(f"{where}: 'why' is missing; whoever keeps more than the profile says why.")
        classes = _classes(entry.get("sop_class"), where)
        return cls(tag, cast("RuleAction", action), why, creator, vr, classes)

    def to_mapping(self) -> dict[str, Any]:
        """Give the entry as it stands in the trial's definition."""
        group, element = f"{self.tag >> 16:04X}", self.tag & 0xFFFF
        entry: dict[str, Any] = {"action": self.action, "why": self.justification}
        if self.creator:
            entry["private"] = {"creator": self.creator, "element": f"{group},xx{element:02X}"}
            if self.vr:
                entry["private"]["vr"] = self.vr
        else:
            entry["tag"] = f"{group},{element:04X}"
        if self.sop_classes:
            entry["sop_class"] = list(self.sop_classes)
        return entry

    @property
    def attribute(self) -> str:
        """Say which attribute the rule is about, as a report prints it."""
        group, element = f"{self.tag >> 16:04X}", self.tag & 0xFFFF
        return f"({group},xx{element:02X}) of “{self.creator}”" if self.creator else f"({group},{element:04X})"

    def meets(self, other: Rule) -> bool:
        """Tell whether two rules say something of one attribute in one class, so that nobody knows which counts."""
        same = (self.tag, self.creator) == (other.tag, other.creator)
        one, two = set(self.sop_classes), set(other.sop_classes)
        return same and (one == two or bool(one & two))


def _public(value: Any, where: str) -> int:
    found = _TAG.fullmatch(str(value).strip())
    if found is None:
        raise BadDefinition(f"{where}: 'tag' must look like \"0008,1030\".")
    tag = int(found.group(1) + found.group(2), 16)
    group = tag >> 16
    if group % 2:
        raise BadDefinition(f"{where}: 'tag' is private; name it under 'private', by its creator and element.")
    if tag in _FIXED_TAGS or group in _FIXED_GROUPS:
        raise BadDefinition(f"{where}: 'tag' is written by the engine itself and knows no other rule.")
    return tag


def _private(value: Any, where: str) -> tuple[int, str, str]:
    if not isinstance(value, Mapping) or not {"creator", "element"} <= set(value) <= _OF_CREATOR:
        raise BadDefinition(f"{where}: 'private' has creator and element, and vr where files do not tell it.")
    creator = value["creator"]
    plain = isinstance(creator, str) and creator.isascii() and creator.isprintable() and "\\" not in creator
    if not plain or not 0 < len(creator.strip()) <= _LONGEST_CREATOR:
        raise BadDefinition(f"{where}: 'creator' is the text of (gggg,00xx), at most {_LONGEST_CREATOR} ASCII letters.")
    found = _ELEMENT.fullmatch(str(value["element"]).strip())
    if found is None or int(found.group(1), 16) < _FIRST_PRIVATE_GROUP:
        raise BadDefinition(f"{where}: 'element' must look like \"0019,xx0C\": the group is odd, xx is the block.")
    vr = value.get("vr", "")
    if vr and not (isinstance(vr, str) and _VR.fullmatch(vr)):
        raise BadDefinition(f"{where}: 'vr' must be one of PS3.5, such as DS.")
    return int(found.group(1), 16) << 16 | int(found.group(2), 16), creator.strip(), str(vr)


def _classes(value: Any, where: str) -> tuple[str, ...]:
    entries = [] if value is None else value
    if not isinstance(entries, list) or value == []:
        raise BadDefinition(f"{where}: 'sop_class' is a list of UIDs or names, and not empty.")
    uids = []
    for entry in map(str, entries):
        uid = SOP_CLASSES.get(entry, entry)
        if not _UID.fullmatch(uid) or len(uid) > _LONGEST_UID:
            raise BadDefinition(
                f"{where}: 'sop_class' knows no name “{entry[:64]}”. It knows those of {len(SOP_CLASSES)} common "
                "classes, such as CT Image Storage; write the UID of any other (PS3.6 table A-1)."
            )
        uids.append(uid)
    return tuple(uids)


def read_rules(entries: Any, file: str) -> tuple[Rule, ...]:
    """Read the list under ``rules``; BadDefinition names the entry that is wrong, or that stands there twice."""
    entries = [] if entries is None else entries
    if not isinstance(entries, list):
        raise BadDefinition(f"{file}: 'rules' is a list of tag, action and why.")
    rules = tuple(Rule.from_mapping(entry, number) for number, entry in enumerate(entries, 1))
    for number, rule in enumerate(rules):
        if any(rule.meets(other) for other in rules[:number]):
            key = "private" if rule.creator else "tag"
            raise BadDefinition(f"{file}, rules, entry {number + 1}: '{key}' has a rule already.")
    return rules
