"""The page and the PDF of a de-identification say what the JSON says, and that is what differs in the data sets."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from seed_data.phantom.identities import planted_strings
from tests.casework.pixel_bed import FOUND, clip_study, view_of
from tests.dicom.test_told import differences, lies
from tests.pipeline.bed import PATIENT, Bed, small_ct
from tests.web.imaging_bed import bed as bed  # noqa: PLC0414 (a fixture)
from tests.web.imaging_bed import visitor, words
from tests.web.test_deid_report import api, claimed, made, told
from trialimg.casework import pixel_review
from trialimg.casework.access import submission_place
from trialimg.casework.definition import definition
from trialimg.casework.pixel_review_page import review_page
from trialimg.casework.services import services
from trialimg.domain.deid_report import ACTIONS, MASKED, REJECTED, SHOWN, UNSEEN, WAITING, Report
from trialimg.domain.mask import Box
from trialimg.domain.permission import Role
from trialimg.domain.pixel_review import Drawn
from trialimg.domain.submission import Fate
from trialimg.pipeline import look
from trialimg.pipeline.child import Json, ask_each
from trialimg.pixels.devices import rule_for
from trialimg.store.base import db
from trialimg.store.trial import TrialDefinitionVersion

ROW = re.compile(r'data-label="Attribute">(.*?)</th>.*?<code[^>]*>(.*?)</code>.*?What was done">(.*?)</td>.*?Times">(.*?)</td>', re.DOTALL)


def rich(path: Path) -> Dataset:
    """A file of many kinds of elements: nested, private, an overlay's, codes, free text, dates, people, identifiers."""
    ds = dcmread(path)
    ds.OperatorsName, ds.PatientComments, ds.PatientTelephoneNumbers = "Okonkwo^Kemi", "calls her sister", "+44 20 7946 0199"
    ds.InstitutionAddress, ds.DeviceSerialNumber, ds.AcquisitionComments = "1 Harbour Road", "SN-99-41", "with contrast"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-D3000", "SRT", "Chest"
    asked = Dataset()
    asked.RequestedProcedureID, asked.RequestedProcedureDescription = "RP-4711", "CT chest"
    asked.RequestedProcedureCodeSequence = Sequence([code])
    ds.RequestAttributesSequence = Sequence([asked])
    block = ds.private_block(0x0019, "HARBOUR 1.0", create=True)
    block.add_new(0x01, "LO", "written by Kemi")
    block.add_new(0x02, "SQ", Sequence([asked]))
    ds.add_new(0x60000010, "US", 1)
    ds.add_new(0x60001500, "LO", "Kemi's overlay")
    ds.save_as(path)
    return ds


@pytest.fixture
def study(bed: Bed, tmp_path: Path) -> tuple[str, list[Dataset]]:
    files = small_ct(tmp_path / "rich")
    originals = [rich(path) for path in files]
    return bed.link(files), originals


def archived(bed: Bed, key: str) -> list[Dataset]:
    (row,) = bed.studies()
    held = services().archive.holds(row.study_instance_uid)
    found = []
    for each in held:
        with services().archive.fetch(row.study_instance_uid, each.series_uid, each.sop_instance_uid) as stream:
            found.append(dcmread(stream))
    assert len(found) == bed.fates(key).count(Fate.SENT)
    return found


def on_paper(bed: Bed, address: str, folder: Path) -> str:
    """Give the text of the PDF, row by row."""
    (folder / "report.pdf").write_bytes(made(bed, address).get_data())
    return subprocess.run(
        ["pdftotext", "-raw", str(folder / "report.pdf"), "-"], capture_output=True, text=True, check=True
    ).stdout  # fmt: skip


