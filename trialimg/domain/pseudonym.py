"""What stands in place of a patient's identifiers, dates and ages: made from keys, the same for a subject for ever."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from typing import Final

from trialimg.domain.pattern import late

OLDEST_AGE_TOLD: Final = 89
"""Years. Whoever is older is given this age: very old people are few and can be found by their age."""

_DATE_OR_MOMENT: Final = late(
    r"\d{8}((?:[01]\d|2[0-3])([0-5]\d((?:[0-5]\d|60)(\.\d{1,6})?)?)?)?([+-](?:0\d|1[0-4])[0-5]\d)?", re.ASCII
)
"""Digits that are no time of day and no offset may be somebody's number."""
_LONGEST_SHIFT: Final = 365
_DIGITS: Final = 39
"""Of the largest number of 128 bits."""


def _mac(key: bytes, message: str) -> bytes:
    return hmac.digest(key, message.encode(), "sha256")


def site_key(trial_key: bytes, site: str) -> bytes:
    """Derive the key of a site from the trial's, which never leaves the server."""
    return _mac(trial_key, f"site:{site}")


def subject_key(key_of_site: bytes, subject: str) -> bytes:
    """Derive the key of a subject from that of the site where it was enrolled; it stays for life."""
    return _mac(key_of_site, f"subject:{subject}")


def fingerprint_key(key_of_site: bytes) -> bytes:
    """Derive the key under which a site's original studies are recognised again."""
    return _mac(key_of_site, "fingerprints")


def fingerprint(key: bytes, study_instance_uid: str) -> str:
    """Give a mark of the original study (64 hex digits) that tells nothing without the key."""
    return _mac(key, f"study:{study_instance_uid}").hex()


def map_uid(key_of_subject: bytes, uid: str) -> str:
    """Give the new UID for ``uid``: the same for the same subject, always, everywhere.

    ``2.25.`` and the decimal number of a UUID (PS3.5 B.2), version 8, of 122 bits of the MAC.
    """
    mac = bytearray(_mac(key_of_subject, f"uid:{uid}")[:16])
    mac[6] = mac[6] & 0x0F | 0x80
    mac[8] = mac[8] & 0x3F | 0x80
    return f"2.25.{int.from_bytes(mac, 'big')}"


def is_mapped_uid(uid: str) -> bool:
    """Tell whether ``uid`` has the form that ``map_uid`` gives."""
    digits = uid.removeprefix("2.25.")
    if digits == uid or not digits.isdecimal() or len(digits) > _DIGITS or str(int(digits)) != digits:
        return False
    number = int(digits)
    return number >> 128 == 0 and (number >> 76) & 0xF == 8 and (number >> 62) & 0b11 == 0b10  # noqa: PLR2004 - PS3.5 B.2


def marks_of_person(number: str, issuer: str, full_name: str, born: str) -> tuple[str, str, str, str]:
    """Give that by which persons are told apart in a hospital: the number and its issuer, the name, the birth date.

    A name or birth date that differs under one number is another person: numbers get mistyped. Of the name its first
    group counts, without punctuation and case.
    """
    name = " ".join(full_name.split("=", maxsplit=1)[0].replace("^", " ").upper().split())
    return number.strip(), issuer.strip(), name, born.strip()


def study_id(mapped_study_uid: str) -> str:
    """Give a Study ID (0020,0010), 16 characters: a blank one makes some archives merge two studies.

    Made from the mapped Study Instance UID, so that whoever holds the clean file can check it.
    """
    return hashlib.sha256(mapped_study_uid.encode()).hexdigest()[:16].upper()


def date_shift(key_of_subject: bytes) -> int:
    """Give the days, -1 to -365, by which every date of this subject is moved."""
    return -1 - int.from_bytes(_mac(key_of_subject, "dates")[:8], "big") % _LONGEST_SHIFT


def shift_date(value: str, days: int) -> str:
    """Move a DA (YYYYMMDD or the old YYYY.MM.DD) or the date in a DT; what is no full date gives ``""``."""
    text = value.strip(" \0")
    if re.fullmatch(r"\d{4}\.\d\d\.\d\d", text):
        text = text.replace(".", "")
    if _DATE_OR_MOMENT.fullmatch(text) is None:
        return ""
    try:
        moved = dt.date(int(text[:4]), int(text[4:6]), int(text[6:8])) + dt.timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}{text[8:]}"


def cap_age(value: str) -> str:
    """Give an AS (``nnnD``, ``nnnW``, ``nnnM``, ``nnnY``) of at most 89 years; what is no age gives ``""``."""
    found = re.fullmatch(r"(\d{3})([DWMY])", value.strip(" \0").upper())
    if found is None:
        return ""
    number, unit = int(found.group(1)), found.group(2)
    years = number / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[unit]
    return f"{OLDEST_AGE_TOLD:03d}Y" if years > OLDEST_AGE_TOLD else f"{number:03d}{unit}"
