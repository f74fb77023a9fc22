"""What every response carries: nothing from another origin, nothing framed elsewhere, nothing kept by proxies."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request

PAGE_CSP: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-src 'self'; "
    "frame-ancestors 'none'"
)
# Measured to be enough for OHIF (FACTS.md); it compiles WebAssembly and styles itself.
VIEWER_CSP: Final = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self' blob: data:; font-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
)


def _add(response: Response) -> Response:
    viewer = request.path.startswith("/viewer")
    headers = response.headers
    headers.setdefault("Content-Security-Policy", VIEWER_CSP if viewer else PAGE_CSP)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
    if not request.path.startswith(("/static/", "/viewer/")):
        headers.setdefault("Cache-Control", "no-store")
    return response


def register(app: Flask) -> None:
    """Add the headers to every response."""
    app.after_request(_add)
