"""The reads of a subject's images as a document may tell them: the status to all, the values to the roles named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from trialimg.casework.access import Person, Place
from trialimg.casework.read_results import LesionLine, ReadLine, ReadResult, subject_reads
from trialimg.documents.casebook import Best, Lesion, Read, Reads, course_image
from trialimg.reporting.course import picture


def reads_of(place: Place, person: Person) -> Reads:
    """Give the reads of a subject as this person may know them; none where they may not see how reads stand."""
    found = subject_reads(place.subject_id, person)
    drawn = picture(found.lines)
    return Reads(
        tuple(map(_read, found.lines)),
        tuple(
            Best(each.reader, each.best.response + (" so far" if each.best.so_far else ""), each.best.sentence)
            for each in found.best
        ),
        course_image(drawn) if drawn is not None else "",
        f"Change of the sum of target lesions from baseline over the days. {drawn.legend}."
        if drawn is not None
        else "",
    )


def _read(line: ReadLine) -> Read:
    status = f"{line.state}, version {line.version}"
    if line.void_reason:
        status = f"void: {line.void_reason}"
    elif line.basis_sentence and not line.final:
        status = f"{status}. {line.basis_sentence}"
    begin = Read(
        time_point=line.time_point,
        day="" if line.day is None else str(line.day),
        reader=line.reader,
        status=status,
        final=line.final,
        not_shown=line.hidden,
    )
    return _with_values(begin, line, line.result) if line.result is not None else begin


def _with_values(begin: Read, line: ReadLine, result: ReadResult) -> Read:
    signature = line.signature
    remarks = [("Image quality", result.quality), ("Comment", result.comment)]
    remarks += [(f"Reason given for {about}", answer) for about, answer in result.answers]
    return replace(
        begin,
        course=_course(result.computed, result.new, is_baseline=line.ordinal == 0),
        lesions=tuple(map(_lesion, result.lesions)),
        remarks=tuple((label, text) for label, text in remarks if text),
        signature=f"{signature.manifestation} {signature.superseded}".strip() if signature is not None else "",
        earlier=tuple(
            f"Version {version.version}, superseded ({one.superseded}): {one.manifestation}"
            for version in line.history
            for one in version.signatures
            if one.superseded and one is not signature
        ),
    )


def _course(computed: Mapping[str, str], new: str, *, is_baseline: bool) -> tuple[str, ...]:
    if is_baseline:
        return (computed["total"] or "not known", "baseline", "", "", "", "")
    others = ", ".join(text for text in (computed["non_target"], f"new: {new}" if new else "") if text)
    return (
        computed["total"] or "not known",
        _change(computed["from_baseline_mm"], computed["from_baseline_percent"]),
        _change(computed["from_nadir_mm"], computed["from_nadir_percent"]),
        computed["target"],
        others,
        computed["overall"],
    )


def _change(mm: str, percent: str) -> str:
    return f"{_signed(mm)} mm ({_signed(percent)} %)" if mm and percent else f"{_signed(mm)} mm" if mm else ""


def _signed(number: str) -> str:
    return f"+{number}" if not number.startswith("-") and float(number) else number


def _lesion(line: LesionLine) -> Lesion:
    frames = line.frames or (1,) * len(line.sop_instance_uids)
    images = zip(line.sop_instance_uids, frames, strict=True)
    return Lesion(
        line.id,
        line.kind,
        f"{line.organ}, {line.location}" if line.location else line.organ,
        line.said,
        tuple(f"{uid}, frame {frame}" if frame > 1 else uid for uid, frame in images if uid),
    )
