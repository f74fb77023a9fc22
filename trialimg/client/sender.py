"""Sends images of one slot to the server: cleaned here, sent, followed until they are linked, and compared."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import httpx

from trialimg.client.account import Account
from trialimg.client.clean import clean_folder
from trialimg.client.inventory import Entry
from trialimg.client.server import PATIENCE, Server, Tell
from trialimg.client.source import sources_of
from trialimg.client.work import Recipe, Wish
from trialimg.domain.deid_report import SHOWN, joined
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.errors import BadInput, Conflict, Held, NoSpace, OurFault, TryLater, WrongPatient

_CONNECTIONS: Final = 4
_LOOK: Final = 0.25
_LOOK_LATER: Final = 1.5
_ENDED: Final = frozenset({"linked", "held", "refused", "cancelled", "withdrawn"})
_LOOKED_THROUGH: Final = "they were looked through, and are confirmed here."
_LEFT: Final = "the sender was ended before everything was sent"


@dataclass(frozen=True)
class Target:
    """Where the images belong; ``wait`` is how many seconds to follow them, None for as long as it takes.

    ``reviewed`` says that a person here has looked at the pixels of what may show text.
    """

    server: str
    token: str = field(repr=False)
    subject: str
    visit: str
    slot: str
    trial: str = ""
    acquired: date | None = None
    wait: float | None = None
    reviewed: bool = False

    @property
    def names(self) -> dict[str, str]:
        """Name the slot as the interface does."""
        names = {"subject": self.subject, "visit": self.visit, "slot": self.slot}
        return {**names, "trial": self.trial} if self.trial else names


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
    named: bool = False,
    transport: httpx.BaseTransport | None = None,
) -> dict[str, Any]:
    """Clean, send, wait for the end, and give the server's account of it.

    ``named`` lets the names of files in a folder be told. Raises :class:`WrongPatient` where the originals name
    several persons, :class:`BadInput` where nothing can be sent, :class:`TryLater` where the server cannot be reached
    or the end was not seen in time, :class:`OurFault` where the account is not of what was sent.
    """
    server = Server(target.server, target.token, tell, transport=transport)
    try:
        recipe = recipe_from(server.call("GET", "sending", params=target.names))
        with tempfile.TemporaryDirectory(prefix="trialimg-send-") as folder:
            Path(folder).chmod(0o700)
            clean = _clean(target, paths, Path(folder), recipe, tell, jobs=jobs, named=named)
            _warn_of_second_look(clean, tell)
            account = _deliver(server, target, clean, tell)
        _compare(account, clean.cleaned)
    finally:
        server.close()
    account["not_sent"] = [{"reason": item.sentence} for item in clean.held]
    account["refused_here"] = [{"code": item.code, "sentence": item.sentence} for item in clean.refused]
    account["duplicates_here"] = len(clean.duplicates)
    return account


def _clean(
    target: Target, paths: list[Path], folder: Path, recipe: Recipe, tell: Tell, *, jobs: int | None, named: bool
) -> Account:
    """Clean everything; what a person must see first stays here, unless the trial lets the server have originals."""
    total = sum(1 for _ in sources_of(paths))
    tell(f"De-identifying {total} files here, before anything is sent.")

    def progress(done: int) -> None:
        if done % 50 == 0 or done == total:
            tell(f"  {done} of {total} de-identified")

    pass_held = recipe.profile.deidentify_at == "server"
    wish = Wish(reviewed=target.reviewed, pass_held=pass_held, durable=False, with_hashes=True)
    clean = clean_folder(paths, folder, recipe, wish=wish, jobs=jobs, progress=progress)
    for item in clean.refused:
        tell(f"  not taken: {item.source.shown(named=named)}: {item.sentence}")
    for item in clean.held:
        tell(f"  kept here: {item.source.shown(named=named)}: {item.sentence}")
    if clean.full:
        raise NoSpace("The disk of this computer is full, so not every file could be cleaned. Nothing was sent.")
    if clean.gone:
        raise TryLater(
            "The folder for temporary files of this computer went away meanwhile. Nothing was sent; try again."
        )
    if clean.files != total:
        raise BadInput(
            f"{total} files were there at first, and {clean.files} were found: some came or went meanwhile. Nothing "
            "was sent; run this again when nothing changes them any more."
        )
    if len(clean.persons) > 1:
        raise WrongPatient(
            f"The files name {len(clean.persons)} persons, and a slot belongs to one subject. Nothing was sent. "
            "Give the folder of one person only."
        )
    if not clean.cleaned:
        why = [item.sentence for item in (*clean.held, *clean.refused)]
        raise BadInput(f"Nothing can be sent. {why[0] if why else 'There was no image among the files.'}")
    return clean


def _warn_of_second_look(clean: Account, tell: Tell) -> None:
    """Say what becomes of images sent because somebody here has looked at their pixels: the server holds them."""
    rows = (each for _study, report in clean.reports() for each in report.pixels)
    seen = sum(each.instances for each in rows if each.decision == SHOWN)
    if seen:
        told = "1 image that may show text is" if seen == 1 else f"{seen} images that may show text are"
        tell(
            f"{told} sent because you have looked. The server keeps that as your word and holds what may show text "
            "until it is decided on there: open the images sent, and Look at the pixels."
        )


def _deliver(server: Server, target: Target, clean: Account, tell: Tell) -> dict[str, Any]:
    going = list(clean.cleaned)
    claim: dict[str, Any] = {**target.names, "studies": {item.study: item.series.mark for item in going}}
    if target.acquired:
        claim["acquired"] = target.acquired.isoformat()
    once = {"Idempotency-Key": secrets.token_hex(16)}  # an answer may be lost on its way
    key = server.call("POST", "submissions", json=claim, headers=once)["submission"]
    server.patience = PATIENCE
    tell(f"Sending {len(going)} clean images.")
    try:
        _send_all(server, key, going, tell)
        _tell_report(server, key, clean, tell)
        server.call("POST", f"submissions/{key}/complete", json={"count": len(going)})
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, NoSpace) or not isinstance(error, TryLater):
            # What cannot be reached cannot be told either; a server without space gets back what it has of these.
            server.give_up(key, _LEFT)
        raise
    return _follow(server, key, target.wait, tell)


def _tell_report(server: Server, key: str, clean: Account, tell: Tell) -> None:
    """Give the server the account of the cleaning, in which nothing is of a file; what was not sent is in it too."""
    told = joined(report for _study, report in clean.reports())._replace(outcomes=tuple(clean.outcomes()))
    try:
        server.call("POST", f"submissions/{key}/report", json=told.to_json())
    except BadInput as error:
        tell(f"  {error.sentence} The images are sent all the same.")


def _send_all(server: Server, key: str, going: list[Entry], tell: Tell) -> None:
    pool = ThreadPoolExecutor(_CONNECTIONS)
    try:
        sends = [pool.submit(server.send_object, key, n, item.target) for n, item in enumerate(going, 1)]
        for done, each in enumerate(sends, 1):
            each.result()
            if done % 50 == 0 or done == len(sends):
                tell(f"  {done} of {len(sends)} sent")
    finally:
        pool.shutdown(cancel_futures=True)


def _follow(server: Server, key: str, wait: float | None, tell: Tell) -> dict[str, Any]:
    shown, pause = "", _LOOK
    until = None if wait is None else time.monotonic() + wait
    while True:
        account: dict[str, Any] = server.call("GET", f"submissions/{key}")
        stage = str(account["stage"])
        # Confirming, which the sentence asks people for, is done here.
        line = f"{stage}: {_LOOKED_THROUGH if stage == 'surveyed' else account['sentence']}"
        if line != shown:
            tell(line)
            shown, pause = line, _LOOK
        if stage in _ENDED:
            return account
        if stage == "surveyed":
            _confirm(server, key)
        elif until is not None and time.monotonic() > until:
            raise TryLater(
                "The images are with the server and on their way; the end was not seen in the time given. The server "
                "goes on by itself: look at the slot's page, or ask for the images of the subject."
            )
        time.sleep(pause)
        pause = min(pause * 1.2, _LOOK_LATER)


def _confirm(server: Server, key: str) -> None:
    """Let it all go on; where the slot does not take these images, they are given up, so that none waits unseen."""
    try:
        server.call("POST", f"submissions/{key}/confirm", json={})
    except Conflict:
        return  # confirmed already, the answer was lost on its way, or somebody decided; the account will tell
    except BadInput as error:
        server.give_up(key, error.sentence[:200])
        raise


def _compare(account: dict[str, Any], going: Iterable[Entry]) -> None:
    """Hold the account of a linked study against what lay here: the same instances, by content."""
    if account["stage"] != "linked":
        return
    mine = {item.instance: item.canonical_hash for item in going}
    theirs = {each["sop_instance_uid"]: each["hash"] for each in account["instances"] if each["fate"] == "sent"}
    wrong = sum(mine.get(uid) != content for uid, content in theirs.items())
    if wrong:
        raise OurFault(
            f"The server says linked, and {wrong} of its instances are not what was sent from here. Tell the operator "
            "at once."
        )


def judge(account: dict[str, Any]) -> None:
    """Raise the error an account stands for; a linked study of which nothing stayed behind raises none.

    As `deidentify` does, it ends as held where a part waits or was not taken, however well the rest went.
    """
    if account["stage"] == "held":
        raise Held(str(account["sentence"]))
    if account["stage"] != "linked":
        raise BadInput(str(account["sentence"]))
    behind = _left_behind(account)
    if behind:
        raise Held(f"The study is linked, but not all of what you gave is in it: {'; '.join(behind)}.")


def _left_behind(account: dict[str, Any]) -> list[str]:
    """Say what of all that was given is not in the study, and who must act."""
    counts = account["counts"]
    parts = (
        (int(counts.get("held", 0)), "waits", "wait", "for a person's decision on the server: open the images sent"),
        (int(counts.get("refused", 0)), "was", "were", "refused by the server, which says why beside each"),
        (len(account["not_sent"]), "was", "were", "kept here, since a person must look first: see the sentences above"),
        (len(account["refused_here"]), "was", "were", "not taken here: see the sentences above"),
    )
    return [
        f"{n:,} {'file' if n == 1 else 'files'} {one if n == 1 else many} {what}" for n, one, many, what in parts if n
    ]
