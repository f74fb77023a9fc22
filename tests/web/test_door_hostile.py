"""The image door under a reader's hands and a stranger's: nothing that would unblind, nothing that leads around."""

from __future__ import annotations

import html
import logging
import re
from datetime import date, timedelta
from io import BytesIO

import pytest
from pydicom import dcmread

from tests.web.reading_house import (
    BASELINE,
    LATER,
    NEVER,
    House,
    add_person,
    assign_again,
    baseline_is,
    give_role,
    house,
    take_roles,
)
from tests.web.test_dicomweb import parts
from tests.world import PEOPLE, SITES
from trialimg.casework import accounts, token
from trialimg.casework.access import study_place
from trialimg.casework.viewing import seen_by, visible_studies
from trialimg.casework.viewing_masks import DAY_ZERO
from trialimg.domain.permission import Role

__all__ = ["house"]

HREF = re.compile(r'(?:href|action|src|data-[a-z-]+)="(/[^"#]*)"')
SEES_IMAGES = {
    "coordinator-101", "investigator-101", "monitor", "data-manager", "imaging-qc", "sponsor", "inspector"
}  # fmt: skip


def study_uids(answer):
    return {each["0020000D"]["Value"][0] for each in answer.get_json()}


def dates_in(answer):
    return set(re.findall(r'"(\d{8})"', answer.get_data(as_text=True)))


# ----- what a reader sees


def test_a_reader_finds_the_studies_of_the_reads_and_no_other(house: House) -> None:
    assert study_uids(house.ask("/dicomweb/studies")) == {house.baseline, house.later}
    assert study_uids(house.ask("/dicomweb/studies", "second")) == {house.baseline, house.later, house.foreign}
    everything = f"/dicomweb/studies?StudyInstanceUID={house.baseline},{house.foreign},{house.other_trial}"
    assert study_uids(house.ask(everything)) == {house.baseline}


def test_a_later_time_point_is_not_there_before_the_baseline_is_signed(house: House) -> None:
    baseline_is(house.world, house.baseline, "open")
    try:
        assert study_uids(house.ask("/dicomweb/studies")) == {house.baseline}
        for tail in house.tails(house.later):
            answer = house.ask(f"/dicomweb/studies/{house.later}{tail}")
            assert answer.status_code == 404, tail
            assert answer.data == house.ask(f"/dicomweb/studies/{NEVER}{tail}").data
    finally:
        baseline_is(house.world, house.baseline, "signed")


def test_a_reader_asks_by_the_reading_code_and_never_by_the_number(house: House) -> None:
    found = house.ask(f"/dicomweb/studies?PatientID={house.code}")
    assert study_uids(found) == {house.baseline, house.later}
    assert {each["00100020"]["Value"][0] for each in found.get_json()} == {house.code}
    for key in ("PatientID", "00100020"):
        assert house.ask(f"/dicomweb/studies?{key}={house.number}").get_json() == []
    assert house.ask(f"/dicomweb/studies?PatientID={house.code}", "monitor").get_json() == []
    assert len(house.ask(f"/dicomweb/studies?PatientID={house.number}", "monitor").get_json()) == 2


def test_the_interval_between_two_studies_is_true_and_both_dates_are_not(house: House) -> None:
    found = {
        each["0020000D"]["Value"][0]: each["00080020"]["Value"][0] for each in house.ask("/dicomweb/studies").get_json()
    }
    days = [date.fromisoformat(found[uid]) for uid in (house.baseline, house.later)]
    assert days[1] - days[0] == LATER - BASELINE
    assert days[0] == DAY_ZERO, "the demo's readers see study days, counted from one day for all"
    page = house.ask(f"/studies/{house.later}", follow_redirects=True).text
    assert f"day {(LATER - BASELINE).days} from baseline" in page
    team = {
        each["0020000D"]["Value"][0]: each["00080020"]["Value"][0]
        for each in house.ask("/dicomweb/studies", "monitor").get_json()
    }
    assert team[house.baseline] == f"{BASELINE:%Y%m%d}"


def test_list_metadata_and_file_tell_one_and_the_same_date(house: House) -> None:
    uid = house.baseline
    series, sop = house.first(uid)
    told = next(each for each in house.ask("/dicomweb/studies").get_json() if each["0020000D"]["Value"] == [uid])
    meta = house.ask(f"/dicomweb/studies/{uid}/series/{series}/metadata").get_json()[0]
    (whole,) = parts(house.ask(f"/dicomweb/studies/{uid}/series/{series}/instances/{sop}"))
    assert {told["00080020"]["Value"][0], meta["00080020"]["Value"][0], dcmread(BytesIO(whole)).StudyDate} == {
        told["00080020"]["Value"][0]
    }


