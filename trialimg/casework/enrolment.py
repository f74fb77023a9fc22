"""Subjects enrolled, visits dated, opened or not done: the frame that forms and images are hung on."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import func, select

from trialimg.casework.access import Place
from trialimg.casework.definition import definition
from trialimg.domain.submission import ENDED, Stage
from trialimg.domain.trial import TrialDefinition
from trialimg.domain.visit import Timing, VisitDef, timing
from trialimg.errors import BadInput, Conflict, NotFound, Stale
from trialimg.store.base import Base, new_id
from trialimg.store.casebook import FormRecord
from trialimg.store.imaging import ImagingStudy, Slot, Submission
from trialimg.store.subject import Subject, Visit
from trialimg.store.trial import Site, Trial
from trialimg.store.unit_of_work import UnitOfWork

LONGEST_LIFE: Final = 120
"""Years before this one in which a subject may have been born."""
LONGEST_REASON: Final = 1000
SEXES: Final = (("F", "Female"), ("M", "Male"))
"""What is offered where the trial asks for the sex and has no code list SEX of its own."""

_AHEAD = timedelta(hours=14)  # the easternmost clocks
Row = TypeVar("Row", bound=Base)


def latest_today(at: datetime) -> date:
    """Give the date that clocks show somewhere on Earth by now; a later one lies in the future for everybody."""
    return (at + _AHEAD).date()


def sexes(trial: TrialDefinition) -> tuple[tuple[str, str], ...]:
    """Give code and label of the answers offered at enrolment: the trial's code list SEX, as far as it fits."""
    listed = trial.codelists.get("SEX")
    fitting = tuple((c.code, c.label) for c in listed.choices if len(c.code) == 1) if listed else ()
    return fitting or SEXES


def enrol(
    uow: UnitOfWork, place: Place, *, birth_year: int | None = None, sex: str | None = None, once: str = ""
) -> str:
    """Enrol a subject at a site and give its number; all scheduled visits come with it, empty.

    ``once`` is a key of the page that asks: what is sent twice with it enrols one subject. Raises :class:`BadInput`
    for what the trial asks and is not told, or is told and does not ask, and
    :class:`Conflict` where the site or trial takes no subjects.
    """
    # The trial's row gives enrolments their order, so that no number is given twice.
    locked = select(Trial).where(Trial.id == place.trial_id).with_for_update(key_share=True)
    trial, site = uow.session.scalar(locked), uow.session.get(Site, place.site_id)
    if trial is None or site is None or site.trial_id != trial.id:
        raise NotFound
    if not site.active:
        raise Conflict(f"Site {site.code} is closed, so it enrols nobody. Ask the trial administrator to open it.")
    if trial.definition_id is None:
        raise Conflict("This trial has no definition yet, so nobody can be enrolled. Ask the administrator to load it.")
    if once and (known := uow.session.get(Subject, once)) is not None:
        if known.site_id != site.id:
            raise Conflict("This page has enrolled somebody already. Load it again to enrol another subject.")
        return known.number
    rules = definition(trial.definition_id)
    _judge_asked(rules, birth_year, sex, uow.at)
    subject = Subject(
        id=once or new_id(),
        trial_id=trial.id,
        site_id=site.id,
        enrolment_site=site.code,
        key_version=trial.key_version,
        number=_next_number(uow, trial, site, rules),
        birth_year=birth_year,
        sex=sex,
        enrolled_at=uow.at,
        definition_id=trial.definition_id,
    )
    uow.session.add(subject)
    for each in rules.visits:
        if not each.repeating:
            _open(uow, subject, rules, each, key=each.key)
    uow.session.flush()
    return subject.number


def _judge_asked(rules: TrialDefinition, birth_year: int | None, sex: str | None, at: datetime) -> None:
    if not rules.asks_birth_year and birth_year is not None:
        raise BadInput("This trial does not ask for the year of birth, so it was not taken. Leave it out.")
    if not rules.asks_sex and sex:
        raise BadInput("This trial does not ask for the sex, so it was not taken. Leave it out.")
    if rules.asks_birth_year and (birth_year is None or not at.year - LONGEST_LIFE <= birth_year <= at.year):
        raise BadInput(f"The year of birth must be a year between {at.year - LONGEST_LIFE} and {at.year}.")
    if rules.asks_sex and sex not in {code for code, _ in sexes(rules)}:
        words = ", ".join(f"{label} ({code})" for code, label in sexes(rules))
        raise BadInput(f"The sex must be one of the answers offered: {words}.")


