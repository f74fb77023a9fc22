"""What happens to one attribute under one profile: the only place where that is decided.

Closed by default. In this order: what is never carried on; private attributes (removed, but for what a rule or the
list of safe ones keeps) and unknown ones (removed); who the subject is; the trial's own rules; the options; the row of
PS3.15 table E.1-1; and for public attributes without a row, what ``unlisted`` says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from trialimg.dicom.files.header import BURNED_IN
from trialimg.dicom.rules.actions import (
    BEYOND,
    CLASSES_AND_SCHEMES,
    DATES,
    GOES,
    NEEDED,
    NUMBERS,
    Attribute,
    Choice,
    Do,
    Step,
    by_letters,
    effective_vr,
    is_never_carried,
    kept_as,
    of_nobody,
    without_row,
)
from trialimg.dicom.rules.private import choose_private, safe_private, without_block
from trialimg.dicom.standard.iod import At, inside, is_code, place_of, type_at
from trialimg.dicom.standard.part10 import PIXEL_DATA
from trialimg.dicom.standard.table import FULL_DATES, MODIFIED_DATES, Row, confidentiality_table, vr_of
from trialimg.domain.deid_rule import Rule
from trialimg.domain.deidentification import Profile

__all__ = ["CLASSES_AND_SCHEMES", "NUMBERS", "Do", "Place", "Plan", "Step"]

PATIENT_NAME: Final = 0x00100010
PATIENT_ID: Final = 0x00100020
SEX, AGE, SIZE, WEIGHT = 0x00100040, 0x00101010, 0x00101020, 0x00101030
CONTENT_SEQUENCE: Final = 0x0040A730
_LETTERS: Final = 2  # of a VR
OFFSETS: Final = frozenset({0x7FE00001, 0x7FE00002})
"""Extended Offset Table and its lengths: eight bytes a frame."""
PIXELS: Final = OFFSETS | {0x7FE00008, 0x7FE00009, PIXEL_DATA}
"""Pixel data and their offset tables, of the outermost data set."""

_FIXED: Final[Mapping[int, Choice]] = {
    0x00080005: (Do.KNOWN_CHARACTER_SET, "", "stays if it names character sets of the standard"),
    PATIENT_NAME: (Do.NAME, "D", "who the subject is: the subject's number in the trial"),
    PATIENT_ID: (Do.NAME, "D", "who the subject is: the subject's number in the trial"),
    0x00200010: (Do.EMPTY, "D", "a new one is written, unique to the study"),
    **dict.fromkeys(PIXELS, (Do.KEEP, "", "pixels are not touched by rules for attributes")),
}
_ALSO: Final[Mapping[int, str]] = {
    **dict.fromkeys((0x00400400, 0x00400255, 0x00420010, 0x30020004, 0x300A01D0, 0x30080202), "clean_descriptors"),
    0x0040A160: "clean_structured_content",  # Text Value
    0x00700006: "clean_graphics",  # Unformatted Text Value
}
"""Free texts that an option cleans without the table saying so: those of ``BEYOND``, and the text of a graphic."""
_NEVER: Final = "never carried on: file structure, overlay, curve, signature, encrypted or former value"
_OTHERS: Final = "what another trial said of the patient"
_CLINICAL_TRIAL: Final = 0x0012
_TIMEZONE: Final = 0x00080201
CLAIMS: Final = frozenset({BURNED_IN, 0x00280302})
"""Burned In Annotation, Recognizable Visual Features: a NO stays only where a value must stand."""
_LET_PASS_BY_IT: Final = frozenset(f"1.2.840.10008.5.1.4.1.1.{leaf}" for leaf in ("1", "12.1", "12.3"))
"""Computed radiographs and angiography, which a NO lets pass (``screen``) and where it is not demanded."""
OF_EVERYBODY: Final = frozenset({0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07})
"""Versions of published code lists and templates: the same in the files of everybody."""
WORDED: Final = frozenset({"LO", "LT", "SH", "ST", "UC", "UT", "CS"})
_OPTIONS: Final = (
    *("retain_uids", "retain_device_identity", "retain_institution_identity", "retain_patient_characteristics"),
    *("clean_descriptors", "clean_structured_content", "clean_graphics"),
)
"""The options that have a column of letters, the one that keeps more first."""


class _Rules(NamedTuple):
    """The own rules that count for one class of objects."""

    public: Mapping[int, Rule]
    private: Mapping[tuple[str, int], Rule]
    pass_by_claim: bool


class Place:
    """One place in an object, the data set or the items of a sequence: what is decided there is remembered."""

    __slots__ = ("_at", "_plan", "_private", "_rules", "_steps")

    def __init__(self, plan: Plan, at: At, rules: _Rules) -> None:
        self._plan, self._at, self._rules = plan, at, rules
        self._steps: dict[tuple[int, str], Step] = {}
        self._private: dict[tuple[str, int, str], Step] = {}

    def step(self, tag: int, stated_vr: str | None) -> Step:
        """Decide about an element; ``stated_vr`` is the file's, None, UN or a choice where it tells none."""
        key = (tag, stated_vr if stated_vr is not None and len(stated_vr) == _LETTERS else "UN")
        step = self._steps.get(key)
        if step is None:
            vr = effective_vr(tag, key[1])
            if not vr:
                return of_nobody(tag)  # not remembered: a file may hold any number of such tags
            step = self._steps[key] = self._plan.decide(self._at, tag, vr, self._rules)
        return step

    def private(self, creator: str, tag: int, stated_vr: str | None) -> Step:
        """Decide about a private element by the text of its block's creator."""
        key = (creator, without_block(tag), stated_vr if stated_vr is not None and len(stated_vr) == _LETTERS else "UN")
        step = self._private.get(key)
        if step is None:
            step = self._plan.decide_private(creator, key[1], key[2], self._rules)
            if step is not GOES:
                self._private[key] = step
        return step

    @property
    def retained(self) -> frozenset[int]:
        """Attributes of table E.1-1 whose values stay in objects of this class."""
        return self._plan.retained(self._rules)

    def inside(self, sequence: int) -> Place:
        """Give the place of the items of a sequence that stands here."""
        return self._plan.place(inside(self._at, sequence), self._rules)


