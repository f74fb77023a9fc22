"""A clock that goes backwards, a little or by days: nothing waits for ever, nothing lives longer, the trail stays whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.pipeline.bed import Bed, small_ct
from trialimg.casework import trail
from trialimg.casework.access import submission_place
from trialimg.casework.services import services
from trialimg.casework.submission_page import submission_report
from trialimg.domain.submission import Stage
from trialimg.pipeline import reconcile
from trialimg.store.account import Account, AccountSession
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db

BACK = [timedelta(seconds=2), timedelta(hours=1), timedelta(days=400)]


class Clock:
    """The program's clock, which a test sets."""

    def __init__(self) -> None:
        self.off = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.off

    def back(self, by: timedelta) -> None:
        self.off -= by

    def on(self, by: timedelta) -> None:
        self.off += by


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Every module's *now* is this clock's."""
    made = Clock()
    for name, module in list(sys.modules.items()):
        if name.startswith("trialimg.") and hasattr(module, "utc_now"):
            monkeypatch.setattr(module, "utc_now", made)
    return made


def whole_trail() -> None:
    db.session.rollback()
    found = trail.verify(services())
    assert found.whole, found


@pytest.mark.parametrize("by", BACK, ids=str)
def test_images_are_linked_although_the_clock_goes_back_at_every_step(bed: Bed, clock: Clock, by: timedelta, tmp_path: Path) -> None:
    key = bed.start()
    clock.back(by)
    bed.announce(key, bed.send(key, [path for path in small_ct(tmp_path) if path.is_file()]))
    clock.back(by)
    bed.run()
    assert bed.stage(key) is Stage.SURVEYED
    clock.back(by)
    bed.confirm(key)
    clock.back(by)
    bed.run()
    assert bed.stage(key) is Stage.LINKED
    report = submission_report(submission_place(key))
    assert all(seconds >= 0 for seconds in report.timings.values()), report.timings
    whole_trail()


@pytest.mark.parametrize("by", BACK, ids=str)
def test_the_acts_of_time_destroy_nothing_when_the_clock_goes_back(bed: Bed, clock: Clock, by: timedelta, tmp_path: Path) -> None:
    key = bed.survey([path for path in small_ct(tmp_path) if path.is_file()])
    receiving = bed.start(bed.slot("W8"))
    clock.back(by)
    reconcile.periodic()
    assert bed.stage(key) is Stage.SURVEYED
    assert bed.stage(receiving) is Stage.RECEIVING
    assert services().vault.area(f"quarantine/{key}").listing()
    whole_trail()


@pytest.mark.parametrize("by", BACK, ids=str)
def test_pages_show_no_time_below_nought_when_the_clock_went_back(bed: Bed, clock: Clock, by: timedelta) -> None:
    key = bed.start()
    clock.back(by)
    pages = {
        "coordinator-101": ["/", "/trials/DEMO", f"/submissions/{key}", "/account"],
        "data-manager": ["/pipeline", f"/pipeline/{key}", "/trials/DEMO/dashboard", "/trials/DEMO/reports"],
        "inspector": ["/trials/DEMO/audit"],
    }
    for who, urls in pages.items():
        client = bed.world.client(who)
        for url in urls:
            answer = client.get(url)
            assert answer.status_code == 200, url
            page = answer.get_data(as_text=True)
            assert not any(f"-{number} {unit}" in page for number in range(1, 10) for unit in ("day", "hour", "minute", "second")), url


def test_the_numbers_of_the_trail_go_on_when_its_times_go_back(bed: Bed, clock: Clock) -> None:
    db.session.rollback()
    before = db.session.scalar(select(func.max(AuditRecord.number)).where(AuditRecord.chain == bed.world.trial_id))
    clock.back(timedelta(days=400))
    bed.world.subject("102")
    rows = db.session.execute(
        select(AuditRecord.number, AuditRecord.at).where(AuditRecord.chain == bed.world.trial_id).order_by(AuditRecord.number)
    ).all()
    numbers, times = [row[0] for row in rows], [row[1] for row in rows]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers[-1] > (before or 0)
    assert times[-1] < times[0], "the moment is written as the clock showed it"
    whole_trail()


def test_a_session_opened_under_a_wrong_clock_does_not_outlive_the_right_one(bed: Bed, clock: Clock) -> None:
    """A clock a year ahead would otherwise leave sessions that live for a year once it is set right."""
    clock.on(timedelta(days=365))
    ahead = bed.world.client("coordinator-101")
    assert ahead.get("/account").status_code == 200
    clock.back(timedelta(days=365))
    assert ahead.get("/account").status_code == 302


def test_a_session_outlives_a_clock_set_back_by_seconds(bed: Bed, clock: Clock) -> None:
    client = bed.world.client("coordinator-101")
    clock.back(timedelta(seconds=5))
    assert client.get("/account").status_code == 200
    bed.world.client("coordinator-101")


def test_a_lock_after_failed_sign_ins_ends_although_the_clock_went_back(bed: Bed, clock: Clock) -> None:
    from tests.world import PASSWORD, email_of
    from trialimg.casework.session import sign_in
    from trialimg.errors import NotAllowed

    for _ in range(services().settings.lockout_failures):
        with pytest.raises(NotAllowed):
            sign_in(services(), email_of("monitor"), "wrong")
    with pytest.raises(NotAllowed):
        sign_in(services(), email_of("monitor"), PASSWORD)
    clock.back(timedelta(days=400))
    db.session.rollback()
    locked = db.session.scalar(select(Account.locked_until).where(Account.email == email_of("monitor")))
    assert locked is not None
    with bed.world.acting("administrator") as uow:
        from trialimg.casework import accounts

        accounts.unlock(uow, bed.world.person("administrator"), bed.world.person("monitor").account_id)
    assert sign_in(services(), email_of("monitor"), PASSWORD)


def test_no_session_ends_before_it_began(bed: Bed, clock: Clock) -> None:
    bed.world.client("coordinator-101")
    clock.back(timedelta(days=3))
    client = bed.world.client("coordinator-101")
    client.get("/account")
    db.session.rollback()
    for row in db.session.scalars(select(AccountSession)):
        assert row.ends_at > row.created_at
