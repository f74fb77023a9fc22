"""What every archive promises, proved on a folder, on Orthanc by DICOMweb and on Orthanc by DIMSE."""

import warnings

import pytest
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from tests.archive import made
from trialimg.archive.port import Held
from trialimg.errors import BadInput, Conflict, NotFound

_NOT_UIDS = ["", "..", "1.2/../../etc", "1.2%2f3", "1..2", "1.2.", "1.2 ", "1.2\n", "1" * 65, "\u0661.2"]


def _same(fetched: bytes, original: bytes) -> bool:
    """An archive may re-encode lengths (FACTS.md): what counts is every tag, VR and value."""
    got, want = made.decoded(fetched), made.decoded(original)
    for ds in (got, want):  # means nothing, and Orthanc drops it on its way through DIMSE
        ds.pop("DataSetTrailingPadding", None)
    return got == want and got.file_meta.TransferSyntaxUID == want.file_meta.TransferSyntaxUID


def test_what_is_pushed_is_held_and_comes_back_the_same(archive, study):
    result = archive.push(study.sources())
    assert result.failed == {}
    assert result.stored == study.files.keys()
    assert archive.holds(study.study_uid) == {Held(study.series_uid, uid) for uid in study.files}
    for uid, data in study.files.items():
        with archive.fetch(study.study_uid, study.series_uid, uid) as stream:
            assert _same(stream.read(), data), [kind for kind, one in study.by_kind.items() if one == uid]


def test_an_unknown_study_is_held_in_no_part(archive):
    assert archive.holds(generate_uid()) == frozenset()


def test_what_is_not_there_is_not_found(archive, study):
    archive.push(study.sources()[:1])
    uid = next(iter(study.files))
    for key in ((study.study_uid, study.series_uid, generate_uid()), (generate_uid(), study.series_uid, uid)):
        with pytest.raises(NotFound):
            archive.fetch(*key)
        with pytest.raises(NotFound):
            archive.metadata(*key)
        with pytest.raises(NotFound):
            next(archive.frames(*key, [1]))
    with pytest.raises(NotFound):
        archive.metadata(study.study_uid, generate_uid())


def test_pushing_twice_ends_the_same(archive, study):
    first = archive.push(study.sources())
    assert archive.push(study.sources()) == first
    assert len(archive.holds(study.study_uid)) == len(study.files)


def test_the_second_push_reads_what_is_there_only_to_know_it(archive, study):
    """Some archives lose a file that is sent to them twice (FACTS.md): they are asked first."""
    archive.push(study.sources()[:3])
    opened = []

    def noting(uid, opener):
        return uid, lambda: opened.append(uid) or opener()

    result = archive.push([noting(*one) for one in study.sources()])
    assert result.stored == study.files.keys()
    assert [opened.count(uid) for uid in list(study.files)[:3]] == [1, 1, 1]


def test_the_same_name_with_other_content_never_replaces_what_is_there(archive, study):
    uid = study.by_kind["slice 1"]
    archive.push([made.source(uid, study.files[uid])])
    other = study.dataset("slice 1")
    other.PixelData = bytes(len(other.PixelData))
    result = archive.push([made.source(uid, made.encoded(other))])
    with archive.fetch(*study.key("slice 1")) as stream:
        assert _same(stream.read(), study.files[uid])
    # Only a folder can tell at once; elsewhere the comparison after the push does.
    assert uid in result.stored or "identifier" in result.failed[uid]


def test_one_bad_object_loses_no_other(archive, study):
    sources = study.sources()
    rubbish = generate_uid()
    lying = generate_uid()
    result = archive.push(
        [
            sources[0],
            made.source(rubbish, b"this is no DICOM file, and long enough to be taken for one" * 10),
            made.source(lying, study.files[sources[1][0]]),
            *sources[1:],
        ]
    )
    assert result.stored == study.files.keys()
    assert result.failed.keys() == {rubbish, lying}
    assert all(sentence.endswith(".") for sentence in result.failed.values())
    assert len(archive.holds(study.study_uid)) == len(study.files)


