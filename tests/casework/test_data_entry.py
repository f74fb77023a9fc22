"""Forms filled: nothing typed is lost, nothing is overwritten unseen, every change has its trace."""

import threading
import time
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from tests.casework.bed import Bed, demo, lay
from trialimg.casework.access import visit_place
from trialimg.casework.data_entry import Posted, save_form
from trialimg.casework.enrolment import mark_visit_not_done
from trialimg.casework.form_findings import recheck_visit
from trialimg.casework.form_history import form_history
from trialimg.casework.form_page import form_page, typed_page
from trialimg.domain.trial import TrialDefinition
from trialimg.errors import BadInput, Conflict, NotFound, Stale
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db, new_id, utc_now
from trialimg.store.casebook import CheckFinding, FormRecord, ItemValue
from trialimg.store.imaging import ImagingStudy, Slot
from trialimg.store.unit_of_work import unit_of_work

CONSENT = "2026-01-05"
DM = {"CONSENT": {"": {"RFICDAT": CONSENT}}, "DM": {"": {"BRTHYR": "1960", "SEX": "F", "CHILDBEARING": "N"}}}
VITALS = {
    "VS": {"": {"VSPERF": "Y", "VSDAT": "2026-01-06"}},
    "RESULTS": {
        "": {
            "HEIGHT_VSORRES": "170", "WEIGHT_VSORRES": "70,5", "TEMP_VSORRES": "36.6", "PULSE_VSORRES": "70",
            "SYSBP_VSORRES": "120", "DIABP_VSORRES": "80", "BP_VSPOS": "SITTING",
        }
    },
}  # fmt: skip


@pytest.fixture
def bed(context) -> Bed:
    bed = lay()
    bed.enrol()
    return bed


def place(bed: Bed, visit: str = "SCR"):
    return visit_place(bed.code, "101-001", visit)


def save(bed: Bed, form: str, values, revision: int = 0, *, visit: str = "SCR", reason: str = "", **more):
    options = {key: more.pop(key) for key in ("complete", "clear_hidden") if key in more}
    with unit_of_work(bed.coordinator.actor, reason, trial_id=bed.trial_id) as uow:
        return save_form(uow, place(bed, visit), form, Posted(revision, values, **more), **options)


def page(bed: Bed, form: str, visit: str = "SCR"):
    db.session.rollback()
    return form_page(place(bed, visit), form, bed.coordinator)


def vitals(**changes: str):
    return VITALS | {"RESULTS": {"": VITALS["RESULTS"][""] | changes}}


def test_a_saved_form_comes_back_as_it_was_typed_in_one_way_of_writing(bed):
    result = save(bed, "VS", VITALS)
    assert (result.saved, result.revision, result.state) == (True, 1, "in_progress")
    shown = page(bed, "VS")
    assert shown.values["RESULTS"][""]["WEIGHT_VSORRES"] == "70.5"
    assert (shown.revision, shown.saved_by) == (1, "coordinator@example.org")
    stored = db.session.scalars(select(ItemValue).where(ItemValue.item_key == "WEIGHT_VSORRES")).one()
    assert stored.unit == "kg"


def test_a_form_without_missing_answers_can_be_marked_complete(bed):
    assert save(bed, "VS", VITALS, complete=True).state == "complete"


def test_a_form_with_missing_answers_is_saved_and_not_complete(bed):
    result = save(bed, "VS", vitals(PULSE_VSORRES=""), complete=True)
    assert (result.saved, result.marked_complete, result.unfinished, result.state) == (True, False, 1, "in_progress")
    assert [f.item for f in page(bed, "VS").unfinished] == ["PULSE_VSORRES"]


@pytest.mark.parametrize("typed", ["nine", "12.345", "999"])
def test_what_fails_a_hard_check_is_kept_and_said(bed, typed):
    result = save(bed, "VS", vitals(PULSE_VSORRES=typed))
    assert (result.state, result.open_checks) == ("open_checks", 1)
    shown = page(bed, "VS")
    assert shown.values["RESULTS"][""]["PULSE_VSORRES"] == typed
    assert [(f.item, f.severity, f.state) for f in shown.findings] == [("PULSE_VSORRES", "hard", "open")]


