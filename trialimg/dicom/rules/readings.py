"""What bytes of a name may mean: files often declare no character set, or another than that in which they are written.

Loaded only where a value that identifies is not ASCII.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from trialimg.dicom.rules.identifying import APART, DATED, LONG_WORD, forms_of
from trialimg.domain.pattern import late

OTHER_ENCODINGS: Final = (
    *("utf-8", "latin-1", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "iso2022_jp_2", "iso2022_kr"),
    *("iso8859-2", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-9", "tis-620", "koi8-r"),
    *("cp1250", "cp1251", "cp1253", "cp1256"),
)
"""Encodings in which texts are found in files that declare another one, or none."""
_RUN: Final = late(r"[^\x00-\x40\x5b-\x60\x7b-\x7f]+")
"""Letters beside each other, of which one may be no letter of ASCII."""
_EAST_ASIAN: Final = frozenset({"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC", "HALFWIDTH", "FULLWIDTH"})
_MOST_COMPARED: Final = 400
_ESCAPE: Final = late(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")


def forms_as_read(tag: int, value: bytes, declared: str) -> Iterator[str]:
    """Give the forms of a value as the file declares it to be read, and as it reads in other encodings.

    Of these only those count in which every word is of one script; and short forms without a letter that is not ASCII,
    which might be anybody's, only where the bytes are UTF-8, as no other text is by chance. What reads as
    another script than Latin as it is declared is believed.
    """
    yield from forms_of(tag, declared)
    if (value.isascii() and b"\x1b" not in value) or _is_of_another_script(declared):
        return
    known = {declared}
    for encoding in OTHER_ENCODINGS:
        try:
            text = value.decode(encoding).strip(" \0")
        except UnicodeDecodeError:
            continue
        if text in known or not _is_of_letters(text):
            continue
        known.add(text)
        for form in forms_of(tag, text):
            if encoding == "utf-8" or not form.isascii() or len(form) >= LONG_WORD:
                yield form
        if encoding == "utf-8":
            return


def _is_of_letters(text: str) -> bool:
    """Tell whether all that is not ASCII are letters, and those beside each other of one script."""
    return "\x1b" not in text and all(len({_script(c) for c in run}) == 1 for run in _RUN.findall(text))


def _is_of_another_script(text: str) -> bool:
    """Tell whether all that is not ASCII are letters of another script than Latin, and no word is of two."""
    scripts = {_script(letter) for letter in text if not letter.isascii()}
    letters = not any(len(script) == 1 for script in scripts)
    return bool(scripts) and letters and "LATIN" not in scripts and _is_of_letters(text)


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    if unicodedata.category(letter)[0] not in "LM":
        return letter
    script = unicodedata.name(letter, letter).split()[0]
    return "CJK" if script in _EAST_ASIAN else "" if script == "COMBINING" else script


@lru_cache(maxsize=32)
def in_other_bytes(values: frozenset[str]) -> tuple[bytes, ...]:
    """Give values that are not ASCII as bytes of each encoding: longer than five, for shorter ones are in any picture.

    Letters of ASCII among them are small.
    """
    longer = [value for value in values if not (value.isascii() or {DATED, APART} & set(value))]
    spelled = [
        form for value in longer for form in (value, value.upper().lower(), value.upper(), value.upper().title())
    ]
    found: list[bytes] = []
    for encoding in (*OTHER_ENCODINGS, "utf-16-le", "utf-16-be"):
        written = {_ESCAPE.sub(b"", form.encode(encoding)).lower() for form in spelled if _fits(form, encoding)}
        found += _shortest(each for each in written if len(each) > LONG_WORD)
    return tuple(dict.fromkeys(found))


def _shortest(written: Iterable[bytes]) -> list[bytes]:
    """Leave out what is found where another is; of more than a few hundred none, for each is compared with each."""
    by_length = sorted(written, key=len)
    if len(by_length) > _MOST_COMPARED:
        return by_length
    kept: list[bytes] = []
    for each in by_length:
        if not any(short in each for short in kept):
            kept.append(each)
    return kept


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
