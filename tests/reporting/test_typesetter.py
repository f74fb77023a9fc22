"""Children that lay pages out: they serve several documents, are replaced, fail alone, and end with what asked them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pypdf
import pytest
from pydicom.data import get_testdata_file

from trialimg.errors import OurFault
from trialimg.reporting import typesetter as module
from trialimg.reporting.child import key_image
from trialimg.reporting.typesetter import Typesetter
from trialimg.settings import read_settings


def page(word: str) -> str:
    return f'<html lang="en"><title>t</title><h1>{word}</h1>'


LONG = page("long") + "<p>word " * 3000


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Typesetter]:
    with Typesetter(read_settings({}, data=tmp_path / "data")[0], at_once=1) as typesetter:
        yield typesetter


def pid_of(typesetter: Typesetter) -> int:
    (child,) = typesetter._children
    return child.process.pid


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def made(typesetter: Typesetter, folder: Path, word: str) -> str:
    target = folder / f"{word}.pdf"
    assert typesetter.pages(typesetter.begin(page(word), target)) == 1
    return pypdf.PdfReader(target).pages[0].extract_text()


def test_a_child_serves_several_documents_and_leaves_only_them(one: Typesetter, tmp_path: Path) -> None:
    assert made(one, tmp_path, "first") == "first"
    pid = pid_of(one)
    assert made(one, tmp_path, "second") == "second"
    assert pid_of(one) == pid
    assert {each.name for each in tmp_path.glob("*.*")} == {"first.pdf", "second.pdf"}


def test_a_data_folder_named_from_where_one_stands_serves_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``make demo`` names it: var/demo."""
    monkeypatch.chdir(tmp_path)
    settings, _ = read_settings({}, data=Path("data"))
    settings.data.mkdir()
    with Typesetter(settings, at_once=1) as typesetter:
        assert made(typesetter, settings.data, "first") == "first"
    picture = settings.data / "picture.png"
    key_image(settings, Path(os.path.relpath(get_testdata_file("CT_small.dcm"))), picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_the_worker_itself_needs_is_not_held_against_its_child(one: Typesetter, tmp_path: Path) -> None:
    large = bytearray(os.urandom(1)) * (module._MOST_MEMORY_KIB * 1024 + 2**25)
    made(one, tmp_path, "first")
    pid = pid_of(one)
    made(one, tmp_path, "second")
    assert pid_of(one) == pid
    del large


def test_a_child_is_replaced_after_some_documents(
    one: Typesetter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_DOCUMENTS", 1)
    first = one._free().process.pid
    made(one, tmp_path, "first")
    assert not one._children
    assert not runs(first)
    made(one, tmp_path, "second")


def test_a_child_that_has_grown_is_replaced(one: Typesetter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_MEMORY_KIB", 1)
    made(one, tmp_path, "first")
    assert not one._children
    made(one, tmp_path, "second")


def test_a_child_that_is_killed_fails_its_document_alone(one: Typesetter, tmp_path: Path) -> None:
    lost = one.begin(LONG, tmp_path / "lost.pdf")
    os.kill(pid_of(one), signal.SIGKILL)
    with pytest.raises(OurFault, match="could not be laid out"):
        one.pages(lost)
    assert made(one, tmp_path, "next") == "next"
    assert not list(tmp_path.glob("*.html"))


def test_a_document_that_takes_too_long_fails_and_the_next_is_made(
    one: Typesetter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(module, "PATIENCE", 0)
        with pytest.raises(OurFault, match="the process ended"):
            one.pages(one.begin(LONG, tmp_path / "late.pdf"))
    assert made(one, tmp_path, "next") == "next"


def test_a_document_that_asks_for_more_than_there_is_fails_with_a_sentence(one: Typesetter, tmp_path: Path) -> None:
    html = page("x") + '<img src="http://127.0.0.1:9/x.png" alt="x">'
    with pytest.raises(OurFault, match="could not be laid out"):
        one.pages(one.begin(html, tmp_path / "x.pdf"))
    assert made(one, tmp_path, "next") == "next"


def test_two_are_laid_out_at_once_and_each_answer_is_its_own(tmp_path: Path) -> None:
    done: list[str] = []
    with Typesetter(read_settings({}, data=tmp_path / "data")[0], at_once=2) as typesetter:
        pending = [
            typesetter.begin(page(word) * count, tmp_path / f"{word}.pdf", lambda _, word=word: done.append(word))
            for word, count in (("a", 200), ("b", 1), ("c", 1))
        ]
        assert len(typesetter._children) == 2
        pages = [typesetter.pages(each) for each in pending]
        pids = [child.process.pid for child in typesetter._children]
    assert pages[0] > 1
    assert pages[1:] == [1, 1]
    assert sorted(done) == ["a", "b", "c"]
    assert not any(runs(pid) for pid in pids)


def test_what_is_begun_ends_with_the_order_and_leaves_no_page_of_a_subject(tmp_path: Path) -> None:
    with Typesetter(read_settings({}, data=tmp_path / "data")[0], at_once=1) as typesetter:
        typesetter.begin(LONG, tmp_path / "x.pdf")
        pid = pid_of(typesetter)
    assert not runs(pid)
    assert not list(tmp_path.glob("*.html"))


def test_children_end_with_a_killed_worker(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom trialimg.reporting.typesetter import Typesetter\n"
        "from trialimg.settings import read_settings\nfolder = Path(sys.argv[1])\n"
        "typesetter = Typesetter(read_settings({}, data=folder / 'data')[0], at_once=1)\n"
        "typesetter.pages(typesetter.begin('<html lang=en><title>t</title><h1>x</h1>', folder / 'x.pdf'))\n"
        "print(typesetter._children[0].process.pid, flush=True)\ntime.sleep(60)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    child = int(worker.stdout.readline())
    assert runs(child)
    worker.kill()
    worker.wait()
    worker.stdout.close()
    until = time.monotonic() + 30
    while runs(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not runs(child)
