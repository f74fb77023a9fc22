"""Words in every script, and words meant for machines, through every place that asks for words: kept or refused."""

from __future__ import annotations

import html
import re

import pytest
from sqlalchemy import select

from tests.hostile.addresses import must_be_answered, said, token_of
from tests.hostile.words import ALL, ATTACKS, BROKEN, LONE_SURROGATE, MEGABYTE, NOT_UTF8, SCRIPTS
from tests.pipeline.bed import Bed
from trialimg.casework.access import visit_place
from trialimg.casework.form_page import form_page
from trialimg.domain.item_value import tidy
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db, new_id
from trialimg.store.subject import Visit
from trialimg.store.trial import Site

_REFUSED = {400, 409, 422}


def visits_url(bed: Bed) -> str:
    return f"/trials/DEMO/subjects/{bed.number}/visits"


def shown(page: str) -> str:
    """Give a page as a person reads it, inputs included, with single spaces."""
    values = " ".join(re.findall(r'value="([^"]*)"', page))
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page) + " " + values).split())


def is_shown_as_text(page: str, words: str) -> None:
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page
    assert "<svg/onload" not in page
    if "<" not in words:  # else the crude reading above takes them for markup
        assert " ".join(words.split()) in shown(page)


@pytest.mark.parametrize("kind", ALL)
def test_a_reason_is_kept_as_typed_or_refused(bed: Bed, kind: str) -> None:
    words, client = ALL[kind], bed.world.client("coordinator-101")
    url = f"{visits_url(bed)}/W8/not-done"
    answer = client.post(url, data={"csrf_token": token_of(client), "revision": "0", "reason": words})
    must_be_answered(answer, kind)
    db.session.rollback()
    visit = db.session.get_one(Visit, visit_place("DEMO", bed.number, "W8").visit_id)
    if answer.status_code in _REFUSED:
        assert kind in BROKEN, "these words are no person's fault"
        assert visit.not_done_reason == ""
        return
    assert visit.not_done_reason.split() == words.split()
    reasons = db.session.scalars(select(AuditRecord.reason).where(AuditRecord.row_id == visit.id))
    assert words.split() in [reason.split() for reason in reasons]
    is_shown_as_text(client.get(f"{visits_url(bed)}/W8").get_data(as_text=True), words)
    trail = bed.world.client("inspector").get(f"/trials/DEMO/audit?row={visit.id}").get_data(as_text=True)
    is_shown_as_text(trail, words)


@pytest.mark.parametrize("kind", ALL)
def test_a_value_of_a_form_is_kept_as_typed_or_refused(bed: Bed, kind: str) -> None:
    words, client = ALL[kind], bed.world.client("coordinator-101")
    url = f"{visits_url(bed)}/SCR/forms/VS"
    data = {"csrf_token": token_of(client), "_revision": "0", "_end": "1", "save": "draft"}
    answer = client.post(url, data={**data, "VS.VSPERF": "N", "VS.VSREASND": words})
    must_be_answered(answer, kind)
    values = form_page(visit_place("DEMO", bed.number, "SCR"), "VS", bed.world.person("coordinator-101")).values
    kept = values.get("VS", {}).get("", {}).get("VSREASND", "")
    if answer.status_code in _REFUSED:
        assert kind in BROKEN
        assert kept == ""
        return
    assert kept == tidy(words.replace("\0", "\N{REPLACEMENT CHARACTER}"))
    page = client.get(url).get_data(as_text=True)
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page
    if kept and "\n" not in kept:
        assert kept in html.unescape(page)
    for who in ("monitor", "inspector"):
        history = bed.world.client(who).get(f"{url}/history").get_data(as_text=True)
        assert "<script>alert(1)" not in history
        assert kept.split("\n")[0] in html.unescape(history)


@pytest.mark.parametrize("kind", ALL)
def test_names_of_people_and_sites_are_kept_as_typed_or_refused(bed: Bed, kind: str) -> None:
    words, client = ALL[kind], bed.world.client("trial-administrator")
    token, code = token_of(client), f"S{new_id()[:8]}"
    site = client.post("/trials/DEMO/sites", data={"csrf_token": token, "code": code, "name": words, "country": "CH"})
    must_be_answered(site, kind)
    db.session.rollback()
    kept = db.session.scalar(select(Site.name).where(Site.code == code))
    assert (kept is None) == (site.status_code in _REFUSED)
    if kept is None:
        assert kind in BROKEN
    else:
        assert kept == words.strip()
        is_shown_as_text(client.get("/trials/DEMO/sites").get_data(as_text=True), words)
    role = {"role": "monitor", "place": ""}
    asked = {"csrf_token": token, "name": words, "email": f"{code}@x.example", **role}
    person = client.post("/trials/DEMO/people", data=asked)
    must_be_answered(person, kind)
    if person.status_code == 200:
        is_shown_as_text(client.get("/trials/DEMO/people").get_data(as_text=True), words)
    else:
        assert kind in BROKEN | {"hebrew with bidi marks": ""}, "a name with marks that turn the line is refused"