def _next_number(uow: UnitOfWork, trial: Trial, site: Site, rules: TrialDefinition) -> str:
    enrolled = select(func.count()).where(Subject.trial_id == trial.id, Subject.enrolment_site == site.code)
    sequence = (uow.session.scalar(enrolled) or 0) + 1
    while True:
        number = rules.subject_identifier(site.code, sequence)
        taken = select(Subject.id).where(Subject.trial_id == trial.id, Subject.number == number)
        if uow.session.scalar(taken) is None:
            return number
        sequence += 1  # a rule without the site, or one that changed with the definition


def _open(
    uow: UnitOfWork,
    subject: Subject,
    rules: TrialDefinition,
    visit_def: VisitDef,
    *,
    key: str,
    repeat: int = 0,
    once: str = "",
) -> Visit:
    ordinal = visit_def.ordinal if not repeat else len(rules.visits) + repeat
    visit = Visit(
        id=once or new_id(),
        subject_id=subject.id,
        key=key,
        definition_key=visit_def.key,
        repeat=repeat,
        ordinal=ordinal,
    )
    uow.session.add(visit)
    for form_key in visit_def.forms:
        version = rules.forms[form_key].version
        uow.session.add(FormRecord(visit_id=visit.id, form_key=form_key, form_version=version))
    uow.session.add_all(Slot(visit_id=visit.id, key=slot_key) for slot_key in visit_def.slots)
    return visit


def _locked(uow: UnitOfWork, kind: type[Row], key: str) -> Row:
    found = uow.session.get(kind, key, with_for_update=True)
    if found is None:
        raise NotFound
    return found


def _need_reason(reason: str, what: str) -> str:
    reason = reason.strip()
    if not reason:
        raise BadInput(f"{what} needs a reason, so nothing was changed. Say in a few words why.")
    if len(reason) > LONGEST_REASON:
        raise BadInput(f"The reason must not be longer than {LONGEST_REASON} characters. Shorten it.")
    return reason


def _refuse_future(day: date, at: datetime) -> None:
    if day > latest_today(at):
        raise BadInput(f"{day.isoformat()} lies in the future. A visit is dated when it has taken place.")


def anchor_date(uow: UnitOfWork, subject: Subject, rules: TrialDefinition) -> date | None:
    """Give the date of the subject's anchor visit, from which all windows are counted."""
    wanted = select(Visit.date).where(Visit.subject_id == subject.id, Visit.definition_key == rules.anchor_visit)
    return uow.session.scalar(wanted)


def date_visit(uow: UnitOfWork, visit_id: str, day: date, revision: int) -> Timing:
    """Date a visit and say how the date lies to its window; early and late are said, not refused.

    ``revision`` is the visit's when the page was made; raises :class:`Stale` when it no longer is. Changing a date
    needs the unit of work to have a reason.
    """
    visit = _locked(uow, Visit, visit_id)
    if visit.revision != revision:
        raise Stale("Somebody changed this visit meanwhile, so nothing was saved. Look at its date and repeat.")
    if visit.not_done_reason:
        raise Conflict("This visit is marked not done, so it has no date. Take that back first.")
    _refuse_future(day, uow.at)
    subject = uow.session.get_one(Subject, visit.subject_id)
    rules = definition(subject.definition_id)
    visit_def = rules.visit(visit.definition_key)
    if visit_def is None:
        raise NotFound
    if visit.date is not None and visit.date != day:
        _need_reason(uow.reason, "Changing the date of a visit")
    anchor = day if visit.definition_key == rules.anchor_visit else anchor_date(uow, subject, rules)
    if visit.date != day:
        visit.date = day
        visit.revision += 1
    return timing(visit_def, anchor, day)


