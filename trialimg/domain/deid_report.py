"""The account of a de-identification: paths of tags, actions, counts and decisions, never a value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Self, TypeVar

from trialimg.domain.deid_rule import Rule
from trialimg.domain.deidentification import CID_7050, Profile
from trialimg.domain.pattern import late
from trialimg.errors import BadInput

ENGINE: Final = "0.1.0"
"""The version of trialimg whose engine this is; it stands in every report."""
ACTIONS: Final[Mapping[str, str]] = {
    "X": "removed", "Z": "emptied", "D": "replaced by a dummy", "U": "identifier replaced", "K": "kept",
    "C": "cleaned",
}  # fmt: skip
"""The letters of PS3.15 table E.1-1a that a report uses, as a person reads them."""
CLEANED, HELD, REFUSED, DUPLICATE, LEFT_OUT, DISCARDED = OUTCOMES = (
    "cleaned", "held", "refused", "duplicate", "left_out", "discarded",
)  # fmt: skip
"""What becomes of an object that went in: exactly one of these."""
MASKED, SHOWN, REJECTED, WAITING, UNSEEN = DECISIONS = ("masked", "shown", "rejected", "waiting", "unseen")
"""What a person, or a rule, decided on pixels: hidden in boxes, sent as they are, not sent, or nothing yet; unseen are
those at which nobody had to look, since images of their kind usually show no text."""

_PATH: Final = late(r"\([0-9A-Fx]{4},[0-9A-Fx]{4}\)(\.\([0-9A-F]{4},[0-9A-Fx]{4}\))*")
_ITEM: Final = late(r"\[\d+\]")
_KEYWORD: Final = late(r"[A-Za-z0-9_]{0,80}")
_CODE: Final = late(r"[a-z][a-z0-9_.]{0,39}|")
_ROLE: Final = late(r"[A-Za-z ]{0,40}")
MOST_PATHS: Final = 10_000
"""How many paths a report lists. Real studies have hundreds; what a file that is made to do harm has more is summed."""
OTHER_PATHS: Final = "(xxxx,xxxx)"
_MOST_ROWS: Final = 2 * MOST_PATHS
_LONGEST: Final = 2_000
_MOST: Final = 10**9


class ActionCount(NamedTuple):
    """How often one attribute was met and what was done to it.

    ``tag`` is its path without numbers of items, ``(0040,A730).(0040,A168).(0008,0104)``; ``keyword`` is that of the
    last tag, and may be ``private`` or ``unknown``.
    """

    tag: str
    keyword: str
    action: str
    times: int


class OwnRule(NamedTuple):
    """A rule of the trial: what it is about, the action, and why it is there."""

    about: str
    action: str
    why: str


class PixelCount(NamedTuple):
    """What was decided on pixels, by whom, of how many instances; boxes by what found them.

    ``decision`` is one of ``DECISIONS``, ``role`` that of the person who decided, "" where no person did.
    """

    decision: str
    role: str
    instances: int
    by_rule: int = 0
    by_text: int = 0
    by_person: int = 0

    @property
    def boxes(self) -> int:
        """Count the boxes that were hidden."""
        return self.by_rule + self.by_text + self.by_person


class Residue(NamedTuple):
    """The search for what names the patient, in what is left: instances searched, held for it, and where it was."""

    searched: int = 0
    held: int = 0
    paths: tuple[str, ...] = ()

    @classmethod
    def of_one(cls, places: Iterable[str]) -> Self:
        """Give the result of the search through one instance; numbers of items are left out."""
        paths = tuple(sorted({_ITEM.sub("", place) for place in places}))
        return cls(1, int(bool(paths)), paths)


NOT_SEARCHED: Final = Residue()


class OutcomeCount(NamedTuple):
    """How many objects ended in one of ``OUTCOMES``, for the reason with this code ("" where none is needed)."""

    outcome: str
    code: str
    times: int


class _Report(NamedTuple):
    """The fields of a report. A plain tuple: whoever cleans images waits for every module that is loaded."""

    profile: str
    version: str
    instances: int
    options: tuple[str, ...]
    actions: tuple[ActionCount, ...] = ()
    rules: tuple[OwnRule, ...] = ()
    pixels: tuple[PixelCount, ...] = ()
    residue: Residue = NOT_SEARCHED
    recognisable: int = 0
    outcomes: tuple[OutcomeCount, ...] = ()
    engine: str = ENGINE
    table: str = ""


class Report(_Report):
    """What was done to one study (or one instance of it): attributes, actions, counts, never a value.

    ``recognisable`` counts instances that may show a face. ``engine`` and ``table`` say which version of trialimg and
    which edition of PS3.15 table E.1-1 were used. The list of paths is kept to a length that can be shown and kept.
    """

    __slots__ = ()

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Self:  # type: ignore[override]  # typed by name only in typeshed
        """Make one of its fields; ``_replace`` comes through here too."""
        made = super()._make(iterable)
        if len(made.actions) <= MOST_PATHS:
            return made
        return super()._make((*made[:4], _bounded(made.actions), *made[5:]))

    def __new__(cls, *fields: Any, **named: Any) -> Self:
        """Make one of its fields."""
        return cls._make(_Report(*fields, **named))

    def __add__(self, other: Report) -> Report:  # type: ignore[override]  # reports join; they are no lists
        """Join the reports of two parts; both must have been made under one version of one profile."""
        return joined((self, other))

    @property
    def unseen(self) -> int:
        """Count the instances whose pixels went on though neither a person nor a rule looked at them."""
        return sum(row.instances for row in self.pixels if row.decision == UNSEEN)

    def with_outcomes(self, outcomes: Mapping[tuple[str, str], int]) -> Report:
        """Give the report with how many objects ended in which outcome, for the reason with which code."""
        return self._replace(outcomes=tuple(sorted(OutcomeCount(*key, n) for key, n in outcomes.items() if n)))

    def to_json(self) -> dict[str, Any]:
        """Give the report as plain values, with the meaning of each code."""
        return {
            "profile": self.profile,
            "version": self.version,
            "engine": self.engine,
            "table": self.table,
            "instances": self.instances,
            "outcomes": [entry._asdict() for entry in self.outcomes],
            "options": [{"code": code, "meaning": CID_7050[code]} for code in self.options],
            "rules": [rule._asdict() for rule in self.rules],
            "pixels": [entry._asdict() for entry in self.pixels],
            "recognisable": self.recognisable,
            "residue": {**self.residue._asdict(), "paths": list(self.residue.paths)},
            "actions": [list(action) for action in self.actions],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` gave; raises :class:`BadInput` for anything that is no such report."""
        try:
            return cls(
                profile=_text(document["profile"]),
                version=_text(document["version"]),
                engine=_text(document["engine"]),
                table=_text(document["table"]),
                instances=_count(document["instances"]),
                outcomes=_rows(document["outcomes"], _outcome),
                options=_rows(document["options"], lambda option: _known(option["code"], CID_7050)),
                rules=_rows(document["rules"], lambda rule: OwnRule(*(_text(rule[key]) for key in OwnRule._fields))),
                pixels=_rows(document["pixels"], _pixel_count),
                recognisable=_count(document["recognisable"]),
                residue=_residue(document["residue"]),
                actions=_rows(document["actions"], _action),
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            raise BadInput(_NO_REPORT) from None


_NO_REPORT: Final = "This is no report of a de-identification as trialimg writes it, so it is not kept."


def rules_of(profile: Profile) -> tuple[OwnRule, ...]:
    """Give the own rules of a profile as a report prints them."""
    return tuple(_own_rule(rule) for rule in profile.rules)


def told_of_unseen(count: int) -> str:
    """Say that nobody looked at these pixels, what that means, and what to do."""
    begin, their = ("image", "its") if count == 1 else ("images", "their")
    return (
        f"The pixels of {count:,} {begin} were not looked at: images of {their} kind usually show no text. Where "
        "scanners of a site write names into them, look at them before they are handed on."
    )


def _own_rule(rule: Rule) -> OwnRule:
    only = f", in {', '.join(rule.sop_classes)} only" if rule.sop_classes else ""
    return OwnRule(f"{rule.attribute}{only}", rule.action, rule.justification)


def joined(reports: Iterable[Report]) -> Report:
    """Join the reports of parts, in one pass; raises ValueError where they are of different profiles, or none."""
    parts = list(reports)
    if len({(part.profile, part.version) for part in parts}) != 1:
        raise ValueError("reports of different profiles cannot be joined")
    residues = [part.residue for part in parts]
    return parts[-1]._replace(
        instances=sum(part.instances for part in parts),
        options=tuple(sorted({code for part in parts for code in part.options})),
        actions=_summed(parts, "actions", ActionCount, 3),
        rules=tuple(dict.fromkeys(rule for part in parts for rule in part.rules)),
        pixels=_summed(parts, "pixels", PixelCount, 2),
        outcomes=_summed(parts, "outcomes", OutcomeCount, 2),
        recognisable=sum(part.recognisable for part in parts),
        residue=Residue(
            sum(each.searched for each in residues),
            sum(each.held for each in residues),
            tuple(sorted({path for each in residues for path in each.paths})),
        ),
    )


def _bounded(actions: tuple[ActionCount, ...]) -> tuple[ActionCount, ...]:
    """Sum up the paths beyond the first ones, by action."""
    room = MOST_PATHS - len(ACTIONS)
    others = Counter({row.action: row.times for row in actions if row.tag == OTHER_PATHS})
    named = [row for row in actions if row.tag != OTHER_PATHS]
    for row in named[room:]:
        others[row.action] += row.times
    rest = [ActionCount(OTHER_PATHS, "others", action, times) for action, times in sorted(others.items())]
    return (*named[:room], *rest)


Row = TypeVar("Row", ActionCount, PixelCount, OutcomeCount)


def _summed(parts: Iterable[Report], name: str, made: type[Row], keys: int) -> tuple[Row, ...]:
    """Add up rows of equal keys; their first ``keys`` fields are the key, the others are counts."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for part in parts:
        for row in getattr(part, name):
            key, counts = row[:keys], row[keys:]
            before = sums.get(key)
            sums[key] = list(counts) if before is None else [a + b for a, b in zip(before, counts, strict=True)]
    return tuple(sorted(made(*key, *counts) for key, counts in sums.items()))


# --- reading, of what somebody else may have written -------------------------------------------------------


def _rows(entries: Any, read: Any) -> tuple[Any, ...]:
    if not isinstance(entries, list) or len(entries) > _MOST_ROWS:
        raise ValueError
    return tuple(read(entry) for entry in entries)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
        raise ValueError
    return value


def _matching(value: Any, pattern: re.Pattern[str]) -> str:
    if pattern.fullmatch(_text(value)) is None:
        raise ValueError
    return str(value)


def _known(value: Any, words: Iterable[str]) -> str:
    if value not in words:
        raise ValueError
    return str(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError
    return value


def _action(entry: Any) -> ActionCount:
    tag, keyword, action, times = entry
    return ActionCount(_matching(tag, _PATH), _matching(keyword, _KEYWORD), _known(action, ACTIONS), _count(times))


def _outcome(entry: Any) -> OutcomeCount:
    code = _matching(entry["code"], _CODE)
    return OutcomeCount(_known(entry["outcome"], OUTCOMES), code, _count(entry["times"]))


def _pixel_count(entry: Any) -> PixelCount:
    counts = [_count(entry[name]) for name in PixelCount._fields[2:]]
    return PixelCount(_known(entry["decision"], DECISIONS), _matching(entry["role"], _ROLE), *counts)


def _residue(entry: Any) -> Residue:
    paths = _rows(entry["paths"], lambda path: _matching(path, _PATH))
    return Residue(_count(entry["searched"]), _count(entry["held"]), paths)
