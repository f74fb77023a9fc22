"""The reads of a subject's images as a document may tell them: the status to all, the values to the roles named."""

from __future__ import annotations

from typing import Final

from trialimg.casework import read_results
from trialimg.casework.access import Person, Place
from trialimg.casework.read_results import ReadLine, ReadResult
from trialimg.documents.casebook import Read

_COMPUTED: Final = {
    "total": "Sum of diameters (mm)",
    "baseline": "Sum at baseline (mm)",
    "nadir": "Nadir (mm)",
    "from_baseline_mm": "Change from baseline (mm)",
    "from_baseline_percent": "Change from baseline (%)",
    "from_nadir_mm": "Change from nadir (mm)",
    "from_nadir_percent": "Change from nadir (%)",
    "target": "Target response",
    "non_target": "Non-target response",
    "overall": "Overall response",
}


def reads_of(place: Place, person: Person) -> tuple[Read, ...]:
    """Give the reads of a subject as this person may know them; none where they may not see how reads stand."""
    return tuple(_read(line) for line in read_results.reads_of(place.subject_id, person))


def _read(line: ReadLine) -> Read:
    status = f"{line.state}, version {line.version}"
    if line.void_reason:
        status = f"void: {line.void_reason}"
    elif line.basis_sentence and not line.final:
        status = f"{status}. {line.basis_sentence}"
    signature = line.signature
    return Read(
        time_point=line.time_point,
        reader=line.reader,
        status=status,
        final=line.final,
        values=_values(line.result) if line.result is not None else (),
        signature=f"{signature.manifestation} {signature.superseded}".strip() if signature is not None else "",
        not_shown=line.hidden,
    )


def _values(result: ReadResult) -> tuple[tuple[str, str], ...]:
    told = [(_COMPUTED.get(key, key.replace("_", " ").capitalize()), text) for key, text in result.computed.items()]
    told += [(f"{each.kind} {each.id}, {each.organ}, {each.location}", each.said) for each in result.lesions]
    told += [("New lesions", result.new), ("Image quality", result.quality), ("Comment", result.comment)]
    told += [(f"Answered: {about}", answer) for about, answer in result.answers]
    return tuple((label, text) for label, text in told if text)