def open_unscheduled(uow: UnitOfWork, subject_id: str, day: date, *, visit_key: str = "", once: str = "") -> str:
    """Open an unscheduled visit that took place on a day, and give its key (UNS-1, UNS-2, …).

    ``visit_key`` names which repeating visit of the trial, where there are several; else the first. ``once`` is a
    key of the page that asks: what is sent twice with it opens one visit.
    """
    subject = _locked(uow, Subject, subject_id)  # in order, so that no number is given twice
    if once and (known := uow.session.get(Visit, once)) is not None:
        if known.subject_id != subject.id:
            raise Conflict("This page has opened a visit already. Load it again to open another one.")
        return known.key
    rules = definition(subject.definition_id)
    found = next((v for v in rules.visits if v.repeating and visit_key in ("", v.key)), None)
    if found is None:
        raise BadInput("This trial has no such unscheduled visit. Use one of the scheduled visits.")
    _refuse_future(day, uow.at)
    earlier = select(func.count()).where(Visit.subject_id == subject.id, Visit.definition_key == found.key)
    repeat = (uow.session.scalar(earlier) or 0) + 1
    visit = _open(uow, subject, rules, found, key=f"{found.key}-{repeat}", repeat=repeat, once=once)
    visit.date = day
    uow.session.flush()
    return visit.key


def mark_visit_not_done(uow: UnitOfWork, visit_id: str, reason: str, revision: int) -> None:
    """Say that a visit will never take place; refused where it has a date, data or images."""
    visit = _locked(uow, Visit, visit_id)
    if visit.revision != revision:
        raise Stale("Somebody changed this visit meanwhile, so nothing was saved. Look at it and repeat.")
    reason = _need_reason(reason, "A visit not done")
    if visit.date is not None:
        raise Conflict("This visit has a date, so it took place. If that is wrong, correct the date or its forms.")
    filled = select(FormRecord.id).where(FormRecord.visit_id == visit.id, FormRecord.state != "empty")
    if uow.session.scalar(filled.limit(1)) is not None:
        raise Conflict("Forms of this visit hold data, so it cannot be marked not done. Clear them first.")
    for slot in uow.session.scalars(select(Slot).where(Slot.visit_id == visit.id)):
        _refuse_images(uow, slot, "this visit")
    visit.not_done_reason = reason
    visit.revision += 1


def undo_visit_not_done(uow: UnitOfWork, visit_id: str) -> None:
    """Take back that a visit was not done; the reason is the unit of work's."""
    visit = _locked(uow, Visit, visit_id)
    _need_reason(uow.reason, "Taking this back")
    visit.not_done_reason = ""
    visit.revision += 1


def _refuse_images(uow: UnitOfWork, slot: Slot, what: str) -> None:
    linked = select(ImagingStudy.id).where(ImagingStudy.slot_id == slot.id, ImagingStudy.state == "linked")
    if uow.session.scalar(linked.limit(1)) is not None:
        raise Conflict(f"Images are linked to {what}, so it cannot be marked not done. Detach them first.")
    ended = [stage.value for stage in (*ENDED, Stage.LINKED)]
    under_way = select(Submission.id).where(Submission.slot_id == slot.id, Submission.stage.not_in(ended))
    if uow.session.scalar(under_way.limit(1)) is not None:
        raise Conflict(f"Images for {what} are under way, so it cannot be marked not done. Cancel them first.")


def mark_slot_not_done(uow: UnitOfWork, slot_id: str, reason: str) -> None:
    """Say that a slot will never have images; refused where it has some or they are under way."""
    slot = _locked(uow, Slot, slot_id)
    reason = _need_reason(reason, "Images not done")
    _refuse_images(uow, slot, "this slot")
    slot.not_done_reason = reason


def undo_slot_not_done(uow: UnitOfWork, slot_id: str) -> None:
    """Take back that a slot's images were not done; the reason is the unit of work's."""
    slot = _locked(uow, Slot, slot_id)
    _need_reason(uow.reason, "Taking this back")
    slot.not_done_reason = ""
