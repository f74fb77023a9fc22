"""Keeps the parser from writing what it reads: its warnings quote values, and values name patients."""

from __future__ import annotations

import logging
import warnings

from pydicom import config


def silence_the_parser() -> None:
    """Let pydicom neither log, nor warn, nor judge values it reads, in this process from now on.

    Our own refusals name the tag and never the value.
    """
    config.settings.reading_validation_mode = config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
