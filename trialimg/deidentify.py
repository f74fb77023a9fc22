"""De-identification as a function, for programs that want nothing else of trialimg: bytes in, bytes and a report out.

    from trialimg.deidentify import Subject, basic_profile, clean

    content, report = clean("original.dcm", basic_profile(), Subject("101-001", site_key))

It needs pydicom at most: no web application, no data base, no settings. docs/library.md tells the rest.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from trialimg.dicom.deidentify import clean_into, plan_of
from trialimg.dicom.files.screen import looking_suffices
from trialimg.dicom.standard.table import edition
from trialimg.domain.deid_report import SHOWN, PixelCount, Report
from trialimg.domain.deidentification import LONGEST_LABEL, Profile, SubjectIdentity, fits_an_image
from trialimg.domain.pseudonym import subject_key
from trialimg.errors import BadInput, Held

__all__ = ["NOT_GIVEN", "Profile", "Report", "Subject", "basic_profile", "clean", "explain"]

NOT_GIVEN: Final = "NOT GIVEN"
"""Stands for a sponsor and a protocol where none is named: an empty one would not be valid (PS3.3 C.7.1.3)."""
KEY_BYTES: Final = 32
WHOEVER_CALLED: Final = "whoever called the function"
_BY_A_LOOK: Final = frozenset({"image.may_show_text", "image.recognisable"})


class Subject(NamedTuple):
    """Who the images are of, in the trial's words: ``number`` stands where the patient stood.

    ``site_key`` is 32 secret bytes, the same for all subjects of a site and kept there: with the same key the same
    original gives the same UIDs, and without it nobody can compute them.
    """

    number: str
    site_key: bytes
    site: str = ""
    sponsor: str = NOT_GIVEN
    protocol_id: str = NOT_GIVEN
    protocol_name: str = NOT_GIVEN
    time_point: str = ""

    def __repr__(self) -> str:
        """Show it without the key."""
        return f"Subject(number={self.number!r}, site={self.site!r})"


def basic_profile() -> Profile:
    """Give the Basic Profile of PS3.15 without any option or rule; its version is the edition of the table."""
    return Profile("basic", edition())


def clean(
    file: str | Path | bytes | BinaryIO,
    profile: Profile | Mapping[str, Any],
    subject: Subject,
    *,
    reviewed: bool = False,
) -> tuple[bytes, Report]:
    """Clean one DICOM file; give the clean file, and the account of what was done to it.

    ``profile`` may be the content of a trial's ``deidentification.yaml``. Raises :class:`Held` for what a person must
    see first; ``reviewed`` says that one has, and lets pass what may show text in its pixels, or a face; then report
    and file say so, as where a person let pixels pass on the page of the server. What still
    names the patient after cleaning is never given. Raises :class:`NotDicom` and :class:`UnreadableObject`, for what is
    no whole image, :class:`BadInput` for a subject without number or key, or with a number that no image carries as it
    stands, :class:`BadDefinition` for a profile that is none.
    """
    rules = profile if isinstance(profile, Profile) else Profile.from_mapping(profile)
    number = subject.number.strip()
    if not number or len(subject.site_key) < KEY_BYTES:
        raise BadInput(f"A subject needs a number, and a key of its site of at least {KEY_BYTES} bytes.")
    if not all(map(fits_an_image, (number, subject.site, subject.time_point))):
        raise BadInput(
            f"Number, site and time point of a subject have up to {LONGEST_LABEL} characters that can be printed, and "
            "no backslash: an image carries no others."
        )
    identity = SubjectIdentity(
        subject.sponsor, subject.protocol_id, subject.protocol_name, subject.site, "", number, subject.time_point,
        subject.time_point,
    )  # fmt: skip
    import tempfile  # not loaded by the command line, which needs only the names above

    with tempfile.TemporaryDirectory(prefix="trialimg-") as folder:
        target = Path(folder) / "clean"
        made = clean_into(
            _source(file), target, profile=rules, identity=identity, subject_key=subject_key(subject.site_key, number)
        )
        passes = reviewed and made.hold_code in _BY_A_LOOK and looking_suffices(made.facts)
        if made.hold_reason is not None and not passes:
            raise Held(made.hold_reason)
        report = made.report
        if passes:
            report = report._replace(pixels=(PixelCount(SHOWN, WHOEVER_CALLED, 1),))
        if passes and made.hold_code == "image.may_show_text" and made.facts.has_pixels:
            from trialimg.dicom.parsing.seen import say_seen  # brings the parser

            report = say_seen(target, report)
        return target.read_bytes(), report


def explain(tag: int, profile: Profile) -> str:
    """Say which rule applies to an attribute of an image under a profile, and why; and where another one does."""
    from trialimg.dicom.rules.own_rules import exceptions  # not loaded where files are cleaned

    plan = plan_of(profile)
    others = (f"; {where}: {step.why}" for where, step in exceptions(plan, tag))
    return plan.of_class().step(tag, None).why + "".join(others)


def _source(file: str | Path | bytes | BinaryIO) -> Path | BinaryIO:
    if isinstance(file, bytes):
        return io.BytesIO(file)
    return Path(file) if isinstance(file, str) else file
