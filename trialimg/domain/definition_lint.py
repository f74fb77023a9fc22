"""What is wrong with a definition although every file of it can be read: names that lead nowhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from trialimg.domain.crf import FormDef, GroupDef, ItemDef, Limits
from trialimg.domain.definition import Problem, Section, WrongHere
from trialimg.domain.deidentification import Profile
from trialimg.domain.expression import names
from trialimg.domain.expression_lint import Standing, loops
from trialimg.domain.form_scope import SUBJECT
from trialimg.domain.permission import ROLES, Permission, Role
from trialimg.domain.reading_design import NEVER_REOPENS, NEVER_SEES_VALUES, ReadingDesign
from trialimg.domain.trial import TrialDefinition
from trialimg.domain.visit import VisitDef
from trialimg.errors import BadDefinition

Path = tuple[str | int, ...]


def lint(definition: TrialDefinition) -> list[Problem]:
    """Give every error (the trial must not be loaded) and warning (look at it), file by file."""
    return [
        *_trial(definition),
        *_schedule(definition),
        *(problem for form in definition.forms.values() for problem in _form(form, definition)),
        *_codelists(definition),
        *_imaging(definition),
        *_deidentification(definition),
        *_reading(definition),
    ]


def _warn(file: str, path: Path, sentence: str) -> Problem:
    return Problem(file, path, sentence, "warning")


def _twice(keys: Iterable[str]) -> list[str]:
    return [key for key, count in Counter(keys).items() if count > 1]


def _trial(definition: TrialDefinition) -> Iterator[Problem]:
    if "{site}" not in definition.subject_id:
        sentence = "subject numbers without {site} are the same at every site, and only the first can use one"
        yield Problem("trial.yaml", ("subject", "id"), sentence)


def _schedule(definition: TrialDefinition) -> Iterator[Problem]:
    file = "schedule.yaml"
    anchor = definition.visit(definition.anchor_visit)
    if anchor is None:
        yield Problem(file, ("anchor_visit",), f"there is no visit “{definition.anchor_visit}”")
    elif anchor.offset_days != 0 or anchor.repeating:
        sentence = "days are counted from this visit, so its offset_days must be 0 and it cannot repeat"
        yield Problem(file, ("anchor_visit",), sentence)
    last = None
    for at, visit in enumerate(definition.visits):
        yield from _visit(visit, definition, ("visits", at))
        if visit.offset_days is not None:
            if last is not None and visit.offset_days < last:
                yield _warn(file, ("visits", at, "offset_days"), "this visit is due before the one above it")
            last = visit.offset_days


def _visit(visit: VisitDef, definition: TrialDefinition, path: Path) -> Iterator[Problem]:
    file = "schedule.yaml"
    for place, key in enumerate(visit.forms):
        if key not in definition.forms:
            yield Problem(file, (*path, "forms", place), f"there is no form “{key}”")
    for place, key in enumerate(visit.slots):
        if key not in definition.slots:
            yield Problem(file, (*path, "slots", place), f"there is no slot “{key}” in imaging.yaml")
        elif not _asks_for(definition, visit.forms, key):
            sentence = f"no form of this visit has an imaging item for slot “{key}”"
            yield _warn(file, (*path, "slots", place), sentence)
    for key in (*_twice(visit.forms), *_twice(visit.slots)):
        yield Problem(file, path, f"“{key}” stands twice at this visit")
    if visit.offset_days is None and (visit.window_before or visit.window_after):
        yield Problem(file, path, "a visit without offset_days cannot have a window")


def _asks_for(definition: TrialDefinition, form_keys: Iterable[str], slot: str) -> bool:
    forms = [definition.forms[key] for key in form_keys if key in definition.forms]
    return any(item.slot == slot for form in forms for _, item in form.items())


def _form(form: FormDef, definition: TrialDefinition) -> Iterator[Problem]:
    file = f"forms/{form.key}.yaml"
    if form.key == SUBJECT:
        yield Problem(file, ("key",), f"{SUBJECT} stands for the subject in expressions; choose another key")
    if not any(form.key in visit.forms for visit in definition.visits):
        yield _warn(file, ("key",), "no visit has this form, so nobody will be asked to fill it")
    yield from _doubles(form, file)
    yield from _blinded(form.blinded_to, file, ())
    yield from _shows_through(form, file)
    for at, group in enumerate(form.groups):
        yield from _group(group, file, ("groups", at))
        yield from Standing(definition, form).problems(group.show_if, file, ("groups", at, "show_if"))
        for place, item in enumerate(group.items):
            path: Path = ("groups", at, "items", place)
            yield from _item(item, definition, file, path)
            yield from _blinded(item.blinded_to, file, path)
            standing = Standing(definition, form, group.key)
            yield from standing.problems(item.show_if, file, (*path, "show_if"))
    for at, check in enumerate(form.checks):
        found = form.find(check.item)
        if found is None:
            sentence = f"there is no item “{check.item}” in this form to speak beside"
            yield Problem(file, ("checks", at, "item"), sentence)
        standing = Standing(definition, form, found[0].key if found else "")
        yield from standing.problems(check.must, file, ("checks", at, "must"))
    for path, sentence in loops(form):
        yield Problem(file, path, sentence)


def _doubles(form: FormDef, file: str) -> Iterator[Problem]:
    for key in _twice(item.key for _, item in form.items()):
        yield Problem(file, ("groups",), f"item “{key}” is defined twice in this form")
    for key in _twice(group.key for group in form.groups):
        yield Problem(file, ("groups",), f"group “{key}” is defined twice")
    for key in _twice(check.key for check in form.checks):
        yield Problem(file, ("checks",), f"check “{key}” is defined twice")


def _blinded(roles: Iterable[str], file: str, path: Path) -> Iterator[Problem]:
    for name in roles:
        role = next((each for each in Role if each.value == name), None)
        if role is None:
            yield Problem(file, (*path, "blinded_to"), f"there is no role “{name}”")
        elif Permission.ENTER_DATA in ROLES[role]:
            yield Problem(file, (*path, "blinded_to"), f"the role “{name}” enters data, so it cannot be kept from it")


def _shows_through(form: FormDef, file: str) -> Iterator[Problem]:
    """Warn where skip logic tells somebody what a blinded answer was."""
    blinded = {item.key: set(item.blinded_to) for _, item in form.items() if item.blinded_to}
    if not blinded:
        return
    for at, group in enumerate(form.groups):
        conditions: list[tuple[Path, str, set[str]]] = [(("groups", at), group.show_if, set())]
        for place, item in enumerate(group.items):
            conditions.append((("groups", at, "items", place), item.show_if, set(item.blinded_to)))
        for path, show_if, own in conditions:
            for key in _named(show_if) & blinded.keys():
                if not blinded[key] <= own:
                    sentence = f"whether this is asked tells the answer to “{key}” to roles that are blinded to it"
                    yield _warn(file, (*path, "show_if"), sentence)


def _named(show_if: str) -> set[str]:
    try:
        return {name.parts[-1] for name in names(show_if)} if show_if else set()
    except BadDefinition:
        return set()  # what cannot be read is told elsewhere


def _group(group: GroupDef, file: str, path: Path) -> Iterator[Problem]:
    if not group.items:
        yield Problem(file, path, "this group asks nothing")
    if (group.min_rows or group.max_rows) and not group.repeating:
        yield Problem(file, path, "only a repeating group has min_rows or max_rows")
    if group.max_rows and group.min_rows > group.max_rows:
        yield Problem(file, (*path, "min_rows"), "min_rows is more than max_rows")


def _item(item: ItemDef, definition: TrialDefinition, file: str, path: Path) -> Iterator[Problem]:
    if item.kind == "choice" and not item.codelist:
        yield Problem(file, path, "a choice needs a codelist")
    if item.codelist and item.kind != "choice":
        yield Problem(file, (*path, "codelist"), f"an item of kind {item.kind} has no codelist")
    if item.codelist and item.codelist not in definition.codelists:
        yield Problem(file, (*path, "codelist"), f"there is no code list “{item.codelist}” in codelists.yaml")
    if (item.kind == "imaging") != bool(item.slot):
        yield Problem(file, path, "an imaging item needs a slot, and no other item has one")
    if item.slot and item.slot not in definition.slots:
        yield Problem(file, (*path, "slot"), f"there is no slot “{item.slot}” in imaging.yaml")
    if item.kind == "imaging" and item.required:
        sentence = "whether images are required is said in schedule.yaml (optional), not here"
        yield Problem(file, (*path, "required"), sentence)
    yield from _number(item, file, path)


def _number(item: ItemDef, file: str, path: Path) -> Iterator[Problem]:
    if item.kind == "number" and not item.unit:
        yield _warn(file, path, "a number needs a unit, so that nobody guesses; write “1” where it has none")
    numeric = item.unit or item.decimals is not None or item.limits != Limits() or item.soft_limits != Limits()
    if item.kind != "number" and numeric:
        yield Problem(file, path, "only a number has unit, decimals, range or soft_range")
    for key, limits in (("range", item.limits), ("soft_range", item.soft_limits)):
        if limits.low is not None and limits.high is not None and limits.low > limits.high:
            yield Problem(file, (*path, key), "the lowest value is above the highest")
    for soft in (item.soft_limits.low, item.soft_limits.high):
        if soft is not None and not item.limits.hold(soft):
            sentence = "soft_range reaches beyond range, where the hard limit speaks already"
            yield _warn(file, (*path, "soft_range"), sentence)


def _codelists(definition: TrialDefinition) -> Iterator[Problem]:
    used = {item.codelist for form in definition.forms.values() for _, item in form.items()}
    for at, codelist in enumerate(definition.codelists.values()):
        for code in _twice(choice.code for choice in codelist.choices):
            yield Problem("codelists.yaml", ("codelists", at), f"code “{code}” is defined twice")
        if not codelist.choices:
            yield Problem("codelists.yaml", ("codelists", at), "this code list offers nothing")
        if codelist.key not in used:
            yield _warn("codelists.yaml", ("codelists", at, "key"), "no item uses this code list")


def _imaging(definition: TrialDefinition) -> Iterator[Problem]:
    placed = {slot for visit in definition.visits for slot in visit.slots}
    shown = {item.slot for form in definition.forms.values() for _, item in form.items()}
    for at, slot in enumerate(definition.slots.values()):
        path: Path = ("slots", at, "key")
        if not slot.modalities:
            yield Problem("imaging.yaml", ("slots", at), "a slot needs at least one modality")
        if slot.key not in placed:
            yield _warn("imaging.yaml", path, "no visit has this slot, so no images can be sent to it")
        if slot.key not in shown:
            yield _warn("imaging.yaml", path, "no form has an imaging item that shows this slot")


def _deidentification(definition: TrialDefinition) -> Iterator[Problem]:
    file = "deidentification.yaml"
    doubts = list(_kept_without_why(definition))
    yield from doubts
    if not doubts:
        try:
            Profile.from_mapping(dict(definition.deidentification))
        except BadDefinition as refusal:  # the engine has the last word on what it can do
            yield Problem(file, (), refusal.sentence.removeprefix(f"{file}: "))


def _kept_without_why(definition: TrialDefinition) -> Iterator[Problem]:
    rules = definition.deidentification.get("rules") or []
    for at, rule in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(rule, dict) and rule.get("action") in {"K", "U", "C"} and not str(rule.get("why") or "").strip():
            sentence = "this rule lets more stand than the basic profile; say in “why” what it is needed for"
            yield Problem("deidentification.yaml", ("rules", at), sentence)


def _reading(definition: TrialDefinition) -> Iterator[Problem]:
    file = "reading.yaml"
    try:
        design = ReadingDesign.read(Section.of(file, (), definition.reading))
    except WrongHere as wrong:
        yield wrong.problem
        return
    yield from _reading_roles(design, file)
    for place, slot in enumerate(design.slots):
        if slot not in definition.slots:
            yield Problem(file, ("slots", place), f"there is no slot “{slot}” in imaging.yaml")
    if design.readers < 0:
        yield Problem(file, ("readers",), "readers cannot be fewer than 0")
    if design.adjudication and design.readers < 2:  # noqa: PLR2004 - two must differ
        yield Problem(file, ("adjudication",), "a third reader decides between two, so at least 2 readers are needed")
    if design.readers:
        yield from _read_centrally(definition, design, file)


def _reading_roles(design: ReadingDesign, file: str) -> Iterator[Problem]:
    for place, role in enumerate(design.values_visible_to):
        if role in NEVER_SEES_VALUES:
            sentence = f"results of reads would bias the role “{role.value}”, or are of no use to it; leave it out"
            yield Problem(file, ("values_visible_to", place), sentence)
    for place, role in enumerate(design.reopen_by):
        if role in NEVER_REOPENS:
            yield Problem(file, ("reopen_by", place), f"the role “{role.value}” must not reopen reads; leave it out")


def _read_centrally(definition: TrialDefinition, design: ReadingDesign, file: str) -> Iterator[Problem]:
    if not design.slots:
        yield Problem(file, ("readers",), "say in “slots” whose images are read")
    if design.criteria == "none":
        yield Problem(file, ("criteria",), "images that are read centrally need criteria, such as RECIST 1.1")
    if not design.reopen_by:
        yield Problem(file, ("reopen_by",), "somebody must be able to reopen a read; name at least one role")
    key = design.baseline_visit or definition.anchor_visit
    baseline, path = definition.visit(key), ("baseline_visit",)
    if baseline is None:
        yield Problem(file, path, f"there is no visit “{key}”, so no images can be the baseline")
    elif baseline.repeating:
        yield Problem(file, path, "a visit that repeats cannot be the baseline")
    elif not set(design.slots) & set(baseline.slots):
        yield Problem(file, path, f"visit “{key}” has none of the slots that are read, so there is no baseline")
    elif not set(design.slots) & (set(baseline.slots) - set(baseline.optional_slots)):
        yield _warn(file, path, f"the images of visit “{key}” are optional; without them no subject can be read")
