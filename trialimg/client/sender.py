"""Sends images of one slot to the server: cleaned here, sent, and waited for until they are linked."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import httpx

from trialimg.client.clean import Cleaned, CleanedFolder, Recipe, clean_folder, files_of
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.errors import (
    BadInput,
    Held,
    NotAllowed,
    NotFound,
    OurFault,
    TrialimgError,
    TryLater,
    WrongPatient,
)

Tell = Callable[[str], None]
_CONNECTIONS: Final = 4
_TRIES: Final = 6
_PAUSE: Final = 0.5
_ENDED: Final = frozenset({"linked", "held", "refused", "cancelled", "withdrawn"})


@dataclass(frozen=True)
class Target:
    """Where the images belong."""

    server: str
    token: str = field(repr=False)
    subject: str
    visit: str
    slot: str
    trial: str = ""
    acquired: date | None = None


def _error(response: httpx.Response) -> TrialimgError:
    try:
        body = response.json()
        sentence = str(body.get("detail") or body.get("title"))
    except ValueError:
        sentence = f"The server answered with {response.status_code} and no sentence."
    kinds: dict[int, type[TrialimgError]] = {401: NotAllowed, 403: NotAllowed, 404: NotFound}
    kind = kinds.get(response.status_code)
    if kind is None:
        if response.status_code in (429, 502, 503, 504, 507):
            kind = TryLater
        else:
            kind = BadInput if response.is_client_error else OurFault
    return kind(sentence)


class Server:
    """The server's interface for programs; every failure comes out as an error of our tree."""

    def __init__(self, address: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            base_url=f"{address.rstrip('/')}/api/v1/",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=httpx.Timeout(60.0, connect=10.0),
            transport=transport,
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def call(self, method: str, path: str, **given: Any) -> Any:
        """Call once more after a pause where that may help; every call of ours may be repeated."""
        last: TrialimgError = TryLater("The server cannot be reached.")
        for attempt in range(_TRIES):
            try:
                response = self._http.request(method, path, **given)
            except httpx.HTTPError:
                last = TryLater("The server cannot be reached, or the connection broke. Nothing was lost; try again.")
            else:
                if response.is_success:
                    return response.json()
                last = _error(response)
                if not isinstance(last, TryLater):
                    raise last
            time.sleep(min(_PAUSE * 2**attempt, 10))
        raise last

    def send_object(self, submission: str, ordinal: int, path: Path) -> None:
        """Stream one clean file; a repeat with the same ordinal is no second object."""
        last: TrialimgError = TryLater("The server cannot be reached.")
        for attempt in range(_TRIES):
            with path.open("rb") as stream:
                try:
                    response = self._http.post(
                        f"submissions/{submission}/objects",
                        content=stream,
                        headers={
                            "X-Object-Ordinal": str(ordinal),
                            "Content-Type": "application/dicom",
                            "Content-Length": str(path.stat().st_size),
                        },
                    )
                except httpx.HTTPError:
                    last = TryLater("The connection to the server broke while sending. Try again.")
                else:
                    if response.is_success:
                        return
                    last = _error(response)
                    if not isinstance(last, TryLater):
                        raise last
            time.sleep(min(_PAUSE * 2**attempt, 10))
        raise last


def recipe_from(answer: dict[str, Any]) -> Recipe:
    """Read what the server gives for cleaning; the keys stay in memory."""
    profile = dict(answer["profile"])
    name = str(profile.pop("name", "trial"))
    return Recipe(
        Profile.from_mapping(profile, name=name),
        SubjectIdentity(**answer["identity"]),
        bytes.fromhex(answer["subject_key"]),
        bytes.fromhex(answer["fingerprint_key"]),
    )


def send(
    target: Target,
    paths: list[Path],
    tell: Tell,
    *,
    jobs: int | None = None,
    transport: httpx.BaseTransport | None = None,
) -> dict[str, Any]:
    """Clean, send, wait for the end, and give the server's account of it.

    Raises :class:`WrongPatient` where the originals name several persons, :class:`BadInput` where nothing can be
    sent, :class:`Held` where the server holds it all, :class:`TryLater` where it cannot be reached.
    """
    server = Server(target.server, target.token, transport=transport)
    try:
        names = {"subject": target.subject, "visit": target.visit, "slot": target.slot}
        if target.trial:
            names["trial"] = target.trial
        recipe = recipe_from(server.call("GET", "sending", params=names))
        with tempfile.TemporaryDirectory(prefix="trialimg-send-") as folder:
            Path(folder).chmod(0o700)
            clean = _clean(paths, Path(folder), recipe, tell, jobs)
            going, kept = _choose(clean, recipe.profile)
            account = _deliver(server, names, target.acquired, going, tell)
    finally:
        server.close()
    account["not_sent"] = [{"reason": item.result.hold_reason} for item in kept]
    account["refused_here"] = [{"code": item.code, "sentence": item.sentence} for item in clean.refused]
    account["duplicates_here"] = len(clean.duplicates)
    return account


def _clean(paths: list[Path], folder: Path, recipe: Recipe, tell: Tell, jobs: int | None) -> CleanedFolder:
    total = sum(1 for _ in files_of(paths))
    tell(f"De-identifying {total} files here, before anything is sent.")

    def progress(done: int) -> None:
        if done % 50 == 0 or done == total:
            tell(f"  {done} of {total} de-identified")

    clean = clean_folder(paths, folder, recipe, jobs=jobs, progress=progress)
    for item in clean.refused:
        tell(f"  not taken: {item.source.name!r}: {item.sentence}")
    if clean.persons > 1:
        raise WrongPatient(
            f"The files name {clean.persons} persons, and a slot belongs to one subject. Nothing was sent. "
            "Give the folder of one person only."
        )
    return clean


def _choose(clean: CleanedFolder, profile: Profile) -> tuple[list[Cleaned], list[Cleaned]]:
    """Keep at the site what a person must see first, unless the trial lets the server have originals anyway."""
    if profile.deidentify_at == "server":
        going, kept = clean.cleaned, []
    else:
        going = [item for item in clean.cleaned if item.result.hold_reason is None]
        kept = [item for item in clean.cleaned if item.result.hold_reason is not None]
    if not going:
        reasons = {item.result.hold_reason for item in kept} | {item.sentence for item in clean.refused}
        why = next(iter(reasons), None) or "There was no file."
        raise BadInput(f"Nothing can be sent. {why}")
    return going, kept


def _deliver(
    server: Server, names: dict[str, str], acquired: date | None, going: list[Cleaned], tell: Tell
) -> dict[str, Any]:
    claim = {**names, **({"acquired": acquired.isoformat()} if acquired else {})}
    key = server.call("POST", "submissions", json=claim)["submission"]
    tell(f"Sending {len(going)} clean images.")
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        sends = [pool.submit(server.send_object, key, n, item.target) for n, item in enumerate(going, 1)]
        for done, each in enumerate(sends, 1):
            each.result()
            if done % 50 == 0 or done == len(sends):
                tell(f"  {done} of {len(sends)} sent")
    server.call("POST", f"submissions/{key}/complete", json={"count": len(going)})
    return _follow(server, key, tell)


def _follow(server: Server, key: str, tell: Tell) -> dict[str, Any]:
    shown, confirmed = "", False
    while True:
        account: dict[str, Any] = server.call("GET", f"submissions/{key}")
        stage = str(account["stage"])
        line = f"{stage}: {account['sentence']}"
        if line != shown:
            tell(line)
            shown = line
        if stage == "surveyed" and not confirmed:
            server.call("POST", f"submissions/{key}/confirm", json={})
            confirmed = True
            continue
        if stage in _ENDED:
            return account
        time.sleep(_PAUSE)


def judge(account: dict[str, Any]) -> None:
    """Raise the error an account stands for; a linked study raises none."""
    if account["stage"] == "held":
        raise Held(str(account["sentence"]))
    if account["stage"] != "linked":
        raise BadInput(str(account["sentence"]))
