"""Forms on pages, as a browser without scripts posts them: what is shown is sent back, whole."""

import shutil
from html.parser import HTMLParser

import pytest
from sqlalchemy import func, select

from tests.world import DEMO, World, csrf_of, make_world
from trialimg.casework.access import visit_place
from trialimg.casework.form_page import form_page
from trialimg.store.base import db
from trialimg.store.casebook import ItemValue

NUMBER = "101-001"
URL = f"/trials/DEMO/subjects/{NUMBER}/visits/{{}}/forms/{{}}"


class Inputs(HTMLParser):
    """The fields of a page's form with the values they would send, and what its buttons are called."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.buttons: set[tuple[str, str]] = set()
        self._inside = self._template = False
        self._select = self._area = ""
        self._chosen: str | None = None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "form" and "ti-form" in (found.get("class") or ""):
            self._inside = True
        if tag == "template":
            self._template = True
        if not self._inside or self._template:
            return
        name, value = found.get("name") or "", found.get("value") or ""
        if tag == "input":
            if found.get("type") in ("radio", "checkbox") and "checked" not in found:
                return
            self.sent.append((name, value))
        elif tag == "select":
            self._select, self._chosen = name, ""
        elif tag == "option" and "selected" in found:
            self._chosen = value
        elif tag == "textarea":
            self._area = name
            self.sent.append((name, ""))
        elif tag == "button":
            self.buttons.add((name, value))

    def handle_data(self, text):
        if self._area and self._inside:
            self.sent[-1] = (self._area, text)

    def handle_endtag(self, tag):
        if tag == "form":
            self._inside = False
        if tag == "template":
            self._template = False
        if tag == "select" and self._inside and not self._template:
            self.sent.append((self._select, self._chosen or ""))
        if tag == "textarea":
            self._area = ""


class Browser:
    """A coordinator at one form."""

    def __init__(self, world: World, form: str, visit: str = "SCR", who: str = "coordinator-101") -> None:
        self.client = world.client(who)
        self.url = URL.format(visit, form)
        self.answer = self.client.get(self.url)

    @property
    def text(self) -> str:
        return self.answer.text

    def post(
        self, *, press: tuple[str, str] = ("save", "draft"), drop: tuple[str, ...] = (), **typed: str
    ) -> "Browser":
        """Send the page as it is with some fields typed; ``__`` in a name stands for a dot."""
        typed = {name.replace("__", "."): value for name, value in typed.items()}
        return self.send(typed, press=press, drop=drop)

    def send(self, typed: dict[str, str], *, press=("save", "draft"), drop=()) -> "Browser":
        page = Inputs(self.text)
        kept = [(n, v) for n, v in page.sent if n not in typed and n not in drop]
        data: dict[str, list[str]] = {}
        for name, value in [*kept, *typed.items(), press]:
            data.setdefault(name, []).append(value)
        self.answer = self.client.post(self.url, data=data)
        if self.answer.status_code == 303:
            self.answer = self.client.get(self.answer.location)
        return self


@pytest.fixture
def subject(world: World) -> World:
    assert world.subject() == NUMBER
    return world


def values(world: World, form: str, visit: str = "SCR"):
    db.session.rollback()
    return form_page(visit_place("DEMO", NUMBER, visit), form, world.person("coordinator-101")).values


VITALS = {
    "VS.VSPERF": "Y", "VS.VSDAT": "2026-01-06", "RESULTS.HEIGHT_VSORRES": "170", "RESULTS.WEIGHT_VSORRES": "70,5",
    "RESULTS.TEMP_VSORRES": "36.6", "RESULTS.PULSE_VSORRES": "70", "RESULTS.SYSBP_VSORRES": "120",
    "RESULTS.DIABP_VSORRES": "80", "RESULTS.BP_VSPOS": "SITTING",
}  # fmt: skip


def test_what_is_typed_is_saved_and_shown_again(subject):
    browser = Browser(subject, "VS").send(VITALS)
    assert "Saved." in browser.text
    assert 'value="70.5"' in browser.text
    assert values(subject, "VS")["RESULTS"][""]["PULSE_VSORRES"] == "70"


def test_a_saved_page_sent_back_unchanged_changes_nothing(subject):
    browser = Browser(subject, "VS").send(VITALS)
    before = values(subject, "VS")
    browser.send({})
    assert 'name="_revision" value="1"' in browser.text
    assert values(subject, "VS") == before


def test_saving_leads_back_to_the_buttons(subject):
    browser = Browser(subject, "VS")
    page = Inputs(browser.text)
    answer = browser.client.post(browser.url, data=dict(page.sent) | VITALS | {"save": "draft"})
    assert answer.status_code == 303
    assert answer.location == browser.url + "#save"


def test_a_whole_form_is_marked_complete(subject):
    browser = Browser(subject, "VS").send(VITALS, press=("save", "complete"))
    assert "Saved and complete." in browser.text
    assert 'data-state="complete"' in browser.text


def test_marking_complete_names_what_is_missing_and_keeps_the_rest(subject):
    browser = Browser(subject, "VS").send(VITALS | {"RESULTS.PULSE_VSORRES": ""}, press=("save", "complete"))
    assert "1 answer is missing" in browser.text
    assert 'href="#RESULTS.PULSE_VSORRES"' in browser.text
    assert "data-error-summary" in browser.text
    assert 'value="170"' in browser.text


def test_a_wrong_value_is_kept_and_said_beside_the_field_and_on_top(subject):
    browser = Browser(subject, "VS").send(VITALS | {"RESULTS.PULSE_VSORRES": "fast"})
    assert 'value="fast"' in browser.text
    assert browser.text.count("must be a number") == 2
    assert 'aria-invalid="true"' in browser.text


def test_a_date_that_is_none_is_not_lost_in_the_browsers_picker(subject):
    browser = Browser(subject, "VS").send(VITALS | {"VS.VSDAT": "2026-02-31"})
    assert 'type="text" id="VS.VSDAT" name="VS.VSDAT" value="2026-02-31"' in browser.text
    browser.send({})
    assert values(subject, "VS")["VS"][""]["VSDAT"] == "2026-02-31"


def test_a_soft_check_is_answered_on_the_page(subject):
    browser = Browser(subject, "VS").send(VITALS | {"RESULTS.TEMP_VSORRES": "39.5"}, press=("save", "complete"))
    assert "1 check waits" in browser.text
    browser.send({"answer:soft_range:RESULTS.TEMP_VSORRES": "fever since yesterday"})
    assert 'data-state="complete"' in browser.text
    assert "fever since yesterday" in browser.text


def test_changing_a_complete_form_asks_for_a_reason_with_everything_typed_kept(subject):
    browser = Browser(subject, "VS").send(VITALS, press=("save", "complete"))
    browser.send({"RESULTS.PULSE_VSORRES": "72"})
    assert browser.answer.status_code == 422
    assert "Say why it is changed" in browser.text
    assert 'value="72"' in browser.text
    browser.send({"reason": "misread"})
    assert browser.answer.status_code == 200
    assert values(subject, "VS")["RESULTS"][""]["PULSE_VSORRES"] == "72"
    history = browser.client.get(browser.url + "/history").text
    assert "misread" in history
    assert ">70<" in history


def test_a_reason_that_is_a_novel_is_refused_and_the_page_kept(subject):
    browser = Browser(subject, "VS").send(VITALS, press=("save", "complete"))
    browser.send({"RESULTS.PULSE_VSORRES": "72", "reason": "x" * 5000})
    assert browser.answer.status_code == 422
    assert 'value="72"' in browser.text


def test_two_people_at_one_form_see_each_others_values(subject):
    mine, theirs = Browser(subject, "VS"), Browser(subject, "VS", who="investigator-101")
    theirs.send(VITALS | {"RESULTS.PULSE_VSORRES": "80"})
    mine.send(VITALS | {"RESULTS.PULSE_VSORRES": "90"})
    assert mine.answer.status_code == 409
    assert 'value="90"' in mine.text
    assert "Was: 80 (saved meanwhile by investigator-101@trial.example)" in mine.text
    assert mine.text.count("Was:") == 1
    mine.send({})
    assert mine.answer.status_code == 200
    assert values(subject, "VS")["RESULTS"][""]["PULSE_VSORRES"] == "90"


AE = {
    "AETERM": "Nausea", "AEONGO": "Y", "AESEV": "MILD", "AESER": "N", "AEREL": "N", "AEACN": "DOSE NOT CHANGED",
    "AEOUT": "NOT RECOVERED/NOT RESOLVED", "AESTDAT__year": "2026", "AESTDAT__month": "2", "AESTDAT__day": "",
}  # fmt: skip


def event(key: str, **changes: str) -> dict[str, str]:
    return {f"AE.{key}.{item}": text for item, text in (AE | changes).items()}


def added(world: World) -> Browser:
    """A form of adverse events with one row, added without a script."""
    browser = Browser(world, "AE", "W8").send({"AEYN.AEYN": "Y"}, press=("_add_row", "AE"))
    assert browser.answer.status_code == 200
    return browser.send(event("n1"))


def test_a_row_is_added_without_a_script_and_nothing_typed_is_lost(subject):
    browser = Browser(subject, "AE", "W8").send({"AEYN.AEYN": "Y"}, press=("_add_row", "AE"))
    assert 'name="AE.n1.AETERM"' in browser.text
    assert ("AEYN.AEYN", "Y") in Inputs(browser.text).sent
    browser.send(event("n1", AETERM="Rash"), press=("_add_row", "AE"))
    assert 'value="Rash"' in browser.text
    assert 'name="AE.n2.AETERM"' in browser.text
    assert db.session.scalars(select(ItemValue)).all() == []


def test_rows_are_saved_under_keys_of_the_server(subject):
    browser = added(subject)
    (key,) = values(subject, "AE", "W8")["AE"]
    assert len(key) == 16
    assert f'name="_rows" value="AE/{key}"' in browser.text
    assert values(subject, "AE", "W8")["AE"][key]["AESTDAT"] == "2026-02"


def test_a_partial_date_that_is_none_comes_back_as_typed(subject):
    browser = Browser(subject, "AE", "W8").send({"AEYN.AEYN": "Y"}, press=("_add_row", "AE"))
    browser.send(event("n1", AESTDAT__month="", AESTDAT__day="31"))
    (key,) = values(subject, "AE", "W8")["AE"]
    sent = dict(Inputs(browser.text).sent)
    assert [sent[f"AE.{key}.AESTDAT__{part}"] for part in ("year", "month", "day")] == ["2026", "", "31"]


def test_a_row_is_removed_in_two_steps_and_can_be_kept(subject):
    browser = added(subject)
    (key,) = values(subject, "AE", "W8")["AE"]
    browser.send({}, press=("_remove_row", f"AE/{key}"))
    assert "is removed when you save" in browser.text
    assert key in values(subject, "AE", "W8")["AE"]
    browser.send({}, press=("_keep_row", f"AE/{key}"))
    assert 'value="Nausea"' in browser.text
    browser.send({}, press=("_remove_row", f"AE/{key}")).send({})
    assert values(subject, "AE", "W8")["AE"] == {}
    assert "Nausea" in browser.client.get(browser.url + "/history").text


def test_a_page_that_lost_a_row_on_its_way_comes_back_whole(subject):
    browser = added(subject)
    (key,) = values(subject, "AE", "W8")["AE"]
    lost = ("_rows", *(name for name, _ in Inputs(browser.text).sent if name.startswith(f"AE.{key}")))
    browser.send({}, drop=lost)
    assert browser.answer.status_code == 422
    assert "arrived without rows" in browser.text
    assert 'value="Nausea"' in browser.text


@pytest.mark.parametrize("lost", ["_end", "_revision"])
def test_a_page_cut_on_its_way_is_not_saved(subject, lost):
    browser = Browser(subject, "VS").send(VITALS, drop=(lost,))
    assert browser.answer.status_code == 422
    assert "arrived incomplete" in browser.text
    assert values(subject, "VS")["RESULTS"][""] == {}


@pytest.mark.parametrize("name", ["NOSUCH.ITEM", "VS.NOSUCH", "VS", "AE.x.AETERM", "a.b.c.d"])
def test_a_field_the_form_does_not_have_is_refused(subject, name):
    browser = Browser(subject, "VS").send(VITALS | {name: "1"})
    assert browser.answer.status_code == 422
    assert values(subject, "VS")["RESULTS"][""] == {}


def test_a_value_of_a_megabyte_is_left_out_and_the_rest_comes_back(subject):
    browser = Browser(subject, "VS").send(VITALS | {"VS.VSPERF": "N", "VS.VSREASND": "x" * 1_000_000})
    assert browser.answer.status_code == 422
    assert "longer than 4000 characters" in browser.text
    assert 'value="170"' in browser.text
    assert len(browser.text) < 500_000
    assert values(subject, "VS")["RESULTS"][""] == {}


def test_what_no_longer_applies_is_cleared_by_name(subject):
    first = {"CONSENT.RFICDAT": "2026-01-05", "DM.BRTHYR": "1961", "DM.SEX": "F", "DM.RACE": "OTHER",
             "DM.RACEOTH": "Romani", "DM.CHILDBEARING": "N"}  # fmt: skip
    browser = Browser(subject, "DM").send(first)
    browser.send({"DM.RACE": "WHITE"})
    assert "do not apply: Which other?" in browser.text
    assert ("DM.RACEOTH", "Romani") in Inputs(browser.text).sent
    browser.send({}, press=("save", "clear"))
    assert "no longer applies: Which other?" in browser.text
    assert values(subject, "DM")["DM"][""]["RACEOTH"] == ""


def test_a_question_that_depends_on_another_answer_says_on_which(subject):
    text = Browser(subject, "DM").text
    assert 'data-reveal-name="DM.RACE" data-reveal-values="[&#34;OTHER&#34;]"' in text


def test_a_question_of_another_visit_is_not_asked(subject):
    assert "HEIGHT_VSORRES" in Browser(subject, "VS", "SCR").text
    assert "HEIGHT_VSORRES" not in Browser(subject, "VS", "W8").text


def test_a_form_with_images_shows_the_state_of_its_slot(subject):
    text = Browser(subject, "IMG").text
    assert f"/trials/DEMO/subjects/{NUMBER}/visits/SCR/slots/CT" in text
    assert "Attach images" in text


def test_who_only_looks_sees_values_and_nothing_to_press(subject):
    Browser(subject, "VS").send(VITALS)
    looking = Browser(subject, "VS", who="monitor")
    assert "Sitting" in looking.text
    assert Inputs(looking.text).buttons == set()
    token = csrf_of(looking.client.get("/account").text)
    assert looking.client.post(looking.url, data={"csrf_token": token}).status_code == 403


def test_who_sees_no_data_sees_no_form(subject):
    assert Browser(subject, "VS", who="imaging-qc").answer.status_code == 403


def test_a_form_that_the_visit_does_not_have_is_not_found(subject):
    assert Browser(subject, "AE", "SCR").answer.status_code == 404
    assert Browser(subject, "NONE").answer.status_code == 404


def test_what_people_type_is_shown_as_text(subject):
    script = "<script>alert(1)</script>"
    browser = Browser(subject, "VS").send({"VS.VSPERF": "N", "VS.VSREASND": script})
    assert script not in browser.text
    assert "&lt;script&gt;" in browser.text


def test_a_form_of_two_thousand_fields_is_taken_whole(context, tmp_path):
    folder = tmp_path / "big"
    shutil.copytree(DEMO, folder)
    items = "".join(f"      - {{key: I{{g}}_{n}, label: Item {n}, kind: text}}\n" for n in range(100))
    groups = "".join(
        f"  - key: G{g}\n    title: Group {g}\n    items:\n{items.replace('{g}', str(g))}" for g in range(20)
    )
    (folder / "forms" / "BIG.yaml").write_text(f'key: BIG\ntitle: Big\nversion: "1.0"\ngroups:\n{groups}')
    schedule = folder / "schedule.yaml"
    schedule.write_text(schedule.read_text().replace("forms: [DM,", "forms: [BIG, DM,"))
    world = make_world(context, folder=folder)
    assert world.subject() == NUMBER
    browser = Browser(world, "BIG").send({f"G{g}.I{g}_{n}": f"value {n}" for g in range(20) for n in range(100)})
    assert "Saved." in browser.text
    assert values(world, "BIG")["G19"][""]["I19_99"] == "value 99"
    assert db.session.scalar(select(func.count()).select_from(ItemValue)) == 2000
