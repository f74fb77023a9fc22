"""Everything that can go wrong, as one tree, and what each branch means at each door.

    TrialimgError
    ├── BadInput                what was handed over cannot be taken
    │   ├── NotDicom            an object that is no DICOM file
    │   ├── UnreadableObject    damaged, truncated, or beyond the limits of the reader
    │   ├── UnsafeArchiveFile   a zip that must not be unpacked
    │   ├── WrongPatient        objects that do not belong to one person
    │   ├── NotClean            bytes said to be de-identified that are not
    │   └── BadDefinition       a trial's definition files that contradict themselves
    ├── NotAllowed              the person is known and may not
    │   └── NotSignedIn         nobody is known, or no longer
    ├── NotFound                nothing there, or nothing there for this person
    ├── Conflict                true a moment ago, no longer
    │   ├── Stale               somebody saved in between
    │   └── ImpossibleStep      an outcome that the stage does not know
    ├── Held                    waits for a person, with the sentence why
    ├── TryLater                would work at another time
    │   ├── ArchiveUnavailable  the archive cannot be reached, is full, or says no for now
    │   │   ├── ArchiveRefusesUs  the archive does not accept our credentials
    │   │   └── ArchiveTooNarrow  the archive takes no request of this size
    │   └── NoSpace             the disk is full
    ├── Misconfigured           a setting that cannot work
    └── OurFault                a promise of ours that did not hold

A sentence is for the person who must act and never holds a patient's data; ``code`` is stable
and may be relied upon by other programs.
"""

from __future__ import annotations

from typing import ClassVar, Final


class TrialimgError(Exception):
    """Any refusal or failure that a person is told about."""

    code: ClassVar[str] = "error"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class BadInput(TrialimgError):
    """What was handed over cannot be taken; nothing was changed."""

    code = "input.bad"


class NotDicom(BadInput):
    """The object is not a DICOM file (PS3.10)."""

    code = "image.not_dicom"


class UnreadableObject(BadInput):
    """The object is damaged, truncated, or needs more than the reader's limits."""

    code = "image.unreadable"


class UnsafeArchiveFile(BadInput):
    """A zip that is encrypted, nested, explosive, or points outside itself."""

    code = "image.unsafe_zip"


class WrongPatient(BadInput):
    """The objects belong to more than one person, or to another one."""

    code = "image.wrong_patient"


class NotClean(BadInput):
    """Bytes that were said to be de-identified and are not."""

    code = "image.not_clean"


class BadDefinition(BadInput):
    """A trial definition that is incomplete or contradicts itself."""

    code = "trial.bad_definition"


class NotAllowed(TrialimgError):
    """The person is known and may not do this."""

    code = "access.not_allowed"


class NotSignedIn(NotAllowed):
    """Nobody is signed in, or the session, account or token has ended."""

    code = "access.not_signed_in"


class NotFound(TrialimgError):
    """Nothing there, or nothing there for this person: the two are never told apart."""

    code = "access.not_found"

    def __init__(self, sentence: str = "There is nothing at this address for you.") -> None:
        super().__init__(sentence)


class Conflict(TrialimgError):
    """The act was possible a moment ago and no longer is."""

    code = "state.conflict"


class Stale(Conflict):
    """Somebody saved in between."""

    code = "state.stale"


class ImpossibleStep(Conflict):
    """An outcome that is not in the table of the submission's stage."""

    code = "state.impossible_step"


class Held(TrialimgError):
    """The work waits for a person; the sentence says why and what to do."""

    code = "image.held"


class TryLater(TrialimgError):
    """The same would work at another time."""

    code = "later"


class ArchiveUnavailable(TryLater):
    """The archive cannot be reached, is full, or says no for now."""

    code = "archive.unavailable"


class ArchiveRefusesUs(ArchiveUnavailable):
    """The archive does not accept our credentials: the destination is paused, the data is not held."""

    code = "archive.refuses_us"


class ArchiveTooNarrow(ArchiveUnavailable):
    """One request was more than the archive, or a proxy before it, takes at a time."""

    code = "archive.too_narrow"


class NoSpace(TryLater):
    """The disk is full; what was received before stays."""

    code = "later.no_space"


class Misconfigured(TrialimgError):
    """A setting that cannot work."""

    code = "settings.wrong"


