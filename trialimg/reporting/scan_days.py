"""Days from scan to link: the scan's date is the one on the imaging form, the images' own where that is blank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, select

from trialimg.casework.access import Person, Place
from trialimg.casework.blinding import may_see
from trialimg.domain.acquisition import AcquisitionItem, acquisition_items
from trialimg.domain.item_value import Value, parse_value
from trialimg.domain.trial import TrialDefinition
from trialimg.store.base import db
from trialimg.store.casebook import FormRecord, ItemValue
from trialimg.store.imaging import ImagingStudy, Slot
from trialimg.store.subject import Subject, Visit

BUCKETS: Final = (("0 to 1", 1), ("2 to 3", 3), ("4 to 7", 7), ("8 to 14", 14), ("15 to 30", 30), ("more", None))
"""Days from scan to link: the label and the last day of each bar."""
_Key = tuple[str, str, str, str]
"""A visit, and a form, group and item of it."""


@dataclass(frozen=True)
class ScanDays:
    """Linked studies by days from scan to link; by which date they are counted, and how many have none."""

    buckets: tuple[tuple[str, int], ...]
    median: float | None
    by_form: int
    by_images: int
    undated: int

    @property
    def sentence(self) -> str:
        """Say by which date the studies are counted."""
        said = f"Counted by the date of acquisition on the imaging form: {self.by_form}."
        if self.by_images:
            said += f" By the images' own date, where the form's is blank or not shown to your role: {self.by_images}."
        return f"{said} Not counted, with neither: {self.undated}." if self.undated else said


class _Study(NamedTuple):
    acquired: date | None
    linked: date
    visit_id: str
    slot: str
    site_id: str
    definition_id: str


def scan_days(
    person: Person, trial_id: str, mine: ColumnElement[bool], versions: Mapping[str, TrialDefinition]
) -> ScanDays:
    """Count the linked studies of the subjects within ``mine``; a value this person is blinded to is not used."""
    wanted = (
        select(
            ImagingStudy.acquired, ImagingStudy.linked_at, Visit.id, Slot.key, Subject.site_id, Subject.definition_id
        )
        .join(Subject, ImagingStudy.subject_id == Subject.id)
        .join(Slot, ImagingStudy.slot_id == Slot.id)
        .join(Visit, Slot.visit_id == Visit.id)
        .where(mine, ImagingStudy.state == "linked")
    )
    studies = [_Study(acquired, linked.date(), *where) for acquired, linked, *where in db.session.execute(wanted)]
    slots = {(each.definition_id, each.slot) for each in studies}
    items = {(key, slot): acquisition_items(versions[key], slot) for key, slot in slots}
    typed = _typed(mine, {item.item.key for found in items.values() for item in found})
    days, by_form, undated = [], 0, 0
    seen: dict[tuple[str, str, str], bool] = {}
    for study in studies:
        day = None
        for item in items[study.definition_id, study.slot]:
            key = (study.site_id, item.form.key, item.item.key)
            if key not in seen:
                seen[key] = may_see(person, Place(trial_id=trial_id, site_id=study.site_id), item.form, item.item)
            if seen[key]:
                day = day or _date(item, typed.get((study.visit_id, item.form.key, item.group.key, item.item.key)))
        by_form += day is not None
        day = day or study.acquired
        if day is None:
            undated += 1
        else:
            days.append(max(0, (study.linked - day).days))
    counts = Counter(map(_bucket, days))
    buckets = tuple((label, counts[label]) for label, _ in BUCKETS)
    return ScanDays(buckets, median(days) if days else None, by_form, len(days) - by_form, undated)


def _typed(mine: ColumnElement[bool], items: Iterable[str]) -> dict[_Key, str]:
    """Give what the forms hold in these items; of a repeating group the first row."""
    keys = set(items)
    if not keys:
        return {}
    wanted = (
        select(FormRecord.visit_id, FormRecord.form_key, ItemValue.group_key, ItemValue.item_key, ItemValue.value)
        .join(ItemValue.form_record)
        .join(FormRecord.visit)
        .join(Visit.subject)
        .where(mine, ItemValue.item_key.in_(keys), ItemValue.value != "")
        .order_by(ItemValue.row_number)
    )
    found: dict[_Key, str] = {}
    for visit_id, form, group, item, value in db.session.execute(wanted):
        found.setdefault((visit_id, form, group, item), value)
    return found


def _date(item: AcquisitionItem, text: str | None) -> date | None:
    parsed = parse_value(item.item, text) if text else None
    return date.fromisoformat(parsed.text) if isinstance(parsed, Value) else None


def _bucket(days: int) -> str:
    return next(label for label, last in BUCKETS if last is None or days <= last)
