"""Which texts a person can read as they stand: no sign in them that is not seen."""

from __future__ import annotations

import unicodedata

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Unicode categories of signs that no page shows: controls, formats, surrogates, private and unassigned ones."""

_JOINERS = "\u200c\u200d"
"""Zero width (non-)joiner: Persian, the scripts of India and composed emoji cannot be written without them."""


def has_unseen(text: str, allowed: str = "") -> bool:
    """Whether a text holds signs that are not shown, but for joiners and those of ``allowed``."""
    return any(unicodedata.category(sign) in _UNSEEN and sign not in _JOINERS + allowed for sign in text)


def is_line(text: str) -> bool:
    """Whether a text is one line that reads as it is stored: a name, a label."""
    return not has_unseen(text) and not any(unicodedata.category(sign) in {"Zl", "Zp"} for sign in text)
