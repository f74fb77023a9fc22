"""De-identification without a server: a profile from a trial's files or the standard alone, and one site's key."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Final, NamedTuple

from trialimg.client.place import is_file, is_folder, is_there
from trialimg.deidentify import KEY_BYTES, NOT_GIVEN, basic_profile
from trialimg.domain.deidentification import Profile, fits_an_image
from trialimg.domain.pseudonym import site_key
from trialimg.errors import BadInput, Misconfigured

if TYPE_CHECKING:
    from trialimg.domain.trial import TrialDefinition

FORMS: Final = Path(__file__).resolve().parent.parent.parent / "forms"
_NONE: Final = "There is no key here (give --key-file, or --site in an installation)"
_NONE_FOR_SITE: Final = (
    "There is no key of trial {trial} here (give --key-file, or --data with the folder of the installation that has it)"
)
_RANDOM: Final = "a random one is used for this run: UIDs will not agree with those of any other run."
_LONGEST: Final = 1 << 16
"""Bytes of a key file that are read: one of ours has some hundred."""


class Rules(NamedTuple):
    """What a trial says about cleaning, and the names it writes into images; ``code`` is "" without a trial."""

    code: str
    title: str
    sponsor: str
    protocol_id: str
    profile: Profile


class SiteKey(NamedTuple):
    """A key to derive subject keys from, whose it is, and the sentence where it came from.

    ``kind`` is ``file``, ``new file``, ``installation`` or ``random``.
    """

    site: str
    site_key: bytes
    kind: str
    sentence: str

    def __repr__(self) -> str:
        """Show it without the key."""
        return f"SiteKey(site={self.site!r}, kind={self.kind!r})"


def _newest(folder: Path) -> Path | None:
    def order(version: Path) -> list[int]:
        return [int(part) if part.isdigit() else 0 for part in version.name.split(".")]

    versions = [entry for entry in folder.iterdir() if is_file(entry / "trial.yaml")] if is_folder(folder) else []
    return max(versions, key=order, default=None)


def find_profile(trial: str) -> Rules:
    """Find a trial's rules in its folder, or by its code among the definitions that come along."""
    given = Path(trial)
    folder = given if is_file(given / "trial.yaml") else _newest(FORMS / trial.lower())
    if folder is None:
        raise BadInput("There is no such trial here; give the folder of its definition, such as forms/demo/1.0.")
    from trialimg import trialfiles  # what reads definitions is not loaded where none is named

    return rules_of(trialfiles.load(folder))


def rules_of(found: TrialDefinition) -> Rules:
    """Give what a definition says about cleaning."""
    profile = Profile.from_mapping(found.deidentification, name=f"{found.code} {found.version}")
    return Rules(found.code, found.title, found.sponsor, found.protocol_id, profile)


def no_trial() -> Rules:
    """Give the rules of whoever names no trial: the Basic Profile, and no names."""
    return Rules("", NOT_GIVEN, NOT_GIVEN, NOT_GIVEN, basic_profile())


def find_key(keys: Callable[[], Path], trial: str, site: str, key_file: Path | None) -> SiteKey:
    """Find the site's key: in the file given, else in this installation, else a random one for this run.

    A file that is given and is not there is made, with a new key. Raises :class:`BadInput` where the file is of
    another site or trial, or none of ours, :class:`Misconfigured` where others can read it.
    """
    if key_file is not None:
        return _read(key_file, trial, site) if is_there(key_file) else _make(key_file, trial, site)
    if trial and site:
        from trialimg.keyring import Keyring  # not loaded where another key is used

        keyring = Keyring(keys())
        versions = [n for n in range(1, 100) if keyring.has(f"trial-{trial}-v{n}")]
        if versions:
            key = site_key(keyring.trial_key(trial, versions[-1]), site)
            return SiteKey(site, key, "installation", f"Using the key of site {site} of this installation.")
    none = _NONE_FOR_SITE.format(trial=trial) if trial and site else _NONE
    return SiteKey(site, os.urandom(KEY_BYTES), "random", f"{none}, so {_RANDOM}")


def _content(path: Path) -> tuple[bytes, int]:
    """Give what a key file holds, and its mode; nothing of a pipe or device, which might never end."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            return stream.read(_LONGEST) if S_ISREG(mode) else b"", mode
    except OSError as error:
        raise Misconfigured(f"The key file cannot be read ({error.strerror}). Nothing was done.") from None


def _make(path: Path, trial: str, site: str) -> SiteKey:
    """Make the key file of a site, whole or not at all, and never over another one."""
    key = os.urandom(KEY_BYTES)
    text = json.dumps({"trial": trial, "site": site, "version": 1, "key": key.hex()})
    fresh = path.with_name(f".{os.urandom(8).hex()}.new")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w") as stream:
                stream.write(text + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            os.link(fresh, path)
        finally:
            fresh.unlink()
    except FileExistsError:
        return _read(path, trial, site)  # another run was first
    except OSError as error:
        raise Misconfigured(
            f"The key file cannot be made ({error.strerror}). Nothing was done; give another."
        ) from None
    whose = f" of site {site}" if site else ""
    return SiteKey(
        site,
        key,
        "new file",
        f"Made a new key{whose} in {path.name}. Whoever has it can compute these pseudonyms: guard it, and use it "
        "again, since only then UIDs agree with those of this run. A trial's server has other keys: for UIDs that "
        "agree with the server's, ask its administrator for the site's key file.",
    )


def _read(path: Path, trial: str, site: str) -> SiteKey:
    content, mode = _content(path)
    try:
        kept = json.loads(content)
        of_site, of_trial, key = str(kept["site"]), str(kept["trial"]), bytes.fromhex(kept["key"])
    except (ValueError, KeyError, TypeError, RecursionError):
        key = b""
    if len(key) != KEY_BYTES or not fits_an_image(of_site):
        raise BadInput(
            "The key file is none that trialimg wrote. Nothing was done; ask the trial's administrator for it."
        )
    if mode & 0o077:
        raise Misconfigured(
            f"The key file can be read by others, and whoever has it can compute this site's "
            f"pseudonyms. Run: chmod 600 {path.name}; nothing was done."
        )
    if site and site != of_site:
        whose = f"is that of site {of_site}" if of_site else "names no site"
        raise BadInput(f"The key file {whose}, and --site says {site}. Nothing was done.")
    if trial and of_trial != trial:
        whose = f"is that of trial {of_trial}" if of_trial else "was made without a trial"
        raise BadInput(f"The key file {whose}, and --trial says {trial}. Nothing was done.")
    whose = f"of site {of_site}" if of_site else f"in {path.name}"
    return SiteKey(of_site, key, "file", f"Using the key {whose}.")
