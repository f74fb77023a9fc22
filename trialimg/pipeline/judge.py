"""What is wrong with what was found: the sentences a person reads before anything leaves quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from trialimg.casework.summary import FoundPatient, FoundSeries, FoundStudy, Problem, Summary
from trialimg.pipeline.claim import Claim
from trialimg.pipeline.grouping import shown_list


@dataclass(frozen=True)
class KnownStudy:
    """Where an original study went before: another subject, another slot, or this one."""

    fingerprint: str
    subject_number: str
    visit_key: str
    slot_key: str
    same_subject: bool
    same_slot: bool


def judge(claim: Claim, summary: Summary, known: list[KnownStudy], *, slot_is_taken: bool) -> list[Problem]:
    """Compare what was found with what the slot, the subject's record and earlier submissions say."""
    return [
        *_persons(claim, summary),
        *_modalities(claim, summary),
        *_dates(claim, summary),
        *_known_before(summary, known),
        *_several(claim, summary, known, slot_is_taken=slot_is_taken),
        *_too_few(claim, summary),
        *_objects(summary),
    ]


def as_date(text: str) -> date | None:
    """Read a DICOM date, None where it is none."""
    try:
        return datetime.strptime(text.strip().replace(".", "")[:8], "%Y%m%d").date()
    except ValueError:
        return None


def _persons(claim: Claim, summary: Summary) -> Iterator[Problem]:
    if len(summary.patients) > 1:
        names = shown_list(f"{_spoken(p) or 'no name'} ({p.patient_id or 'no number'})" for p in summary.patients)
        yield Problem(
            "stop",
            f"These images are of {len(summary.patients)} persons: {names}. Choose the studies of one of them; the "
            "others are destroyed.",
            "patients",
        )
    for patient in summary.patients:
        about = [f"study:{study.index}" for study in summary.studies if study.patient == patient.index]
        for problem in _one_person(claim, patient):
            yield from (Problem(problem.level, problem.sentence, each) for each in about)


def _one_person(claim: Claim, patient: FoundPatient) -> Iterator[Problem]:
    number = claim.subject_number
    if claim.cleaned_at_source:
        if patient.patient_id != number:
            yield Problem("stop", f"These images were cleaned for another subject than {number}. Send them again.")
        return
    who = _spoken(patient) or patient.patient_id or "the patient"
    born = as_date(patient.birth_date)
    if claim.birth_year and born and born.year != claim.birth_year:
        yield Problem(
            "warn",
            f"{who} was born in {born.year}, subject {number} in {claim.birth_year} by the form. Check that these are "
            "the images of this subject.",
        )
    if claim.sex in {"M", "F"} and patient.sex in {"M", "F"} and patient.sex != claim.sex:
        yield Problem(
            "warn",
            f"The images say that {who} is {_sex(patient.sex)}, the form says that subject {number} is "
            f"{_sex(claim.sex)}. Check that these are the images of this subject.",
        )


def _spoken(patient: FoundPatient) -> str:
    """Write a name of DICOM (family^given) as people read it."""
    return patient.name.replace("^", " ").strip()


def _sex(code: str) -> str:
    return "female" if code == "F" else "male"


def _modalities(claim: Claim, summary: Summary) -> Iterator[Problem]:
    wanted = " or ".join(claim.slot.modalities)
    if summary.series and not any(series.modality in claim.slot.modalities for series in summary.series):
        found = ", ".join(sorted({series.modality or "none" for series in summary.series}))
        yield Problem(
            "stop",
            f"The slot “{claim.slot.title}” takes {wanted}; these images are {found}. Cancel, and attach them at the "
            "slot where they belong.",
        )
        return
    for series in summary.series:
        if not claim.slot.takes(series.modality):
            yield Problem(
                "stop",
                f"Series {_named(series)} is {series.modality or 'of no modality'}, which does not belong in the slot "
                f"“{claim.slot.title}”. Leave this series out.",
                f"series:{series.index}",
            )


