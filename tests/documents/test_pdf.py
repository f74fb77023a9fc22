"""What a PDF of ours is by its catalogue, and that nothing is fetched while it is made."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pypdf
import pytest

from tests.documents.archival import faults
from trialimg.documents import pdf
from trialimg.documents.casebook import (
    Answer,
    AuditPart,
    Best,
    Casebook,
    Change,
    Form,
    Group,
    Head,
    Index,
    IndexLine,
    Lesion,
    Read,
    Reads,
    Remark,
    Series,
    SlotLine,
    Study,
    Visit,
    audit_html,
    casebook_html,
    index_html,
)  # fmt: skip
from trialimg.documents.pdf import write_pdf
from trialimg.errors import OurFault

HOSTILE = '<img src="file:///etc/passwd"><script>x()</script>&amp;<b>bold</b>'
HEAD = Head(
    "DEMO", "A trial", "P-1", "Sponsor", "101-001", "101, North", "2026-01-01", (), "version 1.0", "now", "Sven"
)


def book(*answers: Answer, audit: tuple[Change, ...] = (), subject: str = "101-001") -> Casebook:
    form = Form("VS", "Vital signs", "1.0", "complete", "saved", (Group("Results", (answers,)),))
    head = HEAD if subject == HEAD.subject else Head(**{**HEAD.__dict__, "subject": subject})
    return Casebook(head, (Visit("SCR", "Screening", "Dated 2026-03-02.", "", (form,)),), (), (), Reads(), audit)


def read(html: str, tmp_path: Path) -> pypdf.PdfReader:
    pages = write_pdf(html, tmp_path / "x.pdf")
    reader = pypdf.PdfReader(tmp_path / "x.pdf")
    assert len(reader.pages) == pages
    return reader


def text_of(reader: pypdf.PdfReader) -> str:
    return "\n".join(page.extract_text() for page in reader.pages)


def test_a_casebook_is_pdf_a_tagged_with_bookmarks_and_page_numbers(tmp_path: Path) -> None:
    reader = read(casebook_html(book(Answer("Weight", "77.7", unit="kg"))), tmp_path)
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/StructTreeRoot"]["/K"]
    assert root["/Lang"] == "en"
    assert root["/OutputIntents"][0]["/S"] == "/GTS_PDFA1"
    metadata = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>2<" in metadata.replace(" ", "") or 'pdfaid:part="2"' in metadata
    assert "<pdfaid:conformance>A<" in metadata.replace(" ", "") or 'pdfaid:conformance="A"' in metadata
    assert reader.metadata.title == "Casebook DEMO 101-001"
    assert "/Encrypt" not in reader.trailer
    titles = [each.title for each in reader.outline if not isinstance(each, list)]
    assert "Screening (SCR)" in titles
    assert "Audit appendix" in titles
    first = reader.pages[0].extract_text()
    assert f"Page 1 of {len(reader.pages)}" in first
    assert "Subject 101-001" in first
    fonts = {
        str(font.get_object()["/BaseFont"]) for page in reader.pages for font in page["/Resources"]["/Font"].values()
    }
    assert all("+" in font for font in fonts)  # each one a subset that is embedded


PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNiAAAABgADNjd8qAAAAABJRU5ErkJggg=="
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"><line x1="1" x2="9" y1="3" y2="3" stroke="#000"/>'
    '<circle cx="9" cy="9" r="3" fill="#fff" stroke="#1d4f7c"/><text x="2" y="12" font-size="9">PR</text></svg>'
)


def rich() -> Casebook:
    """A casebook with something of everything: pictures of both kinds, all tables, remarks, a history over pages."""
    study = Study(
        "SCR", "CT", "2.25.1", "CT", "2026-03-02", 3, 1, "now", (Series("2.25.2", "CT", 3),), picture=PNG,
        picture_alt="Key image of CT at SCR",
    )  # fmt: skip
    drawn = f"data:image/svg+xml,{quote(SVG)}"
    group = Group("Lesions", tuple((Answer("Organ", organ),) for organ in ("Liver", "Lung")), repeating=True)
    remark = Remark("Weight", "It is high.", "soft", "open", "")
    forms = (
        Form("VS", "Vital signs", "1.0", "complete", "saved", (group,), (remark,), 1),
        Form("EMPTY", "Nothing", "1.0", "empty", "", (), why_empty="Missing: all 3 answers."),
    )
    history = tuple(Change(n, "2026-03-02", "a@b.example", "SCR VS", "value", "1", "2", "typo") for n in range(1, 60))
    visit = Visit("SCR", "Screening", "Dated 2026-03-02.", "", forms)
    slots = (SlotLine("SCR", "CT", "linked", "All is here."),)
    lesion = Lesion("T1", "target", "Liver", "20 mm", ("2.25.3",))
    signed = Read(
        "SCR", "day 1", "Reader 1", "signed", final=True, course=("20",) * 6, lesions=(lesion,),
        remarks=(("Comment", "none"),), signature="Rita, 2026", earlier=("superseded",),
    )  # fmt: skip
    reads = Reads((signed,), (Best("Reader 1", "PR", "It rests on SCR."),), drawn, "The sum over time")
    return Casebook(HEAD, (visit,), slots, (study,), reads, history)


def test_every_document_is_pdf_a_and_pdf_ua_as_far_as_its_objects_tell(tmp_path: Path) -> None:
    lines = (IndexLine("101-001", "101", "a.pdf", 5, "ab" * 32), IndexLine("101-002", "101", "", sentence="Not made."))
    changes = tuple(Change(n, "2026", "a@b.example", "VS", "value", "1", "2", "typo") for n in range(1, 60))
    for html in (
        casebook_html(rich()),
        casebook_html(book()),
        audit_html(book(), AuditPart("x.pdf", 1, 59, 59), changes),
        index_html(Index("DEMO", "A trial", "now", "Sven", lines)),
    ):
        assert faults(read(html, tmp_path)) == []


def test_the_check_of_pdf_ua_finds_what_the_layout_alone_leaves_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "finish", None)
    found = " ".join(faults(read(casebook_html(rich()), tmp_path)))
    assert "belongs to no element of the tree" in found
    assert "does not say what it heads" in found
    assert "is smoothed" in found
    assert "pdfuaid:part is 0 times" in found


def test_the_check_of_pdf_ua_finds_pictures_without_words_and_headings_that_skip(tmp_path: Path) -> None:
    html = f'<html lang="en"><title>t</title><h1>A</h1><h3>B</h3><p><img src="{PNG}"></p><table><tr><td>x</td></tr></table>'
    found = faults(read(html, tmp_path))
    assert "a figure without words" in found
    assert "a heading H3 under level 1" in found
    assert "a cell under no header" in found


def test_markup_in_a_value_is_shown_literally_and_fetches_nothing(tmp_path: Path) -> None:
    change = Change(1, "2026-03-02", HOSTILE, HOSTILE, "value", HOSTILE, HOSTILE, HOSTILE)
    html = casebook_html(book(Answer(HOSTILE, HOSTILE, code=HOSTILE, unit=HOSTILE), audit=(change,)))
    assert "<script>" not in html
    assert "<img" not in html
    assert "<script>x()</script>" in text_of(read(html, tmp_path)).replace("\n", "")


def test_an_address_of_a_file_or_host_is_refused_not_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.svg"
    secret.write_text('<svg xmlns="http://www.w3.org/2000/svg"><text>TOP-SECRET</text></svg>')
    for address in (secret.as_uri(), "http://127.0.0.1:9/x.png"):
        with pytest.raises(OurFault, match="outside itself"):
            write_pdf(f'<html lang="en"><title>t</title><img src="{address}" alt="x"></html>', tmp_path / "y.pdf")


def test_missing_and_not_shown_are_said_in_words(tmp_path: Path) -> None:
    answers = (
        Answer("Height", "Missing: required", state="missing"),
        Answer("Arm", "not shown to your role", state="not shown"),
    )
    text = text_of(read(casebook_html(book(*answers)), tmp_path))
    assert "Missing: required" in text
    assert "not shown to your role" in text
    assert "1 answers missing" in text


def test_the_content_hash_depends_on_what_is_said_not_on_who_printed_it_when() -> None:
    first = book(Answer("Weight", "77.7"))
    assert (
        first.digest
        == Casebook(
            Head(**{**HEAD.__dict__, "made_at": "later", "made_by": "Eve"}), *list(first.__dict__.values())[1:]
        ).digest
    )
    assert first.digest != book(Answer("Weight", "77.8")).digest


def test_an_index_names_what_could_not_be_made(tmp_path: Path) -> None:
    lines = (
        IndexLine("101-001", "101", "a.pdf", 5, "ab" * 32),
        IndexLine("101-002", "101", "", sentence="Not made: broken."),
    )
    text = text_of(read(index_html(Index("DEMO", "A trial", "now", "Sven", lines)), tmp_path))
    assert "1 could not be made" in text
    assert "Not made: broken." in text


def test_a_part_of_the_history_says_which_it_is(tmp_path: Path) -> None:
    changes = tuple(
        Change(n, "2026-03-02 10:00:00", "a@b.example", "SCR VS", "value", "1", "2", "typo") for n in range(1, 31)
    )
    part = AuditPart("x-audit-001.pdf", 1, 30, 30)
    text = text_of(read(audit_html(book(), part, changes), tmp_path))
    assert "Records 1 to 30" in text
    assert text.count("typo") == 30
