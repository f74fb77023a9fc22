"""Images cleaned where they come from, identities that stay in the quarantine, and the chain to a real Orthanc."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from pydicom import dcmread

from seed_data.phantom.identities import planted_strings
from tests import peers
from tests.pipeline.bed import PATIENT, Bed, small_ct
from tests.pipeline.test_steps import change, the_job
from trialimg.archive.choose import archive_from_url
from trialimg.casework.access import Place
from trialimg.casework.sending import sending_for
from trialimg.casework.services import services
from trialimg.casework.submission import quarantine
from trialimg.dicom.deidentify import clean_file
from trialimg.domain.pseudonym import fingerprint, map_uid
from trialimg.domain.submission import Fate, Stage
from trialimg.errors import BadInput
from trialimg.store.base import db, utc_now


def marks(bed: Bed, ct: list[Path], place: Place | None = None) -> dict[str, str]:
    """Give the marks of originals as a site's sender tells them."""
    told = sending_for(services(), place or bed.slot())
    originals = {dcmread(path, stop_before_pixels=True).StudyInstanceUID for path in ct}
    return {map_uid(told.subject_key, uid): fingerprint(told.fingerprint_key, uid) for uid in originals}


def cleaned(bed: Bed, ct: list[Path], folder: Path, place: Place | None = None) -> list[Path]:
    """Clean files as a site's sender does."""
    told = sending_for(services(), place or bed.slot())
    found = []
    for number, source in enumerate(ct):
        target = folder / f"{number}.dcm"
        clean_file(
            source, target, profile=told.profile, identity=told.identity, subject_key=told.subject_key,
            fingerprint_key=told.fingerprint_key,
        )  # fmt: skip
        found.append(target)
    return found


def test_what_was_cleaned_at_its_source_is_verified_and_linked_unchanged(
    bed: Bed, ct: list[Path], tmp_path: Path
) -> None:
    files = cleaned(bed, ct, tmp_path)
    key = bed.link(files, cleaned_at_source=True)
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    assert {each.clean_sha256 for each in bed.objects(key)} == {each.received_sha256 for each in bed.objects(key)}


def test_browser_and_server_give_a_study_the_same_names(bed: Bed, ct: list[Path], tmp_path: Path) -> None:
    key = bed.link(ct)
    again = bed.survey(cleaned(bed, ct, tmp_path), cleaned_at_source=True)
    bed.confirm(again)
    bed.run()
    assert set(bed.fates(again)) == {Fate.DUPLICATE}
    assert len(bed.studies()) == 1
    assert bed.stage(key) is Stage.LINKED


@pytest.mark.parametrize("by_browser", [True, False])
def test_a_study_cleaned_at_its_source_for_a_second_subject_is_stopped_by_the_mark_of_its_original(
    bed: Bed, ct: list[Path], tmp_path: Path, *, by_browser: bool
) -> None:
    if by_browser:
        bed.link(ct)
    else:
        bed.link(cleaned(bed, ct, tmp_path), cleaned_at_source=True, marks=marks(bed, ct))
    other = bed.world.subject("101", birth_year=int(PATIENT.birth_date[:4]), sex=PATIENT.sex)
    place = bed.slot(number=other)
    again = cleaned(bed, ct, tmp_path, place)
    key = bed.survey(again, place, cleaned_at_source=True, marks=marks(bed, ct, place))
    problems = [p.sentence for p in bed.summary(key).problems if p.level == "stop"]
    assert any(f"was sent before as subject {bed.number}, visit SCR, slot CT" in each for each in problems)
    with pytest.raises(BadInput):
        bed.confirm(key)
    back = bed.survey(ct, bed.slot("W8"))  # the browser's way knows it too, whichever way it came first
    assert any("need not be sent again" in p.sentence for p in bed.summary(back).problems)