@pytest.mark.parametrize("kind", ALL)
def test_words_in_every_field_of_every_page_are_answered(bed: Bed, kind: str) -> None:
    """Each place that takes words gets them, also where a choice, a date, a number or a key is expected."""
    words = ALL[kind]
    base, key = f"/trials/DEMO/subjects/{bed.number}", bed.start()
    asked = {
        "coordinator-101": {
            "/trials/DEMO/enrol": ("site", "birth_year", "sex"),
            f"{base}/unscheduled": ("date", "visit"),
            f"{base}/visits/SCR/date": ("date", "revision", "reason", "back"),
            f"{base}/visits/SCR/not-done": ("revision", "reason", "undo"),
            f"{base}/visits/SCR/slots/MR/not-done": ("reason", "undo"),
            f"{base}/visits/SCR/slots/MR/submissions": ("acquired", "announced"),
            f"/submissions/{key}/confirm": ("series", "acquired"),
            f"/submissions/{key}/decision": ("decision", "reason", "all", "ordinal"),
            f"/submissions/{key}/cancel": ("reason",),
            "/account/password": ("old", "password", "again"),
            "/account/tokens": ("label", "days"),
        },
        "trial-administrator": {
            "/trials/DEMO/sites": ("code", "name", "country"),
            "/trials/DEMO/sites/103/active": ("reason", "active"),
            "/trials/DEMO/people": ("name", "email", "role", "place"),
            f"/pipeline/{key}/hold": ("reason-hold",),
            f"/pipeline/{key}/retry": ("reason-retry",),
        },
        "sponsor": {"/trials/DEMO/reports/casebook": ("subject", "all"), "/trials/DEMO/reports/data": ("what",)},
    }
    for who, pages in asked.items():
        client = bed.world.client(who)
        for url, fields in pages.items():
            answer = client.post(url, data={"csrf_token": token_of(client), **dict.fromkeys(fields, words)})
            must_be_answered(answer, (who, url, kind))
            assert "<script>alert(1)" not in said(answer), url
            assert "<img src=x" not in said(answer), url


@pytest.mark.parametrize("raw", [LONE_SURROGATE, NOT_UTF8, b"%00", b"%"], ids=["surrogate", "no utf-8", "nul", "percent"])
def test_bytes_that_are_no_text_are_answered(bed: Bed, raw: bytes) -> None:
    client = bed.world.client("coordinator-101")
    token = token_of(client).encode()
    body = b"csrf_token=" + token + b"&revision=0&_revision=0&_end=1&VS.VSPERF=N&VS.VSREASND=" + raw + b"&reason=" + raw
    for url in (f"{visits_url(bed)}/W8/not-done", f"{visits_url(bed)}/SCR/forms/VS", "/account/tokens"):
        answer = client.post(url, data=body, content_type="application/x-www-form-urlencoded")
        must_be_answered(answer, url)
    answer = client.post(url, data=body.replace(b"revision", raw), content_type="application/x-www-form-urlencoded")
    must_be_answered(answer, "in a name")


@pytest.mark.parametrize("kind", [*SCRIPTS, *ATTACKS, *BROKEN])
def test_whoever_signs_in_with_any_words_is_told_that_they_do_not_fit(bed: Bed, kind: str) -> None:
    client = bed.world.client()
    page = client.get("/sign-in").get_data(as_text=True)
    token = page.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]
    words = ALL[kind]
    answer = client.post("/sign-in", data={"csrf_token": token, "email": words, "password": words})
    must_be_answered(answer, kind)
    assert answer.status_code in _REFUSED
    assert "<script>alert(1)" not in said(answer)


@pytest.mark.parametrize("field", ["reason", "name", "value", "label", "email"])
def test_a_megabyte_of_words_is_refused_with_a_sentence_and_kept_nowhere(bed: Bed, field: str) -> None:
    base = visits_url(bed)
    where = {
        "reason": ("coordinator-101", f"{base}/W8/not-done", {"revision": "0", "reason": MEGABYTE}),
        "value": ("coordinator-101", f"{base}/SCR/forms/VS",
                  {"_revision": "0", "_end": "1", "VS.VSPERF": "N", "VS.VSREASND": MEGABYTE}),
        "label": ("coordinator-101", "/account/tokens", {"label": MEGABYTE, "days": "9"}),
        "name": ("trial-administrator", "/trials/DEMO/sites", {"code": "777", "name": MEGABYTE, "country": ""}),
        "email": ("trial-administrator", "/trials/DEMO/people",
                  {"name": "A", "email": MEGABYTE + "@x.example", "role": "monitor", "place": ""}),
    }  # fmt: skip
    who, url, data = where[field]
    client = bed.world.client(who)
    answer = client.post(url, data={"csrf_token": token_of(client), **data})
    must_be_answered(answer, field)
    assert answer.status_code == 422
    db.session.rollback()
    longest = db.session.scalars(select(AuditRecord.reason)).all()
    assert max(map(len, longest)) <= 2000
