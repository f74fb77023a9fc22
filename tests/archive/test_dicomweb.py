"""What the DICOMweb archive does with servers that lie, fail or refuse, and with those that can delete."""

import contextlib
import json
import logging
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests import peers
from tests.archive import made
from trialimg.archive.dicomweb import DicomwebArchive
from trialimg.archive.multipart import parts
from trialimg.archive.port import Held
from trialimg.archive.wire import Wire
from trialimg.errors import (
    ArchiveRefusesUs,
    ArchiveUnavailable,
    Conflict,
    Misconfigured,
    NotFound,
    TrialimgError,
)


class Fake:
    """An archive of a few lines that keeps UIDs, and misbehaves as told."""

    def __init__(self):
        self.kept = set()
        self.posts = []
        self.asked = []
        self.status = 200
        self.keeps = lambda uid: True
        self.reply = b""
        self.every_status = None
        self.delay = 0.0
        self.page = 10**6
        self.largest = 10**9

    def get(self, path):
        if path.startswith("/dicom-web/studies?"):
            return 200, "[]"
        if "/instances" in path:
            offset = int(re.search(r"offset=(\d+)", path)[1])
            chosen = sorted(self.kept)[offset : offset + self.page]
            return 200, json.dumps([_json_of(held) for held in chosen])
        return 404, ""

    def post(self, body):
        uids = {data.SOPInstanceUID: data for data in _datasets(body)}
        self.posts.append(list(uids))
        if len(uids) > self.largest:
            return 413, b""
        self.kept |= {(ds.SeriesInstanceUID, uid) for uid, ds in uids.items() if self.keeps(uid)}
        return self.status, self.reply


def _json_of(held):
    return {"0020000E": {"vr": "UI", "Value": [held[0]]}, "00080018": {"vr": "UI", "Value": [held[1]]}}


def _datasets(body):
    boundary = body[2 : body.index(b"\r\n")].decode()
    for part in parts(f'multipart/related; boundary="{boundary}"', [body]):
        with part.file as file:
            yield made.decoded(file.read())


@contextlib.contextmanager
def serve(fake):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            fake.asked.append((self.command, self.path))
            time.sleep(fake.delay)
            if fake.every_status is not None:
                status, data = fake.every_status, b""
            elif self.command == "POST" and self.path == "/dicom-web/studies":
                status, data = fake.post(body)
            elif self.command == "GET":
                status, text = fake.get(self.path)
                data = text.encode()
            else:
                status, data = fake.other(self.command, self.path, body)
            self.send_response(status)
            if status in {301, 302}:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - named by the library

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def fake():
    return Fake()


@pytest.fixture
def archive(fake):
    with serve(fake) as url:
        yield DicomwebArchive(Wire(url, timeout=(1.0, 1.0)))


@pytest.fixture
def study():
    return made.study()


def every_call(archive):
    study = made.study(1)
    uid = next(iter(study.files))
    key = (study.study_uid, study.series_uid, uid)
    return [
        archive.check,
        lambda: archive.push(study.sources()),
        lambda: archive.holds(study.study_uid),
        lambda: archive.fetch(*key),
        lambda: archive.search_studies({}),
        lambda: archive.search_series(key[0]),
        lambda: archive.search_instances(*key[:2]),
        lambda: archive.metadata(*key),
        lambda: archive.metadata(*key[:2]),
        lambda: archive.frames(*key, [1]),
        lambda: archive.bulkdata(*key, "bulk/00111001"),
        lambda: archive.forget(key[0]),
    ]


def test_an_archive_that_is_down_is_unavailable_whatever_is_asked():
    archive = DicomwebArchive(Wire(f"http://127.0.0.1:{peers.free_port()}/dicom-web"))
    for call in every_call(archive):
        with pytest.raises(ArchiveUnavailable):
            call()
    assert not archive.can_forget


def test_a_silent_archive_is_given_up_in_time(fake, archive):
    fake.delay = 3
    start = time.monotonic()
    with pytest.raises(ArchiveUnavailable, match="in time"):
        archive.check()
    assert time.monotonic() - start < 2.5


@pytest.mark.parametrize("status", [401, 403])
def test_an_archive_that_refuses_our_credentials_says_whom_to_call(fake, archive, status):
    fake.every_status = status
    for call in every_call(archive):
        with pytest.raises(ArchiveRefusesUs, match="administrator"):
            call()


@pytest.mark.parametrize("status", [500, 502, 503, 507, 429, 302])
def test_no_foreign_error_passes(fake, archive, status):
    fake.every_status = status
    for call in every_call(archive):
        with pytest.raises(ArchiveUnavailable):
            call()


def test_our_credentials_follow_no_redirection(fake, archive):
    fake.every_status = 302
    with pytest.raises(ArchiveUnavailable, match="address"):
        archive.check()
    assert len(fake.asked) == 1


