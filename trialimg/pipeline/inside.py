"""What runs inside a child process: it reads unchecked bytes from the vault and answers in JSON lines.

Started by :mod:`trialimg.pipeline.child`. It limits itself before it reads anything, has no data base, no network
address and no environment of ours, and ends with its parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final

from trialimg.dicom.deidentify import CleanResult, clean_file, verify_clean
from trialimg.dicom.files.canonical import canonical_hash
from trialimg.dicom.files.header import InstanceFacts, is_dicomdir, read_facts
from trialimg.dicom.files.screen import pixel_risk
from trialimg.domain.deid_report import Report, joined
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.domain.mask import Mask
from trialimg.domain.pseudonym import fingerprint
from trialimg.errors import NoSpace, NotDicom, OurFault, TrialimgError, UnreadableObject
from trialimg.pipeline.unzip import begins_like_zip, unpack, why_not_opened
from trialimg.vault import Area, Vault

Json = dict[str, Any]
_PR_SET_PDEATHSIG: Final = 1
_MAPPED: Final = 64 * 2**30
"""Bytes of files that may be mapped beside the memory that is allowed, of which they take none."""
_MEMORY: Final = (
    "Looking at this file needs more memory than is allowed: it is damaged, made to do harm, or larger than this "
    "installation can take. Export it again from the scanner, or in smaller parts."
)
_SPOILT: Final = (
    "This program failed on this file, so it was not taken; the others went on. Tell the operator of this "
    "installation, whose log names the fault; it can be sent again once that is mended."
)
_DISK: Final = "The disk of this installation is full. Nothing is lost; the step is tried again when there is room."
_TOLD: Final = (
    "sop_class_uid", "sop_instance_uid", "study_instance_uid", "series_instance_uid", "modality", "series_number",
    "series_description", "study_date", "study_description", "patient_id", "patient_name", "birth_date", "sex",
    "issuer", "instance_number", "has_pixels",
)  # fmt: skip


class _Spoilt(Exception):
    """The engine failed on one file, in these words; the others may go on. It is never seen outside this file."""


class Inside:
    """The work of one child, set up once."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self._setup = setup
        self._vault = Vault(Path(setup["vault"]), reserve_bytes=setup["reserve"])
        self._quarantine = self._vault.area(f"quarantine/{setup['submission']}")
        self._outbox = self._vault.area(f"outbox/{setup['submission']}")
        self._profile = Profile.from_mapping(setup["profile"])
        self._identity = SubjectIdentity(**setup["identity"])
        self._acts: dict[str, Callable[[Json], Json]] = {
            "look": self._look,
            "unpack": self._unpack,
            "canonical": self._canonical,
            "picture": self._picture,
            "frame": self._frame,
            "find_text": self._find_text,
            "clean": self._clean,
            "verify": self._verify,
        }

    def answer(self, request: Json) -> Json:
        """Do what is asked, and turn every failure into an answer without a word of the file."""
        _limit_time(self._setup["seconds"])
        try:
            return {"done": self._acts[request["do"]](request)}
        except Exception as error:  # noqa: BLE001 (a reader's failure on one file must not stop the others)
            return _told_of(error)

    def _open(self, request: Json) -> BinaryIO:
        return self._quarantine.open(request["sha256"])

    def _look(self, request: Json) -> Json:
        with self._open(request) as stream:
            start = stream.read(512)
        if begins_like_zip(start):
            return {"kind": "zip"}
        if why := why_not_opened(start):
            raise NotDicom(why)
        with self._open(request) as stream:
            if is_dicomdir(stream):
                return {"kind": "index"}
        with self._open(request) as stream:
            facts = read_facts(stream)
        told: Json = {name: getattr(facts, name) for name in _TOLD}
        told["kind"] = "image"
        told["risk"] = self._risk(facts) or ""
        # What was cleaned at its source has a neutral identifier, which is its own mark.
        key = bytes.fromhex(self._setup["fingerprint_key"])
        told["fingerprint"] = fingerprint(key, facts.study_instance_uid) if key else facts.study_instance_uid
        return told

    def _unpack(self, request: Json) -> Json:
        limits = self._setup["zip"]

        def goes_on() -> None:
            _limit_time(self._setup["seconds"])
            _say({"alive": True})

        with self._open(request) as stream:
            entries = unpack(
                stream, self._quarantine, most=limits["objects"], ratio=limits["ratio"],
                largest=limits["largest"], goes_on=goes_on,
            )  # fmt: skip
        return {"entries": [asdict(entry) for entry in entries]}

    def _canonical(self, request: Json) -> Json:
        with self._open(request) as stream:
            return {"canonical_hash": canonical_hash(stream)}

    def _picture(self, request: Json) -> Json:
        # Only here: it brings numpy and the decoders, which most children never need.
        from trialimg.pixels.thumbnail import thumbnail

        with self._open(request) as stream:
            picture = thumbnail(stream, longest=request["longest"])
        self._quarantine.note(request["note"], picture)
        return {}

    def _frame(self, request: Json) -> Json:
        from trialimg.pixels.frames import Frames

        with self._open(request) as stream:
            frames = Frames(stream)
            self._quarantine.note(request["note"], frames.png(request["frame"], longest=request["longest"]))
        return {"frames": frames.frames, "rows": frames.rows, "columns": frames.columns}

    def _find_text(self, request: Json) -> Json:
        # Only here: it brings the detector.
        from trialimg.pixels.propose import propose

        with self._open(request) as stream:
            return propose(stream)

    def _clean(self, request: Json) -> Json:
        profile, identity = self._profile, self._identity
        with self._vault.scratch() as folder:
            target = folder / "clean.dcm"
            with self._open(request) as source:
                with _of_one_file():
                    result = clean_file(
                        source,
                        target,
                        profile=profile,
                        identity=identity,
                        subject_key=bytes.fromhex(self._setup["subject_key"]),
                        fingerprint_key=bytes.fromhex(self._setup["fingerprint_key"]),
                    )
                hold, code = self._hold(result, source, released=_is_released(request))
            if not hold:
                result, target = self._seen(result, target, request)
                with target.open("rb") as stream:
                    _keep(self._outbox, stream, result.sha256)
        return _told(result, hold, code)

    def _hold(self, result: CleanResult, source: BinaryIO, *, released: bool) -> tuple[str, str]:
        """Say why the instance waits; a person's decision lifts what pixels may show, never a residue of text."""
        if result.hold_reason is None:
            return "", ""
        risk = self._risk(read_facts(source))
        if released and result.hold_reason == risk and not result.is_built_strangely:
            return "", ""
        return result.hold_reason, result.hold_code

    def _risk(self, facts: InstanceFacts) -> str | None:
        profile = self._profile
        return pixel_risk(facts, hold_faces=profile.hold_recognisable, hold_localizers=profile.hold_localizers)

    def _verify(self, request: Json) -> Json:
        profile, identity = self._profile, self._identity
        with self._vault.scratch() as folder, self._open(request) as source:
            with _of_one_file():
                result = verify_clean(source, profile=profile, identity=identity)
            lifted = _is_released(request) and not result.is_built_strangely
            hold = "" if lifted else result.hold_reason or ""
            if not hold and lifted:
                copy = folder / "clean.dcm"
                source.seek(0)
                with copy.open("wb") as stream:
                    shutil.copyfileobj(source, stream)
                result, copy = self._seen(result, copy, request)
                with copy.open("rb") as stream:
                    _keep(self._outbox, stream, result.sha256)
            elif not hold:
                source.seek(0)
                _keep(self._outbox, source, result.sha256)
        return _told(result, hold, result.hold_code if hold else "")

    def _seen(self, result: CleanResult, target: Path, request: Json) -> tuple[CleanResult, Path]:
        """Cover what the person marked, say that one looked, and check the file as if somebody else had made it."""
        looked = result.hold_code == "image.may_show_text" or request.get("mask")
        if not (looked and _is_released(request) and result.facts.has_pixels):
            return result, target
        from trialimg.pixels.masking import told_of_masking, write_masked

        profile, identity = self._profile, self._identity
        masked = target.with_name("masked.dcm")
        mask = Mask.from_json(request.get("mask") or [])
        write_masked(target, masked, mask)
        checked = verify_clean(masked, profile=profile, identity=identity)
        told = told_of_masking(target, masked, covered=bool(mask))
        report = joined((Report(profile.name, profile.version, 0, checked.report.options, told), result.report))
        return checked._replace(report=report, original_study_fingerprint=result.original_study_fingerprint), masked


