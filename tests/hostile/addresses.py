"""Every address of the program, filled with what is there, so that a test can spoil one part of it at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.pipeline.bed import Bed
from tests.world import csrf_of

NOTHING = "9" * 32
_ELSEWHERE = {"static", "health.ready"}  # here no worker runs, so the installation is not ready and says so
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_TOKENS = re.compile(r'(name="csrf-token" content|name="csrf_token" value)="[^"]*"')


@dataclass
class Addresses:
    """The rules of the application and arguments that lead to something."""

    app: Flask
    given: dict[str, str]

    def rules(self) -> Iterator[Rule]:
        yield from (rule for rule in self.app.url_map.iter_rules() if rule.endpoint not in _ELSEWHERE)

    def posts(self) -> list[Rule]:
        return [rule for rule in self.rules() if "POST" in (rule.methods or ())]

    def gets(self) -> list[Rule]:
        return [rule for rule in self.rules() if "GET" in (rule.methods or ())]

    def whole(self, rule: Rule, **spoiled: str) -> str:
        """Give the address with its arguments; those spoiled stand as they are, already encoded."""
        values = {name: quote(value, safe="") for name, value in self.given.items()} | spoiled
        return _ARGUMENT.sub(lambda found: values.get(found[1], NOTHING), rule.rule)


def furnish(bed: Bed) -> Addresses:
    """Give addresses of a subject, a submission that waits, and people; the study is none."""
    key = bed.start()
    return Addresses(
        bed.app,
        {
            "trial": "DEMO", "site": "101", "subject": bed.number, "visit": "SCR", "slot": "CT", "form": "VS",
            "submission": key, "study_instance_uid": "2.25.123456789", "account": bed.world.person("monitor").account_id,
            "series_uid": "2.25.1", "sop_uid": "2.25.2", "numbers": "1", "tail": "x", "path": "x.js", "ordinal": "1",
            "series": "1", "link": "x",
        },
    )  # fmt: skip


def said(answer: TestResponse) -> str:
    """Give what an answer says, without what differs by chance."""
    return _TOKENS.sub("", answer.get_data(as_text=True))


def is_a_sentence(answer: TestResponse) -> bool:
    """Say whether a refusal is one of ours: a page with a sentence, or a problem document."""
    if answer.mimetype == "application/problem+json":
        told = answer.get_json()
        return bool(told["detail"]) and bool(told["code"])
    page = answer.get_data(as_text=True)
    return answer.mimetype == "text/html" and "<main" in page and "Traceback" not in page and "Werkzeug" not in page


def token_of(client: FlaskClient) -> str:
    return csrf_of(client.get("/account").get_data(as_text=True))


def must_be_answered(answer: TestResponse, what: Any) -> None:
    """Whatever was sent: no fault of ours, and where it is refused, a sentence."""
    # 503 is what an archive that is away is told as; none of these tests has one that is.
    assert answer.status_code < 500, f"{what}: {answer.status_code}"
    if answer.status_code >= 400:
        assert is_a_sentence(answer), f"{what}: {answer.status_code} {answer.mimetype}"
