"""Nothing from another origin, nothing framed elsewhere, nothing kept by proxies: on every answer."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.world import World
from trialimg.web.headers import PAGE_CSP, VIEWER_CSP

PAGES = [
    "/sign-in",
    "/account",
    "/",
    "/trials/DEMO",
    "/trials/DEMO/people",
    "/trials/DEMO/sites",
    "/trials/DEMO/audit",
    "/nowhere",
]


def sources(policy: str) -> dict[str, list[str]]:
    return {part.split()[0]: part.split()[1:] for part in policy.split(";") if part.strip()}


@pytest.mark.parametrize("path", [*PAGES, "/admin", "/api/v1/slots", "/dicomweb/studies", "/healthz", "/link/x"])
def test_every_answer_carries_the_headers(world: World, path: str) -> None:
    headers = world.client("trial-administrator").get(path).headers
    assert headers["Content-Security-Policy"] == PAGE_CSP
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_the_policy_of_pages_allows_no_inline_code_and_no_other_origin() -> None:
    policy = sources(PAGE_CSP)
    for directive in ("default-src", "script-src", "style-src", "connect-src"):
        assert policy[directive] == ["'self'"]
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]


def test_the_viewers_policy_names_no_other_origin_either() -> None:
    allowed = {"'self'", "'none'", "'unsafe-inline'", "'wasm-unsafe-eval'", "data:", "blob:"}
    for directive, values in sources(VIEWER_CSP).items():
        assert set(values) <= allowed, directive
    assert "'unsafe-inline'" not in sources(VIEWER_CSP)["script-src"]
    assert "'unsafe-eval'" not in VIEWER_CSP


@pytest.mark.parametrize("path", PAGES)
def test_pages_hold_no_inline_script_style_or_handler_and_load_nothing_foreign(world: World, path: str) -> None:
    page = world.client("trial-administrator").get(path).get_data(as_text=True)
    for script in re.findall(r"<script\b[^>]*>", page):
        assert " src=" in script
    assert not re.search(r"<style\b", page)
    assert not re.search(r"\sstyle\s*=", page)
    assert not re.search(r"<[^>]+\son[a-z]+\s*=", page)
    assert not re.search(r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//""", page)
    assert "javascript:" not in page


@pytest.mark.parametrize("path", PAGES)
def test_no_two_elements_of_a_page_share_an_id(world: World, path: str) -> None:
    page = world.client("trial-administrator").get(path).get_data(as_text=True)
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert sorted(ids) == sorted(set(ids))


def test_static_files_may_be_kept(app: Flask) -> None:
    answer = app.test_client().get("/static/trialimg.css")
    assert answer.status_code == 200
    assert "no-store" not in answer.headers.get("Cache-Control", "")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "a@evil.example"])
def test_a_forged_host_reaches_no_address_of_ours(world: World, host: str) -> None:
    for path in ("/account", "/sign-in", "/nowhere"):
        answer = world.client().get(path, headers={"Host": host, "X-Forwarded-Host": host})
        assert "evil.example" not in answer.headers.get("Location", "")
        assert "evil.example" not in answer.get_data(as_text=True)


def test_forwarded_headers_count_only_behind_a_proxy_that_is_named(world: World) -> None:
    answer = world.client().get("/account", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil"})
    assert answer.location.startswith("/sign-in")
