"""`trialimg send` against a real server in a process of its own, with the worker in it."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from seed_data.phantom.identities import PATIENT_IDENTITIES, planted_strings
from tests.casework.pixel_bed import clip_study
from tests.client.conftest import ROOT, Served, environment, make_served
from tests.pipeline.bed import PATIENT, small_ct
from trialimg.client.sender import Target, judge, send
from trialimg.documents.deid import DeidAccount
from trialimg.domain.deid_report import SHOWN, WAITING, PixelCount, Report
from trialimg.errors import BadInput, Held

pytestmark = pytest.mark.slow


def names_nobody(text: str) -> None:
    for planted in planted_strings(PATIENT):
        assert planted not in text


def test_a_study_sent_ends_linked_and_its_account_is_one_document(served: Served, ct: Path) -> None:
    done = served.send(ct)
    assert done.returncode == 0, done.stderr
    assert "Look at them and confirm" not in done.stderr
    account = json.loads(done.stdout)
    assert account["stage"] == "linked"
    assert account["study_instance_uid"].startswith("2.25.")
    assert account["counts"]["sent"] == account["counts"]["announced"] == 5
    assert len({each["hash"] for each in account["instances"]}) == 5
    assert re.search(r"5 of 5 sent\n", done.stderr)
    assert "linked:" in done.stderr
    names_nobody(done.stdout + done.stderr + served.log.read_text())
    told = told_report(served, account["submission"])
    report = Report.from_json(json.loads(told))
    assert report.instances == report.residue.searched == 5
    assert ("(0010,0010)", "PatientName") in {action[:2] for action in report.actions}
    names_nobody(told)


def test_what_a_person_looked_at_before_sending_is_told_as_their_word_and_held_for_a_look_all_the_same(
    peopled: Path, tmp_path: Path
) -> None:
    served = make_served(peopled, tmp_path / "installation")
    served.start()
    clip_study(tmp_path / "clip")
    try:
        done = served.send(tmp_path / "clip", Path("--pixels"), Path("reviewed"))
    finally:
        served.end()
    assert done.returncode == 65, done.stderr
    assert "1 file waits for a person's decision on the server: open the images sent." in done.stderr
    assert "1 image that may show text is sent because you have looked." in done.stderr
    assert "1 waits for a decision" in done.stderr
    account = json.loads(done.stdout)
    assert account["counts"]["held"] == 1
    told = Report.from_json(json.loads(told_report(served, account["submission"])))
    assert PixelCount(SHOWN, "whoever ran the command", 1) in told.pixels
    with closing(sqlite3.connect(served.data / "trialimg.sqlite")) as base:
        (report,) = base.execute("select report from submission where id = ?", (account["submission"],)).fetchone()
        audited = base.execute(
            "select count(*) from audit_record where row_id = ? and column_name = 'sender_report' and action = 'update'",
            (account["submission"],),
        ).fetchone()
    assert audited == (1,)
    ours = Report.from_json(json.loads(report))
    assert PixelCount(WAITING, "", 1) in ours.pixels
    names = ("DEMO", "P", served.number, "SCR", "CT", account["submission"], ())
    sentences = DeidAccount(*names, cleaned_at_source=True, report=ours, told=told).sentences
    assert any(
        each.startswith("The sender says that the pixels of 1 image were looked at by whoever ran the command before")
        for each in sentences
    )


def test_a_study_sent_before_for_another_subject_is_stopped_with_a_sentence_and_linked_nowhere_else(
    peopled: Path, tmp_path: Path, ct: Path
) -> None:
    served = make_served(peopled, tmp_path / "installation")
    served.start()
    try:
        first = served.send(ct)
        second = served.send(ct, Path("--subject"), Path(served.other))
    finally:
        served.end()
    assert first.returncode == 0, first.stderr
    assert second.returncode == 65, second.stderr
    assert f"was sent before as subject {served.number}, visit SCR, slot CT. One of the two is wrong" in second.stderr
    names_nobody(second.stdout + second.stderr)
    with closing(sqlite3.connect(served.data / "trialimg.sqlite")) as base:
        assert base.execute("select count(*) from imaging_study").fetchone() == (1,)


def test_a_file_that_was_not_taken_is_told_by_the_exit_code_though_the_others_are_linked(
    peopled: Path, tmp_path: Path
) -> None:
    served = make_served(peopled, tmp_path / "installation")
    served.start()
    given = clip_study(tmp_path / "ct")
    (tmp_path / "ct" / "DOE_JANE.dcm").write_text("no image")
    try:
        done = served.send(tmp_path / "ct")
    finally:
        served.end()
    assert done.returncode == 65, done.stderr
    account = json.loads(done.stdout)
    assert (account["stage"], account["counts"]["sent"]) == ("linked", len(given) - 1), done.stderr
    assert (account["counts"]["held"], len(account["refused_here"])) == (1, 1)  # this trial lets the server hold
    begin = "The study is linked, but not all of what you gave is in it: "
    assert f"{begin}1 file waits for a person's decision on the server: open the images sent; 1 file was not" in done.stderr
    assert "DOE_JANE" not in done.stderr


def keep_originals_at_the_site(served: Served) -> None:
    """Let the trial have its originals de-identified before they leave the site."""
    with closing(sqlite3.connect(served.data / "trialimg.sqlite")) as base, base:
        changed = base.execute(
            "update trial_definition set content = json_set(content, '$.deidentification.deidentify_at', 'site')"
        )
        assert changed.rowcount > 0


def test_where_originals_stay_at_the_site_what_a_person_must_see_is_kept_there_and_the_rest_is_linked(
    peopled: Path, tmp_path: Path
) -> None:
    served = make_served(peopled, tmp_path / "installation")
    keep_originals_at_the_site(served)
    served.start()
    localizer, *given = clip_study(tmp_path / "clip")
    localizer.unlink()  # a trial may hold these as well
    try:
        done = served.send(tmp_path / "clip")
        alone = served.send(given[-1], Path("--subject"), Path(served.other))
    finally:
        served.end()
    assert done.returncode == 65, done.stderr
    account = json.loads(done.stdout)
    assert (account["stage"], account["counts"]) == ("linked", {"announced": 2, "sent": 2})
    (kept,) = re.findall(r"  kept here: file \d+ of [^:]+: (.*)", done.stderr)
    assert account["not_sent"] == [{"reason": kept}]
    assert kept.startswith("The image is divided into regions")
    assert "not all of what you gave is in it: 1 file was kept here, since a person must look first" in done.stderr
    received = "select count(*), count(distinct submission_id) from submission_object"
    with closing(sqlite3.connect(served.data / "trialimg.sqlite")) as base:
        assert base.execute(received).fetchone() == (2, 1)  # nothing of the clip, and nothing of the one sent alone
    assert alone.returncode == 65, alone.stderr
    assert f"Nothing can be sent. {kept}" in alone.stderr
    names_nobody(done.stdout + done.stderr + alone.stdout + alone.stderr + served.log.read_text())


def test_an_account_is_done_only_where_nothing_stayed_behind() -> None:
    whole = {"stage": "linked", "sentence": "", "counts": {"sent": 5}, "not_sent": [], "refused_here": []}
    judge(whole)
    for part in (
        {"counts": {"sent": 5, "held": 1}},
        {"counts": {"sent": 5, "refused": 2}},
        {"not_sent": [{"reason": "a picture"}]},
        {"refused_here": [{"code": "image.not_dicom", "sentence": "no image"}]},
        {"stage": "held", "sentence": "waits"},
    ):
        with pytest.raises(Held):
            judge(whole | part)
    with pytest.raises(BadInput):
        judge(whole | {"stage": "refused", "sentence": "another patient"})


def told_report(served: Served, submission: str) -> str:
    """Give what the server keeps of the sender's own report."""
    with closing(sqlite3.connect(served.data / "trialimg.sqlite")) as base:
        (told,) = base.execute("select sender_report from submission where id = ?", (submission,)).fetchone()
    return str(told)


