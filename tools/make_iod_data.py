"""Makes the package's data of PS3.3 and PS3.6: which Type an attribute has where, the dictionary, the registered UIDs.

Usage: uv run --with highdicom==0.28.2 --with pydicom==3.0.2 --no-project tools/make_iod_data.py

The wheel of highdicom (MIT) carries the tables of PS3.3 as JSON; it is needed here and never at run time. The same
subtree (a macro) stands once, however many modules include it: so every attribute of every storage class fits into
a tenth of what a flat list of the confidentiality table's attributes alone would take, and a trial's own rule about
any attribute knows its Type too. Everything is written one fact a line, so that a later edition shows as a readable
difference.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydicom import _version
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import keyword_dict

DATA = Path(__file__).parent.parent / "trialimg" / "dicom" / "data"
HIGHDICOM = "0.28.2"
# Retired classes whose attributes a later class has taken over (PS3.4 B.6 names them without an IOD).
SUCCESSORS = {
    "1.2.840.10008.5.1.4.1.1.3": "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.5": "1.2.840.10008.5.1.4.1.1.20",
    "1.2.840.10008.5.1.4.1.1.6": "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.12.3": "1.2.840.10008.5.1.4.1.1.12.1",
}
# Transfer syntaxes that PS3.6 has taken up since; pynetdicom adds the same to pydicom's dictionary while it runs.
NEWER = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless|Transfer Syntax",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression|Transfer Syntax",
    "1.2.840.10008.1.2.4.112": "JPEG XL|Transfer Syntax",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression|Transfer Syntax",
}
# The names of PS3.6 2026 for storage classes that pydicom's edition does not list; pynetdicom has the same as keywords.
NAMES = {
    "1.2.840.10008.5.1.4.1.1.9.100.1": "Waveform Presentation State Storage",
    "1.2.840.10008.5.1.4.1.1.9.100.2": "Waveform Acquisition Presentation State Storage",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.66.8": "Height Map Segmentation Storage",
}
Tree = dict[int, "tuple[str, Tree]"]


def standard_folder() -> Path | None:
    """Give the folder of PS3.3 in highdicom's wheel, without importing it; None where it is not installed."""
    found = importlib.util.find_spec("highdicom")
    folder = Path(found.origin).parent / "_standard" if found is not None and found.origin else None
    return folder if folder is not None and folder.is_dir() else None


class Nodes:
    """Subtrees of attributes, each kept once: ``tag, Type, number of the subtree below`` per attribute."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, tree: Tree) -> int:
        """Give the number of a subtree; those below it come first."""
        parts = []
        for tag, (kind, below) in sorted(tree.items()):
            parts.append(f"{tag:08X}={kind}" + (f">{self.number(below)}" if below else ""))
        line = " ".join(parts)
        if line not in self._numbers:
            self._numbers[line] = len(self.lines)
            self.lines.append(line)
        return self._numbers[line]


def tree_of(entries: Iterable[dict[str, Any]]) -> Tree:
    """Build the tree of one module; repeating groups have no tag and a rule of their own."""
    root: Tree = {}
    for entry in entries:
        words = [*entry["path"], entry["keyword"]]
        if any(word not in keyword_dict for word in words):
            continue
        tree = root
        for word in words[:-1]:
            tree = tree.setdefault(keyword_dict[word], ("3", {}))[1]
        tag = keyword_dict[words[-1]]
        kind = entry["type"] if entry["type"] != "None" else "3"
        tree[tag] = (kind, tree[tag][1] if tag in tree else {})
    return root


def iod_document(folder: Path) -> str:
    """Write classes, IODs, modules and subtrees as one JSON document."""
    classes = json.loads((folder / "sop_class_iod_map.json").read_text(encoding="utf-8"))
    iods = json.loads((folder / "iod_module_map.json").read_text(encoding="utf-8"))
    modules = json.loads((folder / "module_attribute_map.json").read_text(encoding="utf-8"))
    classes |= {old: classes[new] for old, new in SUCCESSORS.items()}
    nodes, used = Nodes(), {}
    contents = {}
    for iod in sorted(set(classes.values())):
        contents[iod] = " ".join(f"{module['usage']}:{module['key']}" for module in iods[iod])
        for module in iods[iod]:
            if module["key"] in modules and module["key"] not in used:
                used[module["key"]] = nodes.number(tree_of(modules[module["key"]]))
    source = (
        f"DICOM PS3.3 as the wheel of highdicom {HIGHDICOM} (MIT) carries it (_standard/*.json); it names no edition. "
        "Its newest storage class is Height Map Segmentation Storage, which PS3.6 2024c does not list yet."
    )
    return document(
        {"source": source, "classes": classes, "iods": contents, "modules": used, "nodes": nodes.lines},
    )


def dictionary_document() -> str:
    """Write PS3.6 chapters 6 to 9: tag to VR, VM, keyword, and R where it is retired."""

    def facts(entry: tuple[str, str, str, str, str]) -> str:
        return f"{entry[0]}|{entry[1]}|{entry[4]}|{'R' if entry[3] else ''}"

    source = f"DICOM PS3.6 {_version.__dicom_version__} as pydicom {_version.__version__} (MIT) carries it"
    attributes = {f"{tag:08X}": facts(entry) for tag, entry in sorted(DicomDictionary.items())}
    repeating = {mask: facts(entry) for mask, entry in RepeatersDictionary.items()}
    return document({"source": source, "attributes": attributes, "repeating": repeating})


def uid_document(folder: Path) -> str:
    """Write PS3.6 Annex A: UID to name and type, and the storage classes that only the newer PS3.3 knows."""
    uids = {uid: f"{entry[0]}|{entry[1]}" for uid, entry in UID_dictionary.items()} | NEWER
    classes = json.loads((folder / "sop_class_iod_map.json").read_text(encoding="utf-8"))
    for uid in classes.keys() - uids.keys():
        uids[uid] = f"{NAMES[uid]}|SOP Class"
    source = (
        f"DICOM PS3.6 Annex A {_version.__dicom_version__} as pydicom {_version.__version__} (MIT) carries it, and the "
        f"storage classes of the newer PS3.3 in highdicom {HIGHDICOM}"
    )
    ordered = {uid: uids[uid] for uid in sorted(uids, key=lambda uid: [int(part) for part in uid.split(".")])}
    return document({"source": source, "uids": ordered})


def document(parts: dict[str, Any]) -> str:
    """Write a JSON object with one line for every entry of its objects and lists."""
    written = []
    for key, value in parts.items():
        if isinstance(value, dict):
            rows = [f"{json.dumps(name)}:{json.dumps(fact)}" for name, fact in value.items()]
            written.append(f'"{key}":{{\n' + ",\n".join(rows) + "\n}")
        elif isinstance(value, list):
            written.append(f'"{key}":[\n' + ",\n".join(json.dumps(row) for row in value) + "\n]")
        else:
            written.append(f'"{key}":{json.dumps(value)}')
    return "{" + ",\n".join(written) + "}\n"


def documents(folder: Path) -> dict[str, str]:
    """Give the files that the package carries, by name."""
    return {
        "ps3_3_iod.json": iod_document(folder),
        "ps3_6_dictionary.json": dictionary_document(),
        "ps3_6_uids.json": uid_document(folder),
    }


def main() -> int:
    """Write the package data."""
    folder = standard_folder()
    if folder is None:
        print(__doc__)
        return 64
    for name, text in documents(folder).items():
        (DATA / name).write_text(text, encoding="utf-8")
        print(f"{DATA / name}: {len(text.encode())} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