def test_a_corrected_value_takes_its_finding_away(bed):
    save(bed, "VS", vitals(PULSE_VSORRES="999"))
    assert save(bed, "VS", VITALS, 1).state == "in_progress"
    assert page(bed, "VS").findings == ()
    assert db.session.scalars(select(CheckFinding)).one().state == "resolved"


SOFT = ("soft_range", "RESULTS", "", "TEMP_VSORRES")


def test_a_soft_check_is_answered_with_a_reason(bed):
    assert save(bed, "VS", vitals(TEMP_VSORRES="39.5"), complete=True).state == "open_checks"
    result = save(bed, "VS", vitals(TEMP_VSORRES="39.5"), 1, answers={SOFT: "fever since yesterday"})
    assert (result.state, result.marked_complete) == ("complete", True)
    (finding,) = page(bed, "VS").findings
    assert (finding.state, finding.answer) == ("answered", "fever since yesterday")


def test_an_answer_holds_for_the_value_it_was_given_for_only(bed):
    save(bed, "VS", vitals(TEMP_VSORRES="39.5"))
    save(bed, "VS", vitals(TEMP_VSORRES="39.5"), 1, answers={SOFT: "fever"})
    changed = save(bed, "VS", vitals(TEMP_VSORRES="41"), 2, answers={SOFT: "fever"})
    assert changed.state == "open_checks"
    assert [f.answer for f in page(bed, "VS").findings] == [""]
    assert save(bed, "VS", vitals(TEMP_VSORRES="41"), 3, answers={SOFT: "fever"}).state == "in_progress"


def test_a_reason_that_is_a_novel_is_refused_with_everything(bed):
    save(bed, "VS", vitals(TEMP_VSORRES="39.5"))
    with pytest.raises(BadInput, match="1000 characters"):
        save(bed, "VS", vitals(TEMP_VSORRES="39.6"), 1, answers={SOFT: "x" * 1001})
    assert page(bed, "VS").values["RESULTS"][""]["TEMP_VSORRES"] == "39.5"


def test_a_hard_check_cannot_be_talked_away(bed):
    save(bed, "VS", vitals(PULSE_VSORRES="999"))
    place = ("range", "RESULTS", "", "PULSE_VSORRES")
    assert save(bed, "VS", vitals(PULSE_VSORRES="999"), 1, answers={place: "it is so"}).state == "open_checks"


def test_a_change_of_a_complete_form_needs_a_reason_and_keeps_the_old_value(bed):
    save(bed, "VS", VITALS, complete=True)
    asked = save(bed, "VS", vitals(PULSE_VSORRES="72"), 1)
    assert (asked.saved, asked.needs_reason, asked.changed) == (False, True, ("Pulse",))
    assert page(bed, "VS").values["RESULTS"][""]["PULSE_VSORRES"] == "70"
    assert save(bed, "VS", vitals(PULSE_VSORRES="72"), 1, reason="misread").saved
    newest = form_history(place(bed), "VS")[0]
    assert (newest.old, newest.new, newest.reason, newest.actor) == ("70", "72", "misread", "coordinator@example.org")


def test_saving_what_is_already_so_leaves_no_trace(bed):
    save(bed, "VS", VITALS)
    before = db.session.scalar(select(func.count()).select_from(AuditRecord))
    result = save(bed, "VS", VITALS, 1)
    db.session.rollback()
    assert (result.revision, result.changed) == (1, ())
    assert db.session.scalar(select(func.count()).select_from(AuditRecord)) == before


def test_a_stale_form_is_not_saved_and_shows_both(bed):
    save(bed, "VS", VITALS)
    save(bed, "VS", vitals(PULSE_VSORRES="80"), 1)
    mine = Posted(1, vitals(PULSE_VSORRES="90", TEMP_VSORRES="37"))
    with pytest.raises(Stale, match="after you opened it"):
        save(bed, "VS", mine.values, 1)
    db.session.rollback()
    both = typed_page(place(bed), "VS", bed.coordinator, mine)
    assert both.revision == 2
    assert both.values["RESULTS"][""]["PULSE_VSORRES"] == "90"
    assert both.meanwhile == {("RESULTS", "", "PULSE_VSORRES"): "80"}


