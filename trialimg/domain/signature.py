"""What an electronic signature binds, and whether it still fits what it was given for.

Source: 21 CFR 11.50 (name, date and time, and meaning are part of it) and 11.70 (it is linked to its record so
that it cannot be taken off, copied or moved to another one).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trialimg.errors import OurFault


class Meaning(StrEnum):
    """Why a person signs, in the words that stand beside the signature."""

    READ = "I read these images; this is my independent assessment."
    BASIS_CONFIRMED = "I looked at what changed since I signed; my assessment stays as it is."


@dataclass(frozen=True)
class Signature:
    """A signature as it is kept beside its record.

    ``name`` is the signer's printed name at that moment, ``account`` what tells two people of one name
    apart. ``at`` has an offset (a data base may give it back in UTC), ``zone`` is the IANA name of the
    signer's zone, in which it is printed. ``record`` names the one record and version signed; ``content`` is
    the SHA-256 of its values and basis, ``seal`` that of everything.
    """

    name: str
    account: str
    at: datetime
    zone: str
    meaning: str
    record: str
    content: str
    seal: str

    @property
    def manifestation(self) -> str:
        """Give the line that stands wherever the record is shown or printed (11.50(b))."""
        return f"{self.name}, {moment(self.at, self.zone)}: {self.meaning}"


def moment(at: datetime, zone: str) -> str:
    """Write a moment in a zone, once and whole: ``2026-11-24 22:41:07 Europe/Zurich (+01:00)``."""
    try:
        local = at.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):  # a machine without the names of zones
        local, zone = at.astimezone(UTC), "UTC"
    return f"{local:%Y-%m-%d %H:%M:%S} {zone} ({local.isoformat()[-6:]})"


def canonical(value: object) -> str:
    """Write plain data in one way: keys in order, no spaces, ASCII; equal data gives equal text.

    Raises OurFault for what is not plain: a float (which two programs may write differently), a set, a date.
    """
    _refuse_unplain(value)
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_hash(values: Mapping[str, Any], basis: str) -> str:
    """Give the SHA-256 of the values of a record and of the basis they rest on."""
    return _sha256({"basis": basis, "values": values})


def sign(
    *,
    name: str,
    account: str,
    at: datetime,
    zone: str,
    meaning: str,
    record: str,
    values: Mapping[str, Any],
    basis: str = "",
) -> Signature:
    """Bind a person's act to one version of one record; whether it *is* that person was proved before.

    Raises OurFault where the moment has no offset or a part is empty: such a signature would say nothing.
    """
    if at.utcoffset() is None or not all(part.strip() for part in (name, account, zone, meaning, record)):
        raise OurFault("A signature needs a name, an account, a moment with its zone, a meaning and a record.")
    unsealed = Signature(name, account, at, zone, meaning, record, content_hash(values, basis), "")
    return replace(unsealed, seal=_seal(unsealed))


def fault(signature: Signature, *, record: str, values: Mapping[str, Any], basis: str = "") -> str | None:
    """Say what no longer fits between a signature and the record it stands beside; None where all does."""
    if signature.at.utcoffset() is None or _seal(signature) != signature.seal:
        return "This signature was changed after it was given; tell the trial administrator."
    if signature.record != record:
        return "This signature was given for another record; tell the trial administrator."
    if signature.content != content_hash(values, basis):
        return "The values or their basis are not those that were signed; tell the trial administrator."
    return None


def _seal(signature: Signature) -> str:
    return _sha256(
        {
            "name": signature.name,
            "account": signature.account,
            "at": signature.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "zone": signature.zone,
            "meaning": signature.meaning,
            "record": signature.record,
            "content": signature.content,
        }
    )


def _sha256(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _refuse_unplain(value: object) -> None:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if not isinstance(key, str):
                raise OurFault("Only mappings with text keys can be signed.")
            _refuse_unplain(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _refuse_unplain(each)
    elif value is not None and not isinstance(value, str | int | bool):
        raise OurFault("Only texts, whole numbers, lists and mappings can be signed.")
