"""Where the forms of a trial hold the date on which the images of a slot were acquired."""

from __future__ import annotations

from typing import Final, NamedTuple

from trialimg.domain.crf import FormDef, GroupDef, ItemDef
from trialimg.domain.trial import TrialDefinition

ACQUIRED: Final = "PRSTDAT"
"""The CDASH variable of the item that holds the date on which images were acquired."""


class AcquisitionItem(NamedTuple):
    """A date item with that variable, in the group in which the slot's images are asked for."""

    form: FormDef
    group: GroupDef
    item: ItemDef


def acquisition_items(rules: TrialDefinition, slot: str) -> tuple[AcquisitionItem, ...]:
    """Give the items of a definition that hold the acquisition date of a slot, in the order of the forms."""
    return tuple(
        AcquisitionItem(form, group, item)
        for form in rules.forms.values()
        for group in form.groups
        if any(each.kind == "imaging" and each.slot == slot for each in group.items)
        for item in group.items
        if item.kind == "date" and item.variable == ACQUIRED
    )
