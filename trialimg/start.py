"""Where the program `trialimg` begins; `deidentify` as people usually ask for it begins without more than it needs.

Five hundred images take a third of a second: what is loaded for nothing, and what is taken down in order at the end,
would be a good part of it.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import Any, Final, NoReturn

_DATA, _DEIDENTIFY, _SEND, _JSON = "--data", "deidentify", "send", "--json"
_AFTER_DATA: Final = 3
_IN_ORDER: Final = 1.0
"""Seconds in which work that was stopped is put in order before it can be stopped again."""


def main() -> None:
    """Run a command; every ending has its agreed exit code and, where it went wrong, its sentence."""
    data = sys.argv[2] if sys.argv[1:2] == [_DATA] and len(sys.argv) > _AFTER_DATA else None
    words = sys.argv[1:] if data is None else sys.argv[_AFTER_DATA:]
    try:
        if words[:1] in ([_DEIDENTIFY], [_SEND]):
            _fill_places()
            _end_in_order()
        _begin(data, words)
    except KeyboardInterrupt as stopped:  # before there was anything to end
        from trialimg.terminal import ended_by, result_of

        if _JSON in words:
            result_of(stopped)
        os._exit(ended_by(stopped))


def _begin(data: str | None, words: list[str]) -> None:
    if words[:1] == [_DEIDENTIFY]:
        gc.disable()  # while modules are loaded there is nothing to collect
        from trialimg.deidentify_order import read

        order = read(words[1:])
        if order is not None:
            _deidentify(order, data)
        gc.enable()
    from trialimg.cli import main as whole_command_line

    whole_command_line()


def _fill_places() -> None:
    """Have no file of ours opened where a closed standard output was: what is printed would be written into it."""
    for place in range(3):
        try:
            os.fstat(place)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest place that is free


def _end_in_order() -> None:
    """Have a window that closes, or a computer that goes down, end the work as Ctrl-C does: nothing half is left.

    Whoever asks again at once has been heard; what is being put in order is not interrupted by it.
    """
    from signal import SIG_DFL, SIGHUP, SIGINT, SIGTERM, default_int_handler, getsignal, signal
    from time import monotonic

    ending: list[float] = []

    def end(_how: int, _frame: object) -> None:
        if not ending or monotonic() - ending[-1] > _IN_ORDER:
            ending.append(monotonic())
            raise KeyboardInterrupt

    for how in (SIGINT, SIGTERM, SIGHUP):
        if getsignal(how) in {SIG_DFL, default_int_handler}:
            signal(how, end)


def _deidentify(order: Any, data: str | None) -> NoReturn:
    """Carry out an order, and leave at once: files are whole and forced to the disk by then, children are gone."""
    from trialimg.deidentify_run import run
    from trialimg.terminal import ended_by

    def installation() -> Any:
        from pathlib import Path

        from trialimg.cli import Context

        return Context(None if data is None else Path(data))

    try:
        run(order, installation)
        code = 0
    except BaseException as error:  # noqa: BLE001 (the last door; it tells of each kind)
        code = ended_by(error)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError):  # nobody reads any more
                stream.flush()
    if "multiprocessing" in sys.modules:
        from atexit import _run_exitfuncs
        from multiprocessing import active_children

        for child in active_children():
            child.kill()  # it hears of nothing else, and would be waited for
        _run_exitfuncs()  # it has a folder of its own among the temporary ones
    os._exit(code)
