"""The reader's pages and the team's: what is posted, who is let in, and that no page tells subject, site or another's result."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.casework.reading_bed import ReadingBed, bed, sop_of, values
from tests.web.imaging_bed import Visitor, text, words
from tests.world import PASSWORD, SITES, email_of
from trialimg.casework.read_images import _series
from trialimg.casework.services import EXTENSION, services
from trialimg.domain.reading import ReadState

__all__ = ["bed"]


class Archive:
    """An archive that knows the headers of the bed's studies and nothing else."""

    name = "headers only"
    can_forget = False

    def metadata(self, study_uid: str, series_uid: str) -> list[dict[str, Any]]:
        return [
            {
                "00080018": {"Value": [f"{series_uid}.{at}"]}, "00080060": {"Value": ["CT"]}, "00280010": {"Value": [64]},
                "00200013": {"Value": [at]}, "00200011": {"Value": [2]}, "00180050": {"Value": [3.0]},
            }
            for at in (3, 1, 2)
        ]  # fmt: skip


def linked(bed: ReadingBed) -> ReadingBed:
    """Give the bed with baseline and week 8 linked, and an archive that lists their images."""
    _series.cache_clear()
    bed.world.app.extensions[EXTENSION] = replace(services(), archive=Archive())
    bed.link("SCR")
    bed.link("W8")
    return bed


@pytest.fixture
def read(bed: ReadingBed) -> ReadingBed:
    return linked(bed)


def who(bed: ReadingBed, name: str = "reader") -> Visitor:
    return Visitor(bed.world.client(name))


def posted(visit: str, diameter: str = "30", **more: str) -> dict[str, Any]:
    """What the form of a read posts for one target and one non-target lesion."""
    series = f"2.25.7.{1 if visit == 'SCR' else 2}.1"
    said = {
        "_rows": ["T/T1", "N/N1"], "_revision": "0", "_end": "1", "T.T1.diameter.0": diameter, "T.T1.series.0": series,
        "T.T1.image.0": "2", "N.N1.state": "present", "quality": "good", "comment": "",
    }  # fmt: skip
    if visit == "SCR":
        said |= {"T.T1.organ": "LIVER", "T.T1.location": "segment 4", "N.N1.organ": "PLEURA", "N.N1.location": "left"}
    else:
        said |= {"new": "no"}
    return said | more


def address(bed: ReadingBed, visit: str = "SCR", name: str = "reader") -> str:
    return f"/reads/{bed.key(visit, name)}"


# --- reading ----------------------------------------------------------------------------------------------


def test_a_reader_reads_signs_and_finds_the_read_locked_all_by_the_pages(read: ReadingBed) -> None:
    me = who(read)
    assert read.code in words(me.get("/reads"))
    here = address(read)
    page = text(me.get(here))
    assert "data-viewer" in page
    assert "StudyInstanceUIDs=2.25.7.1" in page
    saved = me.post(f"{here}/draft", posted("SCR", go="sign"))
    assert (saved.status_code, saved.headers["Location"]) == (303, f"{here}/sign")
    [target] = read.page("SCR").values.targets
    assert target.measurements[0].sop_instance_uid == sop_of("SCR", 2)
    assert str(target.measurements[0].slice_thickness) == "3.0", "as the image says it, not the page"
    asked = words(me.get(f"{here}/sign"))
    assert "I read these images; this is my independent assessment." in asked
    credentials = {"_revision": "1", "_end": "1", "user_name": email_of("reader"), "password": PASSWORD}
    wrong = me.post(f"{here}/sign", {**credentials, "password": "wrong"})
    assert wrong.status_code == 403
    assert "Nothing was signed" in words(wrong)
    assert PASSWORD not in text(wrong)
    assert me.post(f"{here}/sign", {**credentials, "zone": "Europe/Zurich"}).status_code == 303
    locked = me.get(here)
    assert "data-viewer" not in text(locked)
    assert "Europe/Zurich (+0" in words(locked)
    assert me.post(f"{here}/draft", posted("SCR", _revision="1")).status_code == 409


def test_a_draft_saved_by_the_script_gets_its_revision_and_what_follows(read: ReadingBed) -> None:
    read.read("SCR", "30")
    me, here = who(read), address(read, "W8")
    assert "Screening 30.0 mm" in words(me.get(here))
    told = me.post(f"{here}/draft", posted("W8", "20"), headers=JSON_ONLY).get_json()
    assert told["revision"] == 1
    assert ">PR<" in told["panel"]
    told = me.post(f"{here}/draft", posted("W8", "70", _revision="1"), headers=JSON_ONLY).get_json()
    assert 'name="answer:large_step:targets:T1"' in told["panel"]
    answer = {"answer:large_step:targets:T1": "the same, grown"}
    me.post(f"{here}/draft", posted("W8", "70", _revision="2", **answer), headers=JSON_ONLY)
    assert read.page("W8").judged.open == ()