def test_a_whole_file_goes_to_a_reader_under_the_code_with_its_pixels(house: House) -> None:
    for uid in (house.baseline, house.later):
        for series, sop in house.objects[uid]:
            address = f"/dicomweb/studies/{uid}/series/{series}/instances/{sop}"
            (mine,), (teams,) = parts(house.ask(address)), parts(house.ask(address, "monitor"))
            blind, open_ = dcmread(BytesIO(mine)), dcmread(BytesIO(teams))
            assert (blind.PatientID, blind.SOPInstanceUID) == (house.code, sop)
            assert open_.PatientID == house.number
            assert blind.PixelData == open_.PixelData
            (frame,) = parts(house.ask(f"{address}/frames/1"))
            assert frame == blind.PixelData


def test_the_link_leads_a_reader_to_the_read_and_the_team_to_the_viewer(house: House) -> None:
    mine = house.ask(f"/studies/{house.later}")
    assert mine.status_code == 302
    assert re.fullmatch(r"/reads/[0-9a-f]{32}", mine.location)
    other = house.ask(f"/studies/{house.later}", "second").location
    assert other != mine.location
    assert house.ask(f"/studies/{house.later}", "monitor").location.startswith("/viewer/viewer?StudyInstanceUIDs=")


def everything_a_reader_gets(house: House):
    """Give (address, bytes) of every answer on a reader's way: the door's, and all pages that lead on from the first."""
    client = house.client()
    addresses = ["/dicomweb/studies", f"/dicomweb/studies?PatientID={house.code}", "/viewer/app-config.js"]
    for uid in (house.baseline, house.later):
        addresses += [f"/dicomweb/studies/{uid}/series", f"/dicomweb/studies/{uid}/metadata", f"/studies/{uid}"]
        for series, sop in house.objects[uid]:
            of = f"/dicomweb/studies/{uid}/series/{series}"
            addresses += [
                f"{of}/instances",
                f"{of}/metadata",
                f"{of}/instances/{sop}",
                f"{of}/instances/{sop}/metadata",
            ]
    waiting, seen = [*dict.fromkeys(addresses), "/", "/reads", "/account"], set()
    while waiting:
        address = waiting.pop(0)
        if address in seen or address.startswith(("/static/", "/sign-out")):
            continue
        seen.add(address)
        answer = client.get(address)
        if answer.status_code in {302, 303}:
            waiting.append(answer.location)
        if answer.mimetype == "text/html" and not address.startswith("/viewer/"):
            waiting += [html.unescape(found) for found in HREF.findall(answer.get_data(as_text=True))]
        yield address, answer.status_code, answer.get_data() + str(answer.headers).encode()


def test_nothing_on_a_readers_way_tells_site_number_or_true_date(house: House) -> None:
    telling = [house.number, house.foreign_number, *SITES.values(), f"{BASELINE:%Y%m%d}", f"{LATER:%Y%m%d}",
               BASELINE.isoformat(), LATER.isoformat(), "coordinator-101"]  # fmt: skip
    site = re.compile(rb'(?<![\w.-])101(?![\w.%-])(?!")|"101"|\x00101[ \x00]')
    count = pages = 0
    for address, status, body in everything_a_reader_gets(house):
        assert status < 500, address
        found = [word for word in telling if word.encode() in body]
        assert not found, f"{address} tells {found}"
        if b"text/html" in body or b"dicom+json" in body:
            assert not site.search(body), f"{address} tells the site's code"
        count += 1
        pages += b"text/html" in body
    assert count > 40
    assert pages >= 2


def test_no_element_of_a_readers_file_holds_the_sites_code(house: House) -> None:
    for series, sop in house.objects[house.baseline]:
        (whole,) = parts(house.ask(f"/dicomweb/studies/{house.baseline}/series/{series}/instances/{sop}"))
        for element in dcmread(BytesIO(whole)).iterall():
            assert str(element.value) not in {"101", house.number, SITES["101"]}, element.keyword


