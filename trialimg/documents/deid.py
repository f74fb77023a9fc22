"""How the account of a de-identification is told to a person: in sentences, a picture, and a table; never a value."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from trialimg.documents.casebook import page_of
from trialimg.domain.deid_report import (
    ACTIONS,
    CLEANED,
    DISCARDED,
    DUPLICATE,
    HELD,
    LEFT_OUT,
    MASKED,
    REFUSED,
    REJECTED,
    SHOWN,
    UNSEEN,
    WAITING,
    ActionCount,
    PixelCount,
    Report,
    told_of_unseen,
)

MOST_ROWS: Final = 1_000
"""How many paths a document lists, which takes four seconds to lay out; the whole is in the JSON."""
SHORT: Final[Mapping[str, str]] = {
    "X": "removed", "Z": "emptied", "D": "replaced", "U": "replaced", "C": "cleaned", "K": "kept",
}  # fmt: skip
"""The actions as the picture sums them up."""
PARTS: Final = ("removed", "emptied", "replaced", "cleaned", "kept")
_GROUPS: Final = (
    ("private", "Private attributes", re.compile(r"private")),
    ("unknown", "Unknown attributes", re.compile(r"unknown|")),
    ("dates", "Dates and times", re.compile(r".*(Date|Time|DateTime|TimezoneOffsetFromUTC)")),
    (
        "patient",
        "Patient",
        re.compile(r"(Patient|Other|Responsible|Issuer|Ethnic|Pregnan|Smok|Medical|Occup).*"),
    ),
    (
        "people",
        "People and institutions",
        re.compile(
            r".*(Physician|Operator|Institution|Performing|Requesting|Reader|Author|Observer|Organization|Name).*"
        ),
    ),
    ("device", "Device", re.compile(r".*(Device|Station|Serial|Manufacturer|Software|Detector|Plate|Gantry|Source).*")),
    ("identifiers", "Identifiers", re.compile(r".*(UID|ID|Number|Identifier|Sequence)")),
    (
        "text",
        "Descriptions and comments",
        re.compile(r".*(Description|Comment|Text|Label|Reason|Protocol|Meaning|Value).*"),
    ),
)
_OTHER: Final = ("other", "Other attributes")
_OUTCOMES: Final = {
    CLEANED: "cleaned", HELD: "held", REFUSED: "refused", DUPLICATE: "there already", LEFT_OUT: "left out",
    DISCARDED: "discarded",
}  # fmt: skip
_DECISIONS: Final = {
    MASKED: "parts hidden",
    SHOWN: "sent as they are",
    REJECTED: "not sent",
    WAITING: "wait for a decision",
    UNSEEN: "not looked at",
}
_DATES: Final = {
    "113106": "Dates are kept; the birth date is not.",
    "113107": "Dates are moved by a secret number of days that is the subject's own; the days between them are true.",
}


class Row(NamedTuple):
    """One path, what was done to it, and how often."""

    path: str
    keyword: str
    action: str
    times: int
    group: str


class Bar(NamedTuple):
    """One group of attributes: its label and how many values went which way, in the order of ``PARTS``."""

    key: str
    label: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Count all its values."""
        return sum(self.counts)


