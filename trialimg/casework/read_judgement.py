"""What a read's values are judged to be: what follows from them, what is wrong, and which doubts were answered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialimg.casework.read_basis import Bench
from trialimg.domain.crf import Severity
from trialimg.domain.item_value import Finding
from trialimg.domain.read_check import judge_read, open_findings
from trialimg.domain.read_course import Computed, computed
from trialimg.domain.read_plain import LONGEST_TEXT, to_plain
from trialimg.domain.read_values import ReadValues
from trialimg.domain.response import Change
from trialimg.domain.signature import canonical
from trialimg.store.reading import Read

Answers = Mapping[tuple[str, str, str], str]
"""Reasons given to soft findings, by check, group and lesion."""


@dataclass(frozen=True)
class Judged:
    """A read as judged: what follows from its values, what is wrong or doubtful, and what of it keeps it unsigned.

    ``answers`` are the reasons that still fit the values they were given for.
    """

    computed: dict[str, str]
    findings: tuple[Finding, ...]
    open: tuple[Finding, ...]
    answers: dict[tuple[str, str, str], str]


Kept = Sequence[Mapping[str, str]]
"""Answers as a version keeps them: check, group, lesion, the reason, and the hash of what it was given for."""


def judge(found: Bench, row: Read, values: ReadValues, kept: Kept, shown: frozenset[str]) -> Judged:
    """Judge the values of a read as they are now; ``shown`` are the instances of its time point."""
    baseline, earlier = found.before(row)
    findings = [*_strange(values, shown), *judge_read(found.design, baseline, earlier, values)]
    answers = {
        (each["check"], each["group"], each["lesion"]): each["answer"]
        for each in kept
        if each["about"] == about_of(values, each["group"], each["lesion"])
    }
    return Judged(
        plain_of(computed(baseline, earlier, values)),
        tuple(findings),
        tuple(open_findings(findings, answers.keys())),
        answers,
    )


def answering(judged: Judged, answers: list[dict[str, str]]) -> list[dict[str, str]]:
    """Leave of the answers those that answer something: a reason for a doubt that there is not is no part of a read."""
    doubts = {(each.check_key, each.group, each.repeat_key) for each in judged.findings}
    return [each for each in answers if (each["check"], each["group"], each["lesion"]) in doubts]


def _strange(values: ReadValues, shown: frozenset[str]) -> list[Finding]:
    """Find what was measured on an image that is not, or no longer, one of this time point."""
    sentence = "The image of this lesion is not among those of this time point; choose one of them."
    hard: Severity = "hard"
    found = [
        Finding("foreign_instance", sentence, hard, "sop_instance_uid", "targets", lesion.id)
        for lesion in values.targets
        if {part.sop_instance_uid for part in lesion.measurements} - shown - {""}
    ]
    found += [
        Finding("foreign_instance", sentence, hard, "sop_instance_uid", "new_lesions", lesion.id)
        for lesion in values.new_lesions
        if lesion.sop_instance_uid and lesion.sop_instance_uid not in shown
    ]
    return found


def about_of(values: ReadValues, group: str, lesion: str) -> str:
    """Give the hash of what a finding speaks of: a reason given for one value does not answer for the next."""
    plain: dict[str, Any] = dict(to_plain(values))
    part: object = plain.get(group, {**plain, "comment": ""})
    if lesion and isinstance(part, list):
        part = [each for each in part if each["id"] == lesion]
    return hashlib.sha256(canonical(part).encode()).hexdigest()


def plain_of(found: Computed) -> dict[str, str]:
    """Write what follows from the values as texts; empty where it cannot be known."""

    def change(name: str, value: Change | None) -> dict[str, str]:
        percent = "" if value is None or value.percent is None else str(value.percent)
        return {f"{name}_mm": "" if value is None else str(value.mm), f"{name}_percent": percent}

    return {
        "total": "" if found.total is None else str(found.total),
        "baseline": "" if found.baseline is None else str(found.baseline),
        "nadir": "" if found.nadir is None else str(found.nadir),
        **change("from_baseline", found.from_baseline),
        **change("from_nadir", found.from_nadir),
        "target": found.target.value if found.target else "",
        "non_target": found.non_target.value if found.non_target else "",
        "overall": found.overall.value if found.overall else "",
    }


def kept(values: ReadValues, answers: Answers) -> list[dict[str, str]]:
    """Give answers as a version keeps them; empty ones are left out."""
    found = []
    for (check, group, lesion), text in sorted(answers.items()):
        answer = " ".join(text.split())[:LONGEST_TEXT]
        if answer:
            about = about_of(values, group, lesion)
            found.append({"check": check, "group": group, "lesion": lesion, "about": about, "answer": answer})
    return found
