"""Casebooks made as files: one subject into a folder, and the index of many."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from trialimg.casework.access import Person, Place, admit
from trialimg.casework.services import Services, services
from trialimg.documents.casebook import (
    ROWS_A_PART,
    AuditPart,
    Casebook,
    Index,
    IndexLine,
    audit_html,
    casebook_html,
    index_html,
)
from trialimg.domain.permission import Permission
from trialimg.errors import TrialimgError, TryLater
from trialimg.reporting.casebook import casebook_of
from trialimg.reporting.history import changes, numbers_of
from trialimg.reporting.imaging import studies_of
from trialimg.reporting.shelf import Shelf
from trialimg.reporting.typesetter import Pending, Typesetter
from trialimg.store.base import db
from trialimg.store.job import Stopped

log = logging.getLogger("trialimg.reporting")
INDEX_FILE: Final = "index.pdf"


def _nobody(done: int, total: int) -> None:
    """Tell nobody how far it is."""


@dataclass
class Count:
    """How many documents there are to make, and how many are made.

    ``told`` hears of each; what it raises ends the work, be it in the middle of a long history.
    """

    total: int = 0
    told: Callable[[int, int], None] = _nobody
    done: int = 0

    def found(self, more: int) -> None:
        """Count documents that were not known of."""
        self.total += more
        self.told(self.done, self.total)

    def made(self) -> None:
        """Count a document that is done."""
        self.done += 1
        self.told(self.done, self.total)


@dataclass(frozen=True)
class Order:
    """Who wants documents, when they are made, and with what tools."""

    services: Services
    person: Person
    made_at: datetime
    typesetter: Typesetter
    count: Count = field(default_factory=Count)
    shelf: Shelf | None = None

    def begin(self, html: str, target: Path) -> Pending:
        """Have a page written as PDF; the order counts it when it is done."""
        return self.typesetter.begin(html, target, lambda _: self.count.made())

    def begin_part(self, html: str, target: Path) -> Pending:
        """Have a part of a history written as PDF, unless an earlier attempt has; it is kept for a later one."""
        shelf = self.shelf
        if shelf is None:
            return self.begin(html, target)
        if pages := shelf.take(html, target):
            self.count.made()
            return Pending(target, target, lambda _: None, {"done": {"pages": pages}})

        def then(pending: Pending) -> None:
            if pending.pages:
                shelf.keep(html, target, pending.pages)
            self.count.made()

        return self.typesetter.begin(html, target, then)


@contextmanager
def ordered(
    person: Person, made_at: datetime, count: Count | None = None, shelf: Shelf | None = None
) -> Iterator[Order]:
    """Give an order with a typesetter of its own, for as long as documents are made."""
    tools = services()
    with Typesetter(tools.settings) as typesetter:
        yield Order(tools, person, made_at, typesetter, count or Count(), shelf)


@dataclass
class Making:
    """The casebook of one subject on its way: what is said is written, its documents are being laid out."""

    order: Order
    place: Place
    file_name: str = ""
    digest: str = ""
    parts: tuple[AuditPart, ...] = ()
    documents: list[Pending] = field(default_factory=list)
    failed: IndexLine | None = None
    pages: int = 0

    def line(self) -> IndexLine:
        """Wait for its documents and give its line of the index, whatever became of it."""
        if self.failed is None:
            self._do(self._wait)
        if self.failed is not None:
            self._drop()
        return self.failed or IndexLine(
            self.place.subject_number, self.place.site_code, self.file_name, self.pages, self.digest, self.parts
        )

    def _wait(self) -> None:
        self.pages = [self.order.typesetter.pages(each) for each in self.documents][-1]

    def _drop(self) -> None:
        """Destroy what was made of it all the same: half a casebook looks like a whole one."""
        for each in self.documents:
            self.order.typesetter.answer(each)
            each.target.unlink(missing_ok=True)

    def begin(self, folder: Path) -> None:
        """Read the subject's record and have its documents laid out in a folder."""
        self._do(lambda: self._begin(folder))

    def _do(self, act: Callable[[], None]) -> None:
        """Do something whose failure is told in the index; what would work at another time, or must stop, is raised."""
        try:
            act()
        except (TryLater, Stopped):
            raise
        except TrialimgError as error:
            self._fail(error.sentence)
        except Exception as error:  # noqa: BLE001 (one broken subject must not stop the others)
            log.error("a casebook could not be made: %s", type(error).__name__)  # noqa: TRY400 (never a value)
            self._fail(f"Something of ours failed ({type(error).__name__}).")
        finally:
            db.session.rollback()
            db.session.expunge_all()

    def _fail(self, sentence: str) -> None:
        why = f"Not made: {sentence} Nothing of this subject is in the package; ask the operator, then make it again."
        self.failed = IndexLine(self.place.subject_number, self.place.site_code, "", sentence=why)
        if not self.documents:
            self.order.count.made()

    def _begin(self, folder: Path) -> None:
        order, place = self.order, self.place
        admit(order.person, Permission.EXPORT_CASEBOOK, place)
        stem = f"{place.trial_code}-{place.subject_number}"
        book = casebook_of(order.person, place, order.made_at)
        book = replace(book, studies=studies_of(order.services, order.person, place, folder))
        numbers = numbers_of(place)
        if len(numbers) <= ROWS_A_PART:
            book = replace(book, audit=tuple(changes(order.person, place, numbers)))
        else:
            self.parts = _parts(stem, numbers)
            book = replace(book, audit_parts=self.parts)
            self._begin_parts(book, numbers, folder)
        self.file_name, self.digest = f"{stem}-casebook.pdf", book.digest
        self.documents.append(order.begin(casebook_html(book), folder / self.file_name))

    def _begin_parts(self, book: Casebook, numbers: Sequence[int], folder: Path) -> None:
        self.order.count.found(len(self.parts))
        for at, part in enumerate(self.parts):
            some = numbers[at * ROWS_A_PART : (at + 1) * ROWS_A_PART]
            html = audit_html(book, part, list(changes(self.order.person, self.place, some)))
            db.session.rollback()
            db.session.expunge_all()
            self.documents.append(self.order.begin_part(html, folder / part.file_name))


def begin_casebook(order: Order, place: Place, folder: Path) -> Making:
    """Begin the casebook of one subject in a folder, so that the next can be read while this one is laid out.

    Raises :class:`TryLater` where it would work at another time; any other failure is in its line, as a sentence.
    """
    making = Making(order, place)
    making.begin(folder)
    return making


def make_casebook(order: Order, place: Place, folder: Path) -> IndexLine:
    """Make the casebook of one subject in a folder and give its line of the index; otherwise as the above."""
    return begin_casebook(order, place, folder).line()


def _parts(stem: str, numbers: Sequence[int]) -> tuple[AuditPart, ...]:
    found: list[AuditPart] = []
    for start in range(0, len(numbers), ROWS_A_PART):
        some = numbers[start : start + ROWS_A_PART]
        found.append(AuditPart(f"{stem}-audit-{len(found) + 1:03}.pdf", some[0], some[-1], len(some)))
    return tuple(found)


def make_index(order: Order, place: Place, lines: Sequence[IndexLine], folder: Path) -> Path:
    """Write the index of a package of casebooks and give its file."""
    index = Index(
        place.trial_code,
        place.trial_title,
        f"{order.made_at:%Y-%m-%d %H:%M} UTC",
        f"{order.person.name} <{order.person.email}>",
        lines,
    )
    order.typesetter.pages(order.typesetter.begin(index_html(index), folder / INDEX_FILE))
    return folder / INDEX_FILE
