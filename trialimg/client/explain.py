"""Says which rule applies to a tag, or to each element of a file, and why; never a value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trialimg.client.children import Children
from trialimg.client.place import is_file
from trialimg.dicom.deidentify import plan_of
from trialimg.dicom.rules.own_rules import demanded, exceptions
from trialimg.dicom.rules.plan import Do, Step
from trialimg.dicom.standard.table import edition, keyword_of, tag_of, tag_text
from trialimg.domain.deidentification import Profile
from trialimg.errors import BadInput, TrialimgError

WORDS: Final = {
    Do.KEEP: "kept",
    Do.REMOVE: "removed",
    Do.EMPTY: "emptied",
    Do.DUMMY: "dummy",
    Do.MAP_UID: "new UID",
    Do.KEEP_UID: "kept",
    Do.SHIFT: "shifted",
    Do.CAP_AGE: "89 at most",
    Do.NAME: "subject",
    Do.KNOWN_CHARACTER_SET: "kept",
    Do.KEEP_DATE: "kept",
    Do.JUDGE: "judged",
    Do.CLEAN_ITEMS: "cleaned in",
}
"""What is done with an element, in a word or two."""
_CHANGED: Final = {Do.SHIFT: WORDS[Do.SHIFT], Do.CAP_AGE: WORDS[Do.CAP_AGE], Do.KEEP_UID: WORDS[Do.MAP_UID]}
"""Where it is not that some of it went."""
_TAG: Final = re.compile(r"\(?([0-9A-Fa-f]{4}),? ?([0-9A-Fa-f]{4})\)?")
_NEITHER: Final = (
    "This is neither a file nor a tag. Give a file, a tag as 0008,1030, or a keyword of PS3.6 as StudyDescription."
)
_LOST: Final = "Reading it needs more than the reader's limits."
_Line = tuple[str, str, str, str]
_META: Final = "(0002,xxxx)", "file meta information", "written anew", "who wrote the file, and for whom, is left out"
_DEMANDS: Final = (
    (frozenset({"1", "1C"}), "where the standard demands a value (Type 1)"),
    (frozenset({"2", "2C"}), "where it may be empty and not absent (Type 2)"),
)
_WIDEST: Final = (36, 40, 20)
"""Characters of the first three columns, beyond which a text only moves the rest of its own line."""


@dataclass(frozen=True)
class _Asked:
    path: Path
    profile: Profile


def explained(what: str, profile: Profile) -> Iterator[str]:
    """Explain a tag, a keyword, or every element of a file, as lines of a table.

    Raises :class:`BadInput` where it is none of these, or a file that cannot be read.
    """
    if is_file(Path(what)):
        children: Children[_Asked, list[tuple[str, str, str, str]] | str]
        children = Children(_of_file, lambda _: _LOST, workers=1, preload=(__name__,))
        (lines,) = children.each(iter([_Asked(Path(what), profile)]))
        if isinstance(lines, str):
            raise BadInput(lines)
    else:
        lines = _of_tag(_tag(what), profile)
    yield f"Profile {profile.name}, version {profile.version}; table E.1-1 of PS3.15 {edition()}"
    # One deep path does not push what is said of every other element off the screen.
    widths = [min(max(len(line[column]) for line in lines), most) for column, most in enumerate(_WIDEST)]
    for line in lines:
        yield "  ".join(text.ljust(width) for text, width in zip(line, (*widths, 0), strict=True)).rstrip()


def _tag(what: str) -> int:
    found = _TAG.fullmatch(what.strip())
    if found is not None:
        return int(found.group(1) + found.group(2), 16)
    try:
        return tag_of(what.strip() or "?")  # what is reserved in PS3.6 has no keyword
    except LookupError:
        raise BadInput(_NEITHER) from None


def _of_tag(tag: int, profile: Profile) -> list[_Line]:
    """Explain a tag, and in lines of their own where another rule applies to it: in some classes, or of a creator."""
    plan = plan_of(profile)
    step = plan.of_class().step(tag, None)
    lines = [_line((tag,), step, 1)]
    for types, where in _DEMANDS:
        other = demanded(plan, tag, types)
        if other is not None and other.do is not step.do:
            lines.append((*_line((tag,), other, 1)[:3], f"{where}: {other.why}"))
    for where, step in exceptions(plan, tag):
        path, keyword, word, why = _line((tag,), step, 1)
        lines.append((path, keyword, word, f"{where}: {why}"))
    return lines


def _line(path: tuple[int, ...], step: Step, times: int, came: str = "") -> _Line:
    where = ".".join(tag_text(tag) for tag in path) + (f" ({times} times)" if times > 1 else "")
    word = _CHANGED.get(step.do, "cleaned") if came == "changed" else came or WORDS[step.do]
    return where, keyword_of(path[-1]), word, step.why


def _of_file(asked: _Asked) -> list[_Line] | str:
    """Give the lines of a file, or the sentence why there are none; runs in a child."""
    from trialimg.dicom.explain import steps_of  # only here: the parser is slow to load, and a tag needs none

    try:
        found = steps_of(asked.path, plan_of(asked.profile))
    except TrialimgError as error:
        return error.sentence
    except OSError:
        return "The file cannot be read. Check that you may read it, and its medium."
    return [_META, *(_line(path, step, times, came) for (path, step, came), times in found.items())]
