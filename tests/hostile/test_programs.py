"""The interface for programs, spoken to wrongly: broken JSON, other kinds of content, words where numbers belong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.hostile.addresses import Addresses, must_be_answered, token_of
from tests.hostile.words import ALL, MEGABYTE
from tests.pipeline.bed import Bed
from trialimg.domain.submission import Stage

BASE = "/api/v1"
BODIES: dict[str, bytes] = {
    "nothing": b"", "half": b'{"subject": ', "no json": b"subject=1", "null": b"null", "true": b"true", "a number": b"7",
    "a list": b"[1,2]", "a text": b'"x"', "deep": b"[" * 30_000, "deep object": b'{"a":' * 30_000, "nan": b'{"count": NaN}',
    "infinity": b'{"count": 1e999}', "no utf-8": b'{"reason": "\xff\xfe"}', "utf-16": '{"count": 1}'.encode("utf-16"),
    "bom": b'\xef\xbb\xbf{"count": 1}', "same key twice": b'{"count": 1, "count": 2}', "large": b'{"reason": "' + b"x" * 70_000 + b'"}',
    "huge number": b'{"count": ' + b"9" * 5000 + b"}", "negative": b'{"count": -1}', "true count": b'{"count": true}',
    "beyond the column": b'{"count": 99999999999999999999}', "a fraction": b'{"count": 1.5}', "count in words": b'{"count": "1"}',
    "surrogate": b'{"reason": "\\ud800", "subject": "\\udfff", "visit": "SCR", "slot": "CT", "acquired": "\\ud800"}',
    "nul": b'{"reason": "a\\u0000b", "subject": "\\u0000", "visit": "SCR", "slot": "CT"}',
    "names of python": b'{"__class__": "x", "__init__": {}, "subject": {"$ne": null}, "visit": ["SCR"], "slot": 1}',
    "dates": b'{"subject": "101-001", "visit": "SCR", "slot": "CT", "acquired": "0000-00-00"}',
    "far dates": b'{"subject": "101-001", "visit": "SCR", "slot": "CT", "acquired": "9999-12-31"}',
}  # fmt: skip
KINDS = ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/json; charset=utf-7"]


@pytest.mark.parametrize("body", BODIES)
def test_any_body_on_any_route_is_answered_by_a_problem_document(addresses: Addresses, bed: Bed, body: str) -> None:
    bearer, client = bed.world.bearer("coordinator-101"), bed.world.client()
    for rule in addresses.posts():
        if not rule.rule.startswith("/api/") or rule.endpoint == "api.receive":
            continue
        for kind in KINDS if body in {"nothing", "half", "no json"} else KINDS[:1]:
            answer = client.post(addresses.whole(rule), data=BODIES[body], content_type=kind, headers=bearer)
            must_be_answered(answer, (rule.rule, body, kind))
            assert answer.mimetype in {"application/json", "application/problem+json"}


def test_words_of_every_script_as_a_reason_are_kept_or_refused(bed: Bed) -> None:
    bearer, client = bed.world.bearer("coordinator-101"), bed.world.client()
    for kind, words in ALL.items():
        key = bed.start()
        answer = client.post(f"{BASE}/submissions/{key}/cancel", json={"reason": words}, headers=bearer)
        must_be_answered(answer, kind)
        assert (bed.stage(key) is Stage.CANCELLED) == (answer.status_code == 200), kind
        if answer.status_code != 200:
            bed.cancel(key)


@pytest.mark.parametrize("ordinal", ["", "x", "-1", "1.5", "9" * 30, "9" * 5000, "٣", "²", "0x10", " 1 ", "+1", "1_0", "\u00ff", "1,2"])
def test_the_number_of_an_object_is_a_number_or_a_sentence(bed: Bed, ordinal: str) -> None:
    key, client = bed.start(), bed.world.client()
    headers: dict[str, Any] = {**bed.world.bearer("coordinator-101"), "X-Object-Ordinal": ordinal.encode("utf-8").decode("latin-1")}
    answer = client.post(f"{BASE}/submissions/{key}/objects", data=b"not an image", headers=headers)
    must_be_answered(answer, ordinal[:10])
    assert answer.status_code in {201, 422}


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json", "", "x" * 300])
def test_an_object_is_taken_as_its_bytes_whatever_it_is_called(bed: Bed, kind: str) -> None:
    """What a sender calls the body must not lead anybody to read it as a form, and so store nothing of it."""
    key, client = bed.start(), bed.world.client()
    headers = {**bed.world.bearer("coordinator-101"), "X-Object-Ordinal": "1"}
    answer = client.post(f"{BASE}/submissions/{key}/objects", data=b"a=b&c=d", content_type=kind, headers=headers)
    assert answer.status_code == 201
    assert answer.get_json()["size"] == 7


def test_names_of_files_in_any_bytes_do_no_harm(bed: Bed) -> None:
    key, client = bed.start(), bed.world.client("coordinator-101")
    token = token_of(client)
    names = ["../../etc/passwd", "%2e%2e%2fx", "%00", "%ff%fe", "%ED%A0%80", "x" * 20_000, "con", "<script>alert(1)</script>", "\u00ff"]
    for number, name in enumerate(names, 1):
        answer = client.post(
            f"/submissions/{key}/objects", data=f"object {number}".encode(), content_type="application/octet-stream",
            headers={"X-CSRFToken": token, "X-Object-Ordinal": str(number), "X-Object-Name": name, "Accept": "application/json"},
        )  # fmt: skip
        assert answer.status_code == 201, name[:20]
    folder = bed.services().vault.root.parent
    assert not list(folder.rglob("*passwd*"))
    bed.announce(key, len(names))
    bed.run()
    page = client.get(f"/submissions/{key}").get_data(as_text=True)
    assert "<script>alert" not in page
    assert "Traceback" not in page


QUERIES = ["subject=%00", "subject=%ED%A0%80", "subject=" + "x" * 5000, "subject=a&subject=b", "modality=%F0%9F%98%80", "open=true&open=false",
           "subject=101-001&visit=%00&slot=CT", "subject[]=x", "subject=%27%20OR%201=1", MEGABYTE[:60_000]]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:20])
def test_any_query_is_answered_by_json(bed: Bed, query: str) -> None:
    bearer, client = bed.world.bearer("coordinator-101"), bed.world.client()
    for path in ("/slots", "/imaging", "/sending"):
        answer = client.get(f"{BASE}{path}?{query}", headers=bearer)
        must_be_answered(answer, (path, query[:40]))
        assert answer.mimetype in {"application/json", "application/problem+json"}
        if answer.status_code == 200:
            json.loads(answer.get_data())