def test_a_query_for_a_patient_stays_out_of_the_logs(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    house.ask(f"/dicomweb/studies?PatientID={house.code}")
    house.ask(f"/dicomweb/studies?00100020={house.number}", "monitor")
    house.ask(f"/dicomweb/studies?PatientName={house.number}", "monitor")
    said = " ".join(record.getMessage() for record in caplog.records if record.name != "sqlalchemy.engine.Engine")
    assert house.code not in said
    assert house.number not in said


# ----- what is not for somebody reads like what does not exist


def alike(house: House, hidden: str, never: str, who: str) -> None:
    one, other = house.ask(hidden, who), house.ask(never, who)
    assert one.status_code == other.status_code == 404, hidden
    assert one.get_data() == other.get_data(), hidden
    assert one.headers["Content-Type"] == other.headers["Content-Type"]


@pytest.mark.parametrize(
    ("who", "which"),
    [("reader", "foreign"), ("reader", "other_trial"), ("second", "other_trial"), ("coordinator-101", "foreign"),
     ("coordinator-102", "baseline"), ("monitor-102", "later"), ("sponsor", "other_trial"), ("nobody", "baseline")],
)  # fmt: skip
def test_a_study_one_may_not_see_reads_like_one_that_never_was(house: House, who: str, which: str) -> None:
    uid = getattr(house, which)
    if who != "nobody":
        assert house.ask(f"/dicomweb/studies?StudyInstanceUID={uid}", who).get_json() == []
    for tail in house.tails(uid):
        alike(house, f"/dicomweb/studies/{uid}{tail}", f"/dicomweb/studies/{NEVER}{tail}", who)
    hidden = re.compile(rb'(name="csrf-token" content|name="csrf_token" value)="[^"]*"')
    pages = {hidden.sub(b"", house.ask(f"/studies/{each}", who).get_data()) for each in (uid, NEVER)}
    assert len(pages) == 1


def test_a_subject_of_the_trial_is_no_place_for_a_reader(house: House) -> None:
    """Otherwise 403 and 404 would tell which numbers, and so which sites, there are."""
    hidden = re.compile(r'(name="csrf-token" content|name="csrf_token" value)="[^"]*"')
    for tail in ("", "/visits/SCR", "/visits/SCR/forms/VS", "/visits/SCR/slots/CT"):
        answers = [house.ask(f"/trials/DEMO/subjects/{number}{tail}") for number in (house.number, "101-999")]
        assert [each.status_code for each in answers] == [404, 404], tail
        assert len({hidden.sub("", each.get_data(as_text=True)) for each in answers}) == 1, tail
    assert house.ask("/trials/DEMO").status_code in {403, 404}


@pytest.mark.parametrize("who", ["reader", "monitor"])
def test_a_series_is_not_served_under_a_foreign_studys_path(house: House, who: str) -> None:
    series, sop = house.first(house.foreign)
    mine, mine_sop = house.first(house.baseline)
    for tail in (f"/series/{series}/instances", f"/series/{series}/metadata", f"/series/{series}/instances/{sop}/frames/1",
                 f"/series/{series}/instances/{sop}", f"/series/{mine}/instances/{sop}", f"/series/{mine}/instances/{sop}/metadata"):  # fmt: skip
        alike(house, f"/dicomweb/studies/{house.baseline}{tail}", f"/dicomweb/studies/{NEVER}{tail}", who)
    later, _ = house.first(house.later)
    assert house.ask(f"/dicomweb/studies/{house.baseline}/series/{later}/instances/{mine_sop}", who).status_code == 404


def test_bytes_behind_an_address_of_a_name_are_not_given_to_a_reader(house: House) -> None:
    series, sop = house.first(house.baseline)
    of = f"/dicomweb/studies/{house.baseline}/series/{series}/instances/{sop}/bulkdata"
    for tail in ("00100020", "00120030", "0010-0020", "00120064/0/00080100", "x"):
        alike(house, f"{of}/{tail}", f"{of.replace(house.baseline, NEVER)}/{tail}", "reader")


# ----- addresses that want to lead around


@pytest.mark.parametrize(
    "address",
    [
        "/dicomweb/studies/%2e%2e/series", "/dicomweb/studies/{own}%2f..%2f{foreign}/series",
        "/dicomweb/studies/{own}/series/..%2f..%2f{foreign}%2fseries/metadata", "/dicomweb/studies/..%2f..%2faccount",
        "/dicomweb/studies/{own}/series/{series}/instances/%2e%2e", "/dicomweb/studies/{own}/../{foreign}/series",
        "/dicomweb/studies/{own}/series/{series}/instances/{sop}/bulkdata/..%2f..%2f..%2f{foreign}",
        "/dicomweb/studies/{own}/series/{series}/instances/{sop}/bulkdata/%2e%2e/%2e%2e/system",
        "/dicomweb/studies/{own}%00/series", "/dicomweb/studies/{own};{foreign}/series", "/studies/..%2f{foreign}",
        "/dicomweb/studies/{own}%5c{foreign}/series", "/dicomweb/studies/{own},{foreign}/series", "/viewer/..%2f..%2fapp.py",
        "/dicomweb/studies/{long}/series", "/dicomweb/studies/{own}/series/{long}/metadata",
        "/dicomweb/studies/{own}/series/{series}/instances/{long}/frames/1", "/studies/{long}",
        "/dicomweb/studies/*/series", "/dicomweb/studies/%25/series", "/dicomweb/studies/' OR '1'='1/series",
    ],
)  # fmt: skip
@pytest.mark.parametrize("who", ["reader", "coordinator-101"])
def test_no_address_leads_around_the_door(house: House, who: str, address: str) -> None:
    series, sop = house.first(house.baseline)
    given = {"own": house.baseline, "foreign": house.foreign, "series": series, "sop": sop, "long": "1." * 5000 + "1"}
    answer = house.ask(address.format(**given), who)
    assert answer.status_code in {404, 422}
    assert house.foreign_number.encode() not in answer.get_data()


def test_doubled_slashes_lead_to_the_same_door(house: House) -> None:
    client = house.client()
    for address in (f"/dicomweb//studies/{house.foreign}//series", f"/dicomweb/studies//{house.foreign}/series",
                    f"//dicomweb/studies/{house.foreign}/series"):  # fmt: skip
        answer = client.get(address, follow_redirects=True)
        assert answer.status_code == 404, address


@pytest.mark.parametrize(
    "query",
    ["PatientName=*", "00120030=101", "ClinicalTrialSiteID=101", "x=1", "StudyDate=20260302", "StudyInstanceUID=1&StudyDescription=*",
     "limit=x", "offset=1.5"],
)  # fmt: skip
def test_a_query_key_that_is_not_listed_is_refused_so_that_nothing_can_be_guessed_by_it(
    house: House, query: str
) -> None:
    assert house.ask(f"/dicomweb/studies?{query}").status_code == 422
    if not query.startswith(("limit", "offset")):
        assert house.ask(f"/dicomweb/studies/{house.baseline}/series?{query}").status_code == 422


@pytest.mark.parametrize(
    "query", ["PatientID=*", "PatientID=R*", "StudyInstanceUID=*", "StudyInstanceUID=" + "1" * 10_000, "PatientID=%25"]
)
def test_a_pattern_matches_nothing(house: House, query: str) -> None:
    assert house.ask(f"/dicomweb/studies?{query}").get_json() == []


def test_a_limit_beyond_all_bounds_is_bounded(house: House) -> None:
    assert len(house.ask("/dicomweb/studies?limit=1000000000&offset=-5").get_json()) == 2
    assert house.ask("/dicomweb/studies?limit=-1").get_json() == []
    assert house.ask(f"/dicomweb/studies?limit={'9' * 5000}").status_code == 422


@pytest.mark.parametrize(
    "numbers",
    ["0", "-1", "1e9", "1000000000", "999999999", "1,1", ",".join(["1"] * 1000), "1,,2", "+1", " 1", "1_0", "%D9%A1", "x", "1" * 9000],
)  # fmt: skip
@pytest.mark.parametrize("who", ["reader", "monitor"])
def test_frames_that_are_none_and_frames_asked_twice_are_refused(house: House, who: str, numbers: str) -> None:
    series, sop = house.first(house.baseline)
    answer = house.ask(f"/dicomweb/studies/{house.baseline}/series/{series}/instances/{sop}/frames/{numbers}", who)
    assert answer.status_code in {404, 422}
    assert len(answer.get_data()) < 1000


# ----- time


def test_an_account_ended_in_mid_session_is_out_at_the_next_request(house: House) -> None:
    account_id = add_person("leaver")
    give_role(house.world, account_id, Role.MONITOR)
    client, header = house.client("leaver"), house.world.bearer("leaver")
    address = f"/dicomweb/studies/{house.baseline}/series"
    assert client.get(address).status_code == 200
    assert house.client("").get(address, headers=header).status_code == 200
    with house.world.acting("administrator") as uow:
        accounts.end_access(uow, house.world.person("administrator"), account_id)
    assert client.get(address).status_code == 401
    assert house.client("").get(address, headers=header).status_code == 401
    assert client.get(f"/studies/{house.baseline}").location.startswith("/sign-in?next=")


def test_a_cookie_from_before_a_role_was_taken_away_opens_nothing(house: House) -> None:
    give_role(house.world, add_person("mover"), Role.SITE_COORDINATOR, "101")
    client = house.client("mover")
    address = f"/dicomweb/studies/{house.baseline}/series"
    assert client.get(address).status_code == 200
    take_roles(house.world, "mover")
    assert client.get(address).status_code == 404
    assert client.get("/dicomweb/studies").status_code == 403


def test_a_revoked_token_is_out_at_once(house: House) -> None:
    give_role(house.world, add_person("programmer"), Role.MONITOR)
    header, client = house.world.bearer("programmer"), house.client("")
    assert client.get("/dicomweb/studies", headers=header).status_code == 200
    person = house.world.person("programmer")
    (card,) = token.tokens_of(person)
    with house.world.acting("programmer") as uow:
        token.revoke_token(uow, person, card.token_id)
    assert client.get("/dicomweb/studies", headers=header).status_code == 401
    assert client.get("/dicomweb/studies", headers={"Authorization": "Bearer trialimg_never"}).status_code == 401


def test_a_readers_token_is_as_blind_as_the_reader(house: House) -> None:
    header, client = house.world.bearer("second"), house.client("")
    told = client.get(f"/dicomweb/studies/{house.foreign}/metadata", headers=header).get_data(as_text=True)
    assert house.foreign_number not in told
    assert SITES["102"] not in told
    assert client.get("/dicomweb/studies", headers=header).get_json()


def test_a_reader_whose_role_is_taken_away_sees_no_study_any_more(house: House) -> None:
    give_role(house.world, add_person("third"), Role.READER)
    # Whoever becomes a reader is given what lacks one.
    seen = [each.study_instance_uid for each in visible_studies(house.world.person("third"))]
    assert seen == [house.foreign]
    take_roles(house.world, "third")
    assert visible_studies(house.world.person("third")) == []
    assert house.ask("/dicomweb/studies", "third").status_code == 403
    assert house.ask(f"/dicomweb/studies/{house.foreign}/series", "third").status_code in {403, 404}


def test_who_becomes_a_reader_beside_another_role_is_blinded_from_then_on(house: House) -> None:
    account_id = add_person("both")
    give_role(house.world, account_id, Role.MONITOR)
    client = house.client("both")
    assert house.number in client.get("/dicomweb/studies").get_data(as_text=True)
    give_role(house.world, account_id, Role.READER)
    assign_again(house.later)
    assert client.get("/dicomweb/studies").get_json() == []
    for tail in house.tails(house.baseline):
        assert client.get(f"/dicomweb/studies/{house.baseline}{tail}").status_code == 404


# ----- role by endpoint by scope


@pytest.mark.parametrize("who", [*PEOPLE, "nobody", "second"])
def test_each_role_gets_each_study_as_its_scope_says(house: House, who: str) -> None:
    west = {"coordinator-102", "monitor-102"} | (SEES_IMAGES - {"coordinator-101", "investigator-101"})
    wanted = {
        house.baseline: who in SEES_IMAGES | {"reader", "second"},
        house.foreign: who in west | {"second"},
        house.other_trial: False,
        NEVER: False,
    }
    client = house.client(who)
    for uid, open_ in wanted.items():
        for tail in house.tails(uid if uid != NEVER else house.baseline):
            status = client.get(f"/dicomweb/studies/{uid}{tail}").status_code
            if open_:
                assert status == (404 if "bulkdata" in tail else 200), (who, tail)
            else:
                assert status in {403, 404}, (who, tail)
                assert status == 404 or who in {"trial-administrator", "administrator"}, (who, tail)
        assert client.get(f"/studies/{uid}").status_code == (302 if open_ else status)


def test_the_mask_is_the_same_for_every_reader_of_a_subject(house: House) -> None:
    masks = {
        seen_by(house.world.person(who), study_place(uid)).mask
        for who in ("reader", "second")
        for uid in (house.baseline, house.later)
    }
    assert len(masks) == 1
    (mask,) = masks
    assert mask is not None
    # The demo's readers see study days: the baseline lies on the same day for every subject.
    assert BASELINE + timedelta(days=mask.days) == DAY_ZERO
    assert seen_by(house.world.person("monitor"), study_place(house.baseline)).mask is None
    other = seen_by(house.world.person("second"), study_place(house.foreign)).mask
    assert other is not None
    assert other.days != mask.days