def test_a_page_that_is_no_dicomweb_is_called_so(fake, archive):
    fake.get = lambda path: (200, "<html>sign in</html>")
    with pytest.raises(ArchiveUnavailable, match="does not speak DICOMweb"):
        archive.check()


def test_a_full_archive_keeps_what_it_has_and_gets_the_rest_later(fake, archive, study):
    fake.status = 507
    first = set(list(study.files)[:3])
    fake.keeps = first.__contains__
    with pytest.raises(ArchiveUnavailable, match="full"):
        archive.push(study.sources())
    there = {uid for _, uid in fake.kept}
    assert there == first
    fake.status, fake.keeps = 200, lambda uid: True
    fake.posts.clear()
    assert archive.push(study.sources()).stored == study.files.keys()
    assert sorted(uid for post in fake.posts for uid in post) == sorted(study.files.keys() - there)


def test_full_is_understood_in_the_reply_of_a_200(fake, archive, study):
    victim = study.by_kind["slice 2"]
    fake.keeps = lambda uid: uid != victim
    fake.reply = _failed(victim, 0xA700)
    with pytest.raises(ArchiveUnavailable, match="full"):
        archive.push(study.sources())


def test_an_archive_that_says_200_and_stores_nothing_is_not_believed(fake, archive, study):
    fake.keeps = lambda uid: False
    result = archive.push(study.sources())
    assert result.stored == frozenset()
    assert result.failed.keys() == study.files.keys()
    assert all("does not have it" in sentence for sentence in result.failed.values())


def test_an_archive_that_says_400_and_has_stored_all_has_stored_all(fake, archive, study):
    fake.status, fake.reply = 400, b"bad request"
    result = archive.push(study.sources())
    assert result.stored == study.files.keys()
    assert result.failed == {}


@pytest.mark.parametrize("reply", [b"", b"[]", b"{", b'"x"', b"null", b'{"00081198": {"Value": [{}]}}'])
def test_a_reply_that_makes_no_sense_harms_nothing(fake, archive, study, reply):
    fake.reply = reply
    assert archive.push(study.sources()).stored == study.files.keys()


@pytest.mark.parametrize(("reason", "says"), [(0x0122, "SOP class"), (0xC122, "encoding"), (0x0777, "0777H")])
def test_the_reason_of_one_refusal_becomes_its_sentence(fake, archive, study, reason, says):
    victim = study.by_kind["slice 2"]
    fake.keeps = lambda uid: uid != victim
    fake.status, fake.reply = 409, _failed(victim, reason)
    result = archive.push(study.sources())
    assert result.failed.keys() == {victim}
    assert says in result.failed[victim]
    assert result.stored == study.files.keys() - {victim}


def test_only_what_is_missing_is_sent(fake, archive, study):
    there = [study.by_kind["slice 1"], study.by_kind["jpeg"]]
    fake.kept = {(study.series_uid, uid) for uid in there}
    assert archive.push(study.sources()).stored == study.files.keys()
    assert sorted(uid for post in fake.posts for uid in post) == sorted(study.files.keys() - set(there))
    fake.posts.clear()
    archive.push(study.sources())
    assert fake.posts == []


def test_a_study_goes_in_batches_of_twenty(fake, archive):
    study = made.study(50)
    archive.push(study.sources())
    assert max(map(len, fake.posts)) == 20
    assert sum(map(len, fake.posts)) == len(study.files)


def test_a_proxy_that_takes_small_requests_only_gets_small_ones(fake, archive):
    fake.largest = 3
    study = made.study(20)
    assert archive.push(study.sources()).stored == study.files.keys()
    fake.largest = 0
    fake.kept.clear()
    with pytest.raises(ArchiveUnavailable, match="size"):
        archive.push(study.sources())


@pytest.mark.parametrize("page", [1, 7, 1000])
def test_an_archive_that_answers_in_pages_is_asked_to_the_end(fake, archive, page):
    fake.page = page
    fake.kept = {("1.2.3", f"1.2.{number}") for number in range(23)}
    assert archive.holds("1.2.9") == {Held(*held) for held in fake.kept}


def test_an_archive_without_offset_does_not_make_us_ask_for_ever(fake, archive):
    fake.kept = {("1.2.3", "1.2.4")}
    fake.get = lambda path: (200, json.dumps([_json_of(held) for held in fake.kept]))
    assert archive.holds("1.2.9") == {Held("1.2.3", "1.2.4")}


