"""The description of the interface for programs (OpenAPI 3.1); a test compares it with the routes that exist."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]
_TEXT: Final[Json] = {"type": "string"}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_MAYBE_TEXT: Final[Json] = {"type": ["string", "null"]}


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties}


_SLOT: Final = _object(
    subject=_TEXT, visit=_TEXT, slot=_TEXT, modality=_TEXT, trial=_TEXT,
    due={"type": ["string", "null"], "format": "date"},
)  # fmt: skip
_IMAGING: Final = _object(
    subject=_TEXT, visit=_TEXT, slot=_TEXT, stage=_TEXT, study_instance_uid=_TEXT, instances=_COUNT, held=_COUNT,
    linked_at={"type": ["string", "null"], "format": "date-time"}, sentence=_TEXT, submission=_TEXT,
)  # fmt: skip
_SUBMISSION: Final = _object(
    submission=_TEXT, subject=_TEXT, visit=_TEXT, slot=_TEXT, stage=_TEXT, sentence=_TEXT, code=_TEXT,
    done=_COUNT, total=_COUNT, finished={"type": "boolean"}, needs_person={"type": "boolean"},
    retrying={"type": "boolean"},
    position={"type": "integer"}, study_instance_uid=_MAYBE_TEXT,
    study_instance_uids={"type": "array", "items": _TEXT}, counts={"type": "object", "additionalProperties": _COUNT},
    instances={
        "type": "array",
        "items": _object(
            ordinal=_COUNT, fate=_TEXT, sop_instance_uid=_TEXT, hash=_TEXT, code=_TEXT, sentence=_TEXT
        ),
    },
)  # fmt: skip
_PROBLEM: Final = _object(type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT, code=_TEXT)


def _answers(schema: Json, status: str = "200") -> Json:
    problem = {"$ref": "#/components/responses/Problem"}
    content = {"application/json": {"schema": schema}}
    return {status: {"description": "Done.", "content": content}, "default": problem}


def _query(name: str, meaning: str, *, needed: bool = False) -> Json:
    return {"name": name, "in": "query", "required": needed, "schema": _TEXT, "description": meaning}


_KEY: Final[Json] = {"name": "submission", "in": "path", "required": True, "schema": _TEXT}
_ORDINAL: Final[Json] = {
    "name": "X-Object-Ordinal", "in": "header", "required": True, "schema": {"type": "integer", "minimum": 1},
    "description": "Counts the objects of a submission from 1; a repeat with the same bytes is no second object.",
}  # fmt: skip


_ONCE: Final[Json] = {
    "name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "format": "uuid"},
    "description": "A UUID made anew for each submission. Asked again with it, since an answer was lost, the first "
    "submission is given and no second one is made; used for another slot, it is refused with 409.",
}  # fmt: skip


def _json_body(schema: Json, *needed: str) -> Json:
    return {"required": True, "content": {"application/json": {"schema": {**schema, "required": list(needed)}}}}


def _paths() -> Json:
    ref = {"$ref": "#/components/schemas/Submission"}
    names = [
        _query("subject", "The subject's number.", needed=True),
        _query("visit", "The visit's key, such as W8.", needed=True),
        _query("slot", "The slot's key, such as CT.", needed=True),
        _query("trial", "The trial's code, where a number stands in several."),
    ]
    claim = _object(
        trial=_TEXT, subject=_TEXT, visit=_TEXT, slot=_TEXT, acquired={"type": "string", "format": "date"},
        studies={
            "type": "object", "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "description": "For the new StudyInstanceUID of each study the mark of its original, made with "
            "fingerprint_key; without it nobody notices that a study is sent for a second subject.",
        },
    )  # fmt: skip
    keys = _object(
        trial=_TEXT, profile={"type": "object"}, identity={"type": "object"}, subject_key=_TEXT, fingerprint_key=_TEXT
    )
    received = _object(ordinal=_COUNT, sha256=_TEXT, size=_COUNT)
    return {
        "/openapi.json": {"get": {"summary": "This description.", "security": [], "responses": _answers({})}},
        "/slots": {
            "get": {
                "summary": "Slots this token may send to that still wait for images.",
                "parameters": [_query("open", "true"), _query("modality", "A DICOM modality, such as CT.")],
                "responses": _answers({"type": "array", "items": {"$ref": "#/components/schemas/Slot"}}),
            }
        },
        "/imaging": {
            "get": {
                "summary": "Linked studies and submissions on their way.",
                "parameters": [_query("subject", "A subject's number.")],
                "responses": _answers({"type": "array", "items": {"$ref": "#/components/schemas/Imaging"}}),
            }
        },
        "/sending": {
            "get": {
                "summary": "Profile, names and keys for cleaning images of a slot; keep the keys in memory only.",
                "parameters": names,
                "responses": _answers(keys),
            }
        },
        "/submissions": {
            "post": {
                "summary": "Claim a slot for cleaned images.",
                "parameters": [_ONCE],
                "requestBody": _json_body(claim, "subject", "visit", "slot"),
                "responses": _answers(_object(submission=_TEXT), "201"),
            }
        },
        "/submissions/{submission}": {
            "get": {"summary": "How a submission stands.", "parameters": [_KEY], "responses": _answers(ref)}
        },
        "/submissions/{submission}/objects": {
            "post": {
                "summary": "Send one object as the raw body; answered when it is safe on disk.",
                "parameters": [_KEY, _ORDINAL],
                "requestBody": {"required": True, "content": {"application/dicom": {}}},
                "responses": _answers(received, "201"),
            }
        },
        "/submissions/{submission}/report": {
            "post": {
                "summary": "Tell what the cleaning at the source did: tags, actions and counts. Kept as a claim.",
                "parameters": [_KEY],
                "requestBody": _json_body({"type": "object"}),
                "responses": _answers(_object(kept={"type": "boolean"})),
            }
        },
        "/submissions/{submission}/complete": {
            "post": {
                "summary": "Say how many objects were sent.",
                "parameters": [_KEY],
                "requestBody": _json_body(_object(count=_COUNT), "count"),
                "responses": _answers(ref),
            }
        },
        "/submissions/{submission}/confirm": {
            "post": {"summary": "Let everything found go on.", "parameters": [_KEY], "responses": _answers(ref)}
        },
        "/submissions/{submission}/cancel": {
            "post": {
                "summary": "Cancel; what was received is destroyed.",
                "parameters": [_KEY],
                "requestBody": _json_body(_object(reason=_TEXT), "reason"),
                "responses": _answers(ref),
            }
        },
    }


def document() -> Json:
    """Give the whole description."""
    problem = {
        "description": "Not done: a sentence for the person who must act, and a stable code (RFC 9457).",
        "content": {"application/problem+json": {"schema": _PROBLEM}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "trialimg", "version": "1", "description": "Images of clinical trials, for programs."},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Slot": _SLOT, "Imaging": _IMAGING, "Submission": _SUBMISSION},
            "responses": {"Problem": problem},
        },
    }
