"""Every act sent twice, as by a double click or a line that was lost: done once, or a sentence, never a fault."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.hostile.addresses import must_be_answered, token_of
from tests.pipeline.bed import Bed, small_ct
from trialimg.domain.submission import Stage
from trialimg.store.account import Account, AccountGrant
from trialimg.store.base import db, utc_now
from trialimg.store.imaging import ImagingStudy, Submission
from trialimg.store.subject import Subject, Visit
from trialimg.store.trial import Site

TODAY = utc_now().date().isoformat()


def count(kind: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(kind)) or 0


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_enrol_pressed_twice_enrols_one_subject(bed: Bed) -> None:
    client, before = bed.world.client("coordinator-101"), count(Subject)
    page = client.get("/trials/DEMO/enrol").get_data(as_text=True)
    data = {"csrf_token": hidden(page, "csrf_token"), "once": hidden(page, "once"), "site": "101", "birth_year": "1958", "sex": "M"}
    first, second = (client.post("/trials/DEMO/enrol", data=data) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location
    assert count(Subject) == before + 1


def test_enrol_pressed_many_times_at_one_moment_enrols_one_subject(bed: Bed) -> None:
    page = bed.world.client("coordinator-101").get("/trials/DEMO/enrol").get_data(as_text=True)
    once, clients, before = hidden(page, "once"), [bed.world.client("coordinator-101") for _ in range(4)], count(Subject)
    asked = [
        (client, {"csrf_token": token_of(client), "once": once, "site": "101", "birth_year": "1958", "sex": "M"})
        for client in clients
    ]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: each[0].post("/trials/DEMO/enrol", data=each[1]), asked))
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.location for answer in answers}) == 1
    assert count(Subject) == before + 1


def test_a_refused_page_of_enrolment_can_be_mended_and_sent_again(bed: Bed) -> None:
    client, before = bed.world.client("coordinator-101"), count(Subject)
    page = client.get("/trials/DEMO/enrol").get_data(as_text=True)
    data = {"csrf_token": hidden(page, "csrf_token"), "once": hidden(page, "once"), "site": "101", "birth_year": "58", "sex": "M"}
    refused = client.post("/trials/DEMO/enrol", data=data)
    assert refused.status_code == 422
    assert hidden(refused.get_data(as_text=True), "once") == data["once"]
    assert client.post("/trials/DEMO/enrol", data={**data, "birth_year": "1958"}).status_code == 303
    assert count(Subject) == before + 1


@pytest.mark.parametrize("key", ["", "x", "0" * 31, "Z" * 32, "0" * 33, "'; --", "٣" * 32])
def test_a_forged_key_of_a_page_is_passed_over(bed: Bed, key: str) -> None:
    client, before = bed.world.client("coordinator-101"), count(Subject)
    data = {"csrf_token": token_of(client), "once": key, "site": "101", "birth_year": "1958", "sex": "M"}
    assert client.post("/trials/DEMO/enrol", data=data).status_code == 303
    assert count(Subject) == before + 1


def test_the_key_of_another_sites_subject_is_a_sentence_and_tells_nothing(bed: Bed) -> None:
    other = bed.world.subject("102")
    key = db.session.scalars(select(Subject.id).where(Subject.number == other)).one()
    client = bed.world.client("coordinator-101")
    data = {"csrf_token": token_of(client), "once": key, "site": "101", "birth_year": "1958", "sex": "M"}
    answer = client.post("/trials/DEMO/enrol", data=data)
    assert answer.status_code == 409
    assert other not in answer.get_data(as_text=True)


def test_an_unscheduled_visit_opened_twice_is_one_visit(bed: Bed) -> None:
    client, before = bed.world.client("coordinator-101"), count(Visit)
    url = f"/trials/DEMO/subjects/{bed.number}"
    page = client.get(url).get_data(as_text=True)
    data = {"csrf_token": hidden(page, "csrf_token"), "once": hidden(page, "once"), "visit": "UNS", "date": TODAY}
    first, second = (client.post(f"{url}/unscheduled", data=data) for _ in range(2))
    assert first.location == second.location == f"{url}/visits/UNS-1"
    assert count(Visit) == before + 1
    assert client.post(f"{url}/unscheduled", data={**data, "once": "0" * 32}).location == f"{url}/visits/UNS-2"


def test_acts_of_data_entry_sent_twice_are_done_once(bed: Bed) -> None:
    client = bed.world.client("coordinator-101")
    token, base = token_of(client), f"/trials/DEMO/subjects/{bed.number}/visits"
    acts = {
        f"{base}/W8/date": {"date": TODAY, "revision": "0"},
        f"{base}/W16/not-done": {"revision": "0", "reason": "moved away"},
        f"{base}/SCR/slots/MR/not-done": {"reason": "pacemaker"},
        f"{base}/SCR/forms/VS": {"_revision": "0", "_end": "1", "save": "draft", "VS.VSPERF": "Y"},
    }
    for url, data in acts.items():
        answers = [client.post(url, data={"csrf_token": token, **data}) for _ in range(2)]
        assert answers[0].status_code == 303, url
        assert answers[1].status_code in {303, 409, 422}, url
        must_be_answered(answers[1], url)


def test_acts_of_administration_sent_twice_are_done_once(bed: Bed) -> None:
    client = bed.world.client("trial-administrator")
    token, sites, people = token_of(client), count(Site), count(Account)
    site = {"csrf_token": token, "code": "301", "name": "A site", "country": "CH"}
    answers = [client.post("/trials/DEMO/sites", data=site) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 422]
    assert count(Site) == sites + 1
    who = {"csrf_token": token, "name": "A. Person", "email": "a@x.example", "role": "monitor", "place": ""}
    answers = [client.post("/trials/DEMO/people", data=who) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert count(Account) == people + 1
    grant = db.session.scalars(
        select(AccountGrant).join(Account).where(Account.email == "a@x.example", AccountGrant.ended_at.is_(None))
    ).one()
    url = f"/trials/DEMO/people/{grant.account_id}"
    for act in (f"{url}/roles/{grant.id}/end", f"{url}/access", "/trials/DEMO/sites/301/active"):
        for _ in range(2):
            must_be_answered(client.post(act, data={"csrf_token": token, "reason": "left"}), act)


def test_acts_on_images_sent_twice_are_done_once(bed: Bed, tmp_path: Path) -> None:
    client = bed.world.client("coordinator-101")
    token, slot = token_of(client), f"/trials/DEMO/subjects/{bed.number}/visits/SCR/slots/CT"
    files = [path for path in small_ct(tmp_path) if path.is_file()]

    def twice(url: str, **data: str) -> list[int]:
        answers = [client.post(url, data={"csrf_token": token, **data}) for _ in range(2)]
        for answer in answers:
            must_be_answered(answer, url)
        return [answer.status_code for answer in answers]

    began = [client.post(f"{slot}/submissions", data={"csrf_token": token}, headers={"Accept": "application/json"}) for _ in range(2)]
    # A line may be lost after the first: so the second is a submission of its own, empty, and given up after a day.
    assert [answer.status_code for answer in began] == [201, 201]
    key = began[0].get_json()["id"]
    assert count(Submission) == 2
    bed.announce(key, bed.send(key, files))
    bed.run()
    assert twice(f"/submissions/{key}/confirm", series=["0", "1"]) in ([303, 303], [303, 409])  # type: ignore[arg-type]  # a list is sent too
    bed.run()
    assert bed.stage(key) is Stage.LINKED
    assert count(ImagingStudy) == 1
    assert twice(f"/submissions/{key}/cancel", reason="x")[1] in {303, 409, 422}
    (study,) = bed.studies()
    manager = bed.world.client("trial-administrator")
    for act in ("detach", "withdraw"):
        url = f"/studies/{study.study_instance_uid}/{act}"
        answers = [manager.post(url, data={"csrf_token": token_of(manager), f"reason-{act}": "wrong"}) for _ in range(2)]
        for answer in answers:
            must_be_answered(answer, url)
    assert count(ImagingStudy) == 1


@pytest.mark.parametrize("act", ["sign-out", "end session", "revoke"])
def test_endings_sent_twice_are_endings(bed: Bed, act: str) -> None:
    client = bed.world.client("monitor")
    token = token_of(client)
    acts: dict[str, Callable[[], str]] = {
        "sign-out": lambda: "/sign-out",
        "end session": lambda: f"/account/sessions/{'7' * 32}/end",
        "revoke": lambda: f"/account/tokens/{'8' * 32}/revoke",
    }
    for _ in range(2):
        answer = client.post(acts[act](), data={"csrf_token": token})
        must_be_answered(answer, act)