def test_progress_counts_up_to_all(archive, study):
    seen = []
    archive.push(study.sources(), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(study.files)


def test_pushing_nothing_is_nothing(archive):
    assert archive.push([]).stored == frozenset()


@pytest.mark.parametrize("bad", _NOT_UIDS)
def test_what_is_no_uid_reaches_no_path_and_no_address(archive, bad):
    good = "1.2.3"
    for ask in (
        lambda: archive.holds(bad),
        lambda: archive.forget(bad),
        lambda: archive.fetch(good, bad, good),
        lambda: archive.fetch(good, good, bad),
        lambda: archive.metadata(bad, good),
        lambda: archive.search_series(bad),
        lambda: archive.search_instances(good, bad),
        lambda: next(archive.frames(good, good, bad, [1])),
        lambda: archive.bulkdata(good, good, bad, "00110010"),
    ):
        with pytest.raises(BadInput):
            ask()


def test_a_forgotten_study_is_gone_or_its_operator_is_named(archive, study):
    archive.push(study.sources())
    if not archive.can_forget:
        with pytest.raises(Conflict, match="operator"):
            archive.forget(study.study_uid)
        return
    other = made.study(1)
    archive.push(other.sources())
    archive.forget(study.study_uid)
    archive.forget(study.study_uid)
    assert archive.holds(study.study_uid) == frozenset()
    assert archive.search_studies({"StudyInstanceUID": study.study_uid}) == []
    assert len(archive.holds(other.study_uid)) == len(other.files)
    assert archive.push(study.sources()).stored == study.files.keys()
    archive.forget(other.study_uid)


def test_studies_are_found_by_what_a_viewer_asks(archive, study):
    archive.push(study.sources())
    (found,) = archive.search_studies({"StudyInstanceUID": study.study_uid})
    assert found["0020000D"]["Value"] == [study.study_uid]
    assert found["00100020"]["Value"] == ["101-001"]
    assert found["00080061"]["Value"] == ["CT"]
    assert [int(found[tag]["Value"][0]) for tag in ("00201206", "00201208")] == [1, len(study.files)]
    by_patient = archive.search_studies({"PatientID": "101-001"})
    assert study.study_uid in {one["0020000D"]["Value"][0] for one in by_patient}
    assert archive.search_studies({"PatientID": "nobody"}) == []
    assert len(archive.search_studies({"PatientID": "101-001", "limit": "1"})) == 1


def test_series_and_instances_are_listed(archive, study):
    archive.push(study.sources())
    (series,) = archive.search_series(study.study_uid)
    assert series["0020000E"]["Value"] == [study.series_uid]
    assert series["00080060"]["Value"] == ["CT"]
    assert int(series["00201209"]["Value"][0]) == len(study.files)
    listed = archive.search_instances(study.study_uid, study.series_uid)
    assert {one["00080018"]["Value"][0] for one in listed} == study.files.keys()


def test_metadata_has_every_attribute_and_no_pixels_and_no_address_of_the_archive(archive, study):
    archive.push(study.sources())
    found = {one["00080018"]["Value"][0]: one for one in archive.metadata(study.study_uid, study.series_uid)}
    assert found.keys() == study.files.keys()
    one = found[study.by_kind["undefined length"]]
    assert one["00120064"]["Value"][0]["00080100"]["Value"] == ["113100"]
    assert one["00081030"]["Value"] == ["Thorax größer"]
    assert [one[tag]["Value"][0] for tag in ("00280010", "00280011", "00280100")] == [16, 16, 16]
    for one in found.values():
        assert "7FE00010" not in one
        assert "http:" not in str(one)
    (alone,) = archive.metadata(*study.key("slice 2"))
    assert alone["00080018"]["Value"] == [study.by_kind["slice 2"]]


def test_a_long_private_value_is_fetched_by_the_address_given_for_it(archive, study):
    archive.push(study.sources())
    (found,) = archive.metadata(*study.key("bulk"))
    uri = found["00111001"].get("BulkDataURI", "")
    root, _, tail = uri.partition("/bulkdata/")
    assert root == "studies/{}/series/{}/instances/{}".format(*study.key("bulk"))
    assert archive.bulkdata(*study.key("bulk"), tail) == bytes(range(256)) * 20
    for wrong in ("../../../../etc/passwd", "00100010/0", "", "99999999"):
        with pytest.raises(NotFound):
            archive.bulkdata(*study.key("bulk"), wrong)


@pytest.mark.parametrize("kind", ["slice 1", "implicit", "undefined length", "padded"])
def test_a_plain_frame_is_its_pixels_and_nothing_behind_them(archive, study, kind):
    archive.push([made.source(study.by_kind[kind], study.files[study.by_kind[kind]])])
    (frame,) = archive.frames(*study.key(kind), [1])
    assert frame.data == study.dataset(kind).PixelData
    assert frame.transfer_syntax == ExplicitVRLittleEndian
    assert frame.media_type == "application/octet-stream"


def test_frames_come_in_the_order_asked_for(archive, study):
    archive.push(study.sources())
    whole = study.dataset("frames").PixelData
    size = len(whole) // 3
    frames = list(archive.frames(*study.key("frames"), [3, 1]))
    assert [frame.data for frame in frames] == [whole[2 * size :], whole[:size]]
    for numbers in ([4], [0], [1, 4], []):
        with pytest.raises(NotFound):
            list(archive.frames(*study.key("frames"), numbers))


@pytest.mark.parametrize(("kind", "media"), [("rle", "image/dicom-rle"), ("jpeg", "image/jp2")])
def test_a_compressed_frame_leaves_as_it_is_stored(archive, study, kind, media):
    archive.push(study.sources())
    ds = study.dataset(kind)
    (want,) = generate_frames(ds.PixelData, number_of_frames=1)
    (frame,) = archive.frames(*study.key(kind), [1])
    assert frame.data.rstrip(b"\0") == want.rstrip(b"\0")
    assert frame.transfer_syntax == ds.file_meta.TransferSyntaxUID
    assert frame.media_type == media


def test_a_healthy_archive_passes_its_check_and_tells_no_password(archive):
    archive.check()
    assert archive.name
    assert "only-for-tests" not in archive.name + repr(archive)


def test_an_archive_warns_nobody_about_a_good_study(archive, study):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        archive.push(study.sources())
        archive.metadata(study.study_uid, study.series_uid)
