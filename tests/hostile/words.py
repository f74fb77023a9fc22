"""What people type, and what attackers type, where a page asks for words."""

from __future__ import annotations

SCRIPTS = {
    "arabic": "محمد عبد الله بن سلمان",
    "hebrew with bidi marks": "\u202bשלום \u2067עולם\u2069\u202c \u200fabc\u200e",
    "chinese": "王小明 東京大学病院",
    "korean": "김철수",
    "hindi": "राजेश कुमार",
    "thai": "สมชาย ใจดี",
    "emoji": "👩🏽‍⚕️ fainted 🤒 → hospital 🏥",
    "combining": "Z\u0351\u0343a\u0301\u0327\u0328l\u0334go\u0335",
    "beyond the first plane": "𝒜𝓃𝓃𝒶 𐍈 𠜎",
    "ligatures and dotless": "ﬁne, Işık ılık ẞ",
}
"""Words of real people: they must come back as they were typed."""

ATTACKS = {
    "script": "<script>alert(1)</script>",
    "template": "{{7*7}} {% raw %} ${7*7} #{7*7} <%= 7*7 %>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "single quote": "' onmouseover='alert(1)",
    "comment": "--><svg/onload=alert(1)><!--",
    "textarea": "</textarea></title></style><script>alert(1)</script>",
    "sql": "'; DROP TABLE subject; --",
    "formula": '=HYPERLINK("http://evil.example","x")',
    "percent": "%00%2e%2e%2f %s %n {0} {__class__}",
    "url": "javascript:alert(1)",
}
"""Words that mean something to a machine: they must come back as words."""

BROKEN = {
    "nul": "a\0b",
    "line ends": "a\r\nSet-Cookie: x=1\r\n\r\n<b>",
    "control": "a\x1b[31m\x07\x08\x7f\x85b",
    "separators": "a\u2028b\u2029c\ufeffd",
    "non-characters": "a\ufffe\uffffb",
    "only spaces": " \t\u00a0\u3000 ",
    "tag letters": "a\U000e0041\U000e0042b",
}
"""Words no person types: kept, tidied or refused with a sentence."""

ALL = SCRIPTS | ATTACKS | BROKEN
LONE_SURROGATE = b"a%ED%A0%80b"
"""A lone surrogate as a browser of ill will would send it, percent-encoded."""
NOT_UTF8 = b"a%FF%FE%C3(b"
MEGABYTE = "x" * 2**20
