"""A bed for tests of the pages for images: the pipeline's bed, and browsers of its people."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.pipeline.bed import Bed, ct, ct_folder, make_bed
from tests.world import World, csrf_of

__all__ = ["ct", "ct_folder"]
JSON = {"Accept": "application/json, application/problem+json"}


@dataclass
class Visitor:
    """A signed-in browser that sends the token of the last page along."""

    client: FlaskClient
    token: str = ""

    def get(self, address: str, **given: Any) -> TestResponse:
        answer = self.client.get(address, **given)
        if 'name="csrf_token"' in (page := text(answer)):
            self.token = csrf_of(page)
        return answer

    def post(self, address: str, data: dict[str, Any] | None = None, **given: Any) -> TestResponse:
        return self.client.post(address, data={"csrf_token": self.token, **(data or {})}, **given)

    def send(self, address: str, body: bytes | dict[str, Any], **headers: str) -> TestResponse:
        """Post as upload.js does: a raw body or JSON, the token in a header."""
        headers = {**JSON, "X-CSRFToken": self.token, **headers}
        if isinstance(body, dict):
            return self.client.post(address, json=body, headers=headers)
        return self.client.post(address, data=body, headers=headers, content_type="application/octet-stream")


def text(answer: TestResponse) -> str:
    return answer.get_data(as_text=True) if answer.mimetype == "text/html" else ""


def words(answer: TestResponse) -> str:
    """Give a page as a person reads it: no tags, single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text(answer))).split())


def visitor(bed: Bed, name: str = "coordinator-101") -> Visitor:
    return Visitor(bed.world.client(name))


def slot_address(bed: Bed, visit: str = "SCR", slot: str = "CT", number: str = "") -> str:
    return f"/trials/{bed.world.code}/subjects/{number or bed.number}/visits/{visit}/slots/{slot}"


def attach(bed: Bed, files: Iterable[Path], who: Visitor, address: str = "") -> str:
    """Send files as upload.js does; give the address of the submission's page."""
    address = address or slot_address(bed)
    assert who.get(address).status_code == 200
    began = who.client.post(
        f"{address}/submissions", data={"csrf_token": who.token, "announced": "1", "acquired": ""}, headers=JSON,
        content_type="multipart/form-data",
    )  # fmt: skip
    assert began.status_code == 201, began.get_data(as_text=True)
    told = began.get_json()
    count = 0
    for count, path in enumerate(files, 1):
        got = who.send(told["objects_url"], path.read_bytes(), **{"X-Object-Ordinal": str(count), "X-Object-Name": path.name})
        assert got.status_code == 201, got.get_data(as_text=True)
    done = who.send(told["complete_url"], {"announced": count, "refused": 0})
    assert done.status_code == 200, done.get_data(as_text=True)
    return str(told["page_url"])


def plain_files(files: Iterable[Path]) -> list[tuple[BytesIO, str]]:
    return [(BytesIO(path.read_bytes()), path.name) for path in files]


@pytest.fixture
def bed(world: World) -> Bed:
    return make_bed(world)


