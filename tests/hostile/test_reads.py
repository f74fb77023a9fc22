"""The reader's pages asked with real things in wrong places: each answered by a sentence, and nothing changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.casework.reading_bed import ReadingBed, bed, values
from tests.hostile.addresses import must_be_answered
from tests.web.imaging_bed import Visitor, text, words
from tests.web.test_reading import Archive, linked, posted
from tests.world import PASSWORD, email_of
from trialimg.casework.read_images import _series
from trialimg.casework.services import EXTENSION, services
from trialimg.domain.reading import ReadState
from trialimg.errors import TryLater
from trialimg.store.account import Account
from trialimg.store.base import db
from trialimg.store.reading import Read, ReadSignature, ReadVersion

__all__ = ["bed"]
JSON = {"Accept": "application/json"}


@pytest.fixture
def read(bed: ReadingBed) -> ReadingBed:
    """A signed baseline and an open Week 8; another reader's draft of both; a second subject with images."""
    linked(bed).read("SCR", "30")
    bed.save("SCR", values("SCR", "77.7"), "second")
    other = ReadingBed(bed.world, bed.world.subject("102"), prefix="2.25.8")
    other.link("SCR")
    return bed


def me(bed: ReadingBed, name: str = "reader") -> Visitor:
    visitor = Visitor(bed.world.client(name))
    visitor.get("/account")
    return visitor


def all_of_it(bed: ReadingBed) -> str:
    """Everything that is kept of reads, as one text."""
    db.session.rollback()
    db.session.expire_all()
    rows = [(each.id, each.account_id, each.state, each.version) for each in db.session.scalars(select(Read))]
    versions = [
        (each.id, each.revision, each.state, each.content, each.answers)
        for each in db.session.scalars(select(ReadVersion))
    ]
    return json.dumps([sorted(rows), sorted(versions), db.session.scalar(select(func.count(ReadSignature.id)))])


def refused(bed: ReadingBed, tail: str, body: dict[str, Any], *, visit: str = "W8", **how: Any) -> str:
    """Post to a read of mine by page and by script: refused with a sentence, nothing changed; gives the sentence."""
    before, said = all_of_it(bed), ""
    at = f"/reads/{bed.key(visit)}{tail}"
    visitor = me(bed)
    for headers in ({}, JSON):
        answer = visitor.post(at, body, headers=headers, **how)
        must_be_answered(answer, at)
        assert 400 <= answer.status_code < 500, answer.status_code
        said = words(answer) if not headers else said
    assert all_of_it(bed) == before
    return said


W8 = "2.25.7.2.1"
PARTS: dict[str, tuple[dict[str, Any], str]] = {
    "an image of the baseline": ({"T.T1.series.0": "2.25.7.1.1"}, "Choose the series"),
    "a study of another subject": ({"T.T1.series.0": "2.25.8.1.1"}, "Choose the series"),
    "a series of no study": ({"T.T1.series.0": "2.25.999"}, "Choose the series"),
    "no series but an image": ({"T.T1.series.0": ""}, "Choose the series"),
    "image 0": ({"T.T1.image.0": "0"}, "has the images 1 to 3"),
    "image 4 of 3": ({"T.T1.image.0": "4"}, "has the images 1 to 3"),
    "a negative image": ({"T.T1.image.0": "-1"}, "has the images 1 to 3"),
    "an endless image": ({"T.T1.image.0": "9" * 5000}, "has the images 1 to 3"),
    "an arabic image": ({"T.T1.image.0": "٢"}, "has the images 1 to 3"),
    "a frame of letters": ({"T.T1.frame.0": "x"}, "frame"),
    "frame -1": ({"T.T1.frame.0": "-1"}, "frame"),
    "frame 0": ({"T.T1.frame.0": "0"}, ""),
    "not a number": ({"T.T1.diameter.0": "NaN"}, ""),
    "endless": ({"T.T1.diameter.0": "Infinity"}, ""),
    "1e400": ({"T.T1.diameter.0": "1e400"}, ""),
    "negative": ({"T.T1.diameter.0": "-5"}, ""),
    "a huge number": ({"T.T1.diameter.0": "9" * 400}, ""),
    "words": ({"T.T1.diameter.0": "about 12"}, ""),
    "a megabyte of text": ({"comment": "x" * 1_000_000}, ""),
    "a megabyte of digits": ({"T.T1.diameter.0": "1" * 1_000_000}, ""),
    "a state that is none": ({"T.T1.state": "gone fishing"}, ""),
    "a new lesion that is none": ({"new": "perhaps"}, ""),
    "a quality that is none": ({"quality": "blurry"}, ""),
    "points that are none": ({"T.T1.sop.0": f"{W8}.2", "T.T1.points.0": "1,2;drop table,4"}, "incomplete or changed"),
    "a row that is none": ({"_rows": ["T/T1", "N/N1", "X/X1"]}, "incomplete or changed"),
    "a row of two kinds": ({"_rows": ["T/N1"]}, "incomplete or changed"),
    "a path for a row": ({"_rows": ["T/../../etc"]}, "incomplete or changed"),
    "a target that the baseline does not have": (
        {"_rows": ["T/T1", "T/T9", "N/N1"], "T.T9.organ": "LUNG", "T.T9.location": "left", "T.T9.diameter.0": "12"}, "",
    ),
    "no end": ({"_end": ""}, "incomplete or changed"),
    "no revision": ({"_revision": ""}, "incomplete or changed"),
    "a negative revision": ({"_revision": "-1"}, "incomplete or changed"),
    "an endless revision": ({"_revision": "9" * 5000}, "incomplete or changed"),
    "a revision ahead": ({"_revision": "7"}, "another window"),
}  # fmt: skip
KEPT_WITHOUT_HARM = {
    "a target that the baseline does not have", "frame 0", "not a number", "endless", "1e400", "negative",
    "a huge number", "words", "a megabyte of digits",
}  # fmt: skip
"""What may be kept as typed, since a draft keeps what cannot be right and says so; it is never signed."""


