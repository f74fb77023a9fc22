"""What the archive in a folder promises beyond the contract."""

import errno
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import pytest
from dicomweb_client.file import DICOMfileClient
from pydicom import data as pydicom_data
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRBigEndian, generate_uid

from tests.archive import made
from trialimg.archive.local import LocalArchive
from trialimg.errors import ArchiveUnavailable, BadInput, NotFound, OurFault, TrialimgError


@pytest.fixture
def archive(tmp_path):
    return LocalArchive(tmp_path / "archive")


@pytest.fixture
def study():
    return made.study()


def test_a_file_comes_back_byte_by_byte(archive, study):
    archive.push(study.sources())
    for uid, data in study.files.items():
        with archive.fetch(study.study_uid, study.series_uid, uid) as stream:
            assert stream.read() == data


def test_other_content_under_a_name_is_refused_with_what_to_do(archive, study):
    uid = study.by_kind["slice 1"]
    archive.push(study.sources())
    result = archive.push([made.source(uid, study.files[uid] + b"\0\0")])
    assert result.stored == frozenset()
    assert "kept" in result.failed[uid]


def test_bytes_folders_and_index_are_on_the_disk_before_the_answer(archive, study, monkeypatch):
    synced = []
    fsync = os.fsync

    def note(handle):
        kind = stat.S_IFMT(os.fstat(handle).st_mode)
        synced.append((kind, str(Path(f"/proc/self/fd/{handle}").readlink())))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    archive.push(study.sources())
    files = [path for kind, path in synced if kind == stat.S_IFREG]
    folders = {path for kind, path in synced if kind == stat.S_IFDIR}
    assert len(files) == len(study.files)
    root = next(path for path in folders if path.endswith("/studies"))
    chain = [root, f"{root}/{study.study_uid}", f"{root}/{study.study_uid}/series"]
    chain += [f"{chain[-1]}/{study.series_uid}", f"{chain[-1]}/{study.series_uid}/instances"]
    assert folders == set(chain)
    assert max(n for n, (kind, _) in enumerate(synced) if kind == stat.S_IFREG) < len(synced) - 5


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_or_broken_disk_is_unavailable_and_leaves_nothing_half(archive, study, tmp_path, monkeypatch, number):
    def fail(handle):
        raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ArchiveUnavailable):
        archive.push(study.sources())
    monkeypatch.undo()
    assert archive.holds(study.study_uid) == frozenset()
    assert list((tmp_path / "archive" / "arriving").iterdir()) == []
    assert archive.push(study.sources()).stored == study.files.keys()


