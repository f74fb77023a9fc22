"""Addresses that lead nowhere, each tried on every route: refused alike, never a fault, never a foreign text."""

from __future__ import annotations

import re

import pytest

from tests.hostile.addresses import Addresses, is_a_sentence, must_be_answered, said, token_of
from tests.pipeline.bed import Bed

TRICKS = {
    "climb": "%2e%2e",
    "climb twice": "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "climb by backslash": "..%5c..%5cwindows",
    "encoded twice": "%252e%252e",
    "nul": "%00",
    "nul inside": "DEMO%00.png",
    "line end": "a%0d%0aSet-Cookie:%20x=1",
    "no utf-8": "%ff%fe",
    "overlong slash": "%c0%af",
    "lone surrogate": "%ed%a0%80",
    "very long": "a" * 6000,
    "very long number": "9" * 5000,
    "fullwidth": "%ef%bc%91%ef%bc%90%ef%bc%91",
    "lookalike": "D%D0%95M%D0%9E",
    "arabic digits": "%d9%a1",
    "space": "%20",
    "markup": "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "quote": "'%20OR%20'1'='1",
    "wildcards": "%25",
    "template": "%7B%7B7*7%7D%7D",
    "minus": "-1",
    "colon": "::",
    "other case": "demo",
}
# A number in an address is no number here, so the route itself is not found; the path of a file is looked up in a folder.
PLAIN_404 = "There is nothing at this address for you."


@pytest.mark.parametrize("trick", TRICKS, ids=list(TRICKS))
def test_a_spoiled_part_of_an_address_is_not_found_on_every_route(addresses: Addresses, bed: Bed, trick: str) -> None:
    names = ("trial-administrator", "coordinator-101", "administrator", "sponsor")
    clients = {name: (bed.world.client(name), bed.world.bearer(name)) for name in names}
    for rule in addresses.gets():
        programs = rule.rule.startswith(("/api/", "/dicomweb"))
        for name in sorted(rule.arguments):
            url = addresses.whole(rule, **{name: TRICKS[trick]})
            client, bearer = clients[_at_home(rule.rule)]
            answer = client.get(url, headers=bearer if programs else {})
            must_be_answered(answer, url[:200])
            if rule.endpoint == "viewer.files" and answer.status_code == 200:
                assert "<title>Images · trialimg" in said(answer), "any address within the viewer is a page of the viewer"
                continue
            assert answer.status_code in {301, 302, 308, 400, 403, 404, 422}, (url[:200], answer.status_code)
            assert "Set-Cookie: x" not in str(answer.headers)
            assert "<script>alert" not in said(answer), url
            assert "root:" not in said(answer)


def _at_home(address: str) -> str:
    """Give somebody who is let in at this address, so that it is looked at and not only refused."""
    if address.startswith("/admin"):
        return "administrator"
    if "/reports" in address or "/dashboard" in address:
        return "sponsor"
    return "coordinator-101" if "subject" in address or "/api/" in address else "trial-administrator"


@pytest.mark.parametrize("trick", TRICKS, ids=list(TRICKS))
def test_a_spoiled_subject_reads_like_one_that_is_not_there(addresses: Addresses, bed: Bed, trick: str) -> None:
    client = bed.world.client("coordinator-101")
    for rule in addresses.gets():
        if "subject" in rule.arguments:
            missing = client.get(addresses.whole(rule, subject="101-999"))
            if "%2f" in TRICKS[trick].lower():
                continue  # a slash makes it another address
            spoiled = client.get(addresses.whole(rule, subject=TRICKS[trick]))
            assert (spoiled.status_code, said(spoiled)) == (missing.status_code, said(missing)), rule.rule
            assert PLAIN_404 in said(spoiled)


@pytest.mark.parametrize("trick", TRICKS, ids=list(TRICKS))
def test_a_spoiled_address_changes_nothing(addresses: Addresses, bed: Bed, trick: str) -> None:
    client = bed.world.client("coordinator-101")
    token, bearer = token_of(client), bed.world.bearer("coordinator-101")
    for rule in addresses.posts():
        for name in sorted(rule.arguments - {"link"}):
            url = addresses.whole(rule, **{name: TRICKS[trick]})
            programs = rule.rule.startswith("/api/")
            answer = client.post(url, data={"csrf_token": token, "reason": "x"}, headers=bearer if programs else {})
            must_be_answered(answer, url[:200])
            assert answer.status_code in {301, 308, 400, 403, 404, 405, 422}, (url[:200], answer.status_code)


@pytest.mark.parametrize(
    "path",
    [
        "/viewer/../../../etc/passwd", "/viewer/%2e%2e/%2e%2e/settings.py", "/viewer/..%2f..%2fsettings.py",
        "/viewer//etc/passwd", "/viewer/%2fetc%2fpasswd", "/viewer/.%00./x", "/static/../app.py", "/static/%2e%2e/app.py",
        "/static/..%2fapp.py", "/static/..%5capp.py", "/static//etc/passwd", "/static/%00",
    ],
)  # fmt: skip
def test_no_file_outside_its_folder_is_given(bed: Bed, path: str) -> None:
    answer = bed.world.client("coordinator-101").get(path)
    # Any address within the viewer that is no file of it is a page of the viewer.
    assert answer.status_code in {301, 308, 400, 404} or "<title>Images · trialimg" in said(answer), answer.status_code
    assert "root:" not in said(answer)
    assert "import" not in said(answer)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "COPY", "X" * 200, "get"])
