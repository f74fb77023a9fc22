"""What a run leaves beside the clean files destroys nothing: no original, no key, no device."""

from __future__ import annotations

import json
import os
import threading

import pytest

from trialimg.client.written import refuse_another, write_pairs, write_report
from trialimg.errors import BadInput, Misconfigured

REPORT = {"trial": "", "site": "", "files": 1}


@pytest.mark.parametrize("content", [b"\0" * 128 + b"DICM", b'{"trial": "", "site": "07", "key": "00"}\n', b"1"])
def test_a_report_is_not_written_over_what_is_none(tmp_path, content):
    path = tmp_path / "there"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="is no report"):
        refuse_another(path)
    with pytest.raises(BadInput, match="is no report"):
        write_report(path, REPORT)
    assert path.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["there"]


def test_a_report_is_written_over_an_earlier_one_and_over_an_empty_file(tmp_path):
    path = tmp_path / "report.json"
    path.touch()
    for files in (1, 2):
        write_report(path, {**REPORT, "files": files})
        assert json.loads(path.read_text())["files"] == files
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_report(tmp_path / "link", REPORT)
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "real").read_text()) == {**REPORT, "studies": {}, "instances": []}


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_report(pipe, REPORT)
    reader.join(10)
    assert json.loads(read[0]) == {**REPORT, "studies": {}, "instances": []}
    assert pipe.is_fifo()


def test_a_folder_is_no_place_for_a_report(tmp_path):
    with pytest.raises(Misconfigured, match="could not be written"):
        write_report(tmp_path, REPORT)


def test_who_was_who_is_written_over_nothing(tmp_path):
    path = tmp_path / "map.csv"
    write_pairs(path, {("1.2", "2.25.1")})
    with pytest.raises(BadInput, match="is there already"):
        write_pairs(path, {("1.3", "2.25.2")})
    assert path.read_text() == "id_old,id_new\n1.2,2.25.1\n"
