"""What a command tells the person at the terminal, and the code with which it ends (errors.py has the agreed ones)."""

from __future__ import annotations

import sys
from typing import Final

from trialimg.errors import DONE, EXIT_CODE, FAULT, TrialimgError

STOPPED: Final = 130
"""Ends a command that a person stopped: 128 and the number of the signal, as shells have it."""


def a_person_looks() -> bool:
    """Say whether what is printed is seen by a person and kept nowhere: then names of files may be told."""
    return sys.stderr.isatty()


def say(sentence: str) -> None:
    """Tell the person at the terminal something; results go to standard output, this does not."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 (the terminal)


def ended_by(error: BaseException) -> int:
    """Say what ended a command, in a sentence where it went wrong, and give its exit code."""
    if isinstance(error, KeyboardInterrupt):
        say("Ended.")
        return STOPPED
    if isinstance(error, TrialimgError):
        say(f"trialimg: {error.sentence}")
        return EXIT_CODE[type(error)]
    if isinstance(error, BrokenPipeError):
        return DONE
    # The last door: a kind and a place, never a value.
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame else "?"
    say(f"trialimg: something of ours failed ({type(error).__name__} in {where}). Nothing more was done.")
    return FAULT