@dataclass(frozen=True)
class DeidAccount:
    """All that is told of one submission. ``told`` is the sender's own report, of what it cleaned before sending."""

    trial: str
    protocol: str
    subject: str
    visit: str
    slot: str
    submission_id: str
    studies: tuple[str, ...]
    cleaned_at_source: bool
    report: Report | None
    told: Report | None
    made_at: str = ""
    made_by: str = ""

    @property
    def file_name(self) -> str:
        """Give the name of the files it is taken along in, without its ending."""
        return f"{self.trial}-{self.subject}-{self.visit}-{self.slot}-deidentification"

    @property
    def source(self) -> Report | None:
        """Give the report that tells what was done to attributes."""
        return self.told if self.cleaned_at_source else self.report

    @property
    def any_report(self) -> Report | None:
        """Give ours where there is one, else the sender's."""
        return self.report or self.told

    @property
    def is_claim(self) -> bool:
        """Say whether all that is told is the sender's word, since the server has looked at nothing yet."""
        return self.report is None and self.told is not None

    @property
    def rows(self) -> tuple[Row, ...]:
        """Give the table of paths."""
        return tuple(_row(action) for action in (self.source.actions if self.source else ()))

    @property
    def bars(self) -> tuple[Bar, ...]:
        """Give the picture: what became of values, by group."""
        counts: dict[str, Counter[str]] = {}
        for row, action in zip(self.rows, self.source.actions if self.source else (), strict=True):
            counts.setdefault(row.group, Counter())[SHORT[action.action]] += action.times
        labels = {key: label for key, label, _ in _GROUPS} | dict([_OTHER])
        return tuple(
            Bar(key, label, tuple(counts[key][part] for part in PARTS))
            for key, label in labels.items()
            if key in counts
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it in sentences, the most important first."""
        return tuple(_sentences(self))


def group_of(keyword: str) -> str:
    """Give the group under which the picture counts an attribute."""
    return next((key for key, _, pattern in _GROUPS if pattern.fullmatch(keyword)), _OTHER[0])


def _row(action: ActionCount) -> Row:
    return Row(action.tag, action.keyword or "unknown", ACTIONS[action.action], action.times, group_of(action.keyword))


def images(count: int) -> str:
    """Count images in words."""
    return "1 image" if count == 1 else f"{count:,} images"


def _sentences(account: DeidAccount) -> Iterable[str]:
    report = account.any_report
    if report is None:
        yield "Nothing has been cleaned yet, so there is nothing to tell."
        return
    yield from _received(account)
    yield from _cleaned(account, report)
    yield from _removed(account)
    yield next((text for code, text in _DATES.items() if code in report.options), "Dates and times are removed.")
    yield from _residue(account)
    if account.report:
        yield from _pixels(tuple(row for row in report.pixels if row.decision != UNSEEN))
    yield from _claimed(account)
    if report.unseen:
        yield told_of_unseen(report.unseen)
    faces = max(report.recognisable, account.told.recognisable if account.told else 0)
    if faces:
        yield (
            f"{images(faces)} {'is a thin slice' if faces == 1 else 'are thin slices'} of a head: a face can be "
            "computed from them, and nothing was done against that."
        )


def _received(account: DeidAccount) -> Iterable[str]:
    outcomes: Counter[str] = Counter()
    for outcome in account.report.outcomes if account.report else ():
        outcomes[outcome.outcome] += outcome.times
    counted = ", ".join(f"{outcomes[key]:,} {word}" for key, word in _OUTCOMES.items() if outcomes[key])
    if counted:
        yield f"{sum(outcomes.values()):,} objects were received: {counted}."


def _cleaned(account: DeidAccount, report: Report) -> Iterable[str]:
    """Tell where they were cleaned, by which rules, and what the server itself knows of it."""
    rules = f"profile {report.profile}, version {report.version}, table E.1-1 of PS3.15 {report.table}"
    if not account.cleaned_at_source:
        yield f"They were cleaned here by trialimg {report.engine}: {rules}."
    elif account.report is None:
        yield (
            f"They were cleaned at their source, before they were sent ({rules}). The server has verified none of them "
            "yet: all that stands here is the sender's word."
        )
    else:
        yield (
            f"They were cleaned at their source, before they were sent. The server has verified ({rules}) that every "
            "element which is left is one the profile lets stand, that UIDs are new ones, and that cleaning again "
            "changes nothing."
        )
        if account.told is None:
            yield "The sender has told no report, so what was removed there is not known here."


def _removed(account: DeidAccount) -> Iterable[str]:
    source = account.source
    if source is None:
        return
    sums: Counter[str] = Counter()
    for action in source.actions:
        sums[SHORT[action.action]] += action.times
    told = " as told by the sender" if account.cleaned_at_source else ""
    counted = ", ".join(f"{sums[part]:,} {'was' if sums[part] == 1 else 'were'} {part}" for part in PARTS if sums[part])
    yield f"Of values that say something of a person, a place or a thing,{told} {counted or 'none was met'}."


def _residue(account: DeidAccount) -> Iterable[str]:
    source = account.source
    if source is None or not source.residue.searched:
        return
    residue, told = source.residue, "As told by the sender, " if account.cleaned_at_source else ""
    searched = f"{images(residue.searched)} {'was' if residue.searched == 1 else 'were'} searched after cleaning"
    begin = f"{told}{searched} for what the original says of the patient: "
    if not residue.held:
        yield f"{begin}nothing of it was found."
    else:
        yield f"{begin}{images(residue.held)} still named something and {'is' if residue.held == 1 else 'are'} held."


def _pixels(pixels: tuple[PixelCount, ...]) -> Iterable[str]:
    if not pixels:
        yield "No image was one whose pixels a person should see, or nothing was decided on any; no pixel was changed."
        return
    for each in pixels:
        who = f", decided by the {each.role}" if each.role else ""
        boxes = f" in {each.boxes} {'box' if each.boxes == 1 else 'boxes'}" if each.boxes else ""
        yield f"Pixels that a person should see: {images(each.instances)}, {_DECISIONS[each.decision]}{boxes}{who}."


def _claimed(account: DeidAccount) -> Iterable[str]:
    """Tell what the sender says of pixels, which is its word and no decision made here."""
    here = "; what is told above was decided here" if account.report else ""
    for each in account.told.pixels if account.told else ():
        if each.decision in {SHOWN, MASKED}:
            by = f" by {each.role}" if each.role else ""
            yield (
                f"The sender says that the pixels of {images(each.instances)} were looked at{by} before they were "
                f"sent: {_DECISIONS[each.decision]}. That is its word{here}."
            )


def decision_words(decision: str) -> str:
    """Give a decision on pixels as a person reads it."""
    return _DECISIONS[decision]


def outcome_words(outcome: str) -> str:
    """Give what became of an object as a person reads it."""
    return _OUTCOMES[outcome]


def deid_html(account: DeidAccount) -> str:
    """Give the page of the document."""
    rows = account.rows
    return page_of(
        "deid.html", account=account, rows=rows[:MOST_ROWS], more=max(0, len(rows) - MOST_ROWS), parts=PARTS,
        picture=_picture(account), decisions=_DECISIONS, outcomes=_OUTCOMES,
    )  # fmt: skip


def _picture(account: DeidAccount) -> str:
    bars = account.bars
    drawn = page_of("deid.svg", bars=bars, most=max((bar.total for bar in bars), default=1), parts=PARTS)
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}"
