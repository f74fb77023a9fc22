"""How the images of a trial are read: what ``reading.yaml`` says, and what follows from it for one read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from trialimg.domain.definition import Plain, Section, WrongHere, without_defaults
from trialimg.domain.permission import INSTALLATION_ROLES, SITE_ROLES, Role
from trialimg.domain.response import BestRule
from trialimg.domain.trial import TrialDefinition
from trialimg.errors import BadDefinition

FILE: Final = "reading.yaml"
CRITERIA: Final = ("RECIST 1.1", "none")
ASSIGNMENTS: Final = ("balanced", "all", "listed")
ORDERS: Final = ("one_after_another", "after_baseline")
PRIORS: Final = ("all", "baseline", "none")
DATES: Final = ("shifted", "study_days")

NEVER_SEES_VALUES: Final = SITE_ROLES | {Role.READER, Role.ADJUDICATOR} | INSTALLATION_ROLES
"""Roles that a result would bias (who treats the subject, who reads or will judge), or that have no use for it."""

NEVER_REOPENS: Final = NEVER_SEES_VALUES | {Role.INSPECTOR}
"""Roles that must not ask for another reading of what they know or hope; an inspector changes nothing."""

_VISIBLE: Final = (Role.SPONSOR.value, Role.DATA_MANAGER.value, Role.INSPECTOR.value)
_REOPEN: Final = (Role.DATA_MANAGER.value,)


@dataclass(frozen=True)
class ReadingDesign:
    """The read design of one version of a trial.

    ``readers`` is how many read each time point, 0 where images are not read centrally; with ``assignment``
    *all* it is the least. ``baseline_visit`` is empty where it is the schedule's anchor visit. ``order``:
    a time point opens when the one before it is signed, or when the baseline is. ``priors`` are the
    earlier time points of the same subject that a reader is shown. ``dates`` is what stands in place of true
    dates. Days: ``confirm_after_days`` None where a response needs no confirmation.
    """

    version: str
    readers: int
    adjudication: bool = False
    criteria: str = "none"
    slots: tuple[str, ...] = ()
    baseline_visit: str = ""
    assignment: str = "balanced"
    order: str = "one_after_another"
    priors: str = "all"
    dates: str = "shifted"
    values_visible_to: tuple[Role, ...] = tuple(Role(each) for each in _VISIBLE)
    reopen_by: tuple[Role, ...] = tuple(Role(each) for each in _REOPEN)
    confirm_after_days: int | None = None
    stable_after_days: int = 42

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> ReadingDesign:
        """Read it from ``TrialDefinition.reading``; raises BadDefinition naming the key that is wrong."""
        try:
            return cls.read(Section.of(FILE, (), mapping))
        except WrongHere as wrong:
            raise BadDefinition(wrong.problem.text) from None

    @classmethod
    def read(cls, section: Section) -> ReadingDesign:
        """Read it as ``from_mapping`` does, but raise WrongHere, which knows the place."""
        design = cls(
            version=section.text("version"),
            readers=section.whole("readers"),
            adjudication=section.flag("adjudication"),
            criteria=section.one_of("criteria", CRITERIA, "none"),
            slots=section.texts("slots"),
            baseline_visit=section.text("baseline_visit", ""),
            assignment=section.one_of("assignment", ASSIGNMENTS, "balanced"),
            order=section.one_of("order", ORDERS, "one_after_another"),
            priors=section.one_of("priors", PRIORS, "all"),
            dates=section.one_of("dates", DATES, "shifted"),
            values_visible_to=_roles(section, "values_visible_to", _VISIBLE),
            reopen_by=_roles(section, "reopen_by", _REOPEN),
            confirm_after_days=section.maybe_whole("confirm_after_days"),
            stable_after_days=section.whole("stable_after_days", 42),
        )
        section.close()
        return design

    @classmethod
    def of(cls, definition: TrialDefinition) -> ReadingDesign:
        """Give the design of a trial with its baseline visit named."""
        design = cls.from_mapping(definition.reading)
        return replace(design, baseline_visit=design.baseline_visit or definition.anchor_visit)

    def to_mapping(self) -> Plain:
        """Give it back as it is written."""
        return {
            **without_defaults(
                version=self.version,
                adjudication=self.adjudication,
                criteria=self.criteria,
                slots=list(self.slots),
                baseline_visit=self.baseline_visit,
                assignment=self.assignment,
                order=self.order,
                priors=self.priors,
                dates=self.dates,
            ),
            "readers": self.readers,
            "values_visible_to": [role.value for role in self.values_visible_to],
            "reopen_by": [role.value for role in self.reopen_by],
            "stable_after_days": self.stable_after_days,
            **({} if self.confirm_after_days is None else {"confirm_after_days": self.confirm_after_days}),
        }

    @property
    def best_rule(self) -> BestRule:
        """The rule for best overall response."""
        return BestRule(self.confirm_after_days, self.stable_after_days)

    def shows_values_to(self, roles: Collection[Role]) -> bool:
        """Say whether somebody with all these roles in the trial may see the values of reads.

        One role that is never shown them outweighs any that is. A reader's own reads are another matter.
        """
        return any(role in self.values_visible_to for role in roles) and not NEVER_SEES_VALUES & set(roles)

    def lets_reopen(self, roles: Collection[Role]) -> bool:
        """Say whether somebody with all these roles in the trial may reopen or void a read."""
        return any(role in self.reopen_by for role in roles) and not NEVER_REOPENS & set(roles)

    def priors_of(self, time_points: Sequence[str], this: str) -> tuple[str, ...]:
        """Give the earlier time points shown beside one; ``time_points`` are the subject's, baseline first."""
        earlier = tuple(time_points[: time_points.index(this)])
        return {"all": earlier, "baseline": earlier[:1], "none": ()}[self.priors]


@dataclass(frozen=True)
class Candidate:
    """A reader of the trial; ``load`` is how many reads wait for them, ``listed`` that they are on the list."""

    person: str
    load: int = 0
    listed: bool = False


@dataclass(frozen=True)
class Assignment:
    """Who reads a time point, and how many readers are lacking."""

    readers: tuple[str, ...]
    lacking: int

    @property
    def sentence(self) -> str:
        """Say what an administrator must do; empty where nothing is lacking."""
        if not self.lacking:
            return ""
        count = "One reader is" if self.lacking == 1 else f"{self.lacking} readers are"
        return f"{count} lacking for this time point, so it is not read as planned; invite readers to the trial."


def assign(design: ReadingDesign, candidates: Iterable[Candidate], already: Collection[str]) -> Assignment:
    """Choose the readers of a time point; ``already`` are those who read this subject before.

    A subject keeps its readers, since lesions are carried forward: *balanced* and *listed* take a new one
    only while fewer than ``readers`` are left, the least loaded first.
    """
    able = [each for each in candidates if design.assignment != "listed" or each.listed]
    ranked = sorted(able, key=lambda each: (each.person not in already, each.load, each.person))
    taken = ranked if design.assignment == "all" and design.readers else ranked[: design.readers]
    return Assignment(tuple(each.person for each in taken), max(0, design.readers - len(taken)))


def _roles(section: Section, key: str, default: tuple[str, ...]) -> tuple[Role, ...]:
    known = {role.value: role for role in Role}
    said = section.texts(key)
    words = said if section.values.get(key) is not None else default
    for word in words:
        if word not in known:
            raise section.wrong(key, f"names a role that is not known; known are {', '.join(sorted(known))}")
    return tuple(known[word] for word in words)