def _is_released(request: Json) -> bool:
    return bool(request["released"] or request.get("mask"))


@contextlib.contextmanager
def _of_one_file() -> Iterator[None]:
    """Take a fault of the engine for one of this file, so that it stops no other."""
    try:
        yield
    except OurFault as error:
        raise _Spoilt(error.sentence) from None


def _told_of(error: Exception) -> Json:
    """Turn a failure into an answer: of the program, of the disk, or of the file."""
    if isinstance(error, NoSpace):
        return {"full": error.sentence}
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return {"full": _DISK}
    if isinstance(error, _Spoilt):
        return {"refused": {"code": OurFault.code, "sentence": _SPOILT}, "fault": str(error)}
    if isinstance(error, OurFault):
        return {"fault": error.sentence}
    if isinstance(error, TrialimgError):
        return {"refused": {"code": error.code, "sentence": error.sentence}}
    sentence = f"The file cannot be read ({type(error).__name__}): it is damaged. Export it again."
    if isinstance(error, MemoryError):
        sentence = _MEMORY
    return {"refused": {"code": UnreadableObject.code, "sentence": sentence}}


def _keep(area: Area, stream: BinaryIO, sha256: str) -> None:
    if area.put(stream).sha256 != sha256:
        raise UnreadableObject("The cleaned file changed while it was kept. Start this step again.")


def _told(result: CleanResult, hold: str, code: str) -> Json:
    return {
        "sop_class_uid": result.sop_class_uid,
        "study_instance_uid": result.study_instance_uid,
        "series_instance_uid": result.series_instance_uid,
        "sop_instance_uid": result.sop_instance_uid,
        "modality": result.modality[:16],
        "clean_sha256": result.sha256,
        "clean_size": result.size,
        "canonical_hash": result.canonical_hash,
        "study_date": result.facts.study_date,
        "fingerprint": result.original_study_fingerprint or result.study_instance_uid,
        "report": result.report.to_json(),
        "hold": hold,
        "code": code,
    }


def _limit_time(seconds: int) -> None:
    """Grant this much processor time from now on; beyond it the kernel ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _limit_self(setup: Mapping[str, Any]) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != setup["parent"]:
        sys.exit(1)  # the parent ended before we asked to be told
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for limit, most in ((resource.RLIMIT_DATA, setup["memory"]), (resource.RLIMIT_AS, setup["memory"] + _MAPPED)):
        resource.setrlimit(limit, (most, most))


def _say(message: Json) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    setup = json.loads(sys.stdin.readline())
    _limit_self(setup)
    inside = Inside(setup)
    _say({"ready": True})
    for line in sys.stdin:
        _say(inside.answer(json.loads(line)))


if __name__ == "__main__":
    main()