def test_a_reply_that_breaks_off_is_no_file(fake, archive):
    fake.get = lambda path: (200, "--b\r\nContent-Type: application/dicom\r\n\r\nhalf a fi")
    with pytest.raises(ArchiveUnavailable):
        list(parts('multipart/related; boundary="b"', [fake.get("")[1].encode()]))


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 17, 10**6])
def test_parts_are_the_same_however_the_network_cuts_them(cut):
    files = [b"one\r\n--not the boundary\r\n", b"", b"\r\n", b"x" * 5000]
    body = b"preamble\r\n" + b"".join(
        b"--B1\r\nContent-Type: image/jp2; transfer-syntax=1.2\r\n\r\n" + file + b"\r\n" for file in files
    )
    body += b"--B1--\r\n"
    chunks = [body[start : start + cut] for start in range(0, len(body), cut)]
    found = list(parts("multipart/related; type=x; boundary=B1", chunks))
    assert [part.file.read() for part in found] == files
    assert {part.content_type for part in found} == {"image/jp2; transfer-syntax=1.2"}


def test_dcm4chee_rejects_then_deletes(fake):
    calls = []
    fake.other = lambda command, path, body: calls.append((command, path)) or (204, b"")
    with serve(fake) as url:
        root = url.replace("/dicom-web", "/dcm4chee-arc/aets/DCM4CHEE/rs")
        archive = DicomwebArchive(Wire(root, timeout=(1, 1)))
        assert archive.can_forget
        archive.forget("1.2.3")
    study = "/dcm4chee-arc/aets/DCM4CHEE/rs/studies/1.2.3"
    assert calls == [("POST", study + "/reject/113001%5EDCM"), ("DELETE", study)]


def test_dcm4chee_that_forbids_deleting_leaves_it_to_its_operator(fake):
    fake.other = lambda command, path, body: (403 if command == "DELETE" else 204, b"")
    with serve(fake) as url:
        root = url.replace("/dicom-web", "/dcm4chee-arc/aets/DCM4CHEE/rs")
        with pytest.raises(Conflict, match="operator"):
            DicomwebArchive(Wire(root, timeout=(1, 1))).forget("1.2.3")


def test_any_other_product_is_never_asked_to_delete(fake, archive):
    assert not archive.can_forget
    with pytest.raises(Conflict, match="operator"):
        archive.forget("1.2.3")
    assert {command for command, _ in fake.asked} == {"GET"}


@pytest.mark.parametrize("url", ["http://", "https:///x", "http://h/x?y=1", "http://h:99999/x", "ftp://h/x"])
def test_a_wrong_address_is_a_sentence(url):
    with pytest.raises(Misconfigured):
        Wire(url)


def test_credentials_of_the_address_are_used_and_never_shown(fake, caplog):
    caplog.set_level(logging.DEBUG)
    with serve(fake) as url:
        wire = Wire(url.replace("http://", "http://us%40er:p%2Fass@"), timeout=(1, 1))
        archive = DicomwebArchive(wire)
        archive.check()
        assert wire.client._session.auth == ("us@er", "p/ass")
        assert "p/ass" not in archive.name + wire.base + repr(archive)
        fake.every_status = 500
        with pytest.raises(TrialimgError) as error:
            archive.check()
    assert "p/ass" not in str(error.value) + caplog.text
    assert "p%2Fass" not in caplog.text


def test_a_token_is_sent_as_bearer(fake):
    with serve(fake) as url:
        wire = Wire(url, token="t0ken")
        assert wire.client._session.headers["Authorization"] == "Bearer t0ken"


@pytest.mark.orthanc
def test_orthanc_killed_while_receiving_ends_with_all_of_it(orthanc_peer):
    study = made.study(60, side=256)
    archive = DicomwebArchive(Wire(orthanc_peer.dicomweb_url), connections=2)
    killed = threading.Event()

    def kill_once(count):
        if count >= 20 and not killed.is_set():
            killed.set()
            orthanc_peer.kill()

    with pytest.raises(ArchiveUnavailable):
        archive.push(study.sources(), kill_once)
    orthanc_peer.start()
    assert archive.push(study.sources()).stored == study.files.keys()
    for uid, data in study.files.items():
        with archive.fetch(study.study_uid, study.series_uid, uid) as stream:
            assert made.decoded(stream.read()) == made.decoded(data)
    archive.forget(study.study_uid)


@pytest.mark.orthanc
def test_orthanc_with_a_wrong_password_refuses_us(orthanc_peer):
    archive = DicomwebArchive(Wire(orthanc_peer.url + "/dicom-web", user="trialimg", password="wrong"))
    for call in every_call(archive):
        with pytest.raises(ArchiveRefusesUs):
            call()


@pytest.mark.orthanc
def test_a_missing_instance_behind_orthanc_is_not_found(orthanc_peer):
    archive = DicomwebArchive(Wire(orthanc_peer.dicomweb_url))
    with pytest.raises(NotFound):
        archive.fetch("1.2.3", "1.2.4", "1.2.5")


def _failed(uid, reason):
    item = {"00081155": {"vr": "UI", "Value": [uid]}, "00081197": {"vr": "US", "Value": [reason]}}
    return json.dumps({"00081198": {"vr": "SQ", "Value": [item]}}).encode()