@pytest.mark.parametrize("name", [name for name in PARTS if name not in KEPT_WITHOUT_HARM])
def test_a_post_with_a_real_thing_in_a_wrong_place_is_refused_and_changes_nothing(read: ReadingBed, name: str) -> None:
    changes, said = PARTS[name]
    assert said in refused(read, "/draft", posted("W8", "20") | changes)


@pytest.mark.parametrize("name", sorted(KEPT_WITHOUT_HARM))
def test_a_value_that_cannot_be_right_is_refused_or_kept_as_a_draft_that_cannot_be_signed(
    read: ReadingBed, name: str
) -> None:
    changes, _ = PARTS[name]
    before, here = all_of_it(read), f"/reads/{read.key('W8')}"
    answer = me(read).post(f"{here}/draft", posted("W8", "20") | changes)
    must_be_answered(answer, name)
    if answer.status_code == 303:
        page = read.page("W8")
        assert [lesion.id for lesion in page.values.targets] == ["T1"], "no lesion but the baseline's"
        if name != "a target that the baseline does not have":
            credentials = {"user_name": email_of("reader"), "password": PASSWORD, "_revision": "1", "_end": "1"}
            signed = me(read).post(f"{here}/sign", credentials)
            assert signed.status_code in {409, 422}, name
            assert read.state("W8") is ReadState.DRAFT
        return
    assert answer.status_code == 422
    assert all_of_it(read) == before


def test_five_thousand_rows_are_refused(read: ReadingBed) -> None:
    rows = ["T/T1", "N/N1", *(f"L/L{at}" for at in range(1, 1000))]
    more = {f"L.L{at}.organ": "LUNG" for at in range(1, 1000)} | {f"L.L{at}.location": "x" for at in range(1, 1000)}
    refused(read, "/draft", posted("W8", "20") | {"_rows": rows} | more)
    refused(
        read,
        "/draft",
        posted("W8", "20")
        | {f"unknown{at}": "x" for at in range(5000)}
        | {"_rows": [f"T/T{at}" for at in range(5000)]},
    )


def test_a_foreign_image_sent_while_the_archive_is_away_is_refused(read: ReadingBed) -> None:
    """Then there is no list to choose from and the image is taken from what the viewer told: it is looked up."""

    class Away(Archive):
        def metadata(self, study_uid: str, series_uid: str) -> list[dict[str, Any]]:
            raise TryLater("The archive is away.")

    _series.cache_clear()
    read.world.app.extensions[EXTENSION] = replace(services(), archive=Away())
    for sop in ("2.25.7.1.1.1", "2.25.8.1.1.1", "2.25.999", "x" * 5000, "' OR 1=1"):
        refused(read, "/draft", posted("W8", "20") | {"T.T1.sop.0": sop, "T.T1.series.0": "", "T.T1.image.0": ""})


# ----- someone else's, signed, stale, twice


def sign_body(revision: str = "1", **more: str) -> dict[str, str]:
    return {"user_name": email_of("reader"), "password": PASSWORD, "_revision": revision, "_end": "1"} | more


@pytest.mark.parametrize("tail", ["", "/draft", "/sign", "/versions/1"])
def test_someone_elses_read_is_not_found_for_every_act(read: ReadingBed, tail: str) -> None:
    before, theirs = all_of_it(read), read.key("SCR", "second")
    for ask in (
        lambda v: v.get(f"/reads/{theirs}{tail}"),
        lambda v: v.post(f"/reads/{theirs}{tail}", posted("SCR") | sign_body()),
    ):
        answer = ask(me(read))
        assert answer.status_code in {404, 405}
        assert "77.7" not in text(answer)
    assert all_of_it(read) == before


