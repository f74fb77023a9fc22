"""The columns of the tables of reads; those in capitals are SDTM's (implementation guide 3.3, TU, TR and RS)."""

from __future__ import annotations

from typing import Any, Final

from trialimg.documents.tables import Column, Kind
from trialimg.domain.lesion import Seen


def _column(name: str, label: str, kind: Kind = "text", **more: Any) -> Column:
    return Column(name, label, kind, **more)


RESPONSES: Final = (
    ("CR", "complete response"), ("PR", "partial response"), ("SD", "stable disease"),
    ("NON-CR/NON-PD", "neither complete response nor progression"), ("PD", "progressive disease"),
    ("NE", "not evaluable"), ("NED", "no evidence of disease"), ("NOT APPLICABLE", "no such lesion at baseline"),
)  # fmt: skip
_YES_NO: Final = (("Y", "yes"), ("N", "no"))
_WHERE: Final = (
    _column("site", "Site"),
    _column("subject", "Subject number"),
    _column("visit", "Visit"),
    _column("time_point", "Time point as it was read"),
    _column("study_day", "Days from the baseline's images to those of the time point", "number"),
    _column("reader", "Reader; Reader 1, Reader 2 to who may not see values"),
    _column("read_id", "Key of the read"),
)
_STATES: Final = tuple((each, each) for each in ("open", "draft", "signed", "basis changed", "reopened", "void"))
_STATUS: Final = (
    _column("state", "State of the read", "code", codes=_STATES),
    _column("version", "Version of the read", "number"),
    _column("final", "Whether the read counts as final", "yes/no", codes=_YES_NO),
    _column("why_not_final", "Why it does not count as final"),
    _column("assigned_at", "When the read was assigned", "time"),
    _column("values", "Whether values follow, or why not", note="given; not signed; not final; not shown to your role"),
)
_SIGNATURE: Final = (
    _column("signed_by", "Printed name of the signer"),
    _column("signed_account", "Account of the signer"),
    _column("signed_at", "When it was signed, with the offset from UTC", "time"),
    _column("signed_zone", "Time zone of the signer"),
    _column("signed_meaning", "Meaning of the signature"),
    _column("content_sha256", "SHA-256 of the values and their basis"),
    _column("basis_sha256", "SHA-256 of the images and earlier reads it rests on"),
    _column("seal_sha256", "SHA-256 of the whole signature"),
    _column("signature_fault", "What does not fit between signature and values"),
)
COMPUTED: Final = (
    _column("sum", "Sum of diameters of target lesions", "number", unit="mm", unit_code="mm"),
    _column("sum_baseline", "Sum at baseline", "number", unit="mm", unit_code="mm"),
    _column("nadir", "Smallest sum before this time point, baseline included", "number", unit="mm", unit_code="mm"),
    _column("from_baseline_mm", "Change of the sum from baseline", "number", unit="mm", unit_code="mm"),
    _column("from_baseline_percent", "Change of the sum from baseline, cut to a tenth", "number", unit="%"),
    _column("from_nadir_mm", "Change of the sum from the nadir", "number", unit="mm", unit_code="mm"),
    _column("from_nadir_percent", "Change of the sum from the nadir, cut to a tenth", "number", unit="%"),
    _column("target_response", "Response of target lesions", "code", codes=RESPONSES),
    _column("non_target_response", "Response of non-target lesions", "code", codes=RESPONSES),
    _column("new_lesions", "New lesions", "code", codes=tuple((each.value, each.value) for each in Seen)),
    _column("overall_response", "Overall response at the time point", "code", codes=RESPONSES),
    _column("image_quality", "Quality of the images", "code"),
    _column("comment", "Comment of the reader"),
    _column("answers", "Reasons the reader gave for unusual values"),
)
_IMAGE: Final = (
    _column("sop_instance_uid", "SOPInstanceUID of the image it was taken on"),
    _column("frame", "Frame of that image, from 1", "number"),
    _column("end_points", "End points of the diameter: column,row of the pixel matrix from the upper left corner"),
)
_KINDS: Final = (("TARGET", "target lesion"), ("NON-TARGET", "non-target lesion"), ("NEW", "new lesion"))
_RESULT: Final = (
    _column("TRGRPID", "Group of lesions", "code", codes=_KINDS),
    _column("TRLNKID", "Lesion; the same in read_TU", note="SDTM TR"),
    _column("TRTESTCD", "What was assessed", "code", note="SDTM TR", codes=(
        ("LDIAM", "Longest Diameter"), ("LPERP", "Longest Perpendicular: the short axis of a lymph node"),
        ("TUMSTATE", "Tumor State"), ("SUMDIAM", "Sum of Diameter"),
    )),
    _column("part", "Part of a lesion that came apart, from 1", "number"),
    _column("TRORRES", "Result as read", note="SDTM TR"),
    _column("TRORRESU", "Unit as read", note="SDTM TR"),
    _column("TRSTRESN", "Millimetres that count: too small to measure is 5, absent or merged 0", "number",
            unit="mm", unit_code="mm", note="SDTM TR; of target lesions they add up to SUMDIAM"),
    _column("TRSTAT", "NOT DONE where it could not be evaluated", note="SDTM TR"),
    _column("TRREASND", "Why it could not be evaluated", note="SDTM TR"),
    _column("merged_into", "Lesion it grew together with"),
    *_IMAGE,
)  # fmt: skip


