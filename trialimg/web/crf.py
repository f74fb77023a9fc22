"""A case report form between a page and casework: fields for the macros, and what a page posts read back.

Names on the page: ``GROUP.ITEM``, or ``GROUP.row.ITEM`` where the group repeats; ``answer:CHECK:`` before it for the
reason given to a soft check. Names that begin with ``_`` are the page's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from trialimg.casework.access import Person, Place
from trialimg.casework.blinding import NOT_SHOWN
from trialimg.casework.data_entry import Posted
from trialimg.casework.form_page import FindingView, FormPage
from trialimg.casework.slots import SlotState
from trialimg.domain.crf import FormDef, GroupDef, ItemDef
from trialimg.domain.edit_check import reveal
from trialimg.domain.item_value import Value, parse_value
from trialimg.domain.permission import Permission
from trialimg.errors import BadInput

Field = dict[str, Any]
ItemPlace = tuple[str, str, str]
_PAGES_OWN: Final = frozenset({"csrf_token", "reason", "save"})
LONGEST_REVISION: Final = 9
"""Digits of a revision that are read: more are no number of ours, and endless ones no number at all."""
_PARTS: Final = ("year", "month", "day")
_DAMAGED: Final = (
    "The page arrived incomplete or changed, so nothing was saved. Go back, look whether it is whole, and save again."
)


def name_of(place: ItemPlace) -> str:
    """Give the name of a place on the page, which is also its id."""
    group, key, item = place
    return f"{group}.{key}.{item}" if key else f"{group}.{item}"


def _place_of(name: str) -> ItemPlace:
    parts = name.split(".")
    if len(parts) == 2:  # noqa: PLR2004 (group and item)
        return parts[0], "", parts[1]
    if len(parts) == 3:  # noqa: PLR2004 (group, row and item)
        return parts[0], parts[1], parts[2]
    raise BadInput(_DAMAGED)


def row_of(text: str) -> tuple[str, str]:
    """Read ``group/row``."""
    group, _, key = text.partition("/")
    return group, key


# --- a page read back -------------------------------------------------------------------------------------


def read_posted(form: FormDef, data: MultiDict[str, str]) -> Posted:
    """Read what a page posted, whole; raises :class:`BadInput` where its end or a row's announcement is missing."""
    revision = data.get("_revision", "")
    if data.get("_end") != "1" or not revision.isdecimal() or len(revision) > LONGEST_REVISION:
        raise BadInput(_DAMAGED)
    partial = {item.key for _, item in form.items() if item.kind == "partial_date"}
    removed = {row_of(text) for text in data.getlist("_removed")}
    rows = {row_of(text) for text in data.getlist("_rows")} - removed
    values: dict[str, dict[str, dict[str, str]]] = {group.key: {} for group in form.groups if group.repeating}
    for group, key in rows:
        values.setdefault(group, {})[key] = {}
    answers: dict[tuple[str, str, str, str], str] = {}
    dates: dict[ItemPlace, dict[str, str]] = {}
    for name, texts in data.lists():
        if name.startswith("_") or name in _PAGES_OWN:
            continue
        if len(texts) != 1:
            raise BadInput(_DAMAGED)
        if name.startswith("answer:"):
            check, _, where = name.removeprefix("answer:").partition(":")
            answers[check, *_place_of(where)] = texts[0]
            continue
        base, _, part = name.partition("__") if name.rpartition("__")[2] in _PARTS else (name, "", "")
        if part and _place_of(base)[2] in partial:
            dates.setdefault(_place_of(base), {})[part] = texts[0].strip()
            continue
        _put(values, _place_of(name), texts[0], rows | removed)
    for place, parts in dates.items():
        _put(values, place, _partial_date(parts), rows | removed)
    # Rows in the order of the page.
    ordered = {g: {key: r[key] for key in _in_order(data, g, r)} for g, r in values.items()}
    return Posted(int(revision), ordered, frozenset(removed), answers)


def _in_order(data: MultiDict[str, str], group: str, rows: Mapping[str, object]) -> list[str]:
    announced = [key for each, key in map(row_of, data.getlist("_rows")) if each == group and key in rows]
    return [*dict.fromkeys(announced), *(key for key in rows if key not in announced)]


def _put(
    values: dict[str, dict[str, dict[str, str]]], place: ItemPlace, text: str, rows: Iterable[tuple[str, str]]
) -> None:
    group, key, item = place
    if key and (group, key) not in rows:
        raise BadInput(_DAMAGED)
    values.setdefault(group, {}).setdefault(key, {})[item] = text


