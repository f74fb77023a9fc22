"""The account of a de-identification: attributes, actions and counts, never a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from trialimg.domain.deidentification import CID_7050


@dataclass(frozen=True, order=True)
class ActionCount:
    """How often one attribute was met and what was done to it; ``keyword`` may be ``private``."""

    tag: str
    keyword: str
    action: str
    count: int


@dataclass(frozen=True)
class Report:
    """What was done to one study (or one instance of it): attributes, actions, counts, never a value."""

    profile: str
    version: str
    instances: int
    options: tuple[str, ...]
    actions: tuple[ActionCount, ...] = field(default=())

    def __add__(self, other: Report) -> Report:
        """Join the reports of two parts; both must have been made under one version of one profile."""
        if (self.profile, self.version) != (other.profile, other.version):
            raise ValueError("reports of different profiles cannot be joined")
        return Report(
            self.profile,
            self.version,
            self.instances + other.instances,
            tuple(sorted({*self.options, *other.options})),
            _join((*self.actions, *other.actions)),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the report as plain values, with the meaning of each code."""
        return {
            "profile": self.profile,
            "version": self.version,
            "instances": self.instances,
            "options": [{"code": code, "meaning": CID_7050[code]} for code in self.options],
            "actions": [[a.tag, a.keyword, a.action, a.count] for a in self.actions],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` gave."""
        return cls(
            document["profile"],
            document["version"],
            document["instances"],
            tuple(option["code"] for option in document["options"]),
            tuple(ActionCount(*entry) for entry in document["actions"]),
        )


def _join(actions: Iterable[ActionCount]) -> tuple[ActionCount, ...]:
    sums: dict[tuple[str, str, str], int] = {}
    for action in actions:
        key = (action.tag, action.keyword, action.action)
        sums[key] = sums.get(key, 0) + action.count
    return tuple(sorted(ActionCount(*key, count) for key, count in sums.items()))