class Plan:
    """The decisions of one profile, each made once."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._kept = {
            SEX: profile.keep_sex,
            AGE: profile.keep_age,
            SIZE: profile.keep_size,
            WEIGHT: profile.keep_weight,
        }
        self._rows = confidentiality_table().rows
        self._options = tuple(option for option in _OPTIONS if option in profile.chosen)
        self._safe = safe_private(profile.safe_private) if "retain_safe_private" in profile.chosen else {}
        self._classes = frozenset(uid for rule in profile.rules for uid in rule.sop_classes)
        self._everywhere = _rules_for(profile.rules, "")
        self._of_class: dict[str, _Rules] = {}
        self._places: dict[tuple[At, int], Place] = {}
        self._retained_under: dict[int, frozenset[int]] = {}
        self.keeps_private: Final = bool(self._safe) or any(r.creator and r.action != "X" for r in profile.rules)
        """Whether private elements must be looked at by their creators; if not, all go."""
        self.words: Final = profile.words
        """What the trial lets stand in free text, in small letters."""

    def root(self, sop_class_uid: str, present: Collection[int]) -> Place:
        """Give the place of a whole data set of a class, by the tags it has."""
        return self.place(place_of(sop_class_uid, present), self._rules(sop_class_uid))

    def of_class(self, sop_class_uid: str = "") -> Place:
        """Give what the rules for a class say, whatever the Types in its objects are."""
        return self.place((), self._rules(sop_class_uid))

    def place(self, at: At, rules: _Rules | None = None) -> Place:
        """Give the decisions for one place in the standard."""
        rules = rules or self._everywhere
        place = self._places.get((at, id(rules)))
        if place is None:
            place = self._places[at, id(rules)] = Place(self, at, rules)
        return place

    def _rules(self, sop_class_uid: str) -> _Rules:
        if sop_class_uid not in self._classes and sop_class_uid not in _LET_PASS_BY_IT:
            return self._everywhere
        rules = self._of_class.get(sop_class_uid)
        if rules is None:
            rules = self._of_class[sop_class_uid] = _rules_for(self.profile.rules, sop_class_uid)
        return rules

    def retained(self, rules: _Rules) -> frozenset[int]:
        """Give the attributes of table E.1-1 whose values stay under these rules: to find them alarms nobody."""
        found = self._retained_under.get(id(rules))
        if found is None:
            kept = {tag for tag, rule in rules.public.items() if rule.action == "K" and vr_of(tag) != "SQ"}
            rows = self._rows if len(self.profile.options) > 1 else ()  # the Basic Profile alone retains nothing
            place = self.place((), rules)
            stays = {tag for tag in rows if not tag >> 16 & 1 and place.step(tag, None).do in {Do.KEEP, Do.KEEP_UID}}
            found = self._retained_under[id(rules)] = frozenset(kept | stays)
        return found

    def decide(self, at: At, tag: int, vr: str, rules: _Rules) -> Step:
        """Decide about an attribute of PS3.6 at a place."""
        kind = type_at(at, tag)
        what = Attribute(tag, vr, kind, is_code=vr == "SQ" and is_code(at, tag))
        do, told, why = self.choose(what, rules.public.get(tag))
        return Step(do, told, vr, kind in NEEDED or (tag == BURNED_IN and rules.pass_by_claim), why)

    def decide_private(self, creator: str, tag: int, stated: str, rules: _Rules) -> Step:
        """Decide about a private attribute, its block left out; ``stated`` is UN where the file tells no VR."""
        rule, known = rules.private.get((creator, tag)), self._safe.get((creator, tag), "")
        vr = stated if rule is not None and stated != "UN" else (rule.vr if rule is not None else "") or known
        if not vr or stated not in {vr, "UN"}:
            return GOES
        lists = "table E.3.10-1" if self.profile.safe_private == "table" else "archives' lists of safe ones"
        source = _reason(rule) if rule is not None else f"option retain safe private, by {lists}"
        do, told, why = self._retained(choose_private(rule, vr, self._dated, source))
        return GOES if do is Do.REMOVE and rule is None else Step(do, told, vr, why=why)

    def choose(self, what: Attribute, rule: Rule | None = None) -> Choice:
        """Choose for an attribute of a Type, whatever its place."""
        tag = what.tag
        if is_never_carried(tag):
            return Do.REMOVE, "X", _NEVER
        if tag >> 16 == _CLINICAL_TRIAL:  # the outermost are written anew
            return by_letters("X", what, _OTHERS) if what.kind in {"1", "2"} else (Do.REMOVE, "X", _OTHERS)
        if tag in _FIXED:
            return _FIXED[tag]
        if rule is not None:
            return self._by_rule(rule, what)
        return self._retained(self._by_option(what) or self._by_table(what))

    def _by_table(self, what: Attribute) -> Choice:
        if what.tag in BEYOND:
            return by_letters(BEYOND[what.tag], what, "free text: stricter than table E.1-1")
        row = self._rows.get(what.tag)
        return without_row(what) if row is None else by_letters(row.basic, what, f"table E.1-1: {row.basic}")

    def _by_option(self, what: Attribute) -> Choice | None:
        """Apply the trial's options; None leaves it to the Basic Profile."""
        tag, vr, row = what.tag, what.vr, self._rows.get(what.tag)
        if self._kept.get(tag):
            return _characteristic(what, "patient characteristics the trial keeps")
        also = _ALSO.get(tag)
        if also in self._options:
            return Do.JUDGE, "K", f"{_named(str(also))}: known words stay"
        if tag in BEYOND:
            return None
        if (row is None and vr in DATES) or (row is not None and FULL_DATES in row.options):
            return self._by_date_option(row, tag, vr)
        letters = row.options if row is not None else {}
        found = (_by_letter(letters[option], option, what) for option in self._options if option in letters)
        return next((choice for choice in found if choice is not None), None)

    def _by_rule(self, rule: Rule, what: Attribute) -> Choice:
        tag, vr, why = what.tag, what.vr, _reason(rule)
        if rule.action == "K":
            if tag == AGE:
                return Do.CAP_AGE, "K", why
            return (Do.KEEP_DATE if vr in DATES else kept_as(tag, vr)), "K", why
        if rule.action == "U" and vr in {"UI", "SQ"}:
            return kept_as(tag, vr), "U", why
        if rule.action == "C":
            if vr in DATES:
                return self._dated(vr) or by_letters("X", what, why)
            return _by_letter("C", "", what, why) or by_letters("X", what, why)
        # A sequence that nothing demands has items or is not there; one that may be empty is emptied by X too.
        without = rule.action == "U" or (rule.action == "Z" and vr == "SQ")
        return by_letters("X" if without else rule.action, what, why)

    def _by_date_option(self, row: Row | None, tag: int, vr: str) -> Choice | None:
        """Apply the options for dates, 113106 and 113107; what holds a date in another form is none to keep."""
        if tag == _TIMEZONE and self.profile.dates != "removed":
            return Do.JUDGE, "K", "times stay, and this says what they mean"
        if vr not in DATES or (self.profile.dates == "shifted" and tag in OF_EVERYBODY):
            return None  # as in the Basic Profile: a constant that is published would give the shift away
        return self._dated(vr) if row is None or MODIFIED_DATES in row.options else None

    def _dated(self, vr: str) -> Choice | None:
        """Treat a date or time as the trial wants dates treated; None where they are removed."""
        if self.profile.dates == "kept":
            return Do.KEEP_DATE, "K", "the trial keeps dates"
        if self.profile.dates == "shifted":
            why = "the trial shifts dates by the subject's own number of days; times stay"
            return (Do.KEEP_DATE, "K", why) if vr == "TM" else (Do.SHIFT, "C", why)
        return None

    def _retained(self, choice: Choice) -> Choice:
        """Let a UID stand where the trial retains UIDs: all of them, for a reference that leads nowhere is none."""
        if choice[0] is Do.MAP_UID and "retain_uids" in self._options:
            return Do.KEEP_UID, "K", _named("retain_uids")
        return choice


