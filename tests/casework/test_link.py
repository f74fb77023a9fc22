from __future__ import annotations

from pathlib import Path

import pytest

from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.pipeline.bed import Bed, small_ct
from tests.web.imaging_bed import bed, ct, ct_folder
from trialimg.casework import link
from trialimg.casework.access import Place, study_place
from trialimg.casework.enrolment import mark_slot_not_done
from trialimg.casework.slots import slot_states
from trialimg.domain.submission import Fate, Stage
from trialimg.errors import BadInput, Conflict, NotFound
from trialimg.store.imaging import ImagingStudy

__all__ = ["bed", "ct", "ct_folder"]


@pytest.fixture
def study(bed: Bed, ct: list[Path]) -> ImagingStudy:
    bed.link(ct)
    return bed.studies()[0]


def place(study: ImagingStudy) -> Place:
    return study_place(study.study_instance_uid)


def relink(bed: Bed, study: ImagingStudy, target: Place) -> None:
    with bed.world.acting("data-manager", "moved") as uow:
        link.relink(uow, place(study), target, "It belongs there.")


def withdraw(bed: Bed, study: ImagingStudy) -> None:
    with bed.world.acting("data-manager", "withdrawn") as uow:
        link.withdraw(uow, place(study), "Another person.")


def test_a_detached_study_stays_with_its_subject_and_leaves_the_slot_empty(bed: Bed, study: ImagingStudy) -> None:
    with bed.world.acting("data-manager", "detached") as uow:
        link.detach(uow, place(study), "Unclear.")
    assert study_place(study.study_instance_uid).subject_number == bed.number
    here = bed.slot()
    assert slot_states([here.subject_id])[here.visit_id]["CT"].state == "missing"
    assert bed.services().archive.holds(study.study_instance_uid)
    with bed.world.acting("data-manager", "detached") as uow, pytest.raises(Conflict):
        link.detach(uow, place(study), "Again.")


def test_moving_a_link_leaves_the_bytes_and_their_identifiers(bed: Bed, study: ImagingStudy) -> None:
    before = bed.services().archive.holds(study.study_instance_uid)
    target = bed.slot("W8")
    relink(bed, study, target)
    assert bed.services().archive.holds(study.study_instance_uid) == before
    assert slot_states([target.subject_id])[target.visit_id]["CT"].state == "linked"
    with pytest.raises(Conflict, match="already"):
        relink(bed, study, target)


def test_a_link_moves_within_its_own_subject_only(bed: Bed, study: ImagingStudy) -> None:
    other = bed.world.subject("101")
    with pytest.raises(BadInput, match="own subject"):
        relink(bed, study, bed.slot(number=other))


def test_a_link_does_not_move_where_it_does_not_belong(bed: Bed, study: ImagingStudy) -> None:
    with pytest.raises(BadInput, match="takes MR"):
        relink(bed, study, bed.slot("SCR", "MR"))
    with bed.world.acting("coordinator-101", "No scan.") as uow:
        mark_slot_not_done(uow, bed.slot("W8").slot_id, "No scan.")
    with pytest.raises(Conflict, match="not done"):
        relink(bed, study, bed.slot("W8"))


def test_a_link_does_not_move_to_a_slot_that_has_its_study(bed: Bed, study: ImagingStudy, tmp_path: Path) -> None:
    small_ct(tmp_path / "next", study_key="next")
    bed.link([path for path in (tmp_path / "next").rglob("*") if path.is_file()], bed.slot("W8"))
    with pytest.raises(Conflict, match="takes one"):
        relink(bed, study, bed.slot("W8"))


def test_a_withdrawn_study_is_nowhere_and_its_submission_has_ended(bed: Bed, study: ImagingStudy) -> None:
    withdraw(bed, study)
    with pytest.raises(NotFound):
        place(study)
    (found,) = bed.studies()
    assert (found.state, found.forget_state, found.slot_id) == ("withdrawn", link.TO_AUTHORISE, None)


def test_held_images_of_a_withdrawn_study_are_destroyed(bed: Bed, tmp_path: Path) -> None:
    small_ct(tmp_path / "dose", dose_report=True)
    key = bed.link([path for path in (tmp_path / "dose").rglob("*") if path.is_file()])
    assert bed.services().vault.area(f"quarantine/{key}").listing()
    withdraw(bed, bed.studies()[0])
    assert bed.stage(key) is Stage.WITHDRAWN
    assert set(bed.fates(key)) == {Fate.WITHDRAWN, Fate.DISCARDED}
    assert not bed.services().vault.area(f"quarantine/{key}").listing()


def test_withdrawing_one_of_two_studies_leaves_the_other_linked(bed: Bed, tmp_path: Path) -> None:
    from seed_data.phantom.mr import write_mr

    for number in (0, 1):
        write_mr(tmp_path / "mr" / str(number), PATIENT_IDENTITIES[0], study_date="20260302", slices=6, size=64, seed=1, study_key=f"m{number}")
    files = [path for path in (tmp_path / "mr").rglob("*") if path.is_file()]
    key = bed.link(files, bed.slot("SCR", "MR"))
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    first, second = bed.studies()
    withdraw(bed, first)
    assert bed.stage(key) is Stage.LINKED
    assert bed.submission(key).study_id == second.id
    assert set(bed.fates(key)) == {Fate.SENT, Fate.WITHDRAWN}
    assert place(second).study_id == second.id
    withdraw(bed, second)
    assert bed.stage(key) is Stage.WITHDRAWN


def test_images_withdrawn_from_a_wrong_subject_go_to_the_right_one_under_other_identifiers(
    bed: Bed, study: ImagingStudy, ct: list[Path]
) -> None:
    withdraw(bed, study)
    right = bed.world.subject("101", birth_year=1960, sex="M")
    key = bed.link(ct, bed.slot(number=right))
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    linked = next(each for each in bed.studies() if each.state == "linked")
    assert linked.study_instance_uid != study.study_instance_uid


def test_removal_is_authorised_once(bed: Bed, study: ImagingStudy) -> None:
    withdraw(bed, study)
    with bed.world.acting("trial-administrator", "agreed") as uow:
        link.authorise_removal(uow, study.id, "Agreed.")
    with bed.world.acting("trial-administrator", "agreed") as uow, pytest.raises(Conflict):
        link.authorise_removal(uow, study.id, "Agreed.")
    bed.run()
    assert not bed.services().archive.holds(study.study_instance_uid)
