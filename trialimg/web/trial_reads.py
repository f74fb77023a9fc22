"""Reads as the trial's team sees them: how they stand, values for the roles the trial names, and who reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    """One reader's course as a picture: points in a box of 480 by 180, ``label`` beside each."""

    reader: str
    points: tuple[tuple[float, float, str, str], ...]

    @property
    def line(self) -> str:
        """The points as the picture's line wants them."""
        return " ".join(f"{x},{y}" for x, y, _, _ in self.points)


def courses(lines: Sequence[ReadLine]) -> list[Course]:
    """Draw the change of the sum from baseline over the days, reader by reader; 100 % and more is cut at the top."""
    last = max([line.day or 0 for line in lines if line.result], default=0) or 1
    found = []
    for reader in dict.fromkeys(line.reader for line in lines):
        points = []
        for line in lines:
            if line.reader != reader or line.result is None or line.day is None:
                continue
            said = line.result.computed
            percent = "0" if line.ordinal == 0 and said["total"] else said["from_baseline_percent"]
            if percent:
                x = round(40 + 400 * line.day / last, 1)
                y = round(90 - 0.8 * max(-100.0, min(100.0, float(percent))), 1)
                points.append((x, y, said["overall"] or "baseline", f"{percent} %"))
        if points:
            found.append(Course(reader, tuple(points)))
    return found


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
        pictures={number: courses(lines) for number, lines in page.subjects} if page.shows_values else {},
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
