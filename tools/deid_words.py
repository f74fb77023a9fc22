"""Measures what cleaning by words takes from the descriptions of real files, and prints which words go most often.

Usage: python tools/deid_words.py [--corpora ../shared/corpora/dicom] [--most 40] [--show]

Reads every descriptor (the texts that the option clean descriptors cleans, and the texts of reports) of the corpora and
of pydicom's own files. A word that goes is counted as wrongly removed unless it is one of ``RIGHTLY``: those that the
corpora hold were looked at one by one, and are names of people, dates and other numbers that might be somebody's.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pydicom

from trialimg.dicom.standard.quiet import silence_the_parser
from trialimg.dicom.standard.table import confidentiality_table, keyword_of
from trialimg.dicom.standard.words import REMOVED, cleaned_words

RIGHTLY: Final = frozenset({"cheng", "scott", "kaufman", "douglas", "davidson", "ashvins", "dlamb"})
"""Names that stand in descriptions of the corpora."""
_ALSO: Final = frozenset({"TextValue", "ContentDescription", "ContentLabel", "BodyPartExamined"})
_ADDRESS: Final = re.compile(r"\S+://\S+")
_NUMBER: Final = re.compile(r"\d+")
_WORD: Final = re.compile(r"[^\W_]+")


def descriptors() -> frozenset[str]:
    """Give the keywords of the texts that are cleaned by words."""
    rows = confidentiality_table().rows
    return frozenset(keyword_of(tag) for tag, row in rows.items() if "clean_descriptors" in row.options) | _ALSO


def texts(files: list[Path]) -> Iterator[tuple[str, str]]:
    """Give keyword and text of every descriptor at any depth; what is no image is left out."""
    wanted = descriptors()
    for path in files:
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            found = [
                (element.keyword, text)
                for element in dataset.iterall()
                if element.keyword in wanted and element.VR in {"LO", "SH", "ST", "LT", "UT", "CS", "UC"}
                for text in ([element.value] if isinstance(element.value, str) else element.value or ())
            ]
        except Exception:  # noqa: BLE001, S112 - a file that the parser cannot read describes nothing
            continue
        yield from found


def removed(text: str) -> tuple[int, list[str]]:
    """Give the number of words of a text, and those that go."""
    words = _WORD.findall(text)
    left = Counter(_WORD.findall(cleaned_words(text))) - Counter({REMOVED: 1 if REMOVED not in words else 0})
    gone = []
    for word in words:
        if left[word] > 0:
            left[word] -= 1
        else:
            gone.append(word)
    return len(words), gone


def is_rightly_removed(word: str, text: str) -> bool:
    """Tell whether a word of the corpora had to go: a name, an address, a number that might be a date or somebody's."""
    addressed = any(word in address for address in _ADDRESS.findall(text))
    return word.lower() in RIGHTLY or _NUMBER.fullmatch(word) is not None or addressed


def main(arguments: list[str]) -> int:
    """Measure and print."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("TRIALIMG_CORPORA", Path(__file__).parents[2] / "shared" / "corpora")
    reader.add_argument("--corpora", type=Path, default=Path(default) / "dicom")
    reader.add_argument("--most", type=int, default=40)
    reader.add_argument("--show", action="store_true", help="print each text that loses a word, once")
    order = reader.parse_args(arguments)
    silence_the_parser()
    warnings.simplefilter("ignore")
    folders = [Path(pydicom.__file__).parent / "data" / "test_files", order.corpora]
    counts = Counter(texts([path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]))
    words = gone = rightly = 0
    often: Counter[str] = Counter()
    for (keyword, text), times in counts.most_common():
        number, lost = removed(text)
        words += number * times
        gone += len(lost) * times
        rightly += sum(is_rightly_removed(word, text) for word in lost) * times
        often.update({word: lost.count(word) * times for word in set(lost)})
        if lost and order.show:
            print(f"{times:5} {keyword}: {text!r} -> {cleaned_words(text)!r}")
    wrongly = gone - rightly
    print(
        f"{counts.total()} texts, {len(counts)} of them different, {words} words; {gone} words go ({gone / words:.2%})"
    )
    print(
        f"{rightly} of them are names, addresses, dates and numbers; {wrongly} words go wrongly ({wrongly / words:.2%})"
    )
    print(", ".join(f"{word} {times}" for word, times in often.most_common(order.most)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