def _partial_date(parts: Mapping[str, str]) -> str:
    """Write day, month and year as one date, as far as they are known; what makes no date stays readable."""
    year, month, day = (parts.get(part, "") for part in _PARTS)
    padded = [year, *(part.zfill(2) if part.isdecimal() else part for part in (month, day))]
    return "-".join(padded).rstrip("-")


# --- fields of a page -------------------------------------------------------------------------------------


def groups_of(page: FormPage, person: Person, place: Place, *, ask_all: bool = False) -> list[Field]:
    """Give the groups of a form for the macros; ``ask_all`` also says which answers are still missing."""
    found = []
    for group in page.form.groups:
        shown = any(asked == group.key for asked, _, _ in page.shown)
        filled = any(text for row in page.values.get(group.key, {}).values() for text in row.values())
        unseen = any(item.key in page.not_shown for item in group.items)
        if not filled and not unseen and ((group.key, "") in page.ruled_out or not (shown or page.may_edit)):
            continue
        made = _Maker(page, person, place, ask_all=ask_all)
        found.append(made.repeating(group) if group.repeating else made.single(group))
    return [group for group in found if group["repeating"] or group["fields"]]


class _Maker:
    """Makes the fields of one page."""

    def __init__(self, page: FormPage, person: Person, place: Place, *, ask_all: bool) -> None:
        self.page = page
        self.place = place
        self.may_attach = person.may(Permission.ATTACH_IMAGES, place)
        self.may_open = person.may(Permission.OPEN_IMAGES, place)
        self.found: dict[ItemPlace, list[FindingView]] = {}
        for each in (*page.findings, *(page.unfinished if ask_all else ())):
            self.found.setdefault((each.group, each.repeat_key, each.item), []).append(each)

    def single(self, group: GroupDef) -> Field:
        """Give a group that is filled once."""
        return {
            "key": group.key,
            "title": group.title,
            "repeating": False,
            "reveal": self._reveal(group.show_if, group, ""),
            "fields": self.fields(group, ""),
        }

    def repeating(self, group: GroupDef) -> Field:
        """Give a group of rows, with an empty one for the script to copy."""
        rows = self.page.values.get(group.key, {})
        errors = self.found.get((group.key, "", ""), [])
        edit = self.page.may_edit
        return {
            "key": group.key,
            "title": group.title,
            "repeating": True,
            "reveal": None if rows else self._reveal(group.show_if, group, ""),
            "max": group.max_rows or None,
            "add_label": "Add an entry",
            "errors": [each.sentence for each in errors],
            "template": self.fields(group, "__KEY__") if edit else None,
            "rows": [
                {"key": key, "fields": self.fields(group, key), "saved": (group.key, key) in self.page.saved_rows}
                for key in rows
            ],
            "removed": [key for each, key in self.page.removed if each == group.key],
        }

    def fields(self, group: GroupDef, key: str) -> list[Field]:
        """Give the fields of one row."""
        found = []
        for item in group.items:
            where = (group.key, key, item.key)
            if item.kind == "imaging":
                if where in self.page.shown and item.slot in self.page.slots:
                    found.append({"kind": "imaging", "slot": self.slot(item, self.page.slots[item.slot])})
            elif self._belongs(item, where):
                found.append(self.field(group, item, where))
        return found

    def _belongs(self, item: ItemDef, where: ItemPlace) -> bool:
        if where in self.page.shown or self._text(where) or item.key in self.page.not_shown:
            return True
        return self.page.may_edit and (where[0], item.key) not in self.page.ruled_out

    def _text(self, where: ItemPlace) -> str:
        group, key, item = where
        return self.page.values.get(group, {}).get(key, {}).get(item, "")

    def field(self, group: GroupDef, item: ItemDef, where: ItemPlace) -> Field:
        """Give one field."""
        name, text = name_of(where), self._text(where)
        if item.key in self.page.not_shown:
            return {"kind": "display", "name": name, "id": name, "label": item.label, "value": NOT_SHOWN}
        findings = [each for each in self.found.get(where, []) if each.severity == "hard"]
        made: Field = {
            "name": name,
            "id": name,
            "label": item.label,
            "hint": item.hint,
            "value": text,
            "required": item.required,
            "unit": item.unit if item.unit != "1" else "",
            "errors": [each.sentence for each in findings],
            "soft": [self._soft(each, name) for each in self.found.get(where, []) if each.severity == "soft"],
        }
        if where in self.page.meanwhile:
            saved = self.page.meanwhile[where]
            made["was"] = f"{item.label_of(saved)} (saved meanwhile by {self.page.saved_by})" if saved else ""
        if not self.page.may_edit:
            return made | {"kind": "display", "value": item.label_of(text), "soft": self._told(made["soft"])}
        return made | {"reveal": self._reveal(item.show_if, group, where[1])} | _kind(item, text)

    def _soft(self, each: FindingView, name: str) -> Field:
        return {
            "key": each.check_key,
            "sentence": each.sentence,
            "reason_name": f"answer:{each.check_key}:{name}",
            "reason": each.answer,
        }

    @staticmethod
    def _told(soft: list[Field]) -> list[Field]:
        return [
            {"sentence": f"{s['sentence']} Answered: {s['reason']}" if s["reason"] else s["sentence"]} for s in soft
        ]

    def _reveal(self, show_if: str, group: GroupDef, key: str) -> Field | None:
        simple = reveal(show_if)
        if simple is None or not self.page.may_edit:
            return None
        found = self.page.form.find(simple[0])
        if found is None or (found[0].repeating and found[0].key != group.key):
            return None
        name = name_of((found[0].key, key if found[0].key == group.key else "", simple[0]))
        return {"name": name, "values": list(simple[1])}

    def slot(self, item: ItemDef, state: SlotState) -> Field:
        """Give the panel of an imaging item."""
        where = self.place
        url = f"/trials/{where.trial_code}/subjects/{where.subject_number}/visits/{where.visit_key}/slots/{state.key}"
        attach = self.may_attach and not state.studies
        return {
            "id": f"slot-{state.key}",
            "label": item.label,
            "hint": item.hint,
            "state": state.state,
            "sentence": state.sentence,
            "modality": ", ".join(state.modalities),
            "due": state.due,
            "actions": [
                {"label": "Attach images" if attach else "Details", "url": url, "primary": attach,
                 "icon": "upload" if attach else "images"}
            ],
            "studies": [
                {
                    "study_instance_uid": study.study_instance_uid,
                    "modality": study.modalities,
                    "instances": study.instances,
                    "held": study.held,
                    "linked_at": f"{study.linked_at:%Y-%m-%d %H:%M} UTC",
                    "linked_by": study.linked_by,
                    "viewer_url": f"/studies/{study.study_instance_uid}" if self.may_open else None,
                }
                for study in state.studies
            ],
        }  # fmt: skip