def test_a_stale_page_takes_over_what_others_saved_where_nothing_else_was_typed(bed):
    save(bed, "VS", VITALS)
    save(bed, "VS", vitals(PULSE_VSORRES="80", SYSBP_VSORRES="130"), 1)
    save(bed, "VS", vitals(PULSE_VSORRES="81", SYSBP_VSORRES="130"), 2)
    db.session.rollback()
    mine = Posted(1, vitals(TEMP_VSORRES="37", SYSBP_VSORRES="125"))
    both = typed_page(place(bed), "VS", bed.coordinator, mine)
    row = both.values["RESULTS"][""]
    assert (row["PULSE_VSORRES"], row["TEMP_VSORRES"], row["SYSBP_VSORRES"]) == ("81", "37", "125")
    assert both.meanwhile == {("RESULTS", "", "SYSBP_VSORRES"): "130"}


def test_a_stale_page_of_a_form_that_was_empty_takes_over_what_others_saved(bed):
    save(bed, "VS", VITALS)
    db.session.rollback()
    both = typed_page(place(bed), "VS", bed.coordinator, Posted(0, {"VS": {"": {"VSPERF": "N"}}}))
    assert both.values["RESULTS"][""]["PULSE_VSORRES"] == "70"
    assert both.meanwhile == {("VS", "", "VSPERF"): "Y"}


def test_a_stale_page_shows_rows_added_and_drops_rows_removed_meanwhile(bed):
    keys = save(bed, "AE", events(n1=AE, n2=AE | {"AETERM": "Rash"}), visit="W8").row_keys
    first, second = keys["AE", "n1"], keys["AE", "n2"]
    theirs = {second: AE | {"AETERM": "Rash"}, "n1": AE | {"AETERM": "Cough"}}
    third = save(bed, "AE", events(**theirs), 1, visit="W8", removed=frozenset({("AE", first)})).row_keys["AE", "n1"]
    db.session.rollback()
    mine = Posted(1, events(**{first: AE, second: AE | {"AETERM": "Itching"}}))
    both = typed_page(place(bed, "W8"), "AE", bed.coordinator, mine)
    assert {key: row["AETERM"] for key, row in both.values["AE"].items()} == {second: "Itching", third: "Cough"}
    assert both.meanwhile == {}


