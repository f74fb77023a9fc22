"""What the parts of an address may be."""

from __future__ import annotations

from werkzeug.routing import IntegerConverter


class PlainNumber(IntegerConverter):
    """A number of the digits 0 to 9: those of other scripts would be a second address of the same thing."""

    regex = r"[0-9]+"
