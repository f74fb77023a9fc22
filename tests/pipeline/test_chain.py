from __future__ import annotations

import json
from pathlib import Path

from tests.casework.pixel_bed import clip_study
from tests.pipeline.bed import DAY, PATIENT, Bed
from trialimg.casework.submission import outbox, quarantine
from trialimg.domain.submission import Fate, Stage, Step
from trialimg.pipeline.steps import STEPS


def test_a_ct_goes_from_the_drop_to_linked(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    assert bed.stage(key) is Stage.SURVEYED, bed.sentence(key)
    summary = bed.summary(key)
    assert [p.patient_id for p in summary.patients] == [PATIENT.patient_id]
    assert sum(s.instances for s in summary.series) == len(ct)
    bed.confirm(key)
    bed.run()
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    assert set(bed.fates(key)) == {Fate.SENT}
    (study,) = bed.studies()
    assert (study.instance_count, study.held_count, study.acquired, study.modalities) == (len(ct), 0, DAY, "CT")
    held = bed.services().archive.holds(study.study_instance_uid)
    assert {h.sop_instance_uid for h in held} == {o.sop_instance_uid for o in bed.objects(key)}


def test_originals_and_clean_bytes_are_gone_once_linked(bed: Bed, ct: list[Path]) -> None:
    key = bed.link(ct)
    assert bed.submission(key).originals_destroyed_at is not None
    for area in (quarantine(key), outbox(key)):
        assert (area.listing(), area.notes()) == ([], [])


def test_a_clip_that_shows_a_name_waits_for_a_look_and_joins_its_study_covered(bed: Bed, tmp_path: Path) -> None:
    files = clip_study(tmp_path / "clip")
    key = bed.link(files)
    assert bed.fates(key).count(Fate.HELD) == 1
    bed.look_and_send(key)
    bed.run()
    assert set(bed.fates(key)) == {Fate.SENT}, bed.sentence(key)
    (study,) = bed.studies()
    assert (study.instance_count, study.held_count, study.modalities) == (len(files), 0, "CT, US")
    decided, unseen = json.loads(bed.submission(key).report)["pixels"]
    assert (decided["decision"], decided["role"], decided["instances"]) == ("masked", "site coordinator", 1)
    assert (unseen["decision"], unseen["role"], unseen["instances"]) == ("unseen", "", len(files) - 1)


def test_every_step_has_what_it_does() -> None:
    assert set(STEPS) == set(Step)


def test_one_image_is_told_of_as_one(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct[:1])
    assert bed.sentence(key).startswith("1 image was found")
    assert any(problem.sentence.startswith("1 image was found; ") for problem in bed.summary(key).problems)
    bed.confirm(key)
    assert bed.sentence(key) == "Confirmed: 1 image is being de-identified."
    bed.run()
    assert bed.sentence(key) == "Linked: the archive has the one instance, equal to what was sent."