def test_a_signed_read_takes_nothing_and_is_not_signed_twice(read: ReadingBed) -> None:
    refused(read, "/draft", posted("SCR", "99", _revision="1"), visit="SCR")
    refused(read, "/sign", sign_body(), visit="SCR")


def test_signing_pressed_twice_is_one_signature(read: ReadingBed) -> None:
    read.save("W8", values("W8", "20"))
    visitor, here = me(read), f"/reads/{read.key('W8')}/sign"
    assert visitor.post(here, sign_body()).status_code == 303
    assert visitor.post(here, sign_body()).status_code == 409
    assert len(read.row("W8").versions[0].signatures) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (sign_body("0"), 409), (sign_body("2"), 409), (sign_body("-1"), 422), (sign_body("9" * 5000), 422),
        (sign_body(_end=""), 422), (sign_body(zone="../../etc/passwd"), 303), (sign_body(zone="x" * 5000), 303),
        (sign_body(zone="\0"), 400),
    ],
    ids=["stale", "ahead", "negative", "endless", "cut", "a path for a zone", "an endless zone", "a nul zone"],
)  # fmt: skip
def test_a_signature_binds_the_revision_that_was_shown_and_a_zone_that_is_one(
    read: ReadingBed, body: dict[str, str], status: int
) -> None:
    read.save("W8", values("W8", "20"))
    if status != 303:
        refused(read, "/sign", body)
        return
    assert me(read).post(f"/reads/{read.key('W8')}/sign", body).status_code == 303
    assert "UTC (+00:00)" in read.page("W8").history[0].signatures[0].manifestation


@pytest.mark.parametrize("user", ["second", "sponsor", "trial-administrator", "nobody", "no-such-person"])
def test_a_signature_with_anothers_user_name_is_none_whatever_the_password(read: ReadingBed, user: str) -> None:
    read.save("W8", values("W8", "20"))
    before, here = all_of_it(read), f"/reads/{read.key('W8')}/sign"
    answer = me(read).post(here, sign_body(user_name=email_of(user)))
    assert answer.status_code == 403
    assert "not yours" in words(answer)
    assert all_of_it(read) == before


def test_wrong_passwords_lock_the_account_and_nothing_is_ever_signed(read: ReadingBed) -> None:
    read.save("W8", values("W8", "20"))
    before, here, visitor = all_of_it(read), f"/reads/{read.key('W8')}/sign", me(read)
    for at in range(services().settings.lockout_failures + 2):
        answer = visitor.post(here, sign_body(password=f"wrong {at}"))
        assert answer.status_code == 403
        assert f"wrong {at}" not in text(answer)
    assert visitor.post(here, sign_body()).status_code == 403, "the right password comes too late"
    locked = select(Account.locked_until).where(Account.id == read.person().account_id)
    assert db.session.scalar(locked) is not None
    assert all_of_it(read) == before


def test_a_page_of_two_windows_saves_the_first_and_shows_the_second_what_it_typed(read: ReadingBed) -> None:
    visitor, here = me(read), f"/reads/{read.key('W8')}"
    assert visitor.post(f"{here}/draft", posted("W8", "20")).status_code == 303
    late = visitor.post(f"{here}/draft", posted("W8", "25"))
    assert late.status_code == 409
    assert 'value="25"' in text(late)
    assert read.page("W8").values.targets[0].measurements[0].diameter == "20"


@pytest.mark.parametrize("act", ["read before its turn", "saved before its turn", "signed before its turn"])
def test_a_time_point_out_of_turn_is_not_read(read: ReadingBed, act: str) -> None:
    read.link("W16")
    here, visitor, before = f"/reads/{read.key('W16')}", me(read), all_of_it(read)
    acts: dict[str, Callable[[], Any]] = {
        "read before its turn": lambda: visitor.get(here),
        "saved before its turn": lambda: visitor.post(
            f"{here}/draft", posted("W8", "20") | {"T.T1.series.0": "2.25.7.3.1"}
        ),
        "signed before its turn": lambda: visitor.post(f"{here}/sign", sign_body("0")),
    }
    answer = acts[act]()
    must_be_answered(answer, act)
    assert answer.status_code == (200 if act.startswith("read") else 409), words(answer)
    assert not re.search(r"<iframe[^>]*2\.25\.7\.3", text(answer))
    assert all_of_it(read) == before


@pytest.mark.parametrize("answers", ["answer:a:b:c", "answer:::", "answer:" + "x" * 5000 + ":b:c"])
def test_reasons_for_doubts_that_are_none_are_left_out(read: ReadingBed, answers: str) -> None:
    visitor, here = me(read), f"/reads/{read.key('W8')}"
    answer = visitor.post(f"{here}/draft", posted("W8", "20") | {answers: "because"})
    must_be_answered(answer, answers)
    assert answer.status_code == 303
    assert read.row("W8").versions[0].answers == "[]"
