"""Makes the package's list of private attributes known to be safe, from the reference table.

Usage: python tools/make_safe_private.py ../shared/reference/safe-private.csv

``table`` are those that PS3.15 table E.3.10-1 lists: they alone are what the standard's option means. ``curated`` are
what image archives publish as safe besides. Of these are left out: what nobody can judge (bulk data, VR unknown or left
open), creators that are a pattern rather than a text, and by its meaning what the profile removes in public attributes:
dates and UIDs written as something else, places, owners, comments, and what the patient is like.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

TARGET: Final = Path(__file__).parent.parent / "trialimg" / "dicom" / "data" / "safe_private.json"
SOURCE: Final = "PS3.15 table E.3.10-1 (table), and private attributes that image archives curate as safe (curated)"
_JUDGEABLE: Final = frozenset(
    "AE AS AT CS DA DS DT FD FL IS LO LT SH SL SQ SS ST SV TM UC UI UL UR US UT UV".split()  # noqa: SIM905 - easier to read than 25 in quotes
)
_REMOVED_ELSEWHERE: Final = re.compile(
    r"\bUID|\bDate|Timestamp|Institution|\bSite\b|Trial Name|Project Name|Department|Station|Owner|Comment|"
    r"Patient (Weight|Sex|Language|Phase)|Examination number|Exam ID|Host"
)
_OF_THEIR_OWN: Final = frozenset({"DA", "DT", "TM", "UI", "SQ"})
"""VRs by which dates and UIDs are treated as such, and sequences, whose items are cleaned."""


def entries(rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """Give by list and creator the attributes as ``ggggeeVR`` without the block, in their order."""
    found: dict[str, dict[str, set[str]]] = {"table": defaultdict(set), "curated": defaultdict(set)}
    for row in rows:
        creator, element = row["private_creator"].strip(), re.fullmatch(r"xx([0-9a-f]{2})", row["element"])
        if element is None or row["vr"] not in _JUDGEABLE or creator.endswith("xx"):
            continue
        hidden = row["vr"] not in _OF_THEIR_OWN and _REMOVED_ELSEWHERE.search(row["meaning"])
        if hidden and row["in_ps3_15_table_e3_10_1"] != "yes":
            continue
        listed = "table" if row["in_ps3_15_table_e3_10_1"] == "yes" else "curated"
        found[listed][creator].add(f"{row['group']}{element[1]}:{row['vr']}".upper())
    return {
        name: {creator: " ".join(sorted(creators[creator])) for creator in sorted(creators)}
        for name, creators in found.items()
    }


def main(arguments: list[str]) -> int:
    """Write the package data."""
    if len(arguments) != 1:
        print(__doc__)
        return 64
    with Path(arguments[0]).open(encoding="utf-8", newline="") as stream:
        lists = entries(list(csv.DictReader(stream)))
    TARGET.write_text(json.dumps({"source": SOURCE, **lists}, indent=0) + "\n", encoding="utf-8")
    print({name: sum(len(each.split()) for each in creators.values()) for name, creators in lists.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