def _evaluator(domain: str) -> tuple[Column, ...]:
    return (
        _column(f"{domain}EVAL", "Evaluator", note=f"SDTM {domain}"),
        _column(f"{domain}EVALID", "Evaluator identifier", note=f"SDTM {domain}"),
    )


_HISTORY: Final = (
    _column("version", "Version of the read", "number"),
    _column("version_state", "State of the version", "code"),
    _column("version_reason", "Why the version before was reopened"),
    _column("final", "Whether this is what counts now", "yes/no", codes=_YES_NO),
    _column("why_not_final", "Why it does not count as final"),
)
TABLES: Final[dict[str, tuple[Column, ...]]] = {
    "reads": (
        *_WHERE, _column("reading_code", "Code under which readers know the subject"), *_STATUS, *COMPUTED, *_SIGNATURE,
    ),
    "read_TU": (
        *_WHERE, *_evaluator("TU"),
        _column("TULNKID", "Lesion", note="SDTM TU"),
        _column("TUTESTCD", "TUMIDENT: Tumor Identification", "code", note="SDTM TU"),
        _column("TUORRES", "Kind of lesion", "code", note="SDTM TU", codes=_KINDS),
        _column("TULOC", "Organ (CDISC location)", note="SDTM TU"),
        _column("location", "Place in the organ in the reader's words"),
        *_IMAGE[:2],
    ),
    "read_TR": (*_WHERE, *_evaluator("TR"), *_RESULT),
    "read_RS": (
        *_WHERE, *_evaluator("RS"),
        _column("RSTESTCD", "What was assessed", "code", note="SDTM RS", codes=(
            ("TRGRESP", "Target Response"), ("NTRGRESP", "Non-target Response"), ("OVRLRESP", "Overall Response"),
            ("BESTRESP", "Best Overall Response: of the subject, on a row without a time point"),
        )),
        _column("RSCAT", "Criteria", note="SDTM RS"),
        _column("RSORRES", "Response", "code", note="SDTM RS", codes=RESPONSES),
        _column("remark", "On what a best response rests"),
    ),
    "read_versions": (*_WHERE, *_HISTORY, *COMPUTED, *_SIGNATURE, _column("superseded", "Why it was superseded")),
    "read_version_lesions": (
        *_WHERE, *_HISTORY, _column("TULOC", "Organ (CDISC location)"), _column("location", "Place in the organ"),
        *_RESULT,
    ),
}  # fmt: skip
