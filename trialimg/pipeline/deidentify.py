"""Cleans every chosen object once, in child processes; the clean bytes wait in the outbox."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from sqlalchemy import select

from trialimg.casework.pixel_series import REVIEWED, noted_masks, pixel_counts, waits_for_look
from trialimg.casework.submission import destroy_unneeded, keep_marks, load, move
from trialimg.domain.deid_report import UNSEEN, Report, joined
from trialimg.domain.submission import TO_CLEAN, Fate, Outcome
from trialimg.pipeline.child import Json, Limits, ask_each
from trialimg.pipeline.claim import Claim, load_claim
from trialimg.pipeline.look import ask_to_look
from trialimg.pipeline.survey import child_setup
from trialimg.pipeline.work import Finish, Work
from trialimg.store.imaging import ImagingStudy, Submission, SubmissionObject
from trialimg.store.unit_of_work import UnitOfWork

_COLUMNS = (
    "sop_class_uid", "study_instance_uid", "series_instance_uid", "sop_instance_uid", "modality", "clean_sha256",
    "clean_size", "canonical_hash",
)  # fmt: skip
_OTHER_SENT = (
    "This instance is in the record already, with other content. It was not sent: an archive keeps the first. Find out "
    "which of the two is right; discard this one, or ask a data manager to withdraw the study."
)


def deidentify(work: Work) -> Finish:
    """Clean (or, where the source cleaned, verify) what was chosen or released; hold what a person must see."""
    claim = load_claim(work.submission_id)
    act = "verify" if claim.cleaned_at_source else "clean"
    covered = noted_masks(work.submission_id)
    todo: list[Json] = [
        {"do": act, "ordinal": o.ordinal, "sha256": o.received_sha256, "released": o.fate is Fate.RELEASED}
        | ({"mask": covered[o.ordinal]} if o.fate is Fate.RELEASED and covered.get(o.ordinal) else {})
        for o in claim.having(*TO_CLEAN)
    ]
    answers: dict[int, Json] = {}
    limits = Limits.of(work.services.settings)
    work.progress(0, len(todo))
    for request, answer in ask_each(todo, child_setup(work.services, claim), limits):
        answers[request["ordinal"]] = answer
        work.progress(len(answers), len(todo))
    return lambda uow: _finish(uow, claim, answers)


def _finish(uow: UnitOfWork, claim: Claim, answers: dict[int, Json]) -> None:
    submission = load(uow, claim.submission_id)
    wanted = select(SubmissionObject).where(SubmissionObject.submission_id == submission.id)
    rows = {row.ordinal: row for row in uow.session.scalars(wanted)}
    for ordinal, answer in answers.items():
        _write(rows[ordinal], answer)
    _recognise(uow, claim, [rows[ordinal] for ordinal in answers])
    done = [answer["done"] for answer in answers.values() if "done" in answer]
    to_review = [row for row in rows.values() if row.ordinal in answers and waits_for_look(row)]
    ask_to_look(uow, submission.id, submission.trial_id, to_review)
    submission.report = _report(uow, submission, [each for each in done if each["code"] not in REVIEWED])
    keep_marks(uow, submission, {each["fingerprint"]: each["study_instance_uid"] for each in done})
    _go_on(uow, submission, Counter(Fate(row.fate) for row in rows.values()), rows.values())
    destroy_unneeded(uow, submission)


def _write(row: SubmissionObject, answer: Json) -> None:
    told = answer.get("done")
    if told is None:
        row.fate, row.code, row.sentence = Fate.REFUSED.value, answer["refused"]["code"], answer["refused"]["sentence"]
        return
    for column in _COLUMNS:
        setattr(row, column, told[column])
    row.fate = Fate.HELD.value if told["hold"] else Fate.CLEAN.value
    row.code, row.sentence = told["code"], told["hold"]


def _recognise(uow: UnitOfWork, claim: Claim, rows: Iterable[SubmissionObject]) -> None:
    """Find instances that an earlier submission has put into the record."""
    clean = [row for row in rows if row.fate == Fate.CLEAN]
    wanted = (
        select(SubmissionObject.sop_instance_uid, SubmissionObject.canonical_hash)
        .join(ImagingStudy, ImagingStudy.id == SubmissionObject.study_id)
        .where(ImagingStudy.study_instance_uid.in_({row.study_instance_uid for row in clean}))
        .where(ImagingStudy.state != "withdrawn", SubmissionObject.fate == Fate.SENT.value)
        .where(SubmissionObject.submission_id != claim.submission_id)
    )
    sent = {uid: content for uid, content in uow.session.execute(wanted).all()}  # noqa: C416 (rows are no pairs)
    for row in clean:
        content = sent.get(row.sop_instance_uid)
        if content == row.canonical_hash:
            row.fate, row.code = Fate.DUPLICATE.value, "image.already_linked"
            row.sentence = "This instance is in the record already, with equal content; it was not sent again."
        elif content is not None:
            row.fate, row.code, row.sentence = Fate.HELD.value, "image.other_content_linked", _OTHER_SENT


def _report(uow: UnitOfWork, submission: Submission, done: list[Json]) -> str:
    """Join the reports of what was cleaned now and before under the same profile, with what was decided on pixels.

    What waits for a look at its pixels is cleaned again when it is released, and told then.
    """
    parts = [Report.from_json(each["report"]) for each in done]
    if submission.report:
        before = Report.from_json(json.loads(submission.report))
        if not parts or (before.profile, before.version) == (parts[0].profile, parts[0].version):
            parts = [before, *parts]
    if not parts:
        return ""
    uow.session.flush()
    report = joined(parts)
    unseen = [row for row in report.pixels if row.decision == UNSEEN]
    decided = pixel_counts(uow.session, submission.id)
    return json.dumps(report._replace(pixels=(*decided, *unseen)).to_json())


def _go_on(uow: UnitOfWork, submission: Submission, fates: Counter[Fate], rows: Iterable[SubmissionObject]) -> None:
    held = f"; {fates[Fate.HELD]} held for your decision" if fates[Fate.HELD] else ""
    if fates[Fate.CLEAN] or fates[Fate.SENT]:
        clean = "1 instance is clean" if fates[Fate.CLEAN] == 1 else f"{fates[Fate.CLEAN]} instances are clean"
        move(uow, submission, Outcome.CLEANED, f"{clean}{held}.")
    elif fates[Fate.HELD]:
        why = next(row.sentence for row in rows if row.fate == Fate.HELD)
        code = next(row.code for row in rows if row.fate == Fate.HELD)
        count = fates[Fate.HELD]
        what = f"All {count} instances wait" if count > 1 else "The one instance waits"
        sentence = f"{what} for your decision. {why}"
        move(uow, submission, Outcome.NOTHING_CLEAN, sentence, code=code)
    elif fates[Fate.DUPLICATE] and not fates[Fate.REFUSED]:
        sentence = "All of these images are in the record already; nothing was sent again."
        move(uow, submission, Outcome.NOTHING_USABLE, sentence, code="image.already_linked")
    else:
        refused = [row for row in rows if row.fate == Fate.REFUSED]
        why = f" {refused[0].sentence}" if refused else ""
        code = refused[0].code if refused else ""
        sentence = f"Nothing is left to send: no instance was chosen, or none can be taken.{why}"
        move(uow, submission, Outcome.NOTHING_USABLE, sentence, code=code)