def test_a_study_on_its_way_to_another_subject_counts_once_all_of_it_was_received(
    bed: Bed, ct: list[Path], tmp_path: Path
) -> None:
    bed.start(cleaned_at_source=True, marks=marks(bed, ct))  # given up by a power cut: nothing of it came
    other = bed.world.subject("101", birth_year=int(PATIENT.birth_date[:4]), sex=PATIENT.sex)
    place = bed.slot(number=other)
    key = bed.survey(cleaned(bed, ct, tmp_path, place), place, cleaned_at_source=True, marks=marks(bed, ct, place))
    assert not [p for p in bed.summary(key).problems if p.level == "stop"]
    late = bed.survey(cleaned(bed, ct, tmp_path), cleaned_at_source=True, marks=marks(bed, ct))
    assert any(f"was sent before as subject {other}" in p.sentence for p in bed.summary(late).problems)


def test_an_original_said_to_be_clean_is_refused_and_destroyed(bed: Bed, ct: list[Path], tmp_path: Path) -> None:
    files = [*cleaned(bed, ct[:2], tmp_path), ct[2]]
    key = bed.survey(files, cleaned_at_source=True)
    assert any("cleaned for another subject" in p.sentence for p in bed.summary(key).problems)
    good = [s.index for s in bed.summary(key).series if bed.summary(key).patients[0].patient_id == bed.number]
    assert good
    with pytest.raises(Exception, match=r"cannot go on|more than one person"):
        bed.confirm(key)


def test_what_is_not_clean_after_all_is_refused_by_the_check(bed: Bed, ct: list[Path], tmp_path: Path) -> None:
    files = cleaned(bed, ct, tmp_path)
    spoiled = dcmread(files[0])
    spoiled.InstitutionName = "General Hospital"
    spoiled.save_as(files[0])
    key = bed.link(files, cleaned_at_source=True)
    assert bed.stage(key) is Stage.LINKED
    assert bed.fates(key)[0] is Fate.REFUSED
    assert bed.objects(key)[0].code == "image.not_clean"


def by_another_tool(original: Path, target: Path, *, number: str, names: Path | None = None, **marks: str) -> None:
    """Write a file as another de-identifier does: names and numbers replaced, all else left; with these marks on it."""
    ds = dcmread(original)
    ds.PatientName = ds.PatientID = number
    ds.PatientBirthDate = ds.AccessionNumber = ""
    if "IssuerOfPatientID" in ds:
        del ds.IssuerOfPatientID
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID") if names else ():
        setattr(ds, keyword, dcmread(names)[keyword].value)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    for keyword, value in marks.items():
        setattr(ds, keyword, value)
    ds.save_as(target)


FALSE_CLAIM = {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "Another tool 1.0", "BurnedInAnnotation": "NO"}


def test_what_another_tool_says_is_clean_is_refused_with_or_without_its_marks_and_what_we_cleaned_without_them_too(
    bed: Bed, ct: list[Path], tmp_path: Path
) -> None:
    files = cleaned(bed, ct, tmp_path)
    by_another_tool(ct[0], files[0], number=bed.number, names=files[0])
    by_another_tool(ct[1], files[1], number=bed.number, names=files[1], **FALSE_CLAIM)
    unmarked = dcmread(files[2])
    del unmarked.PatientIdentityRemoved
    unmarked.save_as(files[2])
    key = bed.link(files, cleaned_at_source=True)
    assert bed.fates(key) == [Fate.REFUSED] * 3 + [Fate.SENT] * 2
    assert {each.code for each in bed.objects(key)[:3]} == {"image.not_clean"}
    (study,) = bed.studies()
    kept = {each.sop_instance_uid for each in services().archive.holds(study.study_instance_uid)}
    assert kept == {dcmread(path).SOPInstanceUID for path in files[3:]}
    area = quarantine(key)
    assert not any(area.holds(each.received_sha256) for each in bed.objects(key))


