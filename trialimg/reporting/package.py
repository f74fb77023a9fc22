"""Casebooks made as files: one subject into a folder, and the index of many."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from trialimg.casework.access import Person, Place, admit
from trialimg.casework.services import Services
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
from trialimg.reporting.child import lay_out
from trialimg.reporting.history import changes, numbers_of
from trialimg.reporting.imaging import studies_of
from trialimg.store.base import db

log = logging.getLogger("trialimg.reporting")
INDEX_FILE: Final = "index.pdf"


@dataclass(frozen=True)
class Order:
    """Who wants documents, when they are made, and with what tools."""

    services: Services
    person: Person
    made_at: datetime

    def lay_out(self, html: str, target: Path) -> int:
        """Write a page as PDF and give the number of its pages."""
        return lay_out(self.services.settings, html, target)


def make_casebook(order: Order, place: Place, folder: Path) -> IndexLine:
    """Make the casebook of one subject in a folder and give its line of the index, whatever became of it.

    Raises :class:`TryLater` where it would work at another time; any other failure is in the line, as a sentence.
    """
    try:
        admit(order.person, Permission.EXPORT_CASEBOOK, place)
        return _make(order, place, folder)
    except TryLater:
        raise
    except TrialimgError as error:
        sentence = error.sentence
    except Exception as error:  # noqa: BLE001 (one broken subject must not stop the others)
        log.error("a casebook could not be made: %s", type(error).__name__)  # noqa: TRY400 (never a value)
        sentence = f"Something of ours failed ({type(error).__name__})."
    finally:
        db.session.rollback()
        db.session.expunge_all()
    why = f"Not made: {sentence} Nothing of this subject is in the package; ask the operator, then make it again."
    return IndexLine(place.subject_number, place.site_code, "", sentence=why)


def _make(order: Order, place: Place, folder: Path) -> IndexLine:
    stem = f"{place.trial_code}-{place.subject_number}"
    book = casebook_of(order.person, place, order.made_at)
    book = replace(book, studies=studies_of(order.services, order.person, place, folder))
    numbers = numbers_of(place)
    if len(numbers) <= ROWS_A_PART:
        book = replace(book, audit=tuple(changes(order.person, place, numbers)))
    else:
        book = replace(book, audit_parts=_parts(stem, numbers))
        _write_parts(order, place, book, numbers, folder)
    name = f"{stem}-casebook.pdf"
    pages = order.lay_out(casebook_html(book), folder / name)
    return IndexLine(place.subject_number, place.site_code, name, pages, book.digest, book.audit_parts)


def _parts(stem: str, numbers: Sequence[int]) -> tuple[AuditPart, ...]:
    found: list[AuditPart] = []
    for start in range(0, len(numbers), ROWS_A_PART):
        some = numbers[start : start + ROWS_A_PART]
        found.append(AuditPart(f"{stem}-audit-{len(found) + 1:03}.pdf", some[0], some[-1], len(some)))
    return tuple(found)


def _write_parts(order: Order, place: Place, book: Casebook, numbers: Sequence[int], folder: Path) -> None:
    for at, part in enumerate(book.audit_parts):
        some = numbers[at * ROWS_A_PART : (at + 1) * ROWS_A_PART]
        order.lay_out(audit_html(book, part, list(changes(order.person, place, some))), folder / part.file_name)


def make_index(order: Order, place: Place, lines: Sequence[IndexLine], folder: Path) -> Path:
    """Write the index of a package of casebooks and give its file."""
    index = Index(
        place.trial_code,
        place.trial_title,
        f"{order.made_at:%Y-%m-%d %H:%M} UTC",
        f"{order.person.name} <{order.person.email}>",
        lines,
    )
    order.lay_out(index_html(index), folder / INDEX_FILE)
    return folder / INDEX_FILE