def unspaced(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_page_pdf_and_json_say_the_same_and_it_is_what_differs_in_the_data_sets(
    bed: Bed, study: tuple[str, list[Dataset]], tmp_path: Path
) -> None:
    key, originals = study
    address = f"/submissions/{key}/deidentification"
    report = Report.from_json(json.loads(visitor(bed).get(f"{address}.json").get_data())["report"])

    clean = {(int(ds.SeriesNumber or 0), int(ds.InstanceNumber or 0)): ds for ds in archived(bed, key)}
    found: Counter[tuple[str, str]] = Counter()
    for ds in originals:
        found += differences(ds, clean[int(ds.SeriesNumber or 0), int(ds.InstanceNumber or 0)])
    assert lies(report, found) == []

    page = visitor(bed).get(address).get_data(as_text=True)
    rows = [tuple(html.unescape(part).strip() for part in row) for row in ROW.findall(page)]
    told = [(a.keyword or "unknown", a.tag, ACTIONS[a.action], f"{a.times:,}") for a in report.actions]
    assert sorted(rows) == sorted(told)
    assert len(told) > 60

    paper = on_paper(bed, address, tmp_path)
    solid = unspaced(paper)
    assert [row for row in told if unspaced("".join(row)) not in solid] == []

    said = words(visitor(bed).get(address))
    facts = [report.profile, f"version {report.version}", report.engine, report.table, *(o["meaning"] for o in report.to_json()["options"])]
    for text in (*facts, f"{report.residue.searched} images were searched after cleaning", "nothing of it was found"):
        assert text in said
        assert unspaced(text) in solid
    for value in (*planted_strings(PATIENT), "Kemi", "sister", "7946", "Harbour", "SN-99-41", "RP-4711"):
        assert value not in page + paper


# --- a trial with rules of its own, and pictures that people decided on ------------------------------------

RULES = [
    {"tag": "0008,103E", "action": "K", "why": "series are chosen by it & its <b>words</b>"},
    {"private": {"creator": "HARBOUR 1.0", "element": "0019,xx03", "vr": "DS"}, "action": "K", "why": "the dose needs it"},
    {"tag": "0018,1030", "action": "C", "why": "protocols are compared", "sop_class": ["CT Image Storage"]},
    {"tag": "0008,0070", "action": "Z"},
]
REASON = "Of her neighbour, who is called Quillfeather"
DRAWN = Box(300, 440, 30, 20)


@pytest.fixture
def ruled(bed: Bed) -> Iterator[list[dict[str, Any]]]:
    """The trial has rules of its own, three of which keep more than the profile, and says why."""
    with bed.world.acting("data-manager") as uow:
        for version in uow.session.scalars(db.select(TrialDefinitionVersion)):
            content = json.loads(version.content)
            content["deidentification"]["rules"] = RULES
            version.content = json.dumps(content)
    definition.cache_clear()  # a version never changes but here
    yield RULES
    definition.cache_clear()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A CT of a head in thin slices, a clip of a device with a shipped rule, and four saved screens without one."""
    made = [path for path in clip_study(tmp_path / "pictures", frames=2, screens=4) if "LOCALIZER" not in dcmread(path).ImageType]
    for path in made:
        ds = dcmread(path)
        if ds.Modality == "CT":
            ds.ProtocolName, ds.SliceThickness = "CT head", "1.0"
            ds.private_block(0x0019, "HARBOUR 1.0", create=True).add_new(0x03, "DS", "0.75")
        elif path.name.startswith("screen"):
            del ds.SequenceOfUltrasoundRegions
        else:
            ds.Manufacturer, ds.ManufacturerModelName = "Philips", "iU22"
        ds.save_as(path)
    return made


@pytest.fixture
def looked(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of devices are those that ship; what the search for text finds is given: the place of the name."""

    def answered(requests: Iterable[Json], setup: Mapping[str, Any], limits: Any) -> Iterator[tuple[Json, Json]]:
        waiting = list(requests)
        for request in [each for each in waiting if each["do"] == "find_text"]:
            ds = dcmread(files[request["ordinal"]], stop_before_pixels=True)
            rule = rule_for(ds)
            boxes = [[None, b.x, b.y, b.width, b.height, 1.0] for b in rule.boxes] if rule else FOUND
            told = {"boxes": boxes, "device": rule.name if rule else "", "looked_at": [0], "frames": int(ds.NumberOfFrames)}
            yield request, {"done": {**told, "rows": ds.Rows, "columns": ds.Columns}}
        yield from ask_each([each for each in waiting if each["do"] != "find_text"], setup, limits)

    monkeypatch.setattr(look, "ask_each", answered)


def decide(bed: Bed, key: str) -> None:
    """The clip: the rule's box and one drawn. The screens: boxes of found text, none, not sent, and no decision."""
    place = submission_place(key)

    def approve(number: int, who: str, role: Role, *more: Box, found: bool = True) -> None:
        view = view_of(key, number)
        drawn = [Drawn(box) for box in more] + [Drawn(Box(b.x, b.y, b.width, b.height)) for b in view.boxes if found]
        with bed.world.acting(who) as uow:
            pixel_review.approve(uow, place, view.line.series, seen=view.line.seen, drawn=drawn, also=False, role=role)

    approve(0, "coordinator-101", Role.SITE_COORDINATOR, DRAWN)
    approve(1, "investigator-101", Role.INVESTIGATOR)
    approve(2, "coordinator-101", Role.SITE_COORDINATOR, found=False)
    line = view_of(key, 3).line
    with bed.world.acting("coordinator-101", REASON) as uow:
        pixel_review.reject(uow, place, line.series, seen=line.seen, reason=REASON, role=Role.SITE_COORDINATOR)
    db.session.rollback()
    seen = review_page(place).seen
    with bed.world.acting("coordinator-101") as uow:
        pixel_review.send(uow, place, seen=seen)
    bed.run()


def rows_of(page: str, caption: str) -> list[list[str]]:
    """Give the body of the page's table with a caption, cell by cell; what is empty is a dash there."""
    (table,) = re.findall(rf">{re.escape(caption)}</caption>(.*?)</table>", page, re.DOTALL)
    lines = re.findall(r"<tr>(.*?)</tr>", table.split("<tbody>", 1)[1], re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL) for line in lines]
    return [[html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in line] for line in cells]


