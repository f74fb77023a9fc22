"""Who may see a value: the one rule that pages, casebooks, data exports and the trail obey."""

from __future__ import annotations

from typing import Final

from trialimg.casework.access import Person, Place
from trialimg.domain.crf import FormDef, ItemDef
from trialimg.domain.permission import Permission

NOT_SHOWN: Final = "not shown to your role"
"""What stands in place of a value somebody is blinded to."""


def may_see(person: Person, place: Place, form: FormDef, item: ItemDef | None = None) -> bool:
    """Say whether the person may see values of the form there, or of one item of it.

    One blinded role hides it, whatever other roles the person has: nobody can unsee it for one of them.
    """
    hidden = {*form.blinded_to, *(item.blinded_to if item is not None else ())}
    mine = {grant.role.value for grant in person.grants if grant.covers(place.scope)}
    return person.may(Permission.SEE_DATA, place) and not hidden & mine


def hidden_items(person: Person, place: Place, form: FormDef) -> frozenset[tuple[str, str]]:
    """Give group and item of every question of the form whose values this person may not see there."""
    return frozenset(
        (group.key, item.key) for group, item in form.items() if not may_see(person, place, form, item)
    )
