"""The server's interface for programs, as the sender sees it: every failure is an error of our tree, breaks are waited
out, and every call may be repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from trialimg.errors import (
    BadInput,
    Misconfigured,
    NoSpace,
    NotAllowed,
    NotFound,
    OurFault,
    TrialimgError,
    TryLater,
    all_errors,
)

Tell = Callable[[str], None]
FIRST_PATIENCE: Final = 10.0
"""Seconds to wait for a server that was never reached."""
PATIENCE: Final = 600.0
"""Seconds to wait for one that was, once there is something to lose."""
_LONGEST_PAUSE: Final = 10.0
_PAUSE: Final = 0.5
_BY_CODE: Final = {error.code: error for error in all_errors()}
_LATER: Final = frozenset({408, 425, 429, 502, 503, 504})
_BY_STATUS: Final[dict[int, type[TrialimgError]]] = {401: NotAllowed, 403: NotAllowed, 404: NotFound, 507: NoSpace}
_BROKE: Final = "The server cannot be reached, or the connection broke."


def address_of(server: str) -> str:
    """Check the address a person gave; raises :class:`Misconfigured`."""
    try:
        parts = urlsplit(server)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        good = False
    if not good:
        raise Misconfigured("The server's address is https://name or http://name:port. Nothing was sent.")
    return server.rstrip("/")


def error_of(response: httpx.Response) -> TrialimgError:
    """Translate an answer that is no success back into the error it was made of."""
    try:
        body = response.json()
        sentence, code = str(body.get("detail") or body.get("title")), str(body.get("code", ""))
    except (ValueError, AttributeError):
        sentence, code = f"The server answered with {response.status_code} and no sentence of ours.", ""
    if response.is_redirect:
        return Misconfigured(
            "The server answers at another address, and the token is sent to the one you gave only. Give the address "
            "your browser shows."
        )
    kind = _BY_CODE.get(code) or _BY_STATUS.get(response.status_code)
    if kind is None and response.status_code in _LATER:
        kind = TryLater
    if kind is None:
        kind = BadInput if response.is_client_error else OurFault
    return kind(sentence)


class Server:
    """One server and one token. ``patience`` is how many seconds a break may last before it is given up."""

    def __init__(self, address: str, token: str, tell: Tell, *, transport: httpx.BaseTransport | None = None) -> None:
        self.patience = FIRST_PATIENCE
        self._tell = tell
        self._http = httpx.Client(
            base_url=f"{address_of(address)}/api/v1/",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=httpx.Timeout(60.0, connect=10.0),
            transport=transport,
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def call(self, method: str, path: str, **given: Any) -> Any:
        """Call and give what the answer says; raises the error an answer stands for."""
        return self._through(lambda: self._http.request(method, path, **given)).json()

    def send_object(self, submission: str, ordinal: int, path: Path) -> None:
        """Stream one clean file; a repeat with the same ordinal is no second object."""
        headers = {
            "X-Object-Ordinal": str(ordinal),
            "Content-Type": "application/dicom",
            "Content-Length": str(path.stat().st_size),
        }

        def post() -> httpx.Response:
            with path.open("rb") as stream:
                return self._http.post(f"submissions/{submission}/objects", content=stream, headers=headers)

        self._through(post)

    def give_up(self, submission: str, reason: str) -> None:
        """Try once to cancel what was begun; where that fails the server does it by itself after a day."""
        try:
            self._http.post(f"submissions/{submission}/cancel", json={"reason": reason})
        except httpx.HTTPError:
            self._tell("The server could not be told; what it has is destroyed there after a day.")

    def _through(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        """Ask again over a break; raises :class:`TryLater` when patience ends."""
        until, pause, told = time.monotonic() + self.patience, _PAUSE, False
        while True:
            try:
                response = ask()
            except (httpx.HTTPError, OSError):
                error: TrialimgError = TryLater(f"{_BROKE} Nothing is lost; run the same command again later.")
            else:
                if response.is_success:
                    return response
                error = error_of(response)
                if not isinstance(error, TryLater) or isinstance(error, NoSpace):
                    raise error
            if time.monotonic() + pause > until:
                raise error
            if not told:
                self._tell(f"  {_BROKE if error.sentence.startswith(_BROKE) else error.sentence} Trying again.")
                told = True
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
