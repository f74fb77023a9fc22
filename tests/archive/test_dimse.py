"""What the DIMSE archive does with peers that are down, full, strict or die."""

import contextlib
import threading
import time

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt

from tests import peers
from tests.archive import made
from trialimg.archive import retrieve
from trialimg.archive.association import Peer
from trialimg.archive.dimse import DimseArchive
from trialimg.archive.looked_at import LookedAt
from trialimg.archive.port import Held
from trialimg.errors import ArchiveRefusesUs, ArchiveUnavailable, Misconfigured

_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_CT = "1.2.840.10008.5.1.4.1.1.2"


class FakePeer:
    """A DICOM peer of a few lines that keeps data sets, and misbehaves as told."""

    def __init__(self):
        self.kept = {}
        self.answer = lambda uid: 0x0000
        self.syntaxes = set()
        self.associations = 0
        self.lock = threading.Lock()

    def on_store(self, event):
        uid = event.request.AffectedSOPInstanceUID
        status = self.answer(uid)
        if status is None:
            event.assoc.abort()
            return 0xC000
        if status == 0:
            with self.lock:
                self.kept[uid] = event.dataset.SeriesInstanceUID
                self.syntaxes.add(event.context.transfer_syntax)
        return status

    def on_find(self, event):
        for uid, series in list(self.kept.items()):
            found = Dataset()
            found.SeriesInstanceUID = series
            if event.identifier.QueryRetrieveLevel == "IMAGE":
                found.SOPInstanceUID, found.SOPClassUID = uid, _CT
            yield 0xFF00, found
            if event.identifier.QueryRetrieveLevel == "SERIES":
                return

    def on_accepted(self, event):
        self.associations += 1


@contextlib.contextmanager
def serve(fake, *, find=True, syntaxes=None, calling=()):
    ae = AE(ae_title="FAKE")
    ae.require_calling_aet = list(calling)
    ae.maximum_associations = 20
    ae.add_supported_context(_CT, syntaxes or ALL_TRANSFER_SYNTAXES)
    ae.add_supported_context("1.2.840.10008.1.1")
    if find:
        ae.add_supported_context(_FIND)
    handlers = [(evt.EVT_C_STORE, fake.on_store), (evt.EVT_C_FIND, fake.on_find), (evt.EVT_ACCEPTED, fake.on_accepted)]
    port = peers.free_port()
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield f"dimse://FAKE@127.0.0.1:{port}?calling=TRIALIMG&timeout=5"
    finally:
        server.shutdown()


@pytest.fixture
def fake():
    return FakePeer()


@pytest.fixture
def study():
    return made.study()


def archive_at(url, tmp_path, connections=4):
    return DimseArchive(Peer.from_url(url), cache=tmp_path / "cache", connections=connections)


def test_every_instance_goes_in_its_own_encoding_and_on_several_associations(fake, study, tmp_path):
    with serve(fake) as url:
        result = archive_at(url, tmp_path).push(study.sources())
    assert result.stored == study.files.keys()
    assert fake.syntaxes == {made.decoded(data).file_meta.TransferSyntaxUID for data in study.files.values()}
    assert fake.associations >= 4


def test_one_refused_instance_loses_no_other(fake, study, tmp_path):
    victim = study.by_kind["slice 2"]
    fake.answer = lambda uid: 0xC000 if uid == victim else 0
    with serve(fake) as url:
        result = archive_at(url, tmp_path).push(study.sources())
    assert result.failed.keys() == {victim}
    assert "understand" in result.failed[victim]
    assert result.stored == study.files.keys() - {victim}


