"""Removing a study, which is no part of DICOMweb: as Orthanc and as dcm4chee-arc let one do it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from trialimg.archive.wire import Wire
from trialimg.errors import ArchiveUnavailable, BadInput, Conflict, NotFound

Forget = Callable[[str], None]
_DCM4CHEE: Final = re.compile(r"/aets/[^/]+/rs$")
# CID 7011: Rejected for Quality Reasons. The one code that hides at once, on any installation.
_REJECT: Final = "113001%5EDCM"


def forgetter(wire: Wire) -> Forget | None:
    """Give the way to remove a study from this archive, None where there is none.

    Raises ArchiveUnavailable when it cannot be asked what it is.
    """
    if _DCM4CHEE.search(wire.base):
        return lambda study_uid: _dcm4chee(wire, study_uid)
    root = wire.base.rsplit("/", 1)[0]
    with suppress(NotFound, BadInput):
        about = wire.json("GET", f"{root}/system")
        if isinstance(about, dict) and "DicomAet" in about and "Version" in about:
            return lambda study_uid: _orthanc(wire, root, study_uid)
    return None


def _orthanc(wire: Wire, root: str, study_uid: str) -> None:
    found = wire.json("POST", f"{root}/tools/lookup", data=study_uid) or []
    for one in found:
        if one.get("Type") == "Study":
            with suppress(NotFound):
                wire.call("DELETE", f"{root}/studies/{one['ID']}").close()


def _dcm4chee(wire: Wire, study_uid: str) -> None:
    """Reject, which hides the study, then delete it for good, which its operator may have forbidden."""
    study = f"{wire.base}/studies/{study_uid}"
    with suppress(NotFound):
        wire.call("POST", f"{study}/reject/{_REJECT}").close()
        try:
            wire.call("DELETE", study).close()
        except ArchiveUnavailable as error:
            raise Conflict(
                "The archive hides the study now, and does not let us delete it: its operator must."
            ) from error