def decisions(originals: list[Dataset], clean: dict[tuple[int, int], Dataset]) -> Counter[str]:
    """Say what became of pixels by the bytes alone: other ones, the same ones, or not in the archive."""
    found: Counter[str] = Counter()
    for ds in originals:
        sent = clean.get((int(ds.SeriesNumber), int(ds.InstanceNumber)))
        if sent is None:
            found["away"] += 1
        elif ds.Modality == "CT":
            found[UNSEEN] += sent.PixelData == ds.PixelData
        else:
            found[SHOWN if sent.PixelData == ds.PixelData else MASKED] += 1
    return found


TOLD = {
    (MASKED, "investigator"): (1, 0, 1, 0), (MASKED, "site coordinator"): (1, 1, 0, 1), (SHOWN, "site coordinator"): (1, 0, 0, 0),
    (REJECTED, "site coordinator"): (1, 0, 0, 0), (WAITING, ""): (1, 0, 0, 0), (UNSEEN, ""): (2, 0, 0, 0),
}  # fmt: skip
WORDS = {MASKED: "Parts hidden", SHOWN: "Sent as they are", REJECTED: "Not sent", WAITING: "Wait for a decision", UNSEEN: "Not looked at"}
"""Images, boxes of a device's rule, of found text, and drawn, by what was decided and by whom."""


@pytest.mark.usefixtures("ruled", "looked")
def test_rules_faces_and_what_people_decided_on_pixels_are_told_alike_and_are_what_the_archive_has(
    bed: Bed, files: list[Path], tmp_path: Path
) -> None:
    originals = [dcmread(path) for path in files]
    key = bed.link(files)
    decide(bed, key)
    address = f"/submissions/{key}/deidentification"
    document = json.loads(visitor(bed).get(f"{address}.json").get_data())["report"]
    page, paper = visitor(bed).get(address).get_data(as_text=True), on_paper(bed, address, tmp_path)
    solid, said = unspaced(paper), words(visitor(bed).get(address))
    clean = {(int(ds.SeriesNumber), int(ds.InstanceNumber)): ds for ds in archived(bed, key)}

    assert {(row.decision, row.role): tuple(row)[2:] for row in Report.from_json(document).pixels} == TOLD
    assert decisions(originals, clean) == {MASKED: 2, SHOWN: 1, UNSEEN: 2, "away": 2}
    found: Counter[tuple[str, str]] = Counter()
    for ds in originals:
        if sent := clean.get((int(ds.SeriesNumber), int(ds.InstanceNumber))):
            found += differences(ds, sent)
    assert lies(Report.from_json(document), found) == []
    codes = {code.CodeValue for ds in clean.values() for code in ds.DeidentificationMethodCodeSequence}
    assert codes == {option["code"] for option in document["options"]} >= {"113100", "113101"}
    assert document["recognisable"] == sum(ds.Modality == "CT" for ds in originals) == 2
    kept = [ds for ds in clean.values() if ds.Modality == "CT"]
    assert {ds.private_block(0x0019, "HARBOUR 1.0")[0x03].value for ds in kept} == {0.75}
    assert [rule["why"] for rule in document["rules"]] == [rule.get("why", "") for rule in RULES]

    rules = [[each["about"], each["action"], each["why"] or "–"] for each in document["rules"]]
    assert rows_of(page, "Rules of the trial") == rules
    pixels = [[WORDS[d], role or "–", *map(str, counts)] for (d, role), counts in TOLD.items()]
    assert sorted(rows_of(page, "Decisions on pixels")) == sorted(pixels)
    objects = [[each["outcome"].capitalize(), each["code"] or "–", str(each["times"])] for each in document["outcomes"]]
    assert rows_of(page, "What became of each object") == objects
    for row in (*rules, *pixels, *objects):
        assert unspaced("".join(row)) in solid, row
    for sentence in (
        "2 images are thin slices of a head: a face can be computed from them, and nothing was done against that.",
        "Pixels that a person should see: 1 image, parts hidden in 2 boxes, decided by the site coordinator.",
        "Pixels that a person should see: 1 image, parts hidden in 1 box, decided by the investigator.",
        "Pixels that a person should see: 1 image, sent as they are, decided by the site coordinator.",
        "Pixels that a person should see: 1 image, not sent, decided by the site coordinator.",
        "Pixels that a person should see: 1 image, wait for a decision.",
    ):
        assert sentence in said
        assert unspaced(sentence) in solid
    assert REASON in words(visitor(bed).get(f"/submissions/{key}"))
    for value in ("Quillfeather", "0.75", *planted_strings(PATIENT)):
        assert value not in page + paper + json.dumps(document)


