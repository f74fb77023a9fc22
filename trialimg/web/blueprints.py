"""Every blueprint of the web door, in the order of a day's work."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add every page and interface to the application."""
    del app
