"""Gives the archive that a setting names."""

from __future__ import annotations

from pathlib import Path

from trialimg.archive.association import Peer
from trialimg.archive.dicomweb import DicomwebArchive
from trialimg.archive.dimse import DimseArchive
from trialimg.archive.local import LocalArchive
from trialimg.archive.port import Archive
from trialimg.archive.wire import Wire
from trialimg.errors import Misconfigured


def archive_from_url(
    url: str,
    *,
    folder: Path,
    user: str = "",
    password: str = "",
    token: str = "",
    connections: int = 4,
) -> Archive:
    """Give the archive at an address; nothing is asked of it yet.

    Empty or ``local:`` is the archive in ``folder``; ``http(s)://…`` a DICOMweb root, with credentials
    in the address, or ``user`` and ``password``, or a bearer ``token``; ``dimse://AE@host:port`` a DICOM
    peer (for what may follow see ``dimse.Peer``), for which ``folder`` keeps what is looked at. Raises
    Misconfigured, with what an address must look like.
    """
    scheme = url.split(":", 1)[0].lower()
    if url in {"", "local", "local:"}:
        return LocalArchive(folder)
    if scheme in {"http", "https"}:
        return DicomwebArchive(Wire(url, user=user, password=password, token=token), connections=connections)
    if scheme == "dimse":
        return DimseArchive(Peer.from_url(url), cache=folder / "looked-at", connections=connections)
    raise Misconfigured(
        "The archive's address must be empty or local: for a folder, https://host/dicom-web for DICOMweb, "
        "or dimse://AE@host:port for a DICOM peer."
    )
