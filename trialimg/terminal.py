"""What a command tells the person at the terminal, and the code with which it ends (errors.py has the agreed ones)."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, Final

from trialimg.errors import DONE, EXIT_CODE, FAULT, OurFault, TrialimgError, TryLater

STOPPED: Final = 130
"""Ends a command that a person stopped: 128 and the number of the signal, as shells have it."""


def a_person_looks() -> bool:
    """Say whether what is printed is seen by a person and kept nowhere: then names of files may be told."""
    return sys.stderr is not None and sys.stderr.isatty()


def say(sentence: str) -> None:
    """Tell the person at the terminal something; results go to standard output, this does not.

    Where nobody can be told any more, a closed window or a full disk, the work goes on.
    """
    if sys.stderr is not None:  # which print would take for standard output
        with suppress(OSError):
            print(sentence, file=sys.stderr, flush=True)  # noqa: T201 (the terminal)


def result(document: dict[str, Any]) -> TrialimgError | None:
    """Print a result as JSON to standard output; gives what is to be told where it cannot be printed.

    Whoever has closed the other end of a pipe wants no more of it.
    """
    import json  # not loaded where nobody asks for it

    try:
        print(json.dumps(document, indent=2), flush=True)  # noqa: T201 (the result itself)
    except OSError as error:
        with suppress(OSError):  # so that it is not tried again at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return None
        return TryLater(f"The account could not be printed ({error.strerror}). What was done is done; see above.")
    return None


def result_of(error: BaseException, **more: str) -> None:
    """Print as JSON how a command ended that has no other result."""
    known = error if isinstance(error, TrialimgError) else None
    code = known.code if known else "stopped" if isinstance(error, KeyboardInterrupt) else OurFault.code
    sentence = known.sentence if known else "Ended." if code == "stopped" else "Something of ours failed."
    result({**more, "exit": exit_code(error), "code": code, "sentence": sentence})


def exit_code(error: BaseException | None) -> int:
    """Give the exit code of what ended a command; None is a good end."""
    if error is None or isinstance(error, BrokenPipeError):
        return DONE
    if isinstance(error, KeyboardInterrupt):
        return STOPPED
    return EXIT_CODE[type(error)] if isinstance(error, TrialimgError) else FAULT


def ended_by(error: BaseException) -> int:
    """Say what ended a command, in a sentence where it went wrong, and give its exit code."""
    if isinstance(error, KeyboardInterrupt):
        say("Ended.")
    elif isinstance(error, TrialimgError):
        say(f"trialimg: {error.sentence}")
    elif not isinstance(error, BrokenPipeError):
        # The last door: a kind and a place, never a value.
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame else "?"
        say(f"trialimg: something of ours failed ({type(error).__name__} in {where}). Nothing more was done.")
    return exit_code(error)