JSON_ONLY = {"Accept": "application/json"}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"T.T1.organ": ""}, "Choose the organ of lesion T1"),
        ({"T.T1.image.0": "4"}, "Series 2: CT, 3 images has the images 1 to 3"),
        ({"T.T1.image.0": "²"}, "has the images 1 to 3"),
        ({"T.T1.series.0": "2.25.7.2.1"}, "Choose the series"),
        ({"T.T1.frame.0": "-1"}, "A frame is a whole number"),
        ({"T.T1.points.0": "1,2;<b>", "T.T1.sop.0": "2.25.7.1.1.2"}, "incomplete or changed"),
        ({"_rows": "T/../x"}, "incomplete or changed"),
        ({"_end": ""}, "incomplete or changed"),
        ({"quality": "splendid"}, "cannot be taken"),
        ({"comment": "x" * 4001}, "cannot be taken"),
        ({"_revision": "7"}, "saved in another window"),
    ],
)
def test_what_cannot_be_taken_is_told_and_nothing_typed_is_lost(
    read: ReadingBed, wrong: dict[str, str], sentence: str
) -> None:
    me, here = who(read), address(read)
    me.get(here)
    answer = me.post(f"{here}/draft", posted("SCR", "31.7", **wrong))
    assert answer.status_code in {409, 422}
    assert sentence in words(answer)
    assert wrong.get("_rows") or 'value="31.7"' in text(answer)
    assert read.state("SCR") is ReadState.OPEN
    assert sentence in me.post(f"{here}/draft", posted("SCR", **wrong), headers=JSON_ONLY).get_json()["detail"]


def test_an_end_point_stays_with_its_image_and_goes_with_another(read: ReadingBed) -> None:
    me, here = who(read), address(read)
    me.get(here)
    line = {"T.T1.sop.0": sop_of("SCR", 2), "T.T1.points.0": "10.25,20;40,21.5"}
    me.post(f"{here}/draft", posted("SCR", **line))
    assert len(read.page("SCR").values.targets[0].measurements[0].end_points) == 2
    me.post(f"{here}/draft", posted("SCR", _revision="1", **(line | {"T.T1.image.0": "3"})))
    part = read.page("SCR").values.targets[0].measurements[0]
    assert (part.sop_instance_uid, part.end_points) == (sop_of("SCR", 3), ())


def test_organ_and_place_of_the_baseline_cannot_be_posted_away(read: ReadingBed) -> None:
    read.read("SCR", "30")
    me, here = who(read), address(read, "W8")
    me.get(here)
    more = {"T.T1.organ": "BRAIN", "T.T1.location": "x", "T.T1.remove": "y"}
    assert me.post(f"{here}/draft", posted("W8", "20", **more)).status_code == 303
    [target] = read.page("W8").values.targets
    assert (target.organ.value, target.location) == ("LIVER", "segment 4")


def test_while_the_archive_is_away_a_draft_keeps_the_image_it_had(read: ReadingBed) -> None:
    read.save("SCR", values("SCR", "30", sop=sop_of("SCR", 3)))
    _series.cache_clear()

    class Away(Archive):
        def metadata(self, study_uid: str, series_uid: str) -> list[dict[str, Any]]:
            from trialimg.errors import ArchiveUnavailable

            raise ArchiveUnavailable("The archive is away.")

    read.world.app.extensions[EXTENSION] = replace(services(), archive=Away())
    me, here = who(read), address(read)
    assert "T.T1.series.0" not in text(me.get(here))
    said = posted("SCR", "32", _revision="1") | {"T.T1.sop.0": sop_of("SCR", 3)}
    assert me.post(f"{here}/draft", said).status_code == 303
    assert read.page("SCR").values.targets[0].measurements[0].sop_instance_uid == sop_of("SCR", 3)


# --- who is let in ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", ["", "/sign", "/versions/1"])
def test_anothers_read_and_none_at_all_give_the_same_answer(read: ReadingBed, tail: str) -> None:
    read.read("SCR", "30", "second")
    me = who(read)
    theirs, none = me.get(address(read, "SCR", "second") + tail), me.get(f"/reads/{'0' * 32}{tail}")
    assert (theirs.status_code, none.status_code) == (404, 404)
    assert _plain(theirs) == _plain(none)


def _plain(answer: Any) -> str:
    return re.sub(r'content="[^"]{40,}"|value="[^"]{40,}"|[0-9a-f]{8,32}', "", text(answer))


@pytest.mark.parametrize("tail", ["/draft", "/sign"])
def test_crafted_posts_to_anothers_or_a_signed_read_change_nothing(read: ReadingBed, tail: str) -> None:
    read.save("SCR", values("SCR", "30"), "second")
    read.read("SCR", "30")
    me = who(read)
    me.get("/reads")
    body = posted("SCR", "99", _revision="1", user_name=email_of("reader"), password=PASSWORD)
    assert me.post(address(read, "SCR", "second") + tail, body).status_code == 404
    assert me.post(address(read) + tail, body).status_code == 409
    assert read.state("SCR", "second") is ReadState.DRAFT
    assert read.page("SCR").values.targets[0].measurements[0].diameter == "30"


