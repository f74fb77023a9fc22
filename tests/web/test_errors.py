"""What people and programs are told when something goes wrong, and what they and the log are not told."""

from __future__ import annotations

import logging

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from tests.world import World
from trialimg.errors import HTTP_STATUS, NotSignedIn, OurFault, TrialimgError, TryLater, all_errors
from trialimg.web.errors import _SENTENCES, _TITLES
from trialimg.web.guard import public

SECRET = "Quillfeather Zacharias"


def raising(app: Flask, error: Exception, path: str = "/broken") -> None:
    @public("A test raises an error here.")
    def broken() -> str:
        raise error

    app.add_url_rule(path, endpoint=path.strip("/").replace("/", "_"), view_func=broken)


@pytest.mark.parametrize("cls", all_errors(), ids=lambda cls: cls.__name__)
def test_every_error_of_the_tree_is_a_page_for_people(app: Flask, cls: type[TrialimgError]) -> None:
    raising(app, cls("What happened, what it means, what to do."))
    answer = app.test_client().get("/broken", headers={"Accept": "text/html"})
    if cls is NotSignedIn:
        assert (answer.status_code, answer.location) == (302, "/sign-in?next=/broken")
        return
    page = answer.get_data(as_text=True)
    assert answer.status_code == HTTP_STATUS[cls]
    assert "What happened, what it means, what to do." in page
    assert cls.code in page
    assert answer.mimetype == "text/html"


@pytest.mark.parametrize("cls", all_errors(), ids=lambda cls: cls.__name__)
def test_every_error_of_the_tree_is_a_problem_document_for_programs(app: Flask, cls: type[TrialimgError]) -> None:
    raising(app, cls("A sentence."), "/api/broken")
    answer = app.test_client().get("/api/broken")
    assert answer.status_code == HTTP_STATUS[cls]
    assert answer.mimetype == "application/problem+json"
    assert answer.json == {
        "type": "about:blank", "title": _TITLES[HTTP_STATUS[cls]], "status": HTTP_STATUS[cls],
        "detail": "A sentence.", "code": cls.code,
    }  # fmt: skip
    assert ("Retry-After" in answer.headers) == issubclass(cls, TryLater)
    assert ("WWW-Authenticate" in answer.headers) == (cls is NotSignedIn)


def test_every_status_we_give_has_a_title() -> None:
    assert set(HTTP_STATUS.values()) <= set(_TITLES)
    assert set(_SENTENCES) <= set(_TITLES)


@pytest.mark.parametrize("path", ["/broken", "/api/broken"])
def test_the_message_of_a_foreign_exception_reaches_neither_page_nor_log(
    app: Flask, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    raising(app, ValueError(f"cannot parse {SECRET}"), path)
    with caplog.at_level(logging.DEBUG):
        answer = app.test_client().get(path)
    assert answer.status_code == 500
    assert SECRET not in answer.get_data(as_text=True)
    assert SECRET not in caplog.text
    assert "ValueError" in caplog.text
    assert "Traceback" not in answer.get_data(as_text=True)
    number = caplog.text.split("fault ", 1)[1].split(" ", 1)[0]
    assert number in answer.get_data(as_text=True)


def test_a_busy_data_base_asks_to_try_again(app: Flask) -> None:
    raising(app, OperationalError(f"SELECT '{SECRET}'", {}, Exception("database is locked")), "/api/broken")
    answer = app.test_client().get("/api/broken")
    assert answer.status_code == 503
    assert SECRET not in answer.get_data(as_text=True)


def test_a_fault_of_ours_is_logged_with_its_sentence(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    raising(app, OurFault("A promise did not hold."))
    app.test_client().get("/broken")
    assert "A promise did not hold." in caplog.text


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/nowhere", "GET", 404), ("/sign-in", "DELETE", 405), ("/sign-in", "PUT", 405)]
)
def test_what_http_itself_refuses_is_a_page_of_ours(app: Flask, path: str, method: str, status: int) -> None:
    client = app.test_client()
    answer = client.open(path, method=method)
    if answer.status_code == 400:
        pytest.fail("a method nobody answers is told so, not blamed on the page")
    assert answer.status_code == status
    assert _TITLES[status] in answer.get_data(as_text=True)


def test_an_address_is_never_repeated_on_an_error_page(app: Flask) -> None:
    page = (
        app.test_client()
        .get(f"/nowhere/{SECRET.replace(' ', '-')}?q={SECRET.replace(' ', '+')}")
        .get_data(as_text=True)
    )
    assert "Quillfeather" not in page


def test_an_upload_that_is_too_large_for_a_page_is_told_so(world: World) -> None:
    answer = world.client("monitor").post("/account/tokens", data={"label": "x" * (17 * 2**20)})
    assert answer.status_code in {400, 413}
    assert "Nothing was changed" in answer.get_data(as_text=True)


def test_a_program_that_asks_for_json_gets_json_everywhere(app: Flask) -> None:
    answer = app.test_client().get("/nowhere", headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
