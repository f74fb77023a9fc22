"""Read a trial's definition key by key, and say in which file and key it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

Plain = dict[str, Any]
"""What YAML and JSON are made of: texts, numbers, true/false, lists and mappings with text keys."""

_WANTED: Final = object()


@dataclass(frozen=True)
class Problem:
    """What is wrong at one place of a definition; ``line`` is 0 until the text of the file is looked at."""

    file: str
    path: tuple[str | int, ...]
    sentence: str
    severity: Literal["error", "warning"] = "error"
    line: int = 0

    @property
    def text(self) -> str:
        """The whole message, for a terminal or a page."""
        if self.line:
            return f"{self.file}: line {self.line}: {self.sentence}"
        where = ".".join(str(part) for part in self.path)
        return f"{self.file}: {where}: {self.sentence}" if where else f"{self.file}: {self.sentence}"


class WrongHere(ValueError):
    """A definition is wrong at one place; readers turn it into BadDefinition or into a line of a file."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


@dataclass
class Section:
    """One mapping of a definition, which is asked for its keys and then must have no others.

    ``close`` is called when all known keys were asked for: a misspelt key would be a rule that never
    applies, so it is refused.
    """

    file: str
    path: tuple[str | int, ...]
    values: Mapping[str, Any]
    _asked: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, file: str, path: tuple[str | int, ...], value: object) -> Section:
        """Take a value that must be a mapping."""
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise WrongHere(Problem(file, path, "must be a list of “key: value” lines"))
        return cls(file, path, value)

    def wrong(self, key: str, sentence: str) -> WrongHere:
        """Make the refusal for one key."""
        return WrongHere(Problem(self.file, (*self.path, key), f"“{key}” {sentence}"))

    def _take(self, key: str, default: object) -> Any:
        self._asked.add(key)
        value = self.values.get(key)
        if value is not None:
            return value
        if default is _WANTED:
            raise self.wrong(key, "is needed here")
        return default

    def text(self, key: str, default: object = _WANTED) -> str:
        """A text; a number or true/false that YAML made of it must be put in quotes."""
        value = self._take(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "must be a text; put it in quotes")
        return value.strip()

    def one_of(self, key: str, allowed: tuple[str, ...], default: object = _WANTED) -> str:
        """One of a few words."""
        value = self.text(key, default)
        if value not in allowed:
            raise self.wrong(key, f"must be one of {', '.join(word for word in allowed if word)}")
        return value

    def whole(self, key: str, default: object = _WANTED) -> int:
        """A whole number."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(key, "must be a whole number")
        return value

    def maybe_whole(self, key: str) -> int | None:
        """A whole number, or nothing."""
        return None if self._take(key, None) is None else self.whole(key)

    def maybe_number(self, key: str) -> Decimal | None:
        """A number as it is written, or nothing."""
        value = self._take(key, None)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, "must be a number")
        return Decimal(str(value))

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, empty where the key is absent."""
        value = self._take(key, [])
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise self.wrong(key, "must be a list of texts; put what looks like something else in quotes")
        return tuple(value)

    def section(self, key: str) -> Section:
        """A mapping inside this one, empty where the key is absent."""
        return Section.of(self.file, (*self.path, key), self._take(key, {}))

    def sections(self, key: str) -> list[Section]:
        """A list of mappings, empty where the key is absent."""
        value = self._take(key, [])
        if not isinstance(value, list | tuple):
            raise self.wrong(key, "must be a list, each entry beginning with “- ”")
        return [Section.of(self.file, (*self.path, key, at), each) for at, each in enumerate(value)]

    def close(self) -> None:
        """Refuse what nobody asked for."""
        unknown = [key for key in self.values if key not in self._asked]
        if unknown:
            known = ", ".join(sorted(self._asked))
            raise self.wrong(unknown[0], f"is not known here; known are {known}")


def plain_number(value: Decimal) -> int | float:
    """Give a number back to YAML or JSON so that reading it again gives the same."""
    return int(value) if value == value.to_integral_value() else float(value)


def without_defaults(**values: object) -> Plain:
    """Leave out what says nothing: None, empty texts and lists, false."""
    return {
        key: value
        for key, value in values.items()
        if not (value is None or value is False or value in ("", (), [], {}))
    }
