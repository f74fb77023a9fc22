"""What a sender says of its own cleaning: judged, kept as its claim, and never taken for what the server saw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from trialimg.casework.access import Place
from trialimg.casework.definition import definition
from trialimg.casework.submission import load
from trialimg.dicom.standard.table import edition, keyword_of
from trialimg.domain.deid_report import ActionCount, PixelCount, Report, rules_of
from trialimg.domain.deidentification import Profile
from trialimg.domain.permission import Role
from trialimg.domain.submission import Stage
from trialimg.errors import BadInput, Conflict
from trialimg.store.unit_of_work import UnitOfWork

_ROLES: Final = frozenset({*(role.value for role in Role), "whoever ran the command"})
_LONGEST_VERSION: Final = 12
_LAST_TAG: Final = slice(-10, -1)


def keep_told_report(uow: UnitOfWork, place: Place, document: Mapping[str, Any]) -> None:
    """Keep the report of a sender that cleaned before it sent; it may be given again until all was received.

    Only tags, actions, counts and known words of it are kept, so that it cannot carry what a file says. Raises
    :class:`BadInput` where it is no report, or of another profile; :class:`Conflict` where it comes too late, or of
    images that this server cleans.
    """
    submission = load(uow, place.submission_id)
    if not submission.cleaned_at_source or submission.stage != Stage.RECEIVING:
        raise Conflict("A report is taken of images that were cleaned before they are sent, and while they arrive.")
    trial = definition(submission.subject.definition_id)
    profile = Profile.from_mapping(trial.deidentification, name=f"{trial.code} {trial.version}")
    report = Report.from_json(document)
    if (report.profile, report.version) != (profile.name, profile.version):
        raise BadInput("The report is of another profile than this trial's, so it is not kept.")
    submission.sender_report = json.dumps(_bare(report, profile).to_json())


def _bare(report: Report, profile: Profile) -> Report:
    """Give the report with every word in it replaced by one of ours."""
    return report._replace(
        actions=tuple(_action(action) for action in report.actions),
        rules=rules_of(profile),
        pixels=tuple(_pixels(each) for each in report.pixels),
        engine=report.engine if _is_version(report.engine) else "of another version",
        table=report.table if report.table == edition() else "of another edition",
        outcomes=tuple(
            each._replace(code=each.code if each.code.startswith("image.") else "") for each in report.outcomes
        ),
    )


def _action(action: ActionCount) -> ActionCount:
    digits = action.tag[_LAST_TAG].replace(",", "")
    return action._replace(keyword=keyword_of(int(digits, 16)) if "x" not in digits else "private")


def _pixels(each: PixelCount) -> PixelCount:
    return each if each.role in _ROLES else each._replace(role="")


def _is_version(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_VERSION and all(part.isdecimal() for part in text.split("."))
