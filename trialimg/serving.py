"""Serves the application from one process: cheroot's threads, and on SQLite the worker beside them.

cheroot streams request bodies, so that an upload goes to the vault as it arrives and nowhere else first.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

from cheroot.wsgi import Server
from flask import Flask

from trialimg.errors import Misconfigured
from trialimg.settings import Settings
from trialimg.worker import start_embedded, stop_embedded

THREADS: Final = 12


def serve(app: Flask, settings: Settings, started: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; raises :class:`Misconfigured` where the port is taken."""
    server = Server((settings.host, settings.port), app, numthreads=THREADS, server_name="trialimg")
    # Its own limit would cut a large upload; the uploads have theirs.
    server.max_request_body_size = 0
    server.timeout = 120
    try:
        server.prepare()
    except OSError as error:
        raise Misconfigured(
            f"Port {settings.port} of {settings.host} cannot be served ({error.strerror or 'in use'}); "
            "choose another with --port."
        ) from None

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    if settings.worker and not settings.on_postgresql:
        start_embedded(app)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    # What is loaded by now stays: walking through it in the middle of a page takes 100 ms and frees nothing.
    gc.collect()
    gc.freeze()
    started(settings.public_url or f"http://{host}:{server.bind_addr[1]}")
    try:
        server.serve()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()
        stop_embedded(app)