def test_a_method_nobody_answers_is_told_so_on_every_route(addresses: Addresses, bed: Bed, method: str) -> None:
    client, bearer = bed.world.client("coordinator-101"), bed.world.bearer("coordinator-101")
    for rule in addresses.rules():
        programs = rule.rule.startswith(("/api/", "/dicomweb"))
        answer = client.open(addresses.whole(rule), method=method, headers=bearer if programs else {})
        if method == "get":  # werkzeug's client and servers write methods in capitals
            must_be_answered(answer, rule.rule)
            continue
        assert answer.status_code == 405, (method, rule.rule, answer.status_code)
        assert is_a_sentence(answer), (method, rule.rule)


def test_get_where_only_post_is_taken_says_so_and_the_other_way_round(addresses: Addresses, bed: Bed) -> None:
    client = bed.world.client("coordinator-101")
    token, taken = token_of(client), {(rule.rule, method) for rule in addresses.rules() for method in rule.methods or ()}
    for rule in addresses.rules():
        other = "GET" if "POST" in (rule.methods or ()) else "POST"
        if (rule.rule, other) in taken or rule.rule.startswith("/api/"):
            continue
        answer = client.open(addresses.whole(rule), method=other, data={"csrf_token": token} if other == "POST" else None)
        assert answer.status_code in {404, 405}, (rule.rule, answer.status_code)
        assert is_a_sentence(answer), rule.rule


QUERIES = [
    "page=1&page=2", "page=-1", "page=0", "page=" + "9" * 30, "page=" + "9" * 5000, "page=%D9%A3", "page=%C2%B2",
    "page=1.5", "page=%00", "site=101&site=102", "site=%00", "site=%ED%A0%80", "site=" + "x" * 5000,
    "show=%3Cscript%3Ealert(1)%3C/script%3E", "show=held&show=linked", "next=//evil.example", "=", "&&&&", "a" * 5000,
    "&".join(f"k{n}=v" for n in range(2000)), "missing=1&missing=2", "limit=" + "9" * 5000, "offset=-5", "limit=%00",
    "StudyInstanceUID=1.2&StudyInstanceUID=1.3", "includefield=all&includefield=%00", "actor=%00&table=%ED%A0%80",
    "before=" + "9" * 5000, "number=" + "9" * 40, "from=9999-99-99", "subject=%00", "__class__=1", "page[]=1",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:24])
def test_no_query_makes_a_page_fail(addresses: Addresses, bed: Bed, query: str) -> None:
    for who in ("coordinator-101", "data-manager", "trial-administrator"):
        client, bearer = bed.world.client(who), bed.world.bearer(who)
        for rule in addresses.gets():
            programs = rule.rule.startswith(("/api/", "/dicomweb"))
            answer = client.get(f"{addresses.whole(rule)}?{query}", headers=bearer if programs else {})
            must_be_answered(answer, (rule.rule, query[:60]))
            assert "<script>alert" not in said(answer)
            assert "evil.example" not in answer.headers.get("Location", "")


def test_no_page_takes_the_host_that_the_asker_names(addresses: Addresses, bed: Bed) -> None:
    for who in ("coordinator-101", "trial-administrator", "administrator"):
        client = bed.world.client(who)
        for rule in addresses.gets():
            headers = {
                "Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-For": "1.2.3.4",
                "X-Forwarded-Proto": "gopher", "Forwarded": "host=evil.example", "X-Original-URL": "/admin",
                "X-Rewrite-URL": "/admin", "X-HTTP-Method-Override": "DELETE",
            }  # fmt: skip
            answer = client.get(addresses.whole(rule), headers=headers)
            must_be_answered(answer, rule.rule)
            assert "evil.example" not in said(answer), rule.rule
            assert "evil.example" not in answer.headers.get("Location", ""), rule.rule


@pytest.mark.parametrize("host", ["evil.example", "[", "a b", "", "x" * 5000, "127.0.0.1:99999999", "<script>", "a\u00e9"])
def test_a_one_time_link_never_leads_to_the_host_that_the_asker_names(bed: Bed, host: str) -> None:
    client = bed.world.client("trial-administrator")
    account = bed.world.person("monitor").account_id
    answer = client.post(
        f"/trials/DEMO/people/{account}/link", data={"csrf_token": token_of(client)}, headers={"Host": host}
    )
    if answer.mimetype == "text/plain":  # where a host cannot be read at all, no page can be made
        assert answer.status_code == 400
        assert "Nothing was changed" in said(answer)
        return
    must_be_answered(answer, host)
    if answer.status_code == 200:
        links = re.findall(r"https?://[^\s\"<]+/link/", said(answer))
        assert links
        assert all(link.startswith(bed.services().settings.address) for link in links)



def test_the_walk_is_a_walk(addresses: Addresses) -> None:
    assert len(addresses.gets()) > 30
    assert len(addresses.posts()) > 30
