"""The key of a site stands in its file and in memory: in no process list, environment, output, report or clean file."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

from tests.client.conftest import ROOT, environment, run
from tests.client.test_deidentify import in_session
from tests.pipeline.bed import small_ct
from trialimg.domain.pseudonym import fingerprint_key, subject_key

SUBJECT = "101-001"
KEY = bytes(range(40, 72))
"""Printable, so that it could be seen as text too."""


def spellings() -> list[bytes]:
    """Give the key, and those derived from it, as anybody might have written them."""
    found = []
    for key in (KEY, subject_key(KEY, SUBJECT), fingerprint_key(KEY)):
        text = key.hex().encode()
        found += [key, text, text.upper(), base64.b64encode(key), repr(key).encode()[2:-1]]
    return found


def key_file(folder: Path) -> Path:
    path = folder / "site.json"
    path.write_text(json.dumps({"trial": "DEMO", "site": "101", "version": 1, "key": KEY.hex()}))
    path.chmod(0o600)
    return path


def seen_from_outside(session: int) -> bytes:
    """Give what any user may read of the processes of a session, and its owner of their environment."""
    found = b""
    for process in in_session(session):
        for name in ("cmdline", "environ", "comm"):
            try:
                found += Path(f"/proc/{process}/{name}").read_bytes()
            except OSError:
                continue
    return found


def test_the_key_is_seen_nowhere_while_files_are_cleaned_nor_afterwards(tmp_path: Path) -> None:
    small_ct(tmp_path / "ct", slices=60)
    (tmp_path / "ct" / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\x08\0\x05\0CS\xff\xff")
    out, order = tmp_path / "out", ("--trial", "demo", "--subject", SUBJECT, "--jobs", "2")
    files = ("--key-file", key_file(tmp_path), "--report", tmp_path / "report.json", "--id-map", tmp_path / "map.csv")
    process = subprocess.Popen(
        [sys.executable, "-m", "trialimg", "--data", str(tmp_path / "data"), "deidentify", *map(str, (
            tmp_path / "ct", out, *order, *files, "--json"
        ))],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    seen, looks = b"", 0
    while process.poll() is None and looks < 5000:
        seen += seen_from_outside(process.pid)
        looks += 1
        time.sleep(0.01)
    told = b"".join(process.communicate(timeout=60))
    written = b"".join(path.read_bytes() for path in (*out.rglob("*.dcm"), tmp_path / "report.json"))
    assert process.returncode == 65, told
    assert seen.count(b"deidentify") > 1
    assert len(list(out.rglob("*.dcm"))) == 61
    everything = seen + told + written + (tmp_path / "map.csv").read_bytes()
    assert [spelling for spelling in spellings() if spelling in everything] == []


def test_an_error_with_its_trace_shows_no_key(tmp_path: Path) -> None:
    small_ct(tmp_path / "ct", slices=2)
    path = key_file(tmp_path)
    order = ("--trial", "demo", "--subject", SUBJECT, "--key-file", path)
    (tmp_path / "file").write_text("no folder")
    ends = [
        run(tmp_path / "data", "deidentify", tmp_path / "ct", tmp_path / "file" / "out", *order),
        run(tmp_path / "data", "deidentify", tmp_path / "ct", tmp_path / "out", *order, "--site", "102"),
        run(tmp_path / "data", "deidentify", tmp_path / "ct", tmp_path / "out", *order, "--report", tmp_path / "ct"),
    ]
    path.write_text(path.read_text().replace('"key": "', '"key": "zz'))
    ends.append(run(tmp_path / "data", "deidentify", tmp_path / "ct", tmp_path / "out", *order))
    for end in ends:
        assert end.returncode != 0
        assert end.stderr.strip()
        told = (end.stdout + end.stderr).encode()
        assert [spelling for spelling in spellings() if spelling in told] == []


def test_what_holds_a_key_does_not_show_it_when_printed() -> None:
    from trialimg.client.offline import SiteKey
    from trialimg.client.work import Recipe
    from trialimg.domain.deidentification import Profile, SubjectIdentity

    identity = SubjectIdentity("s", "p", "n", "101", "s", SUBJECT, "", "")
    held = (SiteKey("101", KEY, "file", "ok"), Recipe(Profile("p", "1"), identity, KEY, KEY, KEY))
    assert [spelling for spelling in spellings() if spelling.decode("latin-1") in repr(held)] == []