def test_what_another_tool_de_identified_is_cleaned_here_as_if_nobody_had_and_its_marks_are_not_believed(
    bed: Bed, ct: list[Path], tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.dcm" for number in range(len(ct))]
    for number, (path, target) in enumerate(zip(ct, files, strict=True)):
        by_another_tool(path, target, number="ANON-7", **(FALSE_CLAIM if number else {}))
    key = bed.link(files)
    assert set(bed.fates(key)) == {Fate.SENT}, bed.sentence(key)
    (study,) = bed.studies()
    for held in services().archive.holds(study.study_instance_uid):
        with services().archive.fetch(study.study_instance_uid, held.series_uid, held.sop_instance_uid) as stream:
            ds = dcmread(stream)
        assert (ds.PatientID, ds.PatientIdentityRemoved) == (bed.number, "YES")
        assert "Another tool" not in str(ds)
        assert ds.StudyInstanceUID not in {dcmread(path).StudyInstanceUID for path in ct}
        assert "InstitutionName" not in ds


def test_no_identity_leaves_the_quarantine(
    bed: Bed, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Everything the installation wrote is searched, the archive, the trail and the outbox included."""
    with caplog.at_level(logging.DEBUG):
        files = small_ct(tmp_path / "ct", dose_report=True)
        key = bed.link([*files, (f"{PATIENT.family_name}.txt", b"a text")])
        bed.survey([(f"{PATIENT.name}.zip", b"PK\x03\x04" + PATIENT.name.encode())])
        bed.cancel(bed.survey(files, bed.slot("W8")))
    assert bed.stage(key) is Stage.LINKED
    db.session.remove()
    with db.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    data = services().settings.data
    written = {
        path: path.read_bytes()
        for path in data.rglob("*")
        if path.is_file() and not path.parent.name.startswith("quarantine.")
    }
    assert len(written) > len(files)
    shown = {"log": caplog.text.encode(), "out": "".join(capfd.readouterr()).encode()}
    for planted in planted_strings(PATIENT):
        for place, content in (*written.items(), *shown.items()):
            assert planted.encode() not in content, f"{place} holds a planted identity"


@pytest.mark.orthanc
@pytest.mark.parametrize("way", ["dicomweb_url", "dimse_url"])
def test_the_chain_ends_in_a_real_orthanc_with_the_same_names(bed: Bed, tmp_path: Path, way: str) -> None:
    peers.require(peers.missing_orthanc())
    files = small_ct(tmp_path / "ct")
    with peers.orthanc(tmp_path / "orthanc") as orthanc:
        bed.use_archive(archive_from_url(getattr(orthanc, way), folder=tmp_path / "archive"))
        key = bed.link(files)
        assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
        (study,) = orthanc.rest("/studies?expand")
        assert study["MainDicomTags"]["StudyInstanceUID"] == bed.studies()[0].study_instance_uid
        names = {each["MainDicomTags"]["SOPInstanceUID"] for each in orthanc.rest("/instances?expand")}
        assert names == {each.sop_instance_uid for each in bed.objects(key)}


@pytest.mark.orthanc
def test_an_orthanc_killed_in_the_middle_and_started_again_ends_linked(bed: Bed, tmp_path: Path) -> None:
    peers.require(peers.missing_orthanc())
    files = small_ct(tmp_path / "ct", slices=8)
    with peers.orthanc(tmp_path / "orthanc") as orthanc:
        real = archive_from_url(orthanc.dicomweb_url, folder=tmp_path / "archive")

        class Cut:
            """Kills the archive when half of the first instances were fetched back."""

            def __getattr__(self, name: str) -> object:
                return getattr(real, name)

            fetched = 0

            def fetch(self, *uids: str) -> object:
                Cut.fetched += 1
                if Cut.fetched == 4:
                    orthanc.kill()
                return real.fetch(*uids)

        bed.use_archive(Cut())  # type: ignore[arg-type]  # it hands on what it has not
        key = bed.survey(files)
        bed.confirm(key)
        bed.run()
        assert bed.stage(key) is Stage.SENT
        assert the_job(bed, key).failures == 1
        orthanc.start()
        change(bed, the_job(bed, key), due=utc_now())
        bed.run()
        assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
        assert len(orthanc.rest("/instances")) == len(files)


