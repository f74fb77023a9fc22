"""Who may do what: the page of permissions, and how far a role reaches."""

from __future__ import annotations

import pytest

from trialimg.domain.permission import (
    INSTALLATION_ROLES,
    ROLES,
    SITE_ROLES,
    Grant,
    Permission,
    Role,
    Scope,
    may,
    may_somewhere,
    reach,
)

P, R = Permission, Role
HERE, THERE = Scope("t1", "s1"), Scope("t1", "s2")
WHOLE, OTHER = Scope("t1"), Scope("t2", "s9")
CHANGES = {
    P.ENROL, P.ENTER_DATA, P.ATTACH_IMAGES, P.DECIDE_HELD, P.MOVE_LINK, P.WITHDRAW_STUDY, P.AUTHORISE_REMOVAL,
    P.RUN_PIPELINE, P.MANAGE_TRIAL, P.MANAGE_INSTALLATION, P.READ, P.REOPEN_READ,
}  # fmt: skip


def test_every_role_has_its_line_on_the_page() -> None:
    assert set(ROLES) == set(Role)


def test_every_permission_is_somebodys() -> None:
    given = frozenset().union(*ROLES.values())
    assert given | {P.OWN_ACCOUNT} == set(Permission)


def test_an_inspector_reads_everything_of_a_trial_and_changes_nothing() -> None:
    """ICH E6(R3): direct access for inspection, without the power to change."""
    assert not ROLES[R.INSPECTOR] & CHANGES
    assert {P.SEE_TRIAL, P.SEE_DATA, P.OPEN_IMAGES, P.SEE_AUDIT, P.SEE_PIPELINE} <= ROLES[R.INSPECTOR]


@pytest.mark.parametrize("role", [R.MONITOR, R.SPONSOR])
def test_a_monitor_and_a_sponsor_enter_no_data(role: Role) -> None:
    """Asking for another reading, where reading.yaml names their role, changes no value."""
    assert not ROLES[role] & (CHANGES - {P.REOPEN_READ})


@pytest.mark.parametrize("role", [R.SITE_COORDINATOR, R.INVESTIGATOR, R.READER, R.ADJUDICATOR, R.ADMINISTRATOR])
def test_no_file_can_show_reads_to_a_role_that_would_be_biased(role: Role) -> None:
    assert not ROLES[role] & {P.SEE_READ_VALUES, P.REOPEN_READ}


@pytest.mark.parametrize("role", sorted(set(Role) - SITE_ROLES))
def test_only_people_of_a_site_enter_data_and_see_held_images(role: Role) -> None:
    """Unreviewed pixels are shown to the site's people only."""
    assert not ROLES[role] & {P.ENTER_DATA, P.ENROL, P.ATTACH_IMAGES, P.DECIDE_HELD}


@pytest.mark.parametrize("role", [R.READER, R.ADJUDICATOR])
def test_a_reader_reaches_no_subject_by_the_pages_of_the_trial(role: Role) -> None:
    assert not ROLES[role] & {P.SEE_TRIAL, P.SEE_DATA, P.OPEN_IMAGES, P.SEE_AUDIT}


@pytest.mark.parametrize("role", [R.ADMINISTRATOR, R.TRIAL_ADMINISTRATOR])
def test_administrators_see_no_values_of_forms_and_no_images(role: Role) -> None:
    assert not ROLES[role] & {P.SEE_DATA, P.OPEN_IMAGES, P.ENTER_DATA}


def test_no_single_role_both_enters_data_and_manages_people() -> None:
    assert not [
        r for r, given in ROLES.items() if P.ENTER_DATA in given and given & {P.MANAGE_TRIAL, P.MANAGE_INSTALLATION}
    ]


@pytest.mark.parametrize(
    ("grant", "reached"),
    [
        (Grant(R.SITE_COORDINATOR, "t1", "s1"), {HERE}),
        (Grant(R.MONITOR, "t1"), {HERE, THERE, WHOLE}),
        (Grant(R.MONITOR, "t1", "s2"), {THERE}),
        (Grant(R.ADMINISTRATOR), {HERE, THERE, WHOLE, OTHER, Scope()}),
        (Grant(R.MONITOR), set()),
        (Grant(R.MONITOR, "t2"), {OTHER}),
    ],
)
def test_a_grant_reaches_so_far_and_no_farther(grant: Grant, reached: set[Scope]) -> None:
    scopes = {HERE, THERE, WHOLE, OTHER, Scope()}
    assert {scope for scope in scopes if grant.covers(scope)} == reached


def test_a_role_for_one_site_does_not_reach_the_trial_as_a_whole() -> None:
    assert not may([Grant(R.MONITOR, "t1", "s1")], P.SEE_AUDIT, WHOLE)
    assert may([Grant(R.MONITOR, "t1", "s1")], P.SEE_AUDIT, HERE)


def test_permissions_of_two_roles_add_up_each_in_its_own_place() -> None:
    grants = [Grant(R.SITE_COORDINATOR, "t1", "s1"), Grant(R.SPONSOR, "t2")]
    assert may(grants, P.ENTER_DATA, HERE)
    assert may(grants, P.SEE_DATA, OTHER)
    assert not may(grants, P.ENTER_DATA, OTHER)


def test_everybody_has_their_own_account_and_nobody_without_roles_has_more() -> None:
    assert [p for p in Permission if may([], p, Scope())] == [P.OWN_ACCOUNT]
    assert [p for p in Permission if may_somewhere([], p)] == [P.OWN_ACCOUNT]


@pytest.mark.parametrize("role", sorted(Role))
@pytest.mark.parametrize("permission", sorted(Permission))
def test_reach_and_may_say_the_same(role: Role, permission: Permission) -> None:
    for grant in (Grant(role), Grant(role, "t1"), Grant(role, "t1", "s1")):
        if (role in INSTALLATION_ROLES) != (grant.trial_id is None):
            continue
        found = reach([grant], permission)
        if permission is P.OWN_ACCOUNT:
            continue
        for scope in (HERE, THERE, OTHER):
            assert found.covers(scope.trial_id or "", scope.site_id or "") == may([grant], permission, scope)


def test_words_of_roles_and_permissions_are_unique() -> None:
    assert len({role.value for role in Role}) == len(Role)
    assert len({permission.value for permission in Permission}) == len(Permission)
    assert all(len(role.value) <= 40 for role in Role)  # the column of a grant
