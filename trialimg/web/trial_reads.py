"""Reads as the trial's team sees them: how they stand, values for the roles the trial names, and who reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework import read_assignment, read_results, reading
from trialimg.casework.access import Place, trial_place
from trialimg.casework.casebook import part_place
from trialimg.casework.read_results import ReadLine
from trialimg.domain.permission import Permission
from trialimg.domain.reading_design import ASSIGNMENTS
from trialimg.errors import HTTP_STATUS, BadInput, Conflict, NotAllowed
from trialimg.web.guard import current_person, current_place, requires

blueprint = Blueprint("trial_reads", __name__)
Answer = str | AnyResponse | tuple[str, int]


def trial_followed(trial: str) -> Place:
    """Find the trial, or the part of it, whose reads this person may follow."""
    return part_place(current_person(), trial, Permission.SEE_READ_STATUS)


def read_followed(trial: str, read: str) -> Place:
    """Find a read of the trial that this person may follow."""
    return read_results.followed_read_place(current_person(), trial, read)


@dataclass(frozen=True)
class Course:
    """One reader's course in a box of 480 by 180: where each time point lies, its response, and its change."""

    reader: str
    points: tuple[tuple[float, float, str, str], ...]

    @property
    def line(self) -> str:
        """The points as the picture's line wants them."""
        return " ".join(f"{x},{y}" for x, y, _, _ in self.points)


@dataclass(frozen=True)
class Picture:
    """The courses of a subject's readers; ``most`` is how many per cent the picture reaches up and down."""

    courses: tuple[Course, ...]
    most: int

    def y(self, percent: float) -> float:
        """Give the height of a change in the picture; what lies beyond is drawn at its edge."""
        return round(90 - 80 * max(-1.0, min(1.0, percent / self.most)), 1)


def picture(lines: Sequence[ReadLine]) -> Picture | None:
    """Draw the change of the sum from baseline over the days, reader by reader; None where there is nothing yet."""
    found: dict[str, list[tuple[int, str, str]]] = {}
    for line in lines:
        if line.result is None or line.day is None:
            continue
        said = line.result.computed
        percent = "0" if line.ordinal == 0 and said["total"] else said["from_baseline_percent"]
        if percent:
            found.setdefault(line.reader, []).append((line.day, percent, said["overall"]))
    if not found:
        return None
    last = max(day for points in found.values() for day, _, _ in points) or 1
    widest = max(abs(float(percent)) for points in found.values() for _, percent, _ in points)
    drawn = Picture((), next((most for most in (40, 60, 100, 200) if widest < most), 400))
    courses = [
        Course(
            reader,
            tuple((round(48 + 400 * day / last, 1), drawn.y(float(p)), word, f"{p} %") for day, p, word in points),
        )
        for reader, points in found.items()
    ]
    return replace(drawn, courses=tuple(courses))


@blueprint.get("/trials/<trial>/reads")
@requires(Permission.SEE_READ_STATUS, on=trial_followed)
def reads(trial: str) -> str:
    """Show how the reads of the trial stand, and their values to the roles the trial names."""
    return _page(trial)


def _page(trial: str, refused: str = "") -> str:
    place = trial_followed(trial)
    page = read_results.trial_reads(current_person(), place)
    return render_template(
        "reading/trial.html",
        page=page,
        pictures={number: picture(lines) for number, lines in page.subjects},
        place=place,
        here=f"/trials/{trial}/reads",
        refused=refused,
    )


def _act(trial: str, read: str, verb: Callable[..., None], said: str) -> Answer:
    person, place, reason = current_person(), trial_place(trial), request.form.get("reason", "")
    try:
        with person.acting(reason, place) as uow:
            verb(uow, person, read, reason)
    except (BadInput, Conflict, NotAllowed) as error:
        return _page(trial, error.sentence), HTTP_STATUS[type(error)]
    flash(said, "success")
    return redirect(f"/trials/{trial}/reads", 303)


@blueprint.post("/trials/<trial>/reads/<read>/reopen")
@requires(Permission.REOPEN_READ, on=read_followed)
def reopen(trial: str, read: str) -> Answer:
    """Reopen a signed read for its reader."""
    return _act(trial, read, reading.reopen, "The read is reopened; its reader can change it and signs it again.")


@blueprint.post("/trials/<trial>/reads/<read>/void")
@requires(Permission.REOPEN_READ, on=read_followed)
def void(trial: str, read: str) -> Answer:
    """Void a read that must not count."""
    return _act(trial, read, reading.void, "The read is void. It is kept with the reason and counts nowhere.")


@blueprint.get("/trials/<trial>/reading")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def rule(trial: str) -> str:
    """Show who reads, and by what rule reads are assigned."""
    return _rule_page(trial)


def _rule_page(trial: str, refused: str = "") -> str:
    place = current_place()
    page = read_assignment.rule_page(place)
    return render_template(
        "reading/rule.html", page=page, rules=ASSIGNMENTS, place=place, here=f"/trials/{trial}/reading", refused=refused
    )


@blueprint.post("/trials/<trial>/reading")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def change_rule(trial: str) -> Answer:
    """Change the rule by which reads are assigned from now on."""

    def change(uow: Any) -> str:
        read_assignment.set_rule(
            uow,
            current_place(),
            assignment=request.form.get("assignment", ""),
            listed=frozenset(request.form.getlist("listed")),
        )
        return "The rule is changed. Reads that are assigned already stay with their readers."

    return _manage(trial, "rule of assignment changed", change)


@blueprint.post("/trials/<trial>/reading/assign")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def assign(trial: str) -> Answer:
    """Assign the time points that lack readers."""

    def give(uow: Any) -> str:
        count = read_assignment.assign_waiting(uow, current_place())
        return f"{count} reads were assigned." if count != 1 else "One read was assigned."

    return _manage(trial, "waiting time points assigned", give)


def _manage(trial: str, why: str, act: Callable[[Any], str]) -> Answer:
    try:
        with current_person().acting(why, current_place()) as uow:
            said = act(uow)
    except (BadInput, Conflict) as error:
        return _rule_page(trial, error.sentence), HTTP_STATUS[type(error)]
    flash(said, "success")
    return redirect(f"/trials/{trial}/reading", 303)
