"""Plain values for the gallery: one of everything, in every state."""

from __future__ import annotations

from typing import Any

ALL_STATES = ["empty", "in_progress", "complete", "open_checks", "missing", "overdue", "due", "not_done", "receiving", "received", "surveyed", "confirmed", "clean", "promised", "sent", "linked", "linked_held", "held", "refused", "cancelled", "withdrawn", "retrying"]

SHELL: dict[str, Any] = {
    "trial": {
        "title": "Phase II study of examplimab in solid tumours",
        "code": "DEMO",
        "url": "/trials/DEMO",
    },
    "nav": [
        {"label": "My work", "url": "/work", "icon": "list-check", "current": True, "count": 4},
        {"label": "Subjects", "url": "/subjects", "icon": "people"},
        {"label": "Images", "url": "/images", "icon": "images"},
    ],
    "account": {
        "name": "coordinator.101@example.org",
        "roles": ["Site coordinator, site 101"],
        "links": [{"label": "Account", "url": "/account"}],
        "sign_out_url": "/logout",
    },
    "notice": "Demonstration data. Nobody here is a real person.",
}
CODES = [
    {"value": "Y", "label": "Yes"},
    {"value": "N", "label": "No"},
    {"value": "U", "label": "Unknown", "hint": "Say why in the notes."},
]
MANY = [{"value": str(n), "label": f"Location {n}"} for n in range(12)]
STAGES = [
    {"key": "received", "label": "Received", "state": "done"},
    {"key": "clean", "label": "De-identified", "state": "current", "note": "instance by instance"},
    {"key": "sent", "label": "In the archive", "state": "waiting"},
    {"key": "linked", "label": "Linked", "state": "failed"},
]


def stages_at(stage: str) -> list[dict[str, Any]]:
    """Give the stages of work that is now at one of them."""
    keys = [each["key"] for each in STAGES]
    at = keys.index(stage)
    states = ["done" if number < at else "current" if number == at else "waiting" for number in range(len(keys))]
    return [{**each, "state": state} for each, state in zip(STAGES, states, strict=True)]


PROGRESS = {
    "url": "",
    "stage": "clean",
    "done": 96,
    "total": 240,
    "sentence": "De-identifying the images.",
    "finished": False,
    "stages": STAGES,
}


def _f(kind: str, name: str, label: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "label": label, **more}


FIELDS: list[dict[str, Any]] = [
    _f("text", "DMNOTE", "Note", hint="A few words.", max_length=200, value="ordinary"),
    _f(
        "text",
        "INIT",
        "Initials",
        width="short",
        required=True,
        errors=["Enter the initials, two or three letters."],
    ),
    _f("textarea", "HIST", "Tumour history", value="Found by <screening> & biopsied."),
    _f(
        "number",
        "VS.TEMP",
        "Temperature",
        unit="°C",
        low="34",
        high="42",
        value="49,1",
        required=True,
        errors=["Temperature must be 42 °C or less. You entered 49,1."],
    ),
    _f(
        "number",
        "VS.WEIGHT",
        "Weight",
        units=[{"value": "kg", "label": "kg"}, {"value": "lb", "label": "lb"}],
        unit_name="VS.WEIGHT_U",
        unit_value="kg",
        value="131.0",
        was="80.2",
        soft=[
            {
                "key": "W1",
                "sentence": "The weight is 50 kg more than at the visit before.",
                "reason_name": "soft__W1",
                "reason": "",
            }
        ],
    ),
    _f("date", "VSDTC", "Date of the measurement", value="2024-03-07", required=True),
    _f(
        "date",
        "BADDTC",
        "Date of the scan",
        value="7.3.24",
        errors=["Enter the date as year-month-day, as in 2024-03-07."],
    ),
    _f("partial_date", "MHSTDTC", "Date of diagnosis", value="2019-05"),
    _f(
        "partial_date",
        "AESTDTC",
        "Start of the event",
        raw={"year": "20", "month": "13", "day": ""},
        errors=["The month must be 1 to 12."],
        required=True,
    ),
    _f("choice", "RACE", "Consent given again", options=CODES, value="U"),
    _f("choice", "LOC", "Location of the lesion", options=MANY, value="3"),
    _f("choice", "OLD", "A code that is no longer in the list", options=MANY, value="XX"),
    _f(
        "yes_no",
        "PREG",
        "Is the subject pregnant?",
        value="Y",
        query="Please check against the source. (Monitor)",
    ),
    _f("text", "PREGWK", "Week of pregnancy", reveal={"name": "PREG", "values": ["Y"]}),
    _f("text", "PREGNO", "Reason for not testing", reveal={"name": "PREG", "values": ["N"]}),
    _f(
        "yes_no",
        "SMOKE",
        "Does the subject smoke?",
        required=True,
        errors=["Say whether the subject smokes."],
    ),
    _f("checkbox", "CONF", "I have seen the source", value=True),
    _f("text", "LOCKED", "Subject number", value="101-001", readonly=True),
    _f("display", "AGE", "Age", value="63", unit="years"),
]
ERRORS = [
    {"field_id": f["name"], "label": f["label"], "sentence": f["errors"][0]}
    for f in FIELDS
    if f.get("errors")
]
GROUP = {
    "key": "VS",
    "title": "Vital signs",
    "hint": "Measured after five minutes of rest.",
    "fields": FIELDS,
}