def _kind(item: ItemDef, text: str) -> Field:
    readable = not text or isinstance(parse_value(item, text), Value)
    match item.kind:
        case "number":
            low, high = item.limits.low, item.limits.high
            return {
                "kind": "number",
                "low": str(low) if low is not None else "",
                "high": str(high) if high is not None else "",
            }
        case "date":
            # The browser's own picker shows nothing for what is no date; the text must not be lost.
            return {"kind": "date"} if readable else {"kind": "text", "width": "short"}
        case "partial_date":
            return {"kind": "partial_date", "raw": {} if readable else dict(zip(_PARTS, _split(text), strict=True))}
        case "choice" | "yes_no":
            options = [{"value": choice.code, "label": choice.label} for choice in item.choices]
            return {"kind": "choice", "options": options, "display": item.shown_as}
        case _:
            return {"kind": "textarea" if item.lines > 1 else "text", "rows": item.lines}


def _split(text: str) -> tuple[str, str, str]:
    year, _, rest = text.partition("-")
    month, _, day = rest.partition("-")
    return year, month, day


def summary_of(page: FormPage, *, ask_all: bool = False) -> list[Field]:
    """Give the errors summed up on top, each leading to its field."""
    wrong = [each for each in page.findings if each.severity == "hard"]
    return [_line(page, each) for each in (*wrong, *(page.unfinished if ask_all else ()))]


def questions_of(page: FormPage) -> list[Field]:
    """Give the soft checks that wait for a reason, each leading to its field."""
    return [_line(page, each) for each in page.findings if each.severity == "soft" and each.state == "open"]


def _line(page: FormPage, each: FindingView) -> Field:
    if not each.item:
        return {"field_id": f"group-{each.group}", "sentence": each.sentence, "label": ""}
    where = (each.group, each.repeat_key, each.item)
    return {
        "field_id": name_of(where),
        "sentence": each.sentence,
        "label": page.label(where) if each.repeat_key else "",
    }
