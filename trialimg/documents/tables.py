"""Tables for programs and spreadsheets: CSV files that no spreadsheet takes for formulas, with a dictionary.

UTF-8 with a byte order mark, so that the common spreadsheet reads accents right when the file is double-clicked;
programs read it with the encoding named ``utf-8-sig``. Lines end in CR LF (RFC 4180).
"""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, Literal, Self

_DANGEROUS: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the beginning of a formula, full-width signs included."""
DICTIONARY: Final = "dictionary"
ABOUT_TEXT: Final = (
    "A text that begins with = + - @ or a tab, CR or LF has an apostrophe before it, so that no spreadsheet takes it "
    "for a formula; take one leading apostrophe away where such a sign follows. Numbers in columns of type number are "
    "numbers, negative ones too. Files are UTF-8 with a byte order mark. An empty cell is no value: the columns "
    "'missing' and 'not_asked' of a form name the items that are unanswered, and those its other answers rule out."
)

Kind = Literal["text", "number", "date", "partial date", "time", "code", "yes/no"]


@dataclass(frozen=True)
class Column:
    """One column; ``codes`` are the meanings of what is stored."""

    name: str
    label: str
    kind: Kind = "text"
    unit: str = ""
    unit_code: str = ""
    codes: tuple[tuple[str, str], ...] = ()
    form: str = ""
    group: str = ""
    versions: str = ""
    note: str = ""


def safe(value: object, *, number: bool = False) -> str:
    """Give a cell as text that no spreadsheet runs; in a column of numbers a number stays one."""
    if value is None:
        return ""
    text = str(value)
    if not text.startswith(_DANGEROUS):
        return text
    if number and _is_number(text):
        return text
    return f"'{text}"


def _is_number(text: str) -> bool:
    try:
        return text.isascii() and Decimal(text).is_finite()
    except InvalidOperation:
        return False


class Table:
    """One CSV file, written row by row; use it as a context manager."""

    def __init__(self, folder: Path, name: str, columns: Sequence[Column]) -> None:
        self.name = name
        self.columns = tuple(columns)
        self.rows = 0
        self._numbers = [column.kind == "number" for column in self.columns]
        self._file = (folder / f"{name}.csv").open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow([column.name for column in self.columns])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, values: Mapping[str, object]) -> None:
        """Add a row; what is not named stays empty."""
        cells = zip(self.columns, self._numbers, strict=True)
        self._writer.writerow([safe(values.get(column.name), number=number) for column, number in cells])
        self.rows += 1


def write_dictionary(folder: Path, tables: Iterable[Table], about: Mapping[str, object]) -> None:
    """Write what every column of every file means, as CSV and as JSON."""
    tables = list(tables)
    names = ("file", "column", "label", "type", "unit", "unit_code", "codes", "form", "group", "versions", "note")
    with Table(folder, DICTIONARY, [Column(name, name) for name in names]) as written:
        for table in tables:
            for each in table.columns:
                codes = "; ".join(f"{code} = {label}" for code, label in each.codes)
                written.add(
                    {**asdict(each), "file": f"{table.name}.csv", "column": each.name, "type": each.kind}
                    | {"codes": codes}
                )
    files = {
        f"{table.name}.csv": {
            "rows": table.rows,
            "columns": [{**asdict(each), "codes": dict(each.codes)} for each in table.columns],
        }
        for table in tables
    }
    text = json.dumps({**about, "about": ABOUT_TEXT, "files": files}, indent=2, ensure_ascii=False)
    (folder / f"{DICTIONARY}.json").write_text(text, "utf-8")


def zip_folder(folder: Path, target: Path) -> None:
    """Pack the files of a folder into a zip, one at a time, each read in pieces."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as package:
        for path in sorted(folder.iterdir()):
            already = path.suffix == ".pdf"  # its contents are compressed
            package.write(path, path.name, zipfile.ZIP_STORED if already else zipfile.ZIP_DEFLATED)