def test_an_encoding_the_peer_does_not_take_is_named_and_never_transcoded(fake, study, tmp_path):
    with serve(fake, syntaxes=["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]) as url:
        result = archive_at(url, tmp_path).push(study.sources())
    assert result.failed.keys() == {study.by_kind["rle"], study.by_kind["jpeg"]}
    assert all("encoding" in sentence for sentence in result.failed.values())


def test_a_full_peer_keeps_what_it_has_and_gets_the_rest_later(fake, study, tmp_path):
    fake.answer = lambda uid: 0 if len(fake.kept) < 3 else 0xA700
    with serve(fake) as url:
        archive = archive_at(url, tmp_path, connections=1)
        with pytest.raises(ArchiveUnavailable, match="full"):
            archive.push(study.sources())
        there = set(fake.kept)
        assert len(there) == 3
        sent = []
        fake.answer = lambda uid: sent.append(uid) or 0
        assert archive.push(study.sources()).stored == study.files.keys()
    assert sorted(sent) == sorted(study.files.keys() - there)


def test_a_lost_association_leaves_its_instances_to_the_others(fake, study, tmp_path):
    broken = []

    def answer(uid):
        if not broken:
            broken.append(uid)
            return None
        return 0

    fake.answer = answer
    with serve(fake) as url:
        archive = archive_at(url, tmp_path)
        with pytest.raises(ArchiveUnavailable):
            archive.push(study.sources())
        assert fake.kept.keys() == study.files.keys() - set(broken)
        assert archive.push(study.sources()).stored == study.files.keys()


def test_a_peer_that_says_yes_and_keeps_nothing_is_not_believed(fake, study, tmp_path):
    fake.on_store = lambda event: 0
    with serve(fake) as url:
        result = archive_at(url, tmp_path).push(study.sources())
    assert result.failed.keys() == study.files.keys()
    assert all("does not have it" in sentence for sentence in result.failed.values())


def test_a_warning_is_no_failure(fake, study, tmp_path):
    def answer(uid):
        fake.kept[uid] = study.series_uid
        return 0xB000

    fake.answer = answer
    with serve(fake) as url:
        assert archive_at(url, tmp_path).push(study.sources()).failed == {}


def test_a_peer_that_is_down_is_unavailable(study, tmp_path):
    archive = archive_at(f"dimse://FAKE@127.0.0.1:{peers.free_port()}", tmp_path)
    key = (study.study_uid, study.series_uid, study.by_kind["jpeg"])
    for call in (
        archive.check,
        lambda: archive.push(study.sources()),
        lambda: archive.holds(key[0]),
        lambda: archive.fetch(*key),
        lambda: archive.search_studies({}),
        lambda: archive.metadata(*key),
        lambda: archive.frames(*key, [1]),
    ):
        with pytest.raises(ArchiveUnavailable):
            call()


def test_a_peer_that_does_not_know_us_refuses_us(fake, tmp_path):
    with serve(fake, calling=["SOMEBODY"]) as url, pytest.raises(ArchiveRefusesUs, match="AE title"):
        archive_at(url, tmp_path).check()


def test_a_silent_peer_is_given_up_in_time(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        archive = archive_at(f"dimse://FAKE@127.0.0.1:{silent.getsockname()[1]}?timeout=1", tmp_path)
        start = time.monotonic()
        with pytest.raises(ArchiveUnavailable):
            archive.check()
        assert time.monotonic() - start < 8


def test_a_peer_that_answers_no_queries_is_no_archive(fake, study, tmp_path):
    with serve(fake, find=False) as url, pytest.raises(ArchiveRefusesUs):
        archive_at(url, tmp_path).push(study.sources())


def test_storescp_alone_is_no_archive(study, tmp_path):
    peers.require(peers.missing_storescp())
    with peers.storescp(tmp_path) as peer:
        archive = archive_at(f"dimse://{peer.aet}@127.0.0.1:{peer.port}?timeout=5", tmp_path)
        archive.check()
        with pytest.raises((ArchiveRefusesUs, Misconfigured)):
            archive.push(study.sources())


@pytest.mark.parametrize(
    "url",
    [
        "dimse://host:104",
        "dimse://@host:104",
        "dimse://AE@:104",
        "dimse://AE@host:99999",
        "dimse://AE@host:x",
        "dimse://THIS-TITLE-IS-TOO-LONG@host",
        "dimse://AE@host?calling=",
        "dimse://AE@host?what=ever",
        "dimse://AE@host?move_port=x",
        "http://AE@host",
    ],
)
def test_a_wrong_address_is_a_sentence(url):
    with pytest.raises(Misconfigured, match="dimse://"):
        Peer.from_url(url)


def test_an_address_is_read_in_all_its_parts():
    peer = Peer.from_url("dimse://PACS@[::1]:11112?calling=TRIAL_1&move_port=11113")
    assert (peer.aet, peer.host, peer.port, peer.calling, peer.move_port) == ("PACS", "::1", 11112, "TRIAL_1", 11113)
    assert Peer.from_url("dimse://PACS@host").port == 104


@pytest.mark.orthanc
def test_where_c_get_is_not_offered_c_move_brings_the_same(orthanc_peer, study, tmp_path, monkeypatch):
    archive = archive_at(f"{orthanc_peer.dimse_url}&move_port={orthanc_peer.move_port}", tmp_path)
    archive.push(study.sources())
    monkeypatch.setattr(retrieve, "_get", lambda *args: False)
    for kind in ("slice 1", "undefined length", "jpeg"):
        with archive.fetch(*study.key(kind)) as stream:
            assert made.decoded(stream.read()) == study.dataset(kind)
    without = archive_at(orthanc_peer.dimse_url, tmp_path)
    with pytest.raises(ArchiveUnavailable, match="move_port"):
        without.fetch(*study.key("slice 1"))


@pytest.mark.orthanc
def test_what_was_removed_from_the_archive_is_not_looked_at_any_more(orthanc_peer, study, tmp_path):
    archive = archive_at(orthanc_peer.dimse_url, tmp_path)
    archive.push(study.sources())
    assert len(archive.metadata(study.study_uid, study.series_uid)) == len(study.files)
    victim = study.by_kind["slice 1"]
    (found,) = orthanc_peer.rest("/tools/lookup", victim.encode(), "POST")
    orthanc_peer.rest(found["Path"], method="DELETE")
    shown = archive.metadata(study.study_uid, study.series_uid)
    assert victim not in {one["00080018"]["Value"][0] for one in shown}
    assert len(shown) == len(study.files) - 1


def test_what_is_at_hand_stays_within_its_bound(tmp_path):
    at_hand = LookedAt(tmp_path / "c", bound=300_000)
    studies = [made.study(2, side=200) for _ in range(3)]
    for number, one in enumerate(studies):
        at_hand.keep(one.study_uid, one.sources())
        time.sleep(0.02)
        if number == 1:
            at_hand.has(studies[0].study_uid, Held("1", "2"))
    first, second, third = (len(at_hand.archive.holds(one.study_uid)) for one in studies)
    assert (first > 0, second, third > 0) in {(True, 0, True), (False, 0, True)}
    size = sum(path.stat().st_size for path in (tmp_path / "c" / "studies").rglob("*") if path.is_file())
    assert size <= 300_000 + 200_000