def test_of_two_saves_at_one_moment_one_is_stale(app):
    with app.app_context():
        bed = lay()
        bed.enrol()
    ends: list[str] = []

    def one(pulse: str):
        with app.app_context():
            try:
                save(bed, "VS", vitals(PULSE_VSORRES=pulse))
                ends.append(f"saved {pulse}")
            except Stale:
                ends.append("stale")

    threads = [threading.Thread(target=one, args=(str(60 + n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends)[1:] == ["stale"] * 3
    with app.app_context():
        assert min(ends) == f"saved {page(bed, 'VS').values['RESULTS']['']['PULSE_VSORRES']}"


AE = {
    "AETERM": "Nausea", "AESTDAT": "2026-02", "AEONGO": "Y", "AESEV": "MILD", "AESER": "N", "AEREL": "N",
    "AEACN": "DOSE NOT CHANGED", "AEOUT": "NOT RECOVERED/NOT RESOLVED",
}  # fmt: skip
YES = {"AEYN": {"": {"AEYN": "Y"}}}


def events(**rows):
    return YES | {"AE": rows}


def test_new_rows_get_stable_keys_of_the_server_and_keep_their_order(bed):
    result = save(bed, "AE", events(n1=AE, n2=AE | {"AETERM": "Rash"}), visit="W8")
    first, second = result.row_keys["AE", "n1"], result.row_keys["AE", "n2"]
    rows = page(bed, "AE", "W8").values["AE"]
    assert list(rows) == [first, second]
    assert [row["AETERM"] for row in rows.values()] == ["Nausea", "Rash"]
    assert len(first) == 16


def test_a_removed_row_is_gone_from_the_form_and_stays_in_the_trail(bed):
    keys = save(bed, "AE", events(n1=AE, n2=AE | {"AETERM": "Rash"}), visit="W8").row_keys
    gone, kept = keys["AE", "n1"], keys["AE", "n2"]
    save(bed, "AE", events(**{kept: AE | {"AETERM": "Rash"}}), 1, visit="W8", removed=frozenset({("AE", gone)}))
    assert list(page(bed, "AE", "W8").values["AE"]) == [kept]
    old = {(c.old, c.new) for c in form_history(place(bed, "W8"), "AE") if c.place == ("AE", gone, "AETERM")}
    assert old == {(None, "Nausea"), ("Nausea", "")}


def test_a_page_that_lost_rows_on_its_way_is_not_taken_for_a_removal(bed):
    save(bed, "AE", events(n1=AE), visit="W8")
    with pytest.raises(BadInput, match="arrived without rows"):
        save(bed, "AE", events(), 1, visit="W8")


def test_removing_a_row_of_a_complete_form_needs_a_reason(bed):
    keys = save(bed, "AE", events(n1=AE, n2=AE), visit="W8", complete=True).row_keys
    result = save(
        bed, "AE", events(**{keys["AE", "n2"]: AE}), 1, visit="W8", removed=frozenset({("AE", keys["AE", "n1"])})
    )
    assert result.needs_reason


def test_an_answer_that_no_longer_applies_is_kept_and_said_until_it_is_cleared_by_name(bed):
    values = DM | {"DM": {"": DM["DM"][""] | {"RACE": "OTHER", "RACEOTH": "Romani"}}}
    save(bed, "DM", values)
    values = DM | {"DM": {"": values["DM"][""] | {"RACE": "WHITE"}}}
    assert save(bed, "DM", values, 1).state == "open_checks"
    shown = page(bed, "DM")
    assert shown.values["DM"][""]["RACEOTH"] == "Romani"
    assert shown.hidden == ("Which other?",)
    result = save(bed, "DM", values, 2, clear_hidden=True)
    assert (result.cleared, result.state) == (("Which other?",), "in_progress")
    assert page(bed, "DM").values["DM"][""].get("RACEOTH") == ""


@pytest.mark.parametrize(
    "values",
    [
        {"NOSUCH": {"": {"A": "1"}}},
        {"VS": {"": {"NOSUCH": "1"}}},
        {"VS": {"": {}, "x": {}}},
    ],
)
def test_what_the_form_does_not_know_is_refused(bed, values):
    with pytest.raises(BadInput, match="does not fit"):
        save(bed, "VS", values)


@pytest.mark.parametrize("key", ["../x", "a b", "x" * 33, ""])
def test_a_row_key_that_is_none_is_refused(bed, key):
    with pytest.raises(BadInput, match="does not fit"):
        save(bed, "AE", YES | {"AE": {key: AE}}, visit="W8")


def test_images_are_not_typed_into_a_form(bed):
    with pytest.raises(BadInput, match="does not fit"):
        save(bed, "IMG", {"CT": {"": {"CT_IMAGES": "2.25.1"}}})


def test_a_value_of_a_megabyte_is_refused_and_the_rest_comes_back(bed):
    values = vitals(PULSE_VSORRES="9" * 1_000_000)
    result = save(bed, "VS", values)
    assert (result.saved, result.too_long) == (False, (("RESULTS", "", "PULSE_VSORRES"),))
    back = typed_page(place(bed), "VS", bed.coordinator, Posted(0, values))
    assert back.values["RESULTS"][""]["PULSE_VSORRES"] == ""
    assert back.values["RESULTS"][""]["SYSBP_VSORRES"] == "120"
    assert page(bed, "VS").revision == 0


def test_signs_that_a_data_base_cannot_hold_are_shown_as_such(bed):
    save(bed, "VS", {"VS": {"": {"VSPERF": "N", "VSREASND": "no\0cuff"}}})
    assert page(bed, "VS").values["VS"][""]["VSREASND"] == "no\N{REPLACEMENT CHARACTER}cuff"


def test_a_form_of_a_visit_not_done_takes_no_data(bed):
    with unit_of_work(bed.coordinator.actor, trial_id=bed.trial_id) as uow:
        mark_visit_not_done(uow, place(bed, "W8").visit_id, "moved away", 0)
    with pytest.raises(Conflict, match="not done"):
        save(bed, "VS", VITALS, visit="W8")


def test_a_form_the_visit_does_not_have_is_not_found(bed):
    with pytest.raises(NotFound):
        save(bed, "AE", {})
    with pytest.raises(NotFound):
        page(bed, "AE")


def test_another_form_is_checked_again_when_what_it_looks_at_changes(bed):
    save(bed, "DM", DM)
    save(bed, "VS", VITALS)
    assert page(bed, "VS").state == "in_progress"
    save(bed, "DM", DM | {"CONSENT": {"": {"RFICDAT": "2026-01-20"}}}, 1)
    assert page(bed, "VS").state == "open_checks"
    save(bed, "DM", DM, 2)
    assert page(bed, "VS").state == "in_progress"


def test_what_differs_from_enrolment_is_said(bed):
    assert save(bed, "DM", DM | {"DM": {"": DM["DM"][""] | {"BRTHYR": "1961"}}}).state == "open_checks"


def _link(bed: Bed, acquired: date) -> None:
    with unit_of_work(bed.coordinator.actor, trial_id=bed.trial_id) as uow:
        spot = place(bed)
        slot = uow.session.scalars(select(Slot).where(Slot.visit_id == spot.visit_id, Slot.key == "CT")).one()
        uow.session.add(
            ImagingStudy(
                id=new_id(), trial_id=bed.trial_id, subject_id=spot.subject_id, slot_id=slot.id,
                study_instance_uid="2.25.1", acquired=acquired, linked_at=utc_now(), linked_by="pipeline",
            )
        )  # fmt: skip
        recheck_visit(uow, spot.visit_id)


IMG = {"CT": {"": {"CT_PROCCUR": "Y", "CT_PRSTDAT": "2026-01-10", "CT_CONTRAST": "IODINE"}}}


def test_an_imaging_date_that_differs_from_the_images_own_is_said_when_they_are_linked(bed):
    save(bed, "DM", DM)
    save(bed, "IMG", IMG)
    _link(bed, date(2026, 1, 13))
    (finding,) = [f for f in page(bed, "IMG").findings if f.check_key == "image_date"]
    assert "3 days after" in finding.sentence
    assert finding.severity == "soft"


def test_an_imaging_date_that_is_the_images_own_is_not_remarked_on(bed):
    save(bed, "DM", DM)
    _link(bed, date.fromisoformat("2026-01-10"))
    save(bed, "IMG", IMG)
    assert [f for f in page(bed, "IMG").findings if f.check_key == "image_date"] == []


def test_a_form_shows_the_state_of_its_slots(bed):
    assert set(page(bed, "IMG").slots) == {"CT", "MR"}


def test_a_date_in_the_future_is_said(bed):
    ahead = (utc_now() + timedelta(days=3)).date().isoformat()
    save(bed, "VS", {"VS": {"": {"VSPERF": "Y", "VSDAT": ahead}}})
    assert [f.check_key for f in page(bed, "VS").findings] == ["future"]


def test_who_may_not_enter_data_may_not_edit(bed):
    assert page(bed, "VS").may_edit
    assert not form_page(place(bed), "VS", bed.monitor).may_edit


def test_a_form_of_two_thousand_items_is_saved(context):
    mapping = demo().to_mapping()
    groups = [
        {"key": f"G{g}", "title": f"Group {g}",
         "items": [{"key": f"I{g}_{n}", "label": f"Item {n}", "kind": "text"} for n in range(100)]}
        for g in range(20)
    ]  # fmt: skip
    mapping["forms"] = [*mapping["forms"], {"key": "BIG", "title": "Big", "version": "1.0", "groups": groups}]
    mapping["schedule"]["visits"][0]["forms"].append("BIG")
    bed = lay(TrialDefinition.from_mapping(mapping))
    bed.enrol()
    values = {f"G{g}": {"": {f"I{g}_{n}": f"value {n}" for n in range(100)}} for g in range(20)}
    began = time.process_time()
    assert save(bed, "BIG", values).state == "in_progress"
    assert time.process_time() - began < 10  # of the processor: the machine may be busy with others
    assert page(bed, "BIG").values == values
    assert db.session.scalar(select(func.count()).select_from(ItemValue)) == 2000


def test_the_state_of_a_new_form_is_empty(bed):
    assert page(bed, "VS").state == "empty"
    assert db.session.scalars(select(FormRecord.state).distinct()).all() == ["empty"]
