"""A casebook as a document: what it says, in plain values, and the pages that say it.

Everything here is text for people; what is missing, not asked or not shown says so in its own words.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from trialimg.documents.course import Picture

GIVEN, MISSING, NOT_SHOWN = "given", "missing", "not shown"
ROWS_A_PART: Final = 500
"""The most rows of history in one document."""


@dataclass(frozen=True)
class Answer:
    """One answer: ``text`` as a person reads it, ``code`` what is stored where that differs, or why there is none."""

    label: str
    text: str
    code: str = ""
    unit: str = ""
    state: str = GIVEN


@dataclass(frozen=True)
class Group:
    """A group of answers; of a repeating one every row with the same questions."""

    title: str
    rows: tuple[tuple[Answer, ...], ...]
    repeating: bool = False
    not_asked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remark:
    """What a check says, and the answer to it."""

    about: str
    sentence: str
    severity: str
    state: str
    answer: str


@dataclass(frozen=True)
class Form:
    """One form as it was filled."""

    key: str
    title: str
    version: str
    state: str
    saved: str
    groups: tuple[Group, ...]
    remarks: tuple[Remark, ...] = ()
    not_shown: int = 0
    why_empty: str = ""


@dataclass(frozen=True)
class Series:
    """One series of a linked study."""

    series_instance_uid: str
    modality: str
    instances: int


@dataclass(frozen=True)
class Study:
    """A linked study with its key image: a PNG as a data: address, or the sentence why there is none."""

    visit: str
    slot: str
    study_instance_uid: str
    modalities: str
    acquired: str
    instances: int
    held: int
    linked: str
    series: tuple[Series, ...]
    picture: str = ""
    picture_alt: str = ""
    no_picture: str = ""


@dataclass(frozen=True)
class SlotLine:
    """How one slot stands."""

    visit: str
    slot: str
    state: str
    sentence: str


@dataclass(frozen=True)
class Visit:
    """One visit with its forms."""

    key: str
    title: str
    date: str
    window: str
    forms: tuple[Form, ...]


@dataclass(frozen=True)
class Lesion:
    """One lesion as it was read, with the images it was read on (SOPInstanceUID and frame)."""

    key: str
    kind: str
    place: str
    said: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Read:
    """One read: its status for all; ``course``, lesions, remarks and signatures only where the role may see values.

    ``course`` is the line of the table of time points: sum, changes, responses. ``earlier`` are superseded signatures.
    """

    time_point: str
    day: str
    reader: str
    status: str
    final: bool
    course: tuple[str, ...] = ()
    lesions: tuple[Lesion, ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()
    signature: str = ""
    earlier: tuple[str, ...] = ()
    not_shown: bool = False


@dataclass(frozen=True)
class Best:
    """The best overall response by one reader, and on what it rests or why there is none."""

    reader: str
    response: str
    sentence: str


@dataclass(frozen=True)
class Reads:
    """The reads of a subject; ``picture`` is the response over time as an SVG in a data: address."""

    reads: tuple[Read, ...] = ()
    best: tuple[Best, ...] = ()
    picture: str = ""
    picture_alt: str = ""


@dataclass(frozen=True)
class Change:
    """One audit record in words."""

    number: int
    at: str
    actor: str
    about: str
    what: str
    old: str
    new: str
    reason: str


@dataclass(frozen=True)
class AuditPart:
    """A part of the history that stands in a document of its own."""

    file_name: str
    first: int
    last: int
    rows: int


@dataclass(frozen=True)
class Head:
    """What stands on the cover and above every page."""

    trial: str
    trial_title: str
    protocol: str
    sponsor: str
    subject: str
    site: str
    enrolled: str
    told: tuple[tuple[str, str], ...]
    definition: str
    made_at: str
    made_by: str


@dataclass(frozen=True)
class Casebook:
    """Everything a casebook says of one subject."""

    head: Head
    visits: tuple[Visit, ...]
    slots: tuple[SlotLine, ...]
    studies: tuple[Study, ...]
    reads: Reads = Reads()
    audit: tuple[Change, ...] = ()
    audit_parts: tuple[AuditPart, ...] = ()

    @property
    def digest(self) -> str:
        """Give the SHA-256 of what the record says, whoever printed it and when: two equal ones say the same."""
        said = asdict(self)
        for key in ("made_at", "made_by"):
            del said["head"][key]
        for study in said["studies"]:
            for key in ("picture", "picture_alt", "no_picture"):
                del study[key]
        for key in ("picture", "picture_alt"):
            del said["reads"][key]
        return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """Count what the cover sums up."""
        forms = [form for visit in self.visits for form in visit.forms]
        return {
            "forms": len(forms),
            "complete": sum(form.state == "complete" for form in forms),
            "open": sum(remark.state == "open" for form in forms for remark in form.remarks),
            "missing": sum(
                answer.state == MISSING
                for form in forms
                for group in form.groups
                for row in group.rows
                for answer in row
            ),
        }


@dataclass(frozen=True)
class IndexLine:
    """One subject in the index of a package of casebooks; a ``sentence`` where it could not be made."""

    subject: str
    site: str
    file_name: str
    pages: int = 0
    digest: str = ""
    parts: tuple[AuditPart, ...] = ()
    sentence: str = ""


@dataclass(frozen=True)
class Index:
    """What a package of casebooks holds."""

    trial: str
    trial_title: str
    made_at: str
    made_by: str
    lines: Sequence[IndexLine] = field(default=())

    @property
    def failures(self) -> int:
        """Count the subjects that are not in the package."""
        return sum(bool(line.sentence) for line in self.lines)


@lru_cache(maxsize=1)
def _templates() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters["breakable"] = _breakable
    return found


def _breakable(text: str) -> str:
    """Let a long UID or file name go on in the next line at its dots and hyphens."""
    return text.replace(".", ".\u200b").replace("_", "_\u200b")


def page_of(name: str, **values: Any) -> str:
    """Fill one of the templates of documents."""
    return _templates().get_template(name).render(**values)


def casebook_html(book: Casebook) -> str:
    """Give the page of a casebook."""
    return page_of("casebook.html", book=book, head=book.head)


def course_image(found: Picture) -> str:
    """Give a picture of the response over time as a data: address."""
    drawn = page_of("course.svg", found=found)
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}"


def audit_html(book: Casebook, part: AuditPart, changes: Sequence[Change]) -> str:
    """Give the page of one part of the history."""
    return page_of("audit.html", head=book.head, part=part, changes=changes, parts=len(book.audit_parts))


def index_html(index: Index) -> str:
    """Give the page that lists a package of casebooks."""
    return page_of("index.html", index=index)