def _rules_for(rules: tuple[Rule, ...], sop_class_uid: str) -> _Rules:
    """Gather the rules that count for a class; one for it goes before one for all."""
    counting = [rule for rule in rules if not rule.sop_classes]
    counting += [rule for rule in rules if sop_class_uid in rule.sop_classes]
    return _Rules(
        {rule.tag: rule for rule in counting if not rule.creator},
        {(rule.creator, rule.tag): rule for rule in counting if rule.creator},
        sop_class_uid in _LET_PASS_BY_IT,
    )


def _reason(rule: Rule) -> str:
    return f"own rule {rule.action}" + (f": {rule.justification}" if rule.justification else "")


def _named(option: str) -> str:
    return f"option {option.replace('_', ' ').replace('uids', 'UIDs')}"


def _characteristic(what: Attribute, why: str) -> Choice:
    """Keep what a patient is like; free text only as far as it does."""
    if what.vr == "AS":
        return Do.CAP_AGE, "K", f"{why}; ages above 89 years are told as 89"
    if what.vr == "SQ":
        return Do.CLEAN_ITEMS, "K", why
    return Do.JUDGE, "K", f"{why}: a value of the form it has; of a text the words that name nobody"


def _by_letter(letter: str, option: str, what: Attribute, why: str = "") -> Choice | None:
    """Apply the letter of an option's column; None where it cannot be done, so that the Basic Profile counts."""
    why = why or _named(option)
    if what.vr == "SQ":
        return Do.CLEAN_ITEMS, letter, f"{why}; each item is cleaned"
    if letter == "C":
        return (Do.JUDGE, "K", f"{why}: known words stay") if what.vr in WORDED else None
    if option == "retain_patient_characteristics":
        return _characteristic(what, why)
    return (Do.KEEP_UID if what.vr == "UI" else Do.KEEP), "K", why
