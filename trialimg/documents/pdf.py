"""HTML made a PDF/A-2a and PDF/UA-1: tagged, with bookmarks, page numbers and nothing fetched from anywhere.

Run it in a child process only (:mod:`trialimg.reporting.inside`): a long document needs memory that comes back with
the process. The letters are DejaVu's, which comes with the Pango that WeasyPrint needs on Debian, by fontconfig;
where it is missing any other sans-serif of the machine is taken and embedded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import weasyprint
from weasyprint.urls import FatalURLFetchingError, URLFetcher

from trialimg.documents.archival import finish
from trialimg.errors import OurFault

VARIANT: Final = "pdf/a-2a"
"""ISO 19005-2, level A: made to be kept, and readable by a screen reader."""


def write_pdf(html: str, target: Path) -> int:
    """Write a page of our own templates as a PDF/A and give the number of its pages; pictures are data: addresses.

    Raises :class:`OurFault` where the page asks for anything else, which is not fetched.
    """
    fetcher = URLFetcher(allowed_protocols=("data",), allow_redirects=False, fail_on_errors=True)
    try:
        document = weasyprint.HTML(string=html, url_fetcher=fetcher).render(pdf_variant=VARIANT, pdf_tags=True)
        document.write_pdf(str(target), finisher=finish, pdf_variant=VARIANT, pdf_tags=True)
    except FatalURLFetchingError:  # no Exception of Python's: it would pass every other net
        raise OurFault("A document asked for something outside itself; it was not made.") from None
    return len(document.pages)
