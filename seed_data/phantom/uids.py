"""Unique identifiers that come out the same on every machine."""

from __future__ import annotations

import hashlib
import uuid

from seed_data.phantom.identities import Patient


def number_from(*parts: object) -> int:
    """Give 128 bits that depend on the parts and on nothing else: the seed of every random choice here."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def made_uid(seed: int, patient: Patient, study_key: str, role: str) -> str:
    """Give the UID of one thing of a study, under the UUID root 2.25 (PS3.5 B.2).

    ``role`` says what it names within the study: ``study``, ``series 2``, ``instance 2 17``.
    """
    bits = number_from("uid", seed, patient.patient_id, study_key, role)
    return f"2.25.{uuid.UUID(int=bits, version=5).int}"
