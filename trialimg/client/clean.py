"""Cleans files at the site, with the very engine of the server, on every processor; originals stay untouched.

Ordinary files are cleaned by their bytes, at a cost bounded by what is read of them, and with one job in this very
process; every other one is read in child processes with limits on memory and time. A file gets its name in the folder
of the clean ones only when it is whole, on the disk, and known to be the only one of its identifier. What a person
must see first never gets one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from trialimg.client.account import Account, NotTaken
from trialimg.client.shelf import Shelf
from trialimg.client.source import Source, sources_of
from trialimg.client.staging import staging
from trialimg.client.work import (
    AS_IT_IS,
    Answers,
    Done,
    Recipe,
    Run,
    Several,
    Wish,
    lost,
    one,
    one_by_one,
    ordinary,
)

_WINDOW: Final = 64
"""Files looked at in this process before those that are not ordinary go to a child."""
_BATCH: Final = 16
"""Files in one message to a child."""
_ENGINE, _PARSER = "trialimg.client.work", "trialimg.dicom.parsing.by_parser"


def clean_folder(
    paths: Iterable[Path],
    out: Path,
    recipe: Recipe,
    *,
    wish: Wish = AS_IT_IS,
    jobs: int | None = None,
    progress: Callable[[int], None] | None = None,
    account: Account | None = None,
) -> Account:
    """Clean files and folders into ``out``, by study and series, under their new UIDs; a file is whole or not there.

    The result is the same for any number of ``jobs``. An ``account`` that is given is filled as the work goes on, so
    that whoever ends it knows how far it came. Raises :class:`BadInput` where a path given is not there,
    :class:`Misconfigured` where ``out`` cannot be written.
    """
    account = Account() if account is None else account
    given = list(paths)
    sources = sources_of(given)
    workers = max(1, jobs or os.cpu_count() or 1)
    with staging(out) as hidden:
        account.cleaned.keep_in(hidden)
        shelf = Shelf(out, account, wish, given)
        run = Run(str(hidden), recipe, wish)
        outcomes = _here(run, sources) if workers == 1 else _by_children(run, sources, workers)
        try:
            for done, outcome in enumerate(outcomes, 1):
                shelf.take(outcome)
                if progress is not None:
                    progress(done)
        finally:
            outcomes.close()
            shelf.close()
    return account


def _here(run: Run, sources: Iterator[Source]) -> Generator[Done | NotTaken, None, None]:
    """Clean ordinary files in this process and all others in a child; give the outcomes in the order of the files."""
    while window := list(islice(sources, _WINDOW)):
        outcomes = {number: ordinary(run, source) for number, source in enumerate(window)}
        rest = [number for number, outcome in outcomes.items() if outcome is None]
        if rest:
            with closing(_by_children(run, (window[number] for number in rest), 1)) as done:
                outcomes.update(zip(rest, done, strict=True))
        yield from (outcome for outcome in outcomes.values() if outcome is not None)


def _by_children(run: Run, sources: Iterator[Source], workers: int) -> Generator[Done | NotTaken, None, None]:
    """Clean in child processes, several files a message; give the outcomes in the order of the files."""
    from trialimg.client.children import Children  # not loaded where none is needed

    batches = iter(lambda: tuple(islice(sources, _BATCH)), ())
    # What a single child gets are files for the parser; several get files of every kind, and begin as this process is.
    preload = (_ENGINE, _PARSER) if workers == 1 else ()
    children: Children[tuple[Source, ...], list[Done | NotTaken] | tuple[Source, ...]]
    children = Children(Several(run), one_by_one, workers=workers, preload=preload, reader=Answers)
    with closing(children.each(batches)) as answers:
        for answer in answers:
            if isinstance(answer, list):
                yield from answer
                continue
            # One of them has ended its child twice: which one shows where each is alone.
            alone: Children[Source, Done | NotTaken]
            alone = Children(partial(one, run), lost, workers=1, preload=preload)
            with closing(alone.each(iter(answer))) as outcomes:
                yield from outcomes