class OurFault(TrialimgError):
    """A promise of ours that did not hold."""

    code = "fault"


def all_errors() -> list[type[TrialimgError]]:
    """Give every class of the tree, the root first."""
    found: list[type[TrialimgError]] = [TrialimgError]
    for cls in found:
        found.extend(cls.__subclasses__())
    return found


class Translation(dict[type[TrialimgError], int]):
    """What each branch means at one door; a twig that a tool grows for itself means what its branch means."""

    def __missing__(self, cls: type[TrialimgError]) -> int:
        for base in cls.__mro__[1:]:
            if base in self:
                return self[base]
        raise KeyError(cls)


HTTP_STATUS: Final = Translation(
    {
        TrialimgError: 500,
        BadInput: 422,
        NotDicom: 422,
        UnreadableObject: 422,
        UnsafeArchiveFile: 422,
        WrongPatient: 422,
        NotClean: 422,
        BadDefinition: 422,
        NotAllowed: 403,
        NotSignedIn: 401,
        NotFound: 404,
        Conflict: 409,
        Stale: 409,
        ImpossibleStep: 409,
        Held: 409,
        TryLater: 503,
        ArchiveUnavailable: 503,
        ArchiveRefusesUs: 503,
        ArchiveTooNarrow: 503,
        NoSpace: 507,
        Misconfigured: 500,
        OurFault: 500,
    }
)
"""What a browser or another program is told (RFC 9110, RFC 4918 for 507)."""

# PS3.4 Annex B.2.3: C-STORE response status codes.
_REFUSED_OUT_OF_RESOURCES, _CANNOT_UNDERSTAND, _NOT_AUTHORISED = 0xA700, 0xC000, 0x0124
_DUPLICATE, _FAILED = 0x0111, 0x0110

DIMSE_STATUS: Final = Translation(
    {
        TrialimgError: _FAILED,
        BadInput: _CANNOT_UNDERSTAND,
        NotDicom: _CANNOT_UNDERSTAND,
        UnreadableObject: _CANNOT_UNDERSTAND,
        UnsafeArchiveFile: _CANNOT_UNDERSTAND,
        WrongPatient: _CANNOT_UNDERSTAND,
        NotClean: _CANNOT_UNDERSTAND,
        BadDefinition: _CANNOT_UNDERSTAND,
        NotAllowed: _NOT_AUTHORISED,
        NotSignedIn: _NOT_AUTHORISED,
        NotFound: _CANNOT_UNDERSTAND,
        Conflict: _DUPLICATE,
        Stale: _DUPLICATE,
        ImpossibleStep: _FAILED,
        Held: _CANNOT_UNDERSTAND,
        TryLater: _REFUSED_OUT_OF_RESOURCES,
        ArchiveUnavailable: _REFUSED_OUT_OF_RESOURCES,
        ArchiveRefusesUs: _REFUSED_OUT_OF_RESOURCES,
        ArchiveTooNarrow: _REFUSED_OUT_OF_RESOURCES,
        NoSpace: _REFUSED_OUT_OF_RESOURCES,
        Misconfigured: _FAILED,
        OurFault: _FAILED,
    }
)
"""What a modality is told (PS3.7 Annex C, PS3.4 B.2.3)."""

DONE, USAGE, DATA, FAULT, LATER, FORBIDDEN = 0, 64, 65, 70, 75, 77

EXIT_CODE: Final = Translation(
    {
        TrialimgError: FAULT,
        BadInput: DATA,
        NotDicom: DATA,
        UnreadableObject: DATA,
        UnsafeArchiveFile: DATA,
        WrongPatient: DATA,
        NotClean: DATA,
        BadDefinition: DATA,
        NotAllowed: FORBIDDEN,
        NotSignedIn: FORBIDDEN,
        NotFound: DATA,
        Conflict: DATA,
        Stale: DATA,
        ImpossibleStep: FAULT,
        Held: DATA,
        TryLater: LATER,
        ArchiveUnavailable: LATER,
        ArchiveRefusesUs: LATER,
        ArchiveTooNarrow: LATER,
        NoSpace: LATER,
        Misconfigured: USAGE,
        OurFault: FAULT,
    }
)
"""What a shell is told (the numbers of BSD sysexits)."""
