"""Who may see a value: the one rule that pages, casebooks, data exports and the trail obey."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from sqlalchemy import select

from trialimg.casework.access import Person, Place
from trialimg.casework.accounts import person_of
from trialimg.casework.definition import definition
from trialimg.domain.crf import FormDef, ItemDef
from trialimg.domain.expression import names
from trialimg.domain.permission import Permission
from trialimg.errors import BadInput
from trialimg.store.account import Account
from trialimg.store.base import db
from trialimg.store.casebook import CheckFinding, FormRecord, ItemValue
from trialimg.store.subject import Subject, Visit
from trialimg.store.unit_of_work import UnitOfWork

NOT_SHOWN: Final = "not shown to your role"
"""What stands in place of a value somebody is blinded to."""


def may_see(person: Person, place: Place, form: FormDef, item: ItemDef | None = None) -> bool:
    """Say whether the person may see values of the form there, or of one item of it.

    One blinded role hides it, whatever other roles the person has: nobody can unsee it for one of them.
    """
    hidden = {*form.blinded_to, *(item.blinded_to if item is not None else ())}
    mine = {grant.role.value for grant in person.grants if grant.covers(place.scope)}
    return person.may(Permission.SEE_DATA, place) and not hidden & mine


def hidden_items(person: Person, place: Place, form: FormDef) -> frozenset[str]:
    """Give the keys of the items of a form whose values this person may not see there."""
    return frozenset(item.key for _, item in form.items() if not may_see(person, place, form, item))


def refuse_blinded(uow: UnitOfWork, place: Place, form: FormDef) -> None:
    """Raise :class:`BadInput` where whoever acts is blinded to any item of the form: what one may not see one may not
    write.

    The whole form, not the item alone: what a save answers (complete or not, which checks stand) would tell of it.
    """
    account = uow.session.get(Account, uow.actor.account_id) if uow.actor.account_id else None
    if account is not None and hidden_items(person_of(account), place, form):
        raise BadInput(
            f"Your role is not shown every value of “{form.title}”, so you cannot change this form and nothing was "
            "saved. What you typed is shown below; give it to somebody of the site who enters data and is shown the "
            "whole form."
        )


def tells_of(form: FormDef, check_key: str, item_key: str, hidden: frozenset[str]) -> bool:
    """Say whether a finding speaks beside a hidden item, or comes from a check that looks at one."""
    if not hidden:
        return False
    check = next((check for check in form.checks if check.key == check_key), None)
    looked_at = {name.parts[-1] for name in names(check.must)} if check is not None else set()
    return bool(hidden & {item_key, *looked_at}) or (not item_key and len(hidden) == len(list(form.items())))


def hidden_rows(person: Person, place: Place, rows: Iterable[str]) -> frozenset[str]:
    """Give those of the rows (values and findings of forms of the trial, by key) that this person may not see."""
    wanted, hidden = set(rows), set()
    where = (FormRecord.form_key, Subject.definition_id, Subject.site_id)
    values = select(ItemValue.id, ItemValue.item_key, *where).join(ItemValue.form_record)
    findings = select(CheckFinding.id, CheckFinding.item_key, *where, CheckFinding.check_key)
    for query, key in ((values, ItemValue.id), (findings.join(CheckFinding.form_record), CheckFinding.id)):
        query = query.join(FormRecord.visit).join(Visit.subject).where(key.in_(wanted))  # noqa: PLW2901 (narrowed)
        for row, item_key, form_key, definition_id, site_id, *check in db.session.execute(query):
            form = definition(definition_id).forms.get(form_key)
            if form is None:
                hidden.add(row)
                continue
            unseen = hidden_items(person, replace(place, site_id=site_id), form)
            if item_key in unseen or (check and tells_of(form, check[0], item_key, unseen)):
                hidden.add(row)
    return frozenset(hidden)
