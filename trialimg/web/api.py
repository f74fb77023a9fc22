"""The interface for programs, version 1: slots to send to, sending, and how images stand. Bearer tokens only."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date
from typing import Any, BinaryIO, Final, cast

from flask import Blueprint, Response, jsonify, request

from trialimg.casework import imaging
from trialimg.casework.access import submission_place
from trialimg.casework.imaging_list import imaging_lines, open_slots
from trialimg.casework.sending import sending_for, slot_by_names
from trialimg.casework.services import services
from trialimg.casework.submission_page import submission_report
from trialimg.casework.told_report import keep_told_report
from trialimg.domain.permission import Permission
from trialimg.domain.pseudonym import is_mapped_uid
from trialimg.errors import BadInput, NotSignedIn
from trialimg.pipeline import intake
from trialimg.web.guard import current_person, current_place, public, requires, somewhere
from trialimg.web.openapi import document
from trialimg.web.readable import json_object

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
_WORD: Final = 64
_KEY: Final = re.compile("[0-9a-f]{32}")
_MARK: Final = re.compile("[0-9a-f]{64}")
_MOST_JSON: Final = 64 * 1024
_MOST_REPORT: Final = 4 * 1024 * 1024


@blueprint.before_request
def _tokens_only() -> None:
    # A cookie is sent by any page a browser shows; a token only by a program that was given it.
    if request.endpoint != "api.openapi" and not request.headers.get("Authorization", "").startswith("Bearer "):
        raise NotSignedIn("This interface takes a token: Authorization: Bearer …; make one on your account's page.")


def _body(most: int = _MOST_JSON) -> dict[str, Any]:
    if (request.content_length or 0) > most:
        raise BadInput(f"This request is larger than {most // 1024} kB, which no request of this kind is.")
    body = json_object()
    if body is None:
        raise BadInput("Send a JSON object with Content-Type: application/json.")
    return body


def _marks(studies: object) -> dict[str, str]:
    """Read the mark of the original of each study, by which it is noticed that it was sent before."""
    if not isinstance(studies, dict) or not all(
        is_mapped_uid(uid) and isinstance(mark, str) and _MARK.fullmatch(mark) for uid, mark in studies.items()
    ):
        raise BadInput("“studies” gives the mark (64 hex digits) of each original, by the new identifier of the study.")
    return studies


def _once() -> str:
    """Read the key under which a program may ask again; empty where it gave none."""
    text = request.headers.get("Idempotency-Key", "")
    key = text.strip('"').replace("-", "").lower()
    if text and not _KEY.fullmatch(key):
        raise BadInput("Idempotency-Key is a UUID, made anew for each submission. Nothing was claimed.")
    return key


def _word(body: dict[str, Any], name: str, *, needed: bool = True) -> str:
    value = body.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or not value or len(value) > _WORD:
        raise BadInput(f"“{name}” is missing, or is no text of at most {_WORD} characters.")
    return value


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput("“acquired” is a date as YYYY-MM-DD.") from None


@blueprint.get("/openapi.json")
@public("The description of the interface holds nothing of any trial.")
def openapi() -> Response:
    """Describe this interface (OpenAPI 3.1)."""
    return jsonify(document())


@blueprint.get("/slots")
@requires(Permission.ATTACH_IMAGES, on=somewhere)
def slots() -> Response:
    """List the slots this token may send to that still wait for images."""
    unknown = set(request.args) - {"open", "modality"}
    if unknown:
        raise BadInput("This address takes the query keys open and modality only.")
    if request.args.get("open", "true") != "true":
        raise BadInput("Only open slots are listed: open=true.")
    found = open_slots(current_person(), modality=request.args.get("modality"))
    return jsonify([{**asdict(slot), "due": slot.due.isoformat() if slot.due else None} for slot in found])


@blueprint.get("/imaging")
@requires(Permission.SEE_TRIAL, on=somewhere)
def imaging_list() -> Response:
    """List linked studies and submissions on their way, within the token's scope."""
    if set(request.args) - {"subject"}:
        raise BadInput("This address takes the query key subject only.")
    found = imaging_lines(current_person(), subject=request.args.get("subject"))
    return jsonify(
        [{**asdict(line), "linked_at": line.linked_at.isoformat() if line.linked_at else None} for line in found]
    )