def test_what_was_begun_at_a_server_without_space_is_given_up_so_that_the_slot_is_free(
    peopled: Path, tmp_path: Path
) -> None:
    served = make_served(peopled, tmp_path / "installation")
    small_ct(tmp_path / "ct")
    served.start(TRIALIMG_VAULT_RESERVE_MB=str(10**9))
    try:
        full = served.send(tmp_path / "ct")
        assert full.returncode == 75
        assert "is full" in full.stderr
        served.end()
        with closing(sqlite3.connect(served.data / "trialimg.sqlite")) as base:
            assert base.execute("select stage from submission").fetchall() == [("cancelled",)]
        served.start()
        assert served.send(tmp_path / "ct").returncode == 0
    finally:
        served.end()


class Breaking(httpx.HTTPTransport):
    """Carries every request to the server, and loses the first answer to each kind of it that changes something."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        kind = request.url.path.rsplit("/", 1)[-1]
        if request.method == "POST" and kind not in self.lost:
            answer.read()
            answer.close()
            self.lost.append(kind)
            raise httpx.ReadError("the network broke after the server had done it", request=request)
        return answer


def test_where_the_network_breaks_after_the_server_did_what_was_asked_nothing_is_done_twice(
    peopled: Path, tmp_path: Path, ct: Path
) -> None:
    served = make_served(peopled, tmp_path / "installation")
    served.start()
    token, breaking = served.token_file.read_text().split()[-1], Breaking()
    try:
        target = Target(served.url, token, served.number, "SCR", "CT", wait=60)
        account = send(target, [ct], [].append, transport=breaking)
    finally:
        served.end()
    assert set(breaking.lost) == {"submissions", "objects", "report", "complete", "confirm"}
    assert (account["stage"], account["counts"]) == ("linked", {"announced": 5, "sent": 5})
    with closing(sqlite3.connect(served.data / "trialimg.sqlite")) as base:
        assert base.execute("select id, stage from submission").fetchall() == [(account["submission"], "linked")]
        assert base.execute("select count(*) from submission_object").fetchone() == (5,)
        assert base.execute("select count(*) from imaging_study").fetchone() == (1,)


def test_the_same_study_again_is_refused_without_a_trace_left_waiting(served: Served, ct: Path) -> None:
    served.send(ct)
    again = served.send(ct)
    assert again.returncode == 65
    assert json.loads(again.stdout)["sentence"] in again.stderr


def test_two_persons_in_one_folder_are_refused_before_anything_is_sent(served: Served, ct: Path) -> None:
    small_ct(ct / "other", patient=PATIENT_IDENTITIES[3])
    done = served.send(ct)
    assert done.returncode == 65
    assert "name 2 persons" in done.stderr
    assert "Nothing was sent" in json.loads(done.stdout)["sentence"]
    names_nobody(done.stderr)


def test_a_folder_without_an_image_is_refused(served: Served, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "DOE_JANE.dcm").write_text("no image")
    done = served.send(tmp_path / "in")
    assert done.returncode == 65
    assert "Nothing can be sent" in done.stderr
    assert "DOE_JANE" not in done.stderr
    assert "file 1 of" in done.stderr


def test_a_wrong_token_is_not_allowed(served: Served, ct: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("trialimg_" + "x" * 43)
    done = Served(served.data, served.number, wrong, port=served.port).send(ct)
    assert done.returncode == 77, done.stderr


def test_an_unknown_subject_is_refused(served: Served, ct: Path) -> None:
    done = Served(served.data, "999-999", served.token_file, port=served.port).send(ct)
    assert done.returncode == 65
    assert "no such subject" in done.stderr


@pytest.mark.parametrize("option", [("--visit", "W99"), ("--slot", "PET")])
def test_an_unknown_visit_or_slot_is_refused_with_how_they_are_named(
    served: Served, ct: Path, option: tuple[str, str]
) -> None:
    done = served.send(ct, *map(Path, option))
    assert done.returncode == 65
    assert "no such visit, or the visit no such slot" in done.stderr
    assert "visits/W8/slots/CT" in done.stderr


def test_a_server_that_is_down_is_for_another_time(served: Served, ct: Path) -> None:
    down = Served(served.data, served.number, served.token_file)
    done = down.send(ct)
    assert done.returncode == 75
    assert "run the same command again" in done.stderr


@pytest.mark.parametrize("address", ["trial.example", "ftp://trial.example", "http://", "http://x:notaport"])
def test_an_address_that_is_none_is_a_matter_of_usage(served: Served, ct: Path, address: str) -> None:
    arguments = [str(a) if a != served.url else address for a in served.arguments(ct)]
    command = [sys.executable, "-m", "trialimg", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert "address" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_killed_and_started_again_while_sending_ends_linked(
    peopled: Path, tmp_path: Path, how: signal.Signals
) -> None:
    served = make_served(peopled, tmp_path / "installation")
    small_ct(tmp_path / "ct", slices=60)
    served.start()
    command = [sys.executable, "-m", "trialimg", *map(str, served.arguments(tmp_path / "ct"))]
    try:
        with subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as client:
            told: list[str] = []
            reading = threading.Thread(target=lambda: told.extend(client.stderr or ()), daemon=True)
            reading.start()
            until = time.monotonic() + 60
            while not list(served.data.glob("vault/areas/quarantine.*/[0-9a-f]*")) and time.monotonic() < until:
                time.sleep(0.01)
            served.end(how)
            time.sleep(1)
            served.start()
            assert client.stdout is not None
            account = json.loads(client.stdout.read())
            assert client.wait(120) == 0
            reading.join(10)
        assert account["stage"] == "linked"
        assert account["counts"] == {"announced": 61, "sent": 61}
        assert any("Trying again" in line for line in told)
    finally:
        served.end()
