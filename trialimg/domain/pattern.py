"""Regular expressions that are compiled when they are first used: a run of the command line uses few of them."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


class _Late:
    """Stands for a compiled pattern; each of its methods is looked up once."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._given = pattern, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(re.compile(*self._given), name)  # compiled once, which ``re`` remembers
        setattr(self, name, found)
        return found


def late(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Give a pattern as ``re.compile`` does, and compile it when it is first used."""
    return cast("re.Pattern[AnyStr]", _Late(pattern, flags))
