"""People, their roles, and that nobody edits above their own scope."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.world import PASSWORD, World, add_person, email_of
from trialimg.casework import accounts, password, session, setup, token
from trialimg.casework.accounts import OPERATOR
from trialimg.casework.services import services
from trialimg.domain.permission import INSTALLATION_ROLES, SITE_ROLES, Role
from trialimg.errors import BadInput, Conflict, NotAllowed, NotFound
from trialimg.store.account import Account, AccountGrant
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db, utc_now
from trialimg.store.trial import Trial
from trialimg.store.unit_of_work import Actor, unit_of_work


def another_trial() -> str:
    with unit_of_work(Actor("operator"), "a second trial") as uow:
        row = Trial(code="OTHER", title="Another trial")
        uow.session.add(row)
    return row.id


def give(world: World, by: str, to: str, role: Role, *, trial_id: str | None = None, site: str = "") -> str:
    giver = world.person(by)
    with unit_of_work(giver.actor, "a role") as uow:
        return accounts.give_role(
            uow, giver, world.person(to).account_id, role, trial_id=trial_id,
            site_id=world.site_ids[site] if site else None,
        )  # fmt: skip


def grant_of(world: World, name: str) -> str:
    key = world.person(name).account_id
    return db.session.scalars(
        select(AccountGrant.id).where(AccountGrant.account_id == key, AccountGrant.ended_at.is_(None))
    ).one()


# ----- inviting


def test_an_invited_person_can_do_nothing_until_given_a_role(world: World) -> None:
    with world.acting("trial-administrator") as uow:
        accounts.invite(uow, world.person("trial-administrator"), email="new@trial.example", name="New Person")
    person = accounts.find_person("new@trial.example")
    assert person.grants == ()
    assert not person.sees(world.trial)


def test_inviting_somebody_known_changes_nothing_of_theirs(world: World) -> None:
    before = world.person("monitor")
    with world.acting("trial-administrator") as uow:
        key = accounts.invite(
            uow, world.person("trial-administrator"), email=" Monitor@Trial.example", name="Another Name"
        )
    assert key == before.account_id
    assert world.person("monitor") == before


def test_somebody_whose_access_ended_is_not_invited_again_by_a_trial(world: World) -> None:
    with world.acting("administrator") as uow:
        accounts.end_access(uow, world.person("administrator"), world.person("monitor").account_id)
    with pytest.raises(Conflict, match="was ended"), world.acting("trial-administrator") as uow:
        accounts.invite(uow, world.person("trial-administrator"), email=email_of("monitor"), name="M")


@pytest.mark.parametrize("name", ["coordinator-101", "monitor", "data-manager", "inspector", "sponsor", "nobody"])
def test_only_administrators_invite(world: World, name: str) -> None:
    with pytest.raises(NotAllowed), world.acting(name) as uow:
        accounts.invite(uow, world.person(name), email="x@trial.example", name="X")


@pytest.mark.parametrize(
    "email", ["", "x", "x@", "@y.example", "x@y", "x y@z.example", "x@y.example\r\nBcc: z@z.example", "<a@b.example>",
              "a" * 200 + "@b.example", "ä@b.example"],
)  # fmt: skip
def test_what_is_no_email_address_is_refused(world: World, email: str) -> None:
    with pytest.raises(BadInput, match="e-mail address"), world.acting("administrator") as uow:
        accounts.invite(uow, world.person("administrator"), email=email, name="X")


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\x00b", "a\u202eb"])
def test_a_name_is_needed_and_holds_nothing_invisible(world: World, name: str) -> None:
    with pytest.raises(BadInput, match="name"), world.acting("administrator") as uow:
        accounts.invite(uow, world.person("administrator"), email="x@trial.example", name=name)


# ----- giving roles


@pytest.mark.parametrize("role", sorted(SITE_ROLES))
def test_a_role_of_a_site_is_never_given_for_a_whole_trial(world: World, role: Role) -> None:
    with pytest.raises(BadInput, match="always given for one site"):
        give(world, "trial-administrator", "nobody", role, trial_id=world.trial_id)


@pytest.mark.parametrize("role", sorted(set(Role) - INSTALLATION_ROLES))
def test_a_role_of_a_trial_is_never_given_for_the_installation(world: World, role: Role) -> None:
    with pytest.raises(BadInput, match="given for a trial"):
        give(world, "administrator", "nobody", role)


def test_a_role_of_the_installation_is_never_given_for_a_trial(world: World) -> None:
    with pytest.raises(BadInput, match="for the installation"):
        give(world, "administrator", "nobody", Role.ADMINISTRATOR, trial_id=world.trial_id)


def test_a_site_of_another_trial_is_not_found(world: World) -> None:
    other = another_trial()
    with unit_of_work(Actor("operator")) as uow:
        accounts.give_role(uow, OPERATOR, world.person("nobody").account_id, Role.TRIAL_ADMINISTRATOR, trial_id=other)
    with pytest.raises(NotFound):
        give(world, "nobody", "monitor", Role.MONITOR, trial_id=other, site="101")


def test_a_trial_administrator_gives_nothing_in_another_trial(world: World) -> None:
    other = another_trial()
    for role in (Role.MONITOR, Role.TRIAL_ADMINISTRATOR, Role.SPONSOR):
        with pytest.raises(NotAllowed):
            give(world, "trial-administrator", "nobody", role, trial_id=other)


def test_a_trial_administrator_makes_nobody_administrator_of_the_installation(world: World) -> None:
    with pytest.raises(NotAllowed):
        give(world, "trial-administrator", "trial-administrator", Role.ADMINISTRATOR)


def test_an_administrator_of_the_installation_names_a_trials_administrators_and_no_other_role(world: World) -> None:
    give(world, "administrator", "nobody", Role.TRIAL_ADMINISTRATOR, trial_id=world.trial_id)
    for role in (Role.DATA_MANAGER, Role.MONITOR, Role.SPONSOR):
        with pytest.raises(NotAllowed):
            give(world, "administrator", "administrator", role, trial_id=world.trial_id)


@pytest.mark.parametrize(
    "name", ["coordinator-101", "investigator-101", "monitor", "data-manager", "inspector", "nobody"]
)
def test_nobody_else_gives_any_role(world: World, name: str) -> None:
    for role in set(Role) - INSTALLATION_ROLES:
        with pytest.raises(NotAllowed):
            give(world, name, name, role, trial_id=world.trial_id, site="101")
    with pytest.raises(NotAllowed):
        give(world, name, name, Role.ADMINISTRATOR)


def test_the_same_role_is_not_given_twice(world: World) -> None:
    first = give(world, "trial-administrator", "nobody", Role.MONITOR, trial_id=world.trial_id)
    assert give(world, "trial-administrator", "nobody", Role.MONITOR, trial_id=world.trial_id) == first
    assert len(world.person("nobody").grants) == 1


def test_a_role_ended_may_be_given_again_and_both_stay_in_the_record(world: World) -> None:
    first = give(world, "trial-administrator", "nobody", Role.MONITOR, trial_id=world.trial_id)
    with world.acting("trial-administrator") as uow:
        accounts.end_role(uow, world.person("trial-administrator"), first)
    second = give(world, "trial-administrator", "nobody", Role.MONITOR, trial_id=world.trial_id)
    assert first != second
    assert len(world.person("nobody").grants) == 1
    assert len(accounts.card(world.person("nobody").account_id).roles) == 2


# ----- ending


def test_an_ended_role_holds_no_longer(world: World) -> None:
    with world.acting("trial-administrator", "left the trial") as uow:
        accounts.end_role(uow, world.person("trial-administrator"), grant_of(world, "monitor"))
    assert not world.person("monitor").sees(world.trial)


def test_nobody_ends_a_role_above_their_own_scope(world: World) -> None:
    grant = grant_of(world, "administrator")
    with pytest.raises(NotAllowed), world.acting("trial-administrator") as uow:
        accounts.end_role(uow, world.person("trial-administrator"), grant)
    with pytest.raises(NotAllowed), world.acting("coordinator-101") as uow:
        accounts.end_role(uow, world.person("coordinator-101"), grant_of(world, "coordinator-102"))


def test_the_last_administrator_cannot_be_lost(world: World) -> None:
    with pytest.raises(Conflict, match="only administrator"), world.acting("administrator") as uow:
        accounts.end_role(uow, world.person("administrator"), grant_of(world, "administrator"))
    with pytest.raises(Conflict, match="only administrator"), world.acting("administrator") as uow:
        accounts.end_access(uow, world.person("administrator"), world.person("administrator").account_id)
    give(world, "administrator", "nobody", Role.ADMINISTRATOR)
    with world.acting("administrator") as uow:
        accounts.end_role(uow, world.person("administrator"), grant_of(world, "administrator"))


def test_a_trial_administrator_acts_on_the_whole_account_only_of_whoever_works_nowhere_else(world: World) -> None:
    other = another_trial()
    with unit_of_work(Actor("operator")) as uow:
        accounts.give_role(uow, OPERATOR, world.person("monitor").account_id, Role.TRIAL_ADMINISTRATOR, trial_id=other)
    by, key = world.person("trial-administrator"), world.person("monitor").account_id
    with pytest.raises(NotAllowed, match="also works where"), world.acting("trial-administrator") as uow:
        accounts.end_access(uow, by, key)
    with pytest.raises(NotAllowed, match="also works where"), world.acting("trial-administrator") as uow:
        password.one_time_link(uow, services(), by, key)
    with world.acting("trial-administrator") as uow:
        accounts.end_access(uow, by, world.person("sponsor").account_id)


def test_no_trial_takes_over_the_account_of_an_administrator_or_of_somebody_without_roles(world: World) -> None:
    by = world.person("trial-administrator")
    for name in ("administrator", "nobody"):
        with pytest.raises(NotAllowed), world.acting("trial-administrator") as uow:
            password.one_time_link(uow, services(), by, world.person(name).account_id)


def test_a_trial_gives_the_first_link_to_whoever_it_invited(world: World) -> None:
    by = world.person("trial-administrator")
    with world.acting("trial-administrator") as uow:
        key = accounts.invite(uow, by, email="new@trial.example", name="New")
        accounts.give_role(uow, by, key, Role.MONITOR, trial_id=world.trial_id)
        assert "/link/" in password.one_time_link(uow, services(), by, key)


def test_an_account_opened_again_has_its_roles_and_none_of_its_sessions(world: World) -> None:
    by, person = world.person("administrator"), world.person("monitor")
    opened = session.sign_in(services(), person.email, PASSWORD)
    with world.acting("administrator") as uow:
        accounts.end_access(uow, by, person.account_id)
    with pytest.raises(NotFound):
        world.person("monitor")
    with pytest.raises(NotAllowed), world.acting("trial-administrator") as uow:
        accounts.open_access(uow, world.person("trial-administrator"), person.account_id)
    with world.acting("administrator") as uow:
        accounts.open_access(uow, by, person.account_id)
    assert world.person("monitor").grants == person.grants
    assert session.person_of_session(services(), opened) is None


def test_a_token_is_made_for_nobody_whose_access_ended(world: World) -> None:
    person = world.person("monitor")
    with world.acting("administrator") as uow:
        accounts.end_access(uow, world.person("administrator"), person.account_id)
    with pytest.raises(NotFound), unit_of_work(Actor("operator")) as uow:
        token.create_token(uow, person.account_id, label="x")


# ----- the trail of it


def test_every_act_on_an_account_leaves_a_record_with_who_and_why(world: World) -> None:
    by = world.person("trial-administrator")
    with world.acting("trial-administrator", "joins the trial") as uow:
        key = accounts.invite(uow, by, email="new@trial.example", name="New")
        grant = accounts.give_role(uow, by, key, Role.MONITOR, trial_id=world.trial_id)
        password.one_time_link(uow, services(), by, key)
    with world.acting("trial-administrator", "leaves the trial") as uow:
        accounts.end_role(uow, by, grant)
        accounts.end_access(uow, by, key)
    rows = db.session.execute(
        select(AuditRecord.action, AuditRecord.table_name, AuditRecord.column_name, AuditRecord.reason, AuditRecord.actor)
        .where(AuditRecord.row_id.in_((key, grant)), AuditRecord.chain == world.trial_id)
    ).all()  # fmt: skip
    assert {actor for *_, actor in rows} == {by.email}
    told = {tuple(row[:4]) for row in rows}
    assert ("insert", "account", "email", "joins the trial") in told
    assert ("insert", "account_grant", "role", "joins the trial") in told
    assert ("one-time link", "account", "", "joins the trial") in told
    assert ("update", "account_grant", "ended_at", "leaves the trial") in told
    assert ("update", "account", "active", "leaves the trial") in told


# ----- lockout


def test_many_attempts_at_the_same_time_do_not_pass_the_limit(world: World) -> None:
    """Each attempt counts before its password is looked at, so that guessing in parallel gains nothing."""
    session._nobodys_hash()  # made once; not to be made by several threads here
    tried: list[str] = []
    real = session.verify_password

    def counted(given: str, kept: str) -> bool:
        if kept != session._nobodys_hash():
            tried.append(given)
        return real(given, kept)

    def guess(number: int) -> None:
        with world.app.app_context(), pytest.raises(NotAllowed):
            session.sign_in(services(), email_of("monitor"), f"guess {number}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "verify_password", counted)
        threads = [threading.Thread(target=guess, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert len(tried) == services().settings.lockout_failures


def test_a_lock_ends_by_itself_and_by_an_administrator(world: World) -> None:
    email = email_of("monitor")
    for _ in range(5):
        with pytest.raises(NotAllowed):
            session.sign_in(services(), email, "wrong")
    locked = db.session.scalars(select(Account.locked_until).where(Account.email == email)).one()
    assert timedelta(minutes=14) < locked - utc_now() < timedelta(minutes=16)
    with world.acting("administrator") as uow:
        accounts.unlock(uow, world.person("administrator"), world.person("monitor").account_id)
    assert session.sign_in(services(), email, PASSWORD)


def test_a_one_time_link_lifts_a_lock(world: World) -> None:
    for _ in range(5):
        with pytest.raises(NotAllowed):
            session.sign_in(services(), email_of("monitor"), "wrong")
    with unit_of_work(Actor("operator")) as uow:
        link = password.one_time_link(uow, services(), OPERATOR, world.person("monitor").account_id)
    password.set_password(link.rsplit("/", 1)[-1], "violet-anchor-19-tundra")
    assert session.sign_in(services(), email_of("monitor"), "violet-anchor-19-tundra")


# ----- lists


def test_a_trials_list_of_people_shows_its_own_roles_only(world: World) -> None:
    other = another_trial()
    with unit_of_work(Actor("operator")) as uow:
        accounts.give_role(uow, OPERATOR, world.person("monitor").account_id, Role.TRIAL_ADMINISTRATOR, trial_id=other)
    listed = {card.email: card for card in accounts.people(world.trial)}
    assert email_of("nobody") not in listed
    assert email_of("administrator") not in listed
    assert [grant.role for grant in listed[email_of("monitor")].roles] == [Role.MONITOR]
    assert {grant.site for grant in listed[email_of("coordinator-101")].roles} == {"101"}


def test_the_people_of_the_installation_are_listed_with_their_state(world: World) -> None:
    with world.acting("administrator") as uow:
        accounts.invite(uow, world.person("administrator"), email="new@trial.example", name="New")
    listed = {card.email: card for card in accounts.everybody()}
    assert listed["new@trial.example"].invited
    assert not listed[email_of("nobody")].invited
    assert len(listed) == len(set(listed))


def test_the_operator_at_the_shell_starts_an_installation(world: World) -> None:
    key = add_person("second-administrator")
    with unit_of_work(OPERATOR.actor, "init") as uow:
        accounts.give_role(uow, OPERATOR, key, Role.ADMINISTRATOR)
    assert [g.role for g in world.person("second-administrator").grants] == [Role.ADMINISTRATOR]
    assert setup.trials()[0].code == "DEMO"