@blueprint.get("/sending")
@requires(Permission.ATTACH_IMAGES, on=somewhere)
def sending() -> Response:
    """Give what cleaning for a slot needs, the subject's keys included: for the client's memory only."""
    names = {key: request.args.get(key, "") for key in ("subject", "visit", "slot")}
    place = slot_by_names(current_person(), **names, trial=request.args.get("trial"))
    found = sending_for(services(), place)
    with current_person().acting("keys given for sending", place) as uow:
        uow.note("give keys", "subject", place.subject_id)
    return jsonify(
        trial=found.trial_code,
        profile=found.profile.to_mapping(),
        identity=found.identity._asdict(),
        subject_key=found.subject_key.hex(),
        fingerprint_key=found.fingerprint_key.hex(),
    )


@blueprint.post("/submissions")
@requires(Permission.ATTACH_IMAGES, on=somewhere)
def start() -> tuple[Response, int]:
    """Claim a slot for images that this program has cleaned and is about to send.

    Asked again with the same Idempotency-Key, since the answer was lost, it gives the first submission.
    """
    body = _body()
    place = slot_by_names(
        current_person(),
        subject=_word(body, "subject"),
        visit=_word(body, "visit"),
        slot=_word(body, "slot"),
        trial=_word(body, "trial", needed=False) or None,
    )
    acquired = _day(_word(body, "acquired", needed=False))
    marks = _marks(body.get("studies", {}))
    with current_person().acting("sent by the client", place) as uow:
        key = imaging.start(
            uow, place, source="client", acquired=acquired, cleaned_at_source=True, marks=marks, once=_once()
        )
    return jsonify(submission=key), 201


@blueprint.post("/submissions/<submission>/objects")
@requires(Permission.ATTACH_IMAGES, on=submission_place)
def receive(submission: str) -> tuple[Response, int]:
    """Take one object as the raw body; X-Object-Ordinal counts from 1, so that a repeat is no second object."""
    try:
        ordinal = int(request.headers.get("X-Object-Ordinal", ""))
    except ValueError:
        raise BadInput("X-Object-Ordinal is missing, or is no whole number.") from None
    # A cleaned object has no name of its own: the client sends none.
    got = intake.receive(
        services(), submission, cast("BinaryIO", request.stream), name="", actor=current_person().actor, ordinal=ordinal
    )
    return jsonify(ordinal=got.ordinal, sha256=got.sha256, size=got.size), 201


@blueprint.post("/submissions/<submission>/report")
@requires(Permission.ATTACH_IMAGES, on=submission_place)
def told_report(submission: str) -> Response:
    """Keep what this program says of its cleaning, as its claim; before it says that all was sent."""
    del submission
    document = _body(_MOST_REPORT)
    with current_person().acting("report of the client's cleaning", current_place()) as uow:
        keep_told_report(uow, current_place(), document)
    return jsonify(kept=True)


@blueprint.post("/submissions/<submission>/complete")
@requires(Permission.ATTACH_IMAGES, on=submission_place)
def complete(submission: str) -> Response:
    """Say that all objects were sent; their number must be the number received."""
    count = _body().get("count")
    if not isinstance(count, int):
        raise BadInput("“count” is the number of objects sent.")
    with current_person().acting("all objects sent", current_place()) as uow:
        intake.announce(uow, submission, count)
    return jsonify(_report())


@blueprint.post("/submissions/<submission>/confirm")
@requires(Permission.ATTACH_IMAGES, on=submission_place)
def confirm(submission: str) -> Response:
    """Let everything that was found go on; the client showed its person what it sends before it sent."""
    del submission
    summary = imaging.summary_of(services(), current_place())
    everything = frozenset(entry.index for entry in summary.series)
    with current_person().acting("confirmed by the client", current_place()) as uow:
        imaging.confirm(uow, services(), current_place(), series=everything, acquired=None)
    return jsonify(_report())


@blueprint.post("/submissions/<submission>/cancel")
@requires(Permission.ATTACH_IMAGES, on=submission_place)
def cancel(submission: str) -> Response:
    """Cancel the submission; what was received is destroyed."""
    del submission
    reason = _word(_body(), "reason")
    with current_person().acting(reason, current_place()) as uow:
        imaging.cancel(uow, services(), current_place(), reason)
    return jsonify(_report())


@blueprint.get("/submissions/<submission>")
@requires(Permission.ATTACH_IMAGES, on=submission_place)
def show(submission: str) -> Response:
    """Say how a submission stands: stage, sentence, progress, counts, and the hash of every instance."""
    del submission
    return jsonify(_report())


def _report() -> dict[str, Any]:
    return submission_report(current_place()).to_json()