@pytest.mark.usefixtures("ruled")
def test_where_something_of_the_patient_was_still_named_page_paper_and_json_name_the_place_and_not_the_value(
    bed: Bed, tmp_path: Path
) -> None:
    files = small_ct(tmp_path / "ct", slices=2)
    ds = dcmread(files[-1])
    ds.SeriesDescription = f"CHEST {PATIENT.family_name}"  # a rule of the trial keeps it
    ds.save_as(files[-1])
    key = bed.link(files)
    assert bed.fates(key)[-1] is Fate.HELD
    address = f"/submissions/{key}/deidentification"
    residue = json.loads(visitor(bed).get(f"{address}.json").get_data())["report"]["residue"]
    assert residue == {"searched": 3, "held": 1, "paths": ["(0008,103E)"]}
    page, paper = visitor(bed).get(address).get_data(as_text=True), on_paper(bed, address, tmp_path)
    said, found = words(visitor(bed).get(address)), re.search(r'id="residue".*?</section>', page, re.DOTALL)
    assert found is not None
    assert '<code class="text-break">(0008,103E)</code>' in found[0]
    sentence = "for what the original says of the patient: 1 image still named something and is held."
    for text in (sentence, "Where something of the patient was still named"):
        assert text in said
        assert unspaced(text) in unspaced(paper)
    assert paper.count("(0008,103E)") >= 2  # among the attributes, and there
    assert PATIENT.family_name not in page + paper


# --- what was cleaned before it was sent --------------------------------------------------------------------


def test_what_a_sender_tells_is_told_alike_on_page_paper_and_in_the_json_as_its_word(bed: Bed, tmp_path: Path) -> None:
    """Its actions, its search, its faces and its looks at pixels; nothing of it is told as what was seen here."""
    claim = claimed(bed)
    rows = [("(0010,0010)", "PatientName", "D", 5), ("(0008,103E)", "SeriesDescription", "C", 5), ("(0010,0030)", "PatientBirthDate", "Z", 5)]
    counts = [{"decision": SHOWN, "role": "whoever ran the command", "instances": 1, "by_rule": 0, "by_text": 0, "by_person": 0}]
    document = told(bed) | {"actions": rows, "pixels": counts, "recognisable": 4, "residue": {"searched": 5, "held": 0, "paths": []}}
    answer = bed.app.test_client().post(f"{claim}/report", json=document, headers=api(bed))
    assert answer.status_code == 200, answer.get_data(as_text=True)

    address = f"/submissions/{claim.rsplit('/', 1)[1]}/deidentification"
    taken = json.loads(visitor(bed).get(f"{address}.json").get_data())
    assert (taken["report"], taken["cleaned_at_source"]) == (None, True)
    assert [tuple(row) for row in taken["as_told_by_the_sender"]["actions"]] == rows
    page, paper = visitor(bed).get(address).get_data(as_text=True), on_paper(bed, address, tmp_path)
    shown = [tuple(html.unescape(part).strip() for part in row) for row in ROW.findall(page)]
    wanted = [(keyword, tag, ACTIONS[action], str(times)) for tag, keyword, action, times in rows]
    assert shown == wanted
    solid, said = unspaced(paper), words(visitor(bed).get(address))
    assert [row for row in wanted if unspaced("".join(row)) not in solid] == []
    for sentence in (
        "They were cleaned at their source, before they were sent (profile ",
        "as told by the sender 5 were emptied, 5 were replaced, 5 were cleaned.",
        "As told by the sender, 5 images were searched after cleaning for what the original says of the patient: nothing of it was found.",
        "4 images are thin slices of a head",
        "The server has verified none of them yet: all that stands here is the sender's word.",
        "The sender says that the pixels of 1 image were looked at by whoever ran the command before they were sent: sent as they are. That is its word.",
        "Pixels, as told by the sender", "Objects, as told by the sender",
    ):  # fmt: skip
        assert sentence in said
        assert unspaced(sentence) in solid
    assert "No object was counted yet." in said
    assert "PS3.15, of another edition" in said  # the claim names none
    for untrue in ("edition of another", "objects were received", "decided by", "that every element which is left"):
        assert untrue not in said + paper