def test_a_worker_killed_while_pushing_leaves_a_push_that_ends_well(study, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for uid, data in study.files.items():
        (folder / uid).write_bytes(data)
    code = f"""
import os, signal
from pathlib import Path
from trialimg.archive import local
place, count = local._place, 0
def dying(source, target):
    global count
    place(source, target)
    count += 1
    if count == 4:
        os.kill(os.getpid(), signal.SIGKILL)
local._place = dying
archive = local.LocalArchive(Path({str(tmp_path / "archive")!r}))
archive.push([(p.name, lambda p=p: p.open("rb")) for p in sorted(Path({str(folder)!r}).iterdir())])
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    archive = LocalArchive(tmp_path / "archive")
    assert archive.holds(study.study_uid) == frozenset()
    assert archive.push(study.sources()).stored == study.files.keys()
    assert len(archive.metadata(study.study_uid, study.series_uid)) == len(study.files)


def test_many_threads_push_the_same_study_without_losing_any(archive, study):
    results, errors = [], []

    def run():
        try:
            results.append(archive.push(study.sources()))
            archive.metadata(study.study_uid, study.series_uid)
        except TrialimgError as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [result.stored for result in results] == [study.files.keys()] * 6
    assert all(result.failed == {} for result in results)


def test_another_process_sees_what_was_pushed(archive, study, tmp_path):
    archive.push(study.sources())
    code = (
        "from pathlib import Path; from trialimg.archive.local import LocalArchive;"
        f"a = LocalArchive(Path({str(tmp_path / 'archive')!r}));"
        f"print(len(a.holds({study.study_uid!r})), len(a.metadata({study.study_uid!r}, {study.series_uid!r})))"
    )
    found = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert found.split() == [str(len(study.files))] * 2


def test_a_lost_index_is_made_anew_from_the_files(archive, study, tmp_path):
    archive.push(study.sources())
    before = archive.metadata(study.study_uid, study.series_uid)
    for path in (tmp_path / "archive").glob("index.sqlite3*"):
        path.unlink()
    again = LocalArchive(tmp_path / "archive")
    assert again.metadata(study.study_uid, study.series_uid) == before
    assert len(again.holds(study.study_uid)) == len(study.files)


def test_a_damaged_index_says_that_the_images_are_safe(archive, study, tmp_path):
    archive.push(study.sources())
    for path in (tmp_path / "archive").glob("index.sqlite3-*"):
        path.unlink()
    (tmp_path / "archive" / "index.sqlite3").write_bytes(b"no data base at all" * 500)
    with pytest.raises(OurFault, match="images are not"):
        archive.search_series(study.study_uid)


def test_an_index_in_use_is_waited_for_and_then_unavailable(archive, study, tmp_path, monkeypatch):
    from trialimg.archive import index

    monkeypatch.setattr(index, "_PATIENCE", 0.1)
    other = sqlite3.connect(tmp_path / "archive" / "index.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ArchiveUnavailable):
        archive.push(study.sources())
    other.execute("ROLLBACK")
    other.close()
    assert archive.push(study.sources()).stored == study.files.keys()


def test_a_file_somebody_deleted_is_not_called_held(archive, study, tmp_path):
    archive.push(study.sources())
    victim = study.by_kind["slice 1"]
    next((tmp_path / "archive").rglob(str(victim))).unlink()
    assert victim not in {held.sop_instance_uid for held in archive.holds(study.study_uid)}
    assert archive.push(study.sources()).stored == study.files.keys()
    assert len(archive.holds(study.study_uid)) == len(study.files)


def test_identifiers_in_a_file_never_lead_out_of_the_folder(archive, study, tmp_path):
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = study.dataset("slice 1")
            setattr(ds, keyword, "../../../evil")
            uid = ds.SOPInstanceUID
            data = made.encoded(ds)
            assert archive.push([made.source(uid, data)]).failed.keys() == {uid}
    assert list(tmp_path.rglob("*evil*")) == []


def test_only_the_owner_may_look(archive, study, tmp_path):
    archive.push(study.sources())
    for path in (tmp_path / "archive" / "studies").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE((tmp_path / "archive").stat().st_mode) == 0o700


def test_dicomweb_client_can_read_our_folder(archive, study, tmp_path):
    archive.push(study.sources())
    client = DICOMfileClient(f"file://{tmp_path / 'archive' / 'studies'}", in_memory=True)
    found = client.search_for_instances(study.study_uid)
    assert {one["00080018"]["Value"][0] for one in found} == study.files.keys()


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        ({"PatientID": "101-*"}, True),
        ({"PatientID": "10?-001"}, True),
        ({"PatientID": "[1]01-001"}, False),
        ({"00100010": "101-001"}, True),
        ({"StudyDate": "20240101-20240131"}, True),
        ({"StudyDate": "20240103-"}, False),
        ({"StudyDate": "-20240102"}, True),
        ({"StudyDate": "20240102"}, True),
        ({"ModalitiesInStudy": "CT"}, True),
        ({"ModalitiesInStudy": "MR"}, False),
        ({"StudyDescription": "", "includefield": "all", "fuzzymatching": "true"}, True),
        ({"offset": "1"}, False),
        ({"limit": "0"}, False),
    ],
)
def test_a_search_follows_the_standard(archive, study, filters, matches):
    archive.push(study.sources())
    assert bool(archive.search_studies(filters)) is matches


@pytest.mark.parametrize("filters", [{"NoSuchThing": "1"}, {"limit": "many"}, {"../x": "1"}])
def test_a_search_that_makes_no_sense_is_said(archive, filters):
    with pytest.raises(BadInput):
        archive.search_studies(filters)


def _real_files():
    """Give pydicom's own test files that can be archived, one of each name."""
    found = {}
    for path in sorted((Path(pydicom_data.__file__).parent / "test_files").rglob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ds = dcmread(path)
                key = tuple(str(ds[tag].value) for tag in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
            except Exception:  # noqa: BLE001 - some are broken on purpose
                continue
        if all(key) and ds.get("SOPClassUID"):
            found.setdefault(key[2], (path, ds, key))
    return found


def test_real_files_are_kept_shown_and_cut_in_frames(archive):
    """On every file of pydicom that has identifiers: RLE, JPEG, deflated, big-endian, padded, single bits."""
    files = _real_files()
    assert len(files) > 25
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = archive.push([(uid, partial(path.open, "rb")) for uid, (path, _, _) in files.items()])
        assert result.failed == {}
        cut = 0
        for path, ds, key in files.values():
            (shown,) = archive.metadata(*key)
            assert shown["00080018"]["Value"] == [key[2]]
            if "PixelData" not in ds:
                with pytest.raises(NotFound):
                    archive.frames(*key, [1])
                continue
            got = b"".join(frame.data for frame in archive.frames(*key, [1]))
            cut += 1
            syntax = ds.file_meta.TransferSyntaxUID
            if syntax.is_encapsulated:
                assert got == next(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
            elif syntax == ExplicitVRBigEndian:
                assert sorted(got) == sorted(ds.PixelData[: len(got)]), path
            else:
                bits = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated
                assert got == ds.PixelData[: -(-bits // 8)], path
    assert cut > 20


def test_big_endian_pixels_leave_in_little_endian(archive, study):
    ds = made.slice_of(study, 70)
    plain = ds.PixelData
    swapped = b"".join(plain[n : n + 2][::-1] for n in range(0, len(plain), 2))
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    ds.PixelData = swapped
    ds["PixelData"].VR = "OW"
    uid = ds.SOPInstanceUID
    archive.push([made.source(uid, made.encoded(ds))])
    (frame,) = archive.frames(study.study_uid, study.series_uid, uid, [1])
    assert frame.data == plain


def test_a_deflated_file_is_cut_too(archive, study):
    ds = made.deflated(study)
    uid, pixels = ds.SOPInstanceUID, ds.PixelData
    archive.push([made.source(uid, made.encoded(ds))])
    (frame,) = archive.frames(study.study_uid, study.series_uid, uid, [1])
    assert frame.data == pixels


def test_frames_of_single_bits_begin_at_a_byte(archive, study):
    ds = made.slice_of(study, 71)
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 3, 3, 1, 1, 0
    ds.NumberOfFrames = 3
    frames = [0b101010101, 0b000011111, 0b110000001]
    packed = sum(frame << 9 * n for n, frame in enumerate(frames))
    ds.PixelData = packed.to_bytes(4, "little")
    ds["PixelData"].VR = "OB"
    uid = ds.SOPInstanceUID
    archive.push([made.source(uid, made.encoded(ds))])
    got = archive.frames(study.study_uid, study.series_uid, uid, [1, 2, 3])
    assert [int.from_bytes(frame.data, "little") & 0x1FF for frame in got] == frames


def test_pixels_that_end_too_early_are_called_damaged(archive, study):
    ds = made.slice_of(study, 72)
    ds.PixelData = ds.PixelData[:100]
    uid = ds.SOPInstanceUID
    archive.push([made.source(uid, made.encoded(ds))])
    with pytest.raises(BadInput, match="damaged"):
        list(archive.frames(study.study_uid, study.series_uid, uid, [1]))


def test_an_object_without_identifiers_is_refused_in_a_sentence(archive, study):
    ds = study.dataset("slice 1")
    del ds.SeriesInstanceUID
    result = archive.push([made.source(ds.SOPInstanceUID, made.encoded(ds))])
    assert "identifier" in result.failed[ds.SOPInstanceUID]
    assert archive.holds(study.study_uid) == frozenset()
    assert archive.search_studies({"StudyInstanceUID": generate_uid()}) == []


def test_what_a_killed_process_half_took_goes_after_a_day(study, tmp_path):
    folder = tmp_path / "archive"
    LocalArchive(folder)
    for name, age in (("old", 90_000), ("new", 10)):
        (folder / "arriving" / name).write_bytes(b"half")
        os.utime(folder / "arriving" / name, (time.time() - age,) * 2)
    LocalArchive(folder)
    assert [path.name for path in (folder / "arriving").iterdir()] == ["new"]


def test_a_folder_that_vanishes_while_it_is_synced_is_unavailable(archive, study, monkeypatch):
    fsync = os.fsync

    def fail(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, "broken")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ArchiveUnavailable, match="broken"):
        archive.push(study.sources())
    monkeypatch.undo()
    assert archive.holds(study.study_uid) == frozenset()
