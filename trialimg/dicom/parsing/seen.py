"""Says in a clean file that a person looked at its pixels and let them pass, as the page for held pixels does.

Burned In Annotation becomes NO, and 113101, Clean Pixel Data Option, stands among the methods (PS3.15 E.3.1).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from trialimg.dicom.files.encode import encoded_codes
from trialimg.dicom.files.header import BURNED_IN, facts_and_end
from trialimg.dicom.parsing.by_parser import PARSER_GIVES_UP
from trialimg.dicom.parsing.dataset import parse, pixels_apart, raw, write_file
from trialimg.dicom.parsing.markers import METHOD_CODES
from trialimg.dicom.standard.part10 import buffer_of, open_part10
from trialimg.dicom.standard.table import keyword_of, tag_text
from trialimg.domain.deid_report import ActionCount, Report
from trialimg.domain.deidentification import CID_7050, CLEAN_PIXELS
from trialimg.errors import UnreadableObject


def say_seen(file: Path, report: Report) -> Report:
    """Write into a clean file that a person looked at its pixels; give its report with that."""
    part = open_part10(buffer_of(file))
    facts, end = facts_and_end(part)
    beside = file.with_name(f"{file.name}.seen")
    codes = tuple(sorted({*report.options, CLEAN_PIXELS}))
    try:
        apart = pixels_apart(part, end)
        dataset = parse(part, end, apart)
        implicit, little = dataset.original_encoding
        meanings = tuple((code, "DCM", CID_7050[code]) for code in codes)
        items = encoded_codes(meanings, implicit=bool(implicit), little=little is not False)
        dataset[METHOD_CODES] = raw(dataset, METHOD_CODES, "SQ", items)
        stood = BURNED_IN in dataset
        dataset[BURNED_IN] = raw(dataset, BURNED_IN, "CS", b"NO")
        with beside.open("wb") as stream:
            pixels = [apart] if part.is_encapsulated and len(apart) else apart
            write_file(stream, dataset, part.transfer_syntax, (facts.sop_class_uid, facts.sop_instance_uid), pixels)
        beside.replace(file)
    except PARSER_GIVES_UP:
        beside.unlink(missing_ok=True)
        raise UnreadableObject("The file is damaged inside an attribute. Ask the site to export it again.") from None
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return _told(report, codes, stood=stood)


@lru_cache(maxsize=64)
def _told(report: Report, codes: tuple[str, ...], *, stood: bool) -> Report:
    """Add the code, and what became of the old claim; of reports alike it is the very same object."""
    path = tag_text(BURNED_IN)
    others = [action for action in report.actions if action.tag != path]
    told = [ActionCount(path, keyword_of(BURNED_IN), "D", 1)] if stood else []
    return report._replace(options=codes, actions=tuple(sorted(others + told)))