@pytest.mark.parametrize("name", ["coordinator-101", "monitor", "sponsor", "data-manager", "inspector", "nobody"])
def test_nobody_but_a_reader_has_a_worklist_or_opens_a_read(read: ReadingBed, name: str) -> None:
    assert who(read, name).get("/reads").status_code == 403
    assert who(read, name).get(address(read)).status_code in {403, 404}


SEES = {"sponsor": True, "data-manager": True, "inspector": True, "monitor": False, "imaging-qc": False,
        "trial-administrator": False, "coordinator-101": False, "investigator-101": False}  # fmt: skip


@pytest.mark.parametrize("name", SEES)
def test_the_teams_page_shows_status_to_all_and_values_to_the_roles_named(read: ReadingBed, name: str) -> None:
    read.read("SCR", "37.3")
    read.read("W8", "20.2")
    page = who(read, name).get("/trials/DEMO/reads")
    assert page.status_code == 200
    assert read.number in words(page)
    assert "Signed" in words(page)
    for secret in ("37.3", "20.2", ">PR<", "segment 4", "<polyline", read.code):
        assert (secret in text(page)) is SEES[name], secret


@pytest.mark.parametrize(
    ("name", "status"), [("reader", 404), ("second", 404), ("coordinator-102", 200), ("nobody", 404)]
)
def test_the_teams_page_has_nothing_for_readers_and_other_sites(read: ReadingBed, name: str, status: int) -> None:
    read.read("SCR", "37.3")
    page = who(read, name).get("/trials/DEMO/reads")
    assert page.status_code in {status, 403}
    assert read.number not in text(page)
    assert "37.3" not in text(page)


@pytest.mark.parametrize(
    ("name", "status"), [("data-manager", 303), ("sponsor", 403), ("inspector", 403), ("coordinator-101", 403), ("reader", 404)]
)  # fmt: skip
def test_a_read_is_reopened_by_the_roles_the_trial_names(read: ReadingBed, name: str, status: int) -> None:
    read.read("SCR", "30")
    visitor = who(read, name)
    visitor.get("/account")
    done = visitor.post(f"/trials/DEMO{address(read)}/reopen", {"reason": "another slice"})
    assert done.status_code in {status, 403} if status == 404 else done.status_code == status
    assert read.state("SCR") is (ReadState.REOPENED if status == 303 else ReadState.SIGNED)
    if status == 303:
        shown = words(who(read).get(address(read)))
        assert "another slice" in shown
        first = words(who(read).get(address(read) + "/versions/1"))
        assert "Superseded." in first


def test_the_trial_administrator_changes_the_rule(read: ReadingBed) -> None:
    admin = who(read, "trial-administrator")
    assert "Balanced" in words(admin.get("/trials/DEMO/reading"))
    assert admin.post("/trials/DEMO/reading", {"assignment": "listed"}).status_code == 422
    person = read.person("reader").account_id
    assert admin.post("/trials/DEMO/reading", {"assignment": "listed", "listed": person}).status_code == 303
    assert admin.post("/trials/DEMO/reading/assign").status_code == 303
    assert who(read, "data-manager").get("/trials/DEMO/reading").status_code == 403


# --- blinded ----------------------------------------------------------------------------------------------


def test_no_page_of_a_readers_walk_tells_subject_site_or_another_readers_result(read: ReadingBed) -> None:
    """Every page a reader can open, in every state of a read."""
    read.read("SCR", "77.7", "second")
    read.read("W8", "66.6", "second")
    read.read("SCR", "30")
    read.join("2.25.7.1")
    read.sign("SCR")
    read.save("W8", values("W8", "20"))
    read.link("W16")
    read.reopen("SCR")
    me = who(read)
    home, reads = me.get("/"), me.get("/reads")
    pages = {"/": home, "/reads": reads, "/account": me.get("/account")}
    found = sorted(set(re.findall(r"/reads/[0-9a-f]{32}", text(reads))))
    assert len(found) == 3
    for at in found:
        for tail in ("", "/sign", "/versions/1", "/versions/2"):
            pages[at + tail] = me.get(at + tail)
    pages["draft"] = me.post(f"{address(read)}/draft", posted("SCR"), headers=JSON_ONLY)
    assert sum(each.status_code == 200 for each in pages.values()) >= 9
    number, sites = re.escape(read.number), [re.escape(name) for name in SITES.values()]
    secret = re.compile("|".join([number, *sites, r"77\.7", r"66\.6", "second@", "Second", r"\b101\b"]))
    for where, page in pages.items():
        body = page.get_data(as_text=True) + json.dumps(dict(page.headers))
        assert not secret.search(body), where


def test_the_trail_hides_values_of_reads_from_who_may_not_see_them(read: ReadingBed) -> None:
    read.read("SCR", "37.3")
    for name, seen in (("monitor", False), ("trial-administrator", False), ("data-manager", True), ("inspector", True)):
        pages = "".join(text(who(read, name).get(f"/trials/DEMO/audit?page={n}")) for n in (1, 2, 3))
        # Not the seconds of a moment, which may read so by chance.
        assert bool(re.search(r"(?<![\d:])37\.3(?!\d)", pages)) is seen, name
