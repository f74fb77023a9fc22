"""The reads as tables: how each stands, what counts now in the shape of SDTM's TU, TR and RS, and every version.

What counts now comes from final reads only. Whoever may not see values gets the rows of ``reads`` with the status
alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from trialimg.casework.access import Person, Place
from trialimg.casework.blinding import NOT_SHOWN
from trialimg.casework.read_results import ReadLine
from trialimg.casework.read_versions import Signed, Version, reads_with_versions
from trialimg.domain.lesion import (
    NewLesion,
    NonTargetLesion,
    NonTargetState,
    Seen,
    TargetLesion,
    TargetState,
)
from trialimg.domain.read_values import ReadValues
from trialimg.reporting.read_columns import COMPUTED

Row = dict[str, object]
Rows = Iterator[tuple[str, Row]]
EVALUATOR: Final = "INDEPENDENT ASSESSOR"


@dataclass(frozen=True)
class _Context:
    """A read with the cells its rows begin with."""

    line: ReadLine
    where: Row
    criteria: str = "RECIST 1.1"

    def evaluator(self, domain: str) -> Row:
        return {f"{domain}EVAL": EVALUATOR, f"{domain}EVALID": f"READER {self.line.reader_number}"}


def rows_of_reads(person: Person, place: Place) -> Rows:
    """Give the rows of a subject's reads, each with the table it belongs to."""
    reads, versions = reads_with_versions(place.subject_id, person)
    begin: Row = {"site": place.site_code, "subject": place.subject_number}
    for line in reads.lines:
        where = begin | {
            "visit": line.visit_key, "time_point": line.time_point, "study_day": line.day, "reader": line.reader,
            "read_id": line.read_id,
        }  # fmt: skip
        of_read, known = _Context(line, where), versions.get(line.read_id, ())
        yield "reads", where | {"reading_code": reads.code} | _status(line, known)
        if line.final and known:
            yield from _final(of_read, known[-1])
        for version in known:
            yield from _history(of_read, version)
    for each in reads.best:
        if each.best.response:
            said: Row = {"RSEVAL": EVALUATOR, "RSEVALID": f"READER {each.reader_number}", "reader": each.reader}
            said |= {"RSTESTCD": "BESTRESP", "RSCAT": "RECIST 1.1", "RSORRES": each.best.response}
            yield "read_RS", begin | said | {"remark": each.best.sentence}


def _status(line: ReadLine, known: tuple[Version, ...]) -> Row:
    said: Row = {
        "state": line.state, "version": line.version, "final": "Y" if line.final else "N",
        "why_not_final": line.why_not_final, "assigned_at": line.assigned_at.isoformat(timespec="seconds"),
    }  # fmt: skip
    if line.hidden:
        return said | {"values": NOT_SHOWN}
    if not line.final:
        signed = any(version.signatures for version in known)
        return said | {"values": "not final; see read_versions" if signed else "not signed"}
    version = known[-1]
    return said | {"values": "given"} | _signed(version, version.signatures[-1])


def _signed(version: Version, signature: Signed) -> Row:
    values, computed = version.values, signature.computed
    names = {"sum": "total", "sum_baseline": "baseline", "target_response": "target",
             "non_target_response": "non_target", "overall_response": "overall"}  # fmt: skip
    cells: Row = {column.name: computed.get(names.get(column.name, column.name), "") for column in COMPUTED}
    return cells | {
        "new_lesions": values.new.value if values and values.new else "",
        "image_quality": values.quality.value if values and values.quality else "",
        "comment": values.comment if values else "",
        "answers": "; ".join(f"{about}: {answer}" for about, answer in version.answers),
        "signed_by": signature.name, "signed_account": signature.account,
        "signed_at": signature.at.isoformat(timespec="seconds"), "signed_zone": signature.zone,
        "signed_meaning": signature.meaning, "content_sha256": signature.content_sha256,
        "basis_sha256": signature.basis_sha256, "seal_sha256": signature.seal, "signature_fault": signature.fault,
    }  # fmt: skip


def _final(read: _Context, version: Version) -> Rows:
    values = version.values
    if values is None:
        return
    computed = version.signatures[-1].computed
    yield from (("read_TU", read.where | read.evaluator("TU") | row) for row in _identified(read.line, values))
    for _, row in _results(values, computed):
        yield "read_TR", read.where | read.evaluator("TR") | row
    for test, key in (("TRGRESP", "target"), ("NTRGRESP", "non_target"), ("OVRLRESP", "overall")):
        if computed.get(key):
            cells: Row = {"RSTESTCD": test, "RSCAT": read.criteria, "RSORRES": computed[key]}
            yield "read_RS", read.where | read.evaluator("RS") | cells