def _named(series: FoundSeries) -> str:
    if series.description:
        return f"{series.number} “{series.description}”".strip()
    return series.number or "without number"


def _dates(claim: Claim, summary: Summary) -> Iterator[Problem]:
    for study in summary.studies:
        taken = as_date(study.date) or claim.acquired
        if taken is None:
            continue
        about = f"study:{study.index}"
        if claim.acquired and taken != claim.acquired:
            yield Problem(
                "warn",
                f"The study was taken on {taken}, the date given for it is {claim.acquired}. Check that this is the "
                "study of this visit.",
                about,
            )
        yield from _window(claim, taken, about)


def _window(claim: Claim, taken: date, about: str) -> Iterator[Problem]:
    if claim.visit_date is None:
        return
    days = (taken - claim.visit_date).days
    before, after = claim.slot.window_before, claim.slot.window_after
    if (before is not None and days < -before) or (after is not None and days > after):
        side = "before" if days < 0 else "after"
        yield Problem(
            "warn",
            f"The study was taken on {taken}, {abs(days)} days {side} the visit ({claim.visit_date}). Check that this "
            "is the study of this visit.",
            about,
        )


def _known_before(summary: Summary, known: list[KnownStudy]) -> Iterator[Problem]:
    by_mark = {study.fingerprint: study for study in summary.studies if study.fingerprint}
    for before in known:
        study = by_mark.get(before.fingerprint)
        if study is None:
            continue
        about, where = f"study:{study.index}", f"visit {before.visit_key}, slot {before.slot_key}"
        if not before.same_subject:
            yield Problem(
                "stop",
                f"{_study_named(study)} was sent before as subject {before.subject_number}, {where}. One of the two is "
                "wrong. If it was the earlier one, ask a data manager to withdraw it there first.",
                about,
            )
        elif not before.same_slot:
            yield Problem(
                "stop",
                f"{_study_named(study)} was sent before at {where} of this subject. If it belongs here, ask for the "
                "link there to be moved; the images need not be sent again.",
                about,
            )
        else:
            yield Problem(
                "warn",
                f"{_study_named(study)} was sent to this slot before. What is new joins it, the rest is recognised.",
                about,
            )


def _study_named(study: FoundStudy) -> str:
    taken = as_date(study.date)
    what = f" “{study.description}”" if study.description else ""
    return f"The study{what}{f' of {taken}' if taken else ''}"


def _several(claim: Claim, summary: Summary, known: list[KnownStudy], *, slot_is_taken: bool) -> Iterator[Problem]:
    if claim.slot.several_studies:
        return
    if len(summary.studies) > 1:
        yield Problem(
            "stop",
            f"These images are of {len(summary.studies)} studies; the slot “{claim.slot.title}” takes one. Choose the "
            "study that belongs to this visit.",
            "studies",
        )
    joins = {before.fingerprint for before in known if before.same_slot}
    for study in summary.studies:
        if slot_is_taken and study.fingerprint not in joins:
            yield Problem(
                "stop",
                f"The slot “{claim.slot.title}” has a linked study already and takes one. If that one is wrong, ask "
                "for it to be detached; then send this one.",
                f"study:{study.index}",
            )


def _too_few(claim: Claim, summary: Summary) -> Iterator[Problem]:
    ours = [series for series in summary.series if series.modality in claim.slot.modalities]
    instances = sum(series.instances for series in ours)
    if ours and len(ours) < claim.slot.min_series:
        yield Problem(
            "warn", f"{len(ours)} series were found; the slot expects at least {claim.slot.min_series}. Is one missing?"
        )
    if ours and instances < claim.slot.min_instances:
        found = "1 image was" if instances == 1 else f"{instances} images were"
        yield Problem(
            "warn", f"{found} found; the slot expects at least {claim.slot.min_instances}. Is a part missing?"
        )


def _objects(summary: Summary) -> Iterator[Problem]:
    for each in summary.objects:
        if each.kind == "refused":
            yield Problem("warn", f"{each.name or f'File {each.ordinal}'}: {each.sentence}", f"object:{each.ordinal}")
