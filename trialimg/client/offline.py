"""De-identification without a server: the profile from a trial's files, and the key of one site from a file."""

from __future__ import annotations

import json
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from trialimg import trialfiles
from trialimg.client.clean import CleanedFolder
from trialimg.domain.deidentification import Profile
from trialimg.domain.pseudonym import site_key
from trialimg.domain.trial import TrialDefinition
from trialimg.errors import BadInput
from trialimg.keyring import Keyring

FORMS: Final = Path(__file__).resolve().parent.parent.parent / "forms"


@dataclass(frozen=True)
class Rules:
    """What a trial says about cleaning, and the names it writes into images."""

    code: str
    title: str
    sponsor: str
    protocol_id: str
    profile: Profile


@dataclass(frozen=True)
class SiteKey:
    """A key to derive subject keys from, whose it is, and the sentence where it came from."""

    site: str
    site_key: bytes = field(repr=False)
    sentence: str


def _newest(folder: Path) -> Path | None:
    def order(version: Path) -> list[int]:
        return [int(part) if part.isdigit() else 0 for part in version.name.split(".")]

    versions = [entry for entry in folder.iterdir() if (entry / "trial.yaml").is_file()] if folder.is_dir() else []
    return max(versions, key=order, default=None)


def find_profile(trial: str) -> Rules:
    """Find a trial's rules in its folder, or by its code among the definitions that come along."""
    given = Path(trial)
    folder = given if (given / "trial.yaml").is_file() else _newest(FORMS / trial.lower())
    if folder is None:
        raise BadInput("There is no such trial here; give the folder of its definition, such as forms/demo/1.0.")
    return rules_of(trialfiles.load(folder))


def rules_of(found: TrialDefinition) -> Rules:
    """Give what a definition says about cleaning."""
    profile = Profile.from_mapping(found.deidentification, name=f"{found.code} {found.version}")
    return Rules(found.code, found.title, found.sponsor, found.protocol_id, profile)


def find_key(keys: Path, trial: str, site: str, key_file: Path | None) -> SiteKey:
    """Find the site's key: in the file given, else in this installation, else a random one for this run."""
    if key_file is not None:
        return _read(key_file, trial, site)
    keyring = Keyring(keys)
    versions = [n for n in range(1, 100) if keyring.has(f"trial-{trial}-v{n}")]
    if versions and site:
        key = site_key(keyring.trial_key(trial, versions[-1]), site)
        return SiteKey(site, key, f"Using the key of site {site} of this installation.")
    return SiteKey(
        site,
        secrets.token_bytes(32),
        "There is no key here (give --key-file, or --site in an installation), so a random one is used for this run: "
        "UIDs will not agree with those of any other run.",
    )


def _read(path: Path, trial: str, site: str) -> SiteKey:
    try:
        kept = json.loads(path.read_text("utf-8"))
        key = SiteKey(str(kept["site"]), bytes.fromhex(kept["key"]), f"Using the key file of site {kept['site']}.")
        of_trial = str(kept["trial"])
    except (ValueError, KeyError, TypeError, OSError):
        raise BadInput("The key file is none that trialimg wrote. Ask the trial's administrator for it.") from None
    if site and site != key.site:
        raise BadInput(f"The key file is that of site {key.site}, and --site says {site}. Nothing was done.")
    if of_trial != trial:
        raise BadInput(f"The key file is that of trial {of_trial}, not {trial}. Nothing was done.")
    return key


def write_report(path: Path, folder: CleanedFolder) -> None:
    """Write what was done: per study the tags, actions and counts; per refused file its code; never a value."""
    document = {
        "studies": {uid: report.to_json() for uid, report in folder.reports().items()},
        "cleaned": [
            {
                "file": item.target.name,
                "sop_instance_uid": item.result.sop_instance_uid,
                "hash": item.result.canonical_hash,
                "look_at": item.result.hold_reason,
            }
            for item in folder.cleaned
        ],
        "refused": [
            {"number": item.source.number, "code": item.code, "sentence": item.sentence} for item in folder.refused
        ],
        "left_out": len(folder.skipped),
        "duplicates": len(folder.duplicates),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as stream:
        json.dump(document, stream, indent=1)
    Path(stream.name).replace(path)