def _history(read: _Context, version: Version) -> Rows:
    counts = read.line.final and version.version == read.line.version
    begin = read.where | {
        "version": version.version, "version_state": version.state, "version_reason": version.reason,
    }  # fmt: skip
    if not version.signatures:
        yield "read_versions", begin | {"final": "N", "why_not_final": "This version is not signed."}
        return
    for at, signature in enumerate(version.signatures, 1):
        final = counts and at == len(version.signatures) and not signature.superseded
        why = "" if final else signature.superseded or read.line.why_not_final or "A newer signature counts."
        said: Row = {"final": "Y" if final else "N", "why_not_final": why, "superseded": signature.superseded}
        yield "read_versions", begin | said | _signed(version, signature)
    if version.values is not None:
        said = {"final": "Y" if counts else "N", "why_not_final": "" if counts else _why(read.line, version)}
        for lesion, row in _results(version.values, version.signatures[-1].computed):
            place: Row = {"TULOC": lesion.organ.value, "location": lesion.location} if lesion else {}
            yield "read_version_lesions", begin | said | place | row


def _why(line: ReadLine, version: Version) -> str:
    return version.signatures[-1].superseded or line.why_not_final


def _identified(line: ReadLine, values: ReadValues) -> Iterator[Row]:
    """Give the lesions that were identified at a time point: all of the baseline, later the new ones."""
    if line.ordinal == 0:
        for target in values.targets:
            first = target.measurements[0] if target.measurements else None
            image: Row = {"sop_instance_uid": first.sop_instance_uid, "frame": first.frame} if first else {}
            yield _lesion("TARGET", target) | image
        yield from (_lesion("NON-TARGET", other) for other in values.non_targets)
    for new in values.new_lesions:
        yield _lesion("NEW", new) | {"sop_instance_uid": new.sop_instance_uid, "frame": new.frame}


def _lesion(kind: str, lesion: TargetLesion | NonTargetLesion | NewLesion) -> Row:
    said: Row = {"TULNKID": lesion.id, "TUTESTCD": "TUMIDENT", "TUORRES": kind}
    return said | {"TULOC": lesion.organ.value, "location": lesion.location}


Lesion = TargetLesion | NonTargetLesion | NewLesion | None


def _results(values: ReadValues, computed: Mapping[str, str]) -> Iterator[tuple[Lesion, Row]]:
    for target in values.targets:
        yield from ((target, row) for row in _target(target))
    for other in values.non_targets:
        state: Row = {"TRGRPID": "NON-TARGET", "TRLNKID": other.id, "TRTESTCD": "TUMSTATE"}
        if other.state is NonTargetState.NOT_EVALUABLE:
            yield other, state | {"TRSTAT": "NOT DONE", "TRREASND": other.reason or "not evaluable"}
        else:
            yield other, state | {"TRORRES": other.state.value.upper() if other.state else ""}
    for new in values.new_lesions:
        certainty = "UNEQUIVOCAL" if new.certainty is Seen.YES else new.certainty.value.upper()
        state = {"TRGRPID": "NEW", "TRLNKID": new.id, "TRTESTCD": "TUMSTATE", "TRORRES": certainty}
        yield new, state | {"sop_instance_uid": new.sop_instance_uid, "frame": new.frame}
    if computed.get("total"):
        total: Row = {"TRORRES": computed["total"], "TRORRESU": "mm", "TRSTRESN": computed["total"]}
        yield None, {"TRGRPID": "TARGET", "TRTESTCD": "SUMDIAM"} | total


def _target(lesion: TargetLesion) -> Iterator[Row]:
    begin: Row = {"TRGRPID": "TARGET", "TRLNKID": lesion.id, "TRTESTCD": "LPERP" if lesion.nodal else "LDIAM"}
    if lesion.state is not TargetState.MEASURED:
        yield begin | _not_measured(lesion)
        return
    for at, part in enumerate(lesion.measurements, 1):
        points = " ".join(f"{column},{row}" for column, row in part.end_points)
        yield begin | {
            "part": at if len(lesion.measurements) > 1 else None, "TRORRES": part.diameter, "TRORRESU": "mm",
            "TRSTRESN": part.mm, "sop_instance_uid": part.sop_instance_uid, "frame": part.frame, "end_points": points,
        }  # fmt: skip


def _not_measured(lesion: TargetLesion) -> Row:
    if lesion.state is TargetState.NOT_EVALUABLE or lesion.state is None:
        return {"TRSTAT": "NOT DONE", "TRREASND": lesion.reason or "not evaluable"}
    return {"TRORRES": lesion.state.value.upper(), "TRSTRESN": lesion.counted_mm, "merged_into": lesion.merged_into}
