from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from tests.pipeline.bed import Bed, FakeArchive
from tests.web.imaging_bed import Visitor, bed, ct, ct_folder, text, visitor, words
from trialimg.domain.submission import Stage
from trialimg.errors import ArchiveRefusesUs, ArchiveUnavailable
from trialimg.store.base import utc_now
from trialimg.store.imaging import Submission
from trialimg.store.job import Job

__all__ = ["bed", "ct", "ct_folder"]


def failing(bed: Bed, error: Exception) -> FakeArchive:
    archive = FakeArchive()

    def refuse() -> None:
        raise error

    archive.before_push = refuse
    bed.use_archive(archive)
    return archive


def test_the_page_counts_what_lies_within_reach_and_no_more(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    shown = visitor(bed, "data-manager").get("/pipeline")
    assert f"{bed.number}, SCR, CT" in words(shown)
    assert f'href="/pipeline/{key}"' in text(shown)
    assert visitor(bed, "administrator").get(f"/pipeline/{key}").status_code == 200
    assert visitor(bed).get("/pipeline").status_code == 403
    assert visitor(bed, "monitor").get(f"/pipeline/{key}").status_code == 403
    assert visitor(bed, "coordinator-102").get(f"/pipeline/{key}").status_code == 404


def test_the_list_is_filtered_by_stage_and_by_who_is_waited_for(bed: Bed, ct: list[Path]) -> None:
    bed.survey(ct)
    who = visitor(bed, "data-manager")
    for show, there in [("surveyed", True), ("linked", False), ("person", True), ("stuck", False), ("nonsense", True)]:
        assert (bed.number in words(who.get(f"/pipeline?show={show}"))) is there, show
    assert who.get("/pipeline?page=99999999999999999999").status_code == 200
    assert who.get("/pipeline?page=x").status_code == 200


def test_work_that_nobody_takes_up_is_shown_as_stuck(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    bed.confirm(key)
    with bed.world.acting("administrator") as uow:
        job = uow.session.scalars(select(Job).where(Job.submission_id == key, Job.state == "waiting")).one()
        job.due = utc_now() - timedelta(minutes=10)
    who = visitor(bed, "data-manager")
    assert "1 submission should move and nobody takes the work up" in words(who.get("/pipeline"))
    assert bed.number in words(who.get("/pipeline?show=stuck"))
    assert "overdue" in words(who.get(f"/pipeline/{key}"))


def test_work_without_any_job_is_shown_as_stuck(bed: Bed) -> None:
    key = bed.start()
    with bed.world.acting("administrator") as uow:
        uow.session.get_one(Submission, key).stage = Stage.PROMISED.value
    shown = words(visitor(bed, "data-manager").get("/pipeline?show=stuck"))
    assert "nobody works on it" in shown


def test_a_step_that_waits_in_backoff_is_started_again_now(bed: Bed, ct: list[Path]) -> None:
    archive = failing(bed, ArchiveUnavailable("The archive does not answer."))
    key = bed.survey(ct)
    bed.confirm(key)
    bed.run()
    who = visitor(bed, "data-manager")
    assert "Tried again (1)" in words(who.get("/pipeline"))
    assert "The archive does not answer." in words(who.get(f"/pipeline/{key}"))
    archive.before_push = lambda: None
    assert who.post(f"/pipeline/{key}/retry", {}).status_code == 422
    assert who.post(f"/pipeline/{key}/retry", {"reason-retry": "It is up again."}).status_code == 303
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def held_while_it_waits(bed: Bed, ct: list[Path]) -> tuple[str, Visitor]:
    """A submission that a data manager holds while its step waits for an archive that does not answer."""
    failing(bed, ArchiveUnavailable("The archive does not answer."))
    key = bed.survey(ct)
    bed.confirm(key)
    bed.run()
    who = visitor(bed, "data-manager")
    who.get(f"/pipeline/{key}")
    assert who.post(f"/pipeline/{key}/hold", {"reason-hold": "Asking the site."}).status_code == 303
    return key, who


def test_a_held_submission_says_why_once_on_its_page(bed: Bed, ct: list[Path]) -> None:
    key, who = held_while_it_waits(bed, ct)
    with bed.app.app_context():
        sentence = bed.submission(key).sentence
    page = words(who.get(f"/submissions/{key}"))
    assert sentence
    assert page.count(sentence) == 1
    assert "This waits for a person" in page


def test_holding_and_cancelling_take_effect_while_a_step_waits(bed: Bed, ct: list[Path]) -> None:
    key, who = held_while_it_waits(bed, ct)
    assert bed.stage(key) is Stage.HELD
    assert who.post(f"/pipeline/{key}/hold", {"reason-hold": "Again."}).status_code == 409
    assert who.post(f"/pipeline/{key}/cancel", {"reason-cancel": "The wrong visit."}).status_code == 303
    assert bed.stage(key) is Stage.CANCELLED
    assert not bed.services().vault.area(f"outbox/{key}").listing()
    assert who.post(f"/pipeline/{key}/retry", {"reason-retry": "No."}).status_code == 409


def test_a_paused_archive_is_said_to_all_and_resumed_by_the_administrator(bed: Bed, ct: list[Path]) -> None:
    archive = failing(bed, ArchiveRefusesUs("The archive does not accept our password."))
    key = bed.survey(ct)
    bed.confirm(key)
    bed.run()
    manager, admin = visitor(bed, "data-manager"), visitor(bed, "administrator")
    assert "The archive does not accept our password." in words(manager.get("/pipeline"))
    assert "/pipeline/resume" not in text(manager.get("/pipeline"))
    assert manager.post("/pipeline/resume").status_code == 403
    archive.before_push = lambda: None
    assert "/pipeline/resume" in text(admin.get("/pipeline"))
    assert admin.post("/pipeline/resume").status_code == 303
    assert "paused" not in words(admin.get("/pipeline"))
    with bed.world.acting("administrator") as uow:
        for job in uow.session.scalars(select(Job).where(Job.submission_id == key, Job.state == "waiting")):
            job.due = utc_now()
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def test_who_only_sees_the_pipeline_changes_nothing(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    who = visitor(bed, "imaging-qc")
    page = who.get(f"/pipeline/{key}")
    assert page.status_code == 200
    assert "Let it go on" not in words(page)
    assert who.post(f"/pipeline/{key}/cancel", {"reason-cancel": "x"}).status_code == 403


def test_names_of_patients_and_files_are_not_on_the_operators_pages(bed: Bed, ct: list[Path]) -> None:
    from tests.pipeline.bed import PATIENT

    key = bed.survey(ct)
    for address in ("/pipeline", f"/pipeline/{key}"):
        shown = text(visitor(bed, "administrator").get(address))
        for hidden in (PATIENT.name.split("^")[0], PATIENT.patient_id, ct[0].name):
            assert hidden not in shown
