"""Requests that no page of ours made: without its token, with a stolen or damaged one, with damaged or huge cookies."""

from __future__ import annotations

import base64
import json

import pytest

from tests.hostile.addresses import Addresses, is_a_sentence, must_be_answered, said, token_of
from tests.pipeline.bed import Bed

SENTENCE = "could not be trusted. Nothing was changed"
FORGED = {
    "none": None, "empty": "", "nonsense": "x" * 40, "huge": "x" * 200_000, "nul": "\0", "unicode": "ÿ€𝒜",
    "signed by nobody": "IjEyMzQ1Njc4OTAi.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb",
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGED)
def test_every_change_by_cookie_needs_the_token_of_its_page(addresses: Addresses, bed: Bed, forgery: str) -> None:
    clients = [bed.world.client("trial-administrator"), bed.world.client("coordinator-101"), bed.world.client()]
    sent = {"reason": "x"} if FORGED[forgery] is None else {"reason": "x", "csrf_token": FORGED[forgery]}
    for rule in addresses.posts():
        for client in clients:
            answer = client.post(addresses.whole(rule), data=sent)
            # The interface for programs has no pages; a cookie is refused there whatever it brings.
            programs = rule.rule.startswith("/api/")
            assert answer.status_code in ({400, 401} if programs else {400}), (rule.rule, answer.status_code)
            assert is_a_sentence(answer), rule.rule
            assert programs or SENTENCE in said(answer), rule.rule


def test_the_token_of_another_session_is_none(addresses: Addresses, bed: Bed) -> None:
    stolen = token_of(bed.world.client("coordinator-102"))
    client = bed.world.client("coordinator-101")
    for rule in addresses.posts():
        if not rule.rule.startswith("/api/"):
            answer = client.post(addresses.whole(rule), data={"csrf_token": stolen, "reason": "x"})
            assert answer.status_code == 400, rule.rule
            header = client.post(addresses.whole(rule), data={"reason": "x"}, headers={"X-CSRFToken": stolen})
            assert header.status_code == 400, rule.rule


def test_a_bearer_token_opens_no_page_and_a_page_token_no_interface(addresses: Addresses, bed: Bed) -> None:
    """Only the interface for programs goes without a page's token, and only for whoever brings one of its own."""
    bearer, page = bed.world.bearer("coordinator-101"), bed.world.client("coordinator-101")
    token = token_of(page)
    for rule in addresses.posts():
        if rule.rule.startswith("/api/"):
            assert page.post(addresses.whole(rule), data={"csrf_token": token}).status_code == 401, rule.rule
        else:
            answer = bed.world.client().post(addresses.whole(rule), data={"reason": "x"}, headers=bearer)
            assert answer.status_code == 400, rule.rule


def test_a_page_from_elsewhere_cannot_send_a_form_of_text_that_reads_as_json(bed: Bed) -> None:
    """A form of type text/plain goes to other origins without asking: it must not pass for JSON."""
    key, client = bed.start(), bed.world.client("coordinator-101")
    answer = client.post(f"/submissions/{key}/complete", data='{"announced": 0, "refused": 0}', content_type="text/plain")
    assert answer.status_code == 400
    answer = client.post(
        f"/submissions/{key}/complete", data='{"announced": 0, "refused": 0}', content_type="text/plain",
        headers={"X-CSRFToken": token_of(client)},
    )  # fmt: skip
    assert answer.status_code == 422


def _unsigned(held: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(held).encode()).decode().rstrip("=")


COOKIES = {
    "nonsense": "x", "empty": "", "huge": "x" * 60_000, "three dots": "...", "unsigned": f"{_unsigned({'session': 'x'})}..",
    "signed by nobody": f"{_unsigned({'session': 'x'})}.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb", "nul": "a%00b", "quote": '"',
    "packed to burst": ".eJztwTEBAAAAwqD1T20ND6AAAAAAAAAAAAAAAAAAAAAAAAAA.aaaaaa.bbb", "equals": "====", "latin": "\u00ff\u00fe",
}  # fmt: skip


@pytest.mark.parametrize("cookie", COOKIES)
def test_a_damaged_cookie_is_nobody(bed: Bed, cookie: str) -> None:
    client = bed.world.app.test_client(use_cookies=False)
    for url in ("/", "/trials/DEMO", "/sign-in", "/account", "/viewer/", "/healthz"):
        answer = client.get(url, headers={"Cookie": f"trialimg={COOKIES[cookie]}; other={'y' * 100}"})
        must_be_answered(answer, (cookie, url))
        assert answer.status_code in ({200} if url in {"/sign-in", "/healthz"} else {302}), (cookie, url)


def test_a_cookie_of_ours_cut_or_changed_is_nobody(bed: Bed) -> None:
    client = bed.world.client("coordinator-101")
    good = client.get_cookie("trialimg")
    assert good is not None
    stranger = bed.world.app.test_client(use_cookies=False)
    assert stranger.get("/account", headers={"Cookie": f"trialimg={good.value}"}).status_code == 200
    for spoiled in (good.value[:-1], good.value[1:], good.value.swapcase(), good.value + good.value, good.value[::-1]):
        assert stranger.get("/account", headers={"Cookie": f"trialimg={spoiled}"}).status_code == 302
    twice = stranger.get("/account", headers={"Cookie": f"trialimg=x; trialimg={good.value}"})
    assert twice.status_code in {200, 302}


@pytest.mark.parametrize("header", ["Bearer \u00ff\u00fe", "Bearer a b c", "bearer", "Bearer " + "é" * 50, "Digest x", "Bearer\ttrialimg_x"])
def test_a_damaged_bearer_token_is_nobody(addresses: Addresses, bed: Bed, header: str) -> None:
    client = bed.world.client()
    for rule in addresses.rules():
        if rule.rule.startswith("/api/v1/s") or rule.rule.startswith("/dicomweb"):
            method = "POST" if "POST" in (rule.methods or ()) else "GET"
            answer = client.open(addresses.whole(rule), method=method, headers={"Authorization": header})
            assert answer.status_code == 401, rule.rule
            assert is_a_sentence(answer)


def test_headers_full_of_words_are_answered(bed: Bed) -> None:
    client = bed.world.client("coordinator-101")
    words = "é" * 20_000
    for name in ("User-Agent", "Accept", "Accept-Language", "Referer", "Range", "If-None-Match", "If-Modified-Since",
                 "Content-Type", "Content-Encoding", "Origin", "X-Object-Ordinal", "X-Requested-With"):  # fmt: skip
        for url in ("/", "/account", "/trials/DEMO", "/viewer/app-config.js", "/static/trialimg.css", "/dicomweb/studies"):
            must_be_answered(client.get(url, headers={name: words}), (name, url))