def _row(key: str, term: str, errors: list[str] | None = None) -> list[dict[str, Any]]:
    return [
        _f("text", f"AE/{key}/AETERM", "Event", value=term, required=True, errors=errors or []),
        _f("partial_date", f"AE/{key}/AESTDTC", "Start", value="2024-02"),
        _f(
            "choice",
            f"AE/{key}/AETOXGR",
            "Grade",
            options=[{"value": str(n), "label": str(n)} for n in range(1, 6)],
            display="select",
        ),
        _f("yes_no", f"AE/{key}/AESER", "Serious?", value=""),
    ]


REPEATING = {
    "key": "AE",
    "title": "Adverse events",
    "hint": "One entry for each event.",
    "max": 4,
    "add_label": "Add an event",
    "rows": [
        {"key": "1", "fields": _row("1", "Nausea"), "saved": True},
        {"key": "2", "fields": _row("2", "", ["Enter the event."]), "saved": True},
    ],
    "template": _row("__KEY__", ""),
}
REASON = {
    "name": "reason",
    "changed": ["Temperature", "Weight"],
    "errors": ["Say why the values are changed."],
}
STUDY = {
    "study_instance_uid": "2.25.317098716541987310982734098127340918273",
    "description": "CT chest and abdomen",
    "instances": 96,
    "held": 3,
    "linked_at": "2026-03-07 14:02 UTC",
    "linked_by": "coordinator.101@example.org",
    "viewer_url": "/viewer/viewer?StudyInstanceUIDs=2.25.1",
}
SLOTS = [
    {
        "id": "slot-ct",
        "label": "CT chest-abdomen",
        "state": "linked_held",
        "detail": "3 held",
        "studies": [STUDY],
        "modality": "CT",
        "due": "2026-03-10",
        "actions": [{"label": "Attach more", "url": "#", "icon": "plus-lg"}],
    },
    {
        "id": "slot-mr",
        "label": "MR liver",
        "state": "missing",
        "modality": "MR",
        "hint": "Optional at screening.",
        "actions": [
            {"label": "Attach images", "url": "#", "primary": True, "icon": "upload"},
            {"label": "Not done", "url": "#"},
        ],
    },
    {
        "id": "slot-pt",
        "label": "CT at week 8",
        "state": "clean",
        "progress": PROGRESS,
        "sentence": "You may close this page.",
    },
    {
        "id": "slot-xx",
        "label": "CT at week 16",
        "state": "refused",
        "errors": ["Two patients are in this folder. Send one patient's images."],
    },
]
COLUMNS = [
    {"label": "Subject", "kind": "head"},
    {"label": "State"},
    {"label": "Images", "kind": "number"},
    {"label": "Since", "kind": "time"},
    {"label": "Note"},
]
ROWS = [
    [
        {"text": "101-001", "url": "#1", "sub": "Site 101"},
        {"state": "linked"},
        "96",
        "2026-03-07 14:02",
        "All in the archive.",
    ],
    {
        "tone": "danger",
        "cells": [
            {"text": "101-002", "url": "#2"},
            {"state": "overdue", "detail": "6 days"},
            None,
            "2026-03-01",
            "The CT of Week 8 was due on 2026-03-01.",
        ],
    },
    {
        "tone": "warning",
        "cells": [
            {"text": "103-004", "url": "#3"},
            {"state": "held"},
            "12",
            "2026-02-27 09:15",
            {"text": "Look at the images", "url": "#4", "sub": "text burned in"},
        ],
    },
]
VISITS = [
    {"label": v, "sub": d, "url": "#" + v}
    for v, d in (
        ("Screening", "2026-01-05"),
        ("Week 8", "due 2026-03-02"),
        ("Week 16", "due 2026-04-27"),
        ("End of treatment", ""),
        ("Unscheduled 1", "2026-02-01"),
    )
]
GRID = [
    {
        "label": name,
        "url": "#f",
        "cells": [
            {
                "state": ALL_STATES[(n * 5 + k) % len(ALL_STATES)],
                "url": "#c",
                "label": f"{name} at {v['label']}",
            }
            if (n + k) % 6
            else None
            for k, v in enumerate(VISITS)
        ],
    }
    for n, name in enumerate(
        (
            "Demographics",
            "Eligibility",
            "Vital signs",
            "Concomitant medication",
            "CT chest-abdomen",
            "Adverse events",
        )
    )
]
FACTS = [
    ("Subject", "101-001"),
    ("Year of birth", "1961"),
    ("Sex", "Female"),
    ("Enrolled", "2026-01-05"),
    ("Withdrawn", None),
]
CONFIRM = {
    "title": "Detach this study?",
    "sentence": "The study stays in the archive, and the slot becomes missing again.",
    "action": "#",
    "button": "Detach the study",
    "danger": True,
    "cancel_url": "#back",
    "points": ["96 images", "linked on 2026-03-07"],
    "reason": {"name": "reason", "errors": ["Say why the study is detached."]},
}
CONFIRM_CHOICE = {
    **CONFIRM,
    "title": "Mark as not done?",
    "danger": False,
    "button": "Not done",
    "reason": {
        "name": "why",
        "choices": [
            {"value": "A", "label": "Subject did not come"},
            {"value": "B", "label": "Scanner out of order"},
        ],
    },
}
