"""The HTTP side of a DICOMweb archive: its address, our credentials, its refusals in our own words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from dicomweb_client import DICOMwebClient

from trialimg.archive.port import Json
from trialimg.errors import ArchiveRefusesUs, ArchiveTooNarrow, ArchiveUnavailable, BadInput, Misconfigured, NotFound

_CONNECT, _ANSWER = 10.0, 120.0  # seconds
_TOO_LARGE, _INSUFFICIENT_STORAGE = 413, 507


class Wire:
    """Connections to one archive, one per thread; never follows a redirection with our credentials.

    ``timeout``: seconds to connect and seconds of silence while waiting for an answer.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str = "",
        password: str = "",
        token: str = "",
        timeout: tuple[float, float] = (_CONNECT, _ANSWER),
    ) -> None:
        found = urlsplit(url)
        if found.scheme not in {"http", "https"} or not found.hostname or found.query or found.fragment:
            raise Misconfigured("The archive's address must look like https://host:port/dicom-web.")
        host = f"[{found.hostname}]" if ":" in found.hostname else found.hostname
        try:
            self.host = f"{host}:{found.port}" if found.port else host
        except ValueError as error:
            raise Misconfigured("The archive's address has a port that is no number up to 65535.") from error
        self.base = urlunsplit((found.scheme, self.host, found.path.rstrip("/"), "", ""))
        self._user = unquote(found.username or "") or user
        self._password = unquote(found.password or "") or password
        self._token = token
        self._timeout = timeout
        self._mine = threading.local()

    @property
    def client(self) -> DICOMwebClient:
        """The DICOMweb client of this thread; use it inside ``translated``."""
        if not hasattr(self._mine, "client"):
            self._mine.session = self._new_session()
            client = DICOMwebClient(self.base, session=self._mine.session, permissive_uid=True, timeout=self._timeout)
            client.set_http_retry_params(retry=False)
            self._mine.client = client
        mine: DICOMwebClient = self._mine.client
        return mine

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        data: Any = None,
        any_status: bool = False,
    ) -> requests.Response:
        """Make one request and give its answer, its body not yet read; close it after use.

        With ``any_status`` only an answer that refuses us, is too large for it, or is a 5xx raises; for
        what raises otherwise see ``translated``.
        """
        _ = self.client
        with translated():
            answer: requests.Response = self._mine.session.request(
                method, url, headers=headers, data=data, stream=True, timeout=self._timeout
            )
        if not answer.ok and not (any_status and may_have_stored(answer.status_code)):
            answer.close()
            raise from_status(answer.status_code)
        return answer

    def json(self, method: str, url: str, **options: Any) -> Any:
        """Make one request and give its answer as JSON, None when it is empty."""
        with self.call(method, url, **options) as answer, translated():
            return answer.json() if answer.content else None

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.max_redirects = 0
        # Orthanc would pack every answer: measured, a fetch of 0.5 MB took 160 ms instead of 2.
        session.headers["Accept-Encoding"] = "identity"
        if self._token:
            session.headers["Authorization"] = f"Bearer {self._token}"
        elif self._user:
            session.auth = (self._user, self._password)
        return session


@contextmanager
def translated() -> Iterator[None]:
    """Turn every error of the libraries below into one of ours.

    Raises ArchiveUnavailable, ArchiveRefusesUs, NotFound or BadInput; see ``port``.
    """
    try:
        yield
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 500
        raise from_status(status) from error
    except requests.Timeout as error:
        raise ArchiveUnavailable("The archive does not answer in time: nothing is lost, it is tried again.") from error
    except requests.TooManyRedirects as error:
        raise ArchiveUnavailable(
            "The archive's address sends us to another one, which is not followed: correct the address."
        ) from error
    except requests.JSONDecodeError as error:
        raise ArchiveUnavailable(
            "What answers at the archive's address does not speak DICOMweb: check the address."
        ) from error
    except (requests.RequestException, OSError) as error:
        raise ArchiveUnavailable("The archive cannot be reached: nothing is lost, it is tried again.") from error


def from_status(status: int) -> Exception:
    """Give the error of ours that an HTTP status (RFC 9110) stands for."""
    if status in {401, 403, 407}:
        return ArchiveRefusesUs(
            "The archive does not accept our credentials: an administrator must correct them in the settings."
        )
    if status in {404, 410}:
        return NotFound()
    if status == _TOO_LARGE:
        return ArchiveTooNarrow("The archive does not take an object of this size: ask its operator to allow it.")
    if status == _INSUFFICIENT_STORAGE:
        return ArchiveUnavailable("The archive is full: what it has it keeps, the rest follows when it has room.")
    if status in {400, 406}:
        return BadInput("The archive does not understand what it was asked.")
    return ArchiveUnavailable(f"The archive answered with an error of its own ({status}): it is tried again.")


def may_have_stored(status: int) -> bool:
    """Say whether a STOW answer of this status may still mean that instances were stored.

    PS3.18 section 10.5.3: 200 all, 202 some, 409 none; Orthanc says 400 when one of a batch is bad.
    """
    return status in {200, 202, 400, 409, 415, 422}


def without_addresses(found: Json) -> Json:
    """Take the archive's own addresses out of a data set: RetrieveURL goes, BulkDataURI gets relative."""
    return {tag: _without(tag, element) for tag, element in found.items() if tag not in {"00081190", "7FE00010"}}


def _without(_tag: str, element: Json) -> Json:
    element = dict(element)
    if "BulkDataURI" in element:
        _, mark, path = element.pop("BulkDataURI").partition("/studies/")
        head, instances, rest = path.partition("/instances/")
        uid, slash, tail = rest.partition("/")
        if mark and instances and slash:
            element["BulkDataURI"] = f"studies/{head}/instances/{uid}/bulkdata/{tail}"
    if element.get("vr") == "SQ":
        element["Value"] = [without_addresses(item) for item in element.get("Value", [])]
    return element
