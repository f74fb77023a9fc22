"""Makes the package's table of confidentiality profiles from the reference copy of PS3.15 table E.1-1.

Usage: python tools/make_deid_table.py ../shared/reference/ps3.15-table-e1-1.json

The result names the edition and carries every row with every option column, one row a line, so that
a later edition shows as a readable difference.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "trialimg" / "dicom" / "data" / "ps3_15_e1.json"


def compact(reference: dict[str, Any]) -> str:
    """Write the table as ``[tag, name, basic action, in a standard IOD, {option: action}]`` per line.

    A tag is eight characters, ``x`` stands for any digit; the one row for all private attributes has
    the tag ``private``.
    """
    lines = []
    for row in reference["attributes"]:
        tag = row["tag"].strip("()").replace(",", "").replace("X", "x")
        tag = "private" if tag.startswith("GGGG") else tag
        facts = [tag, row["name"], row["basic"], int(row["in_standard_composite_iod"]), row["options"]]
        lines.append(json.dumps(facts, separators=(",", ":")))
    head = json.dumps({"edition": reference["source"], "actions": reference["actions"]})
    return head[:-1] + ',"rows":[\n' + ",\n".join(lines) + "\n]}\n"


def main(arguments: list[str]) -> int:
    """Read the reference named on the command line and write the package data."""
    if len(arguments) != 1:
        print(__doc__)
        return 64
    reference = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    TARGET.write_text(compact(reference), encoding="utf-8")
    print(f"{TARGET}: {len(reference['attributes'])} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
