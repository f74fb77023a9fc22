"""Forms posted by something that is no browser: too many fields, half a page, twice, at random. Never a fault."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.hostile.addresses import is_a_sentence, must_be_answered, said, token_of
from tests.hostile.words import ALL
from tests.pipeline.bed import Bed
from trialimg.store.base import db
from trialimg.store.casebook import FormRecord, ItemValue

BOUNDED = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def form_url(bed: Bed, form: str = "VS", visit: str = "SCR") -> str:
    return f"/trials/DEMO/subjects/{bed.number}/visits/{visit}/forms/{form}"


def count_values() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(ItemValue)) or 0


def whole(token: str, **more: str) -> dict[str, str]:
    return {"csrf_token": token, "_revision": "0", "_end": "1", "save": "draft", **more}


# ----- many fields


@pytest.mark.parametrize("name", ["VS.NONE{}", "NONE.N{}", "VS.{}.VSDAT", "x{}", "_page{}", "answer:check:VS.N{}"])
def test_a_form_of_five_thousand_unknown_fields_is_a_sentence_and_saves_nothing(bed: Bed, name: str) -> None:
    client = bed.world.client("coordinator-101")
    many = {name.format(number): "x" for number in range(5000)}
    answer = client.post(form_url(bed), data=whole(token_of(client), **many))
    must_be_answered(answer, name)
    if name.startswith("_"):  # names of the page's own are passed over
        assert answer.status_code == 303
    else:
        assert answer.status_code in {303, 422}
        assert answer.status_code == 303 or "othing was saved" in said(answer)
    assert count_values() == 0


def test_a_repeating_group_of_more_rows_than_are_taken_is_a_sentence(bed: Bed) -> None:
    client = bed.world.client("coordinator-101")
    rows = [("_rows", f"MH/n{number}") for number in range(5000)]
    body = urlencode([*whole(token_of(client)).items(), *rows])
    answer = client.post(form_url(bed, "MH"), data=body, content_type="application/x-www-form-urlencoded")
    must_be_answered(answer, "rows")
    assert answer.status_code == 422
    assert "othing was saved" in said(answer)
    assert count_values() == 0


def test_more_fields_than_any_form_has_are_refused_with_a_sentence(bed: Bed) -> None:
    client = bed.world.client("coordinator-101")
    token = token_of(client)
    for count, kind in ((25_000, "multipart/form-data"), (25_000, "application/x-www-form-urlencoded")):
        many = {f"VS.NONE{number}": "x" for number in range(count)}
        answer = client.post(form_url(bed), data=whole(token, **many), content_type=kind)
        assert answer.status_code in {413, 422}, kind
        assert is_a_sentence(answer)
        assert "Nothing was changed" in said(answer) or "othing was saved" in said(answer)
    assert count_values() == 0


def test_more_bytes_than_any_form_has_are_refused_with_a_sentence(bed: Bed) -> None:
    client = bed.world.client("coordinator-101")
    token = token_of(client)
    for kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        answer = client.post(form_url(bed), data=whole(token, big="x" * (33 * 2**20)), content_type=kind)
        assert answer.status_code == 413
        assert "Nothing was changed" in said(answer)


def test_a_file_where_none_is_asked_for_is_refused_with_a_sentence(bed: Bed) -> None:
    from io import BytesIO

    client = bed.world.client("coordinator-101")
    answer = client.post(form_url(bed), data={**whole(token_of(client)), "VS.VSREASND": (BytesIO(b"x"), "x.dcm")})
    assert answer.status_code == 413
    assert "Nothing was changed" in said(answer)


# ----- pages that arrive damaged


@pytest.mark.parametrize(
    "spoil",
    [
        {"_end": None}, {"_end": "2"}, {"_revision": None}, {"_revision": ""}, {"_revision": "-1"}, {"_revision": "x"},
        {"_revision": "9" * 5000}, {"_revision": "٣"}, {"_revision": "²"}, {"_revision": "1e3"}, {"_rows": "x"}, {"_rows": "/"},
        {"_rows": "VS/../../x"}, {"_removed": "VS/x"}, {"_removed": "NONE/x"}, {"_add_row": "NONE"}, {"_add_row": "VS"},
        {"_remove_row": "x/y/z"}, {"_keep_row": ""}, {"save": "everything"}, {"answer:": "x"}, {"answer:a:b": "x"},
        {"answer:a:VS.VSDAT": "x"}, {"answer:::": "x"}, {"VS.VSDAT__year": "2026"}, {"VS.VSDAT__": "x"}, {"VS..": "x"},
        {".": "x"}, {"..": "x"}, {"VS.VSPERF.": "x"}, {"__class__": "x"}, {"reason": "x" * 5000}, {"VS.x.VSDAT": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_damaged_page_is_a_sentence_or_saved_as_far_as_it_is_whole(bed: Bed, spoil: dict[str, str | None]) -> None:
    client = bed.world.client("coordinator-101")
    data = {**whole(token_of(client)), "VS.VSPERF": "Y", **spoil}
    answer = client.post(form_url(bed), data={key: value for key, value in data.items() if value is not None})
    must_be_answered(answer, str(spoil)[:80])
    assert answer.status_code in {200, 303, 409, 422}
    assert count_values() == (1 if answer.status_code == 303 else 0)


def test_a_field_sent_twice_is_a_damaged_page(bed: Bed) -> None:
    client = bed.world.client("coordinator-101")
    body = urlencode([*whole(token_of(client)).items(), ("VS.VSPERF", "Y"), ("VS.VSPERF", "N")])
    answer = client.post(form_url(bed), data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 422
    assert count_values() == 0


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/xml", "", "x" * 500, "multipart/form-data",
                                  "multipart/form-data; boundary=", "application/x-www-form-urlencoded; charset=utf-16"])  # fmt: skip
def test_a_body_of_another_kind_is_a_sentence(bed: Bed, kind: str) -> None:
    client = bed.world.client("coordinator-101")
    token = token_of(client)
    for body in (b"", b"x=1", b"{}", b"\0\xff", urlencode(whole(token)).encode()):
        answer = client.post(form_url(bed), data=body, content_type=kind, headers={"X-CSRFToken": token})
        must_be_answered(answer, (kind, body[:20]))
        assert answer.status_code in {303, 400, 413, 422}
        assert count_values() == 0


# ----- at random


NAMES = st.one_of(
    st.sampled_from(
        ["VS.VSPERF", "VS.VSDAT", "VS.VSREASND", "RESULTS.PULSE_VSORRES", "RESULTS.HEIGHT_VSORRES", "_revision", "_end",
         "_rows", "_removed", "_add_row", "_remove_row", "_keep_row", "save", "reason", "answer:x:VS.VSDAT",
         "VS.VSDAT__year", "VS.VSDAT__month", "RESULTS.r1.PULSE_VSORRES", "missing"]
    ),
    st.text(max_size=12),
)  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=40), st.sampled_from(list(ALL.values())), st.integers().map(str), st.floats().map(str),
    st.dates().map(str), st.sampled_from(["", "0", "1", "Y", "N", "1e400", "-0", "1,5", "٣", "VS/r1", "2026-02-30"]),
)  # fmt: skip


def encoded(pairs: list[tuple[str, str]]) -> str:
    return urlencode(pairs, errors="surrogatepass")


@BOUNDED
@given(pairs=st.lists(st.tuples(NAMES, VALUES), max_size=25), honest=st.booleans(), form=st.sampled_from(["VS", "DM", "AE"]))
def test_no_post_to_a_form_makes_it_fail(bed: Bed, pairs: list[tuple[str, str]], honest: bool, form: str) -> None:
    client = bed.__dict__.setdefault("_client", bed.world.client("coordinator-101"))
    token = bed.__dict__.setdefault("_token", token_of(client))
    visit = "SCR" if form != "AE" else "W8"
    revision = db.session.scalar(select(func.max(FormRecord.revision)).where(FormRecord.form_key == form)) or 0
    body = [("csrf_token", token), *([("_end", "1"), ("_revision", str(revision))] if honest else []), *pairs]
    answer = client.post(
        form_url(bed, form, visit), data=encoded(body), content_type="application/x-www-form-urlencoded"
    )
    must_be_answered(answer, body)
    must_be_answered(client.get(form_url(bed, form, visit)), body)


SLOT_NAMES = st.one_of(
    st.sampled_from(["acquired", "announced", "files", "reason", "undo", "series", "decision", "all", "ordinal", "revision"]),
    st.text(max_size=8),
)


@BOUNDED
@given(
    pairs=st.lists(st.tuples(SLOT_NAMES, VALUES), max_size=12), json=st.booleans(),
    act=st.sampled_from(["submissions", "not-done", "confirm", "decision", "complete", "cancel", "objects"]),
)  # fmt: skip
def test_no_post_to_a_slot_or_a_submission_makes_it_fail(
    bed: Bed, pairs: list[tuple[str, str]], json: bool, act: str
) -> None:
    held: dict[str, Any] = bed.__dict__
    client = held.setdefault("_client", bed.world.client("coordinator-101"))
    token, key = held.setdefault("_token", token_of(client)), held.setdefault("_key", bed.start())
    slot = f"/trials/DEMO/subjects/{bed.number}/visits/W8/slots/CT"
    url = f"{slot}/{act}" if act in {"submissions", "not-done"} else f"/submissions/{key}/{act}"
    headers = {"Accept": "application/json"} if json else {}
    body = encoded([("csrf_token", token), *pairs])
    answer = client.post(url, data=body, content_type="application/x-www-form-urlencoded", headers=headers)
    must_be_answered(answer, (url, pairs))
    must_be_answered(client.get(slot), (url, pairs))


