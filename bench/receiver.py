"""Sends originals over the interface for programs, as a browser sends them over the page, and follows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import httpx

Opener = Callable[[], BinaryIO]
_CONNECTIONS = 4


class Receiver:
    """The receiving end of an installation."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(
            base_url=f"{url}/api/v1/submissions/", headers={"Authorization": f"Bearer {token}"}, timeout=300
        )

    def send(self, key: str, objects: Iterable[Opener]) -> int:
        """Stream objects on a few connections and say that all were sent; gives how many."""

        def one(ordinal: int, opener: Opener) -> None:
            with opener() as stream:
                headers = {"X-Object-Ordinal": str(ordinal)}
                self._http.post(f"{key}/objects", content=stream, headers=headers).raise_for_status()

        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            sent = [pool.submit(one, ordinal, opener) for ordinal, opener in enumerate(objects, 1)]
            for each in sent:
                each.result()
        self._http.post(f"{key}/complete", json={"count": len(sent)}).raise_for_status()
        return len(sent)

    def follow(self, key: str, *, confirm: bool = True, seconds: float = 900) -> dict[str, Any]:
        """Confirm what was found, and wait for the end; gives the account."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            account: dict[str, Any] = self._http.get(key).raise_for_status().json()
            if account["stage"] == "surveyed" and confirm:
                self._http.post(f"{key}/confirm", json={}).raise_for_status()
            elif account["finished"]:
                return account
            time.sleep(0.1)
        raise RuntimeError(f"the submission did not reach its end in {seconds:.0f} s")
