"""Makes OHIF's prebuilt bundle live under /viewer/ and load nothing from elsewhere.

The published build has ``/`` baked in as its public path and names other origins for things we do not
offer. Every change is counted and must be found as often as expected, so that a new release that is built
differently fails here, at install time, and not in front of a reader.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PUBLIC_PATH: Final = "/viewer/"

# Left out: source maps; the 136 MB speech and segmentation models; a service worker that fetches its
# library elsewhere; sign-in by OpenID (our session cookie does it); and the configuration that points to a
# public demo server, so that a lost route of ours can never fall back to it.
LEFT_OUT: Final = (
    "ort",
    "app-config.js",
    "google.js",
    "sw.js",
    "init-service-worker.js",
    "silent-refresh.html",
    "oidc-client.min.js",
    "polyfill.min.js",
    "es6-shim.min.js",
    "manifest.json",
    "serve.json",
    "_headers",
    "_redirects",
    "customizations",
)
BOOT: Final = "trialimg-boot.js"
BOOT_TEXT: Final = (
    "// What the published index.html says in inline scripts, which our content security policy refuses.\n"
    f'window.PUBLIC_URL = "{PUBLIC_PATH}";\n'
    "window.browserImportFunction = function (module) { return import(module); };\n"
)


class PatchFailed(Exception):
    """The bundle is not built as expected."""


@dataclass(frozen=True)
class Patch:
    """One change: where, what, with what, and how often at least and at most it must be found."""

    name: str
    files: str
    pattern: str
    replacement: str
    least: int
    most: int


PATCHES: Final = (
    Patch("public path of the bundles", "*.js", r'(__webpack_require__\.p\s*=\s*)"/"', rf'\1"{PUBLIC_PATH}"', 8, 8),
    Patch("fonts in the style sheets", "*.css", r"url\(/(?=[0-9a-f])", f"url({PUBLIC_PATH}", 1, 20),
    Patch("import of the microscopy viewer", "*.js", r"'/(dicom-microscopy-viewer/)", rf"'{PUBLIC_PATH}\1", 1, 1),
    Patch("code from jsdelivr", "*.js", r"https://cdn\.jsdelivr\.net/npm/", f"{PUBLIC_PATH}not-included/", 1, 4),
    Patch("models from huggingface", "*.js", r"https://huggingface\.co/", f"{PUBLIC_PATH}not-included/", 1, 12),
    Patch("links to the makers' pages", "*.js", r"window\.open\('https://[^']*'", "window.open('/'", 1, 4),
)

INDEX_PATCHES: Final = (
    Patch("inline script: public path", "index.html", r"<script>console\.time[^<]*</script>", "", 1, 1),
    Patch(
        "inline script: import",
        "index.html",
        r"<script>function browserImportFunction[^<]*</script>",
        f'<script src="{PUBLIC_PATH}{BOOT}"></script>',
        1,
        1,
    ),
    Patch("manifest", "index.html", r'<link rel="manifest"[^>]*>', "", 1, 1),
    Patch("service worker", "index.html", r'<script[^>]*src="/init-service-worker\.js"></script>', "", 1, 1),
    Patch("yandex widget", "index.html", r'<link rel="yandex-tableau-widget"[^>]*>', "", 1, 1),
    Patch("addresses", "index.html", r'(href|src|content)="/(?!viewer/)', rf'\1="{PUBLIC_PATH}', 20, 80),
    Patch("title", "index.html", r"<title>OHIF Viewer</title>", "<title>Images · trialimg</title>", 1, 1),
)


def _skip(folder: str, names: list[str]) -> set[str]:
    """Tell copytree what stays behind; only the top folder has names that are left out."""
    top = Path(folder).name == "dist"
    return {name for name in names if name.endswith(".map") or (top and name in LEFT_OUT)}


def _apply(patch: Patch, folder: Path, texts: dict[Path, str], read: Callable[[Path], str]) -> int:
    """Make one change in all files it is meant for; give how often."""
    total = 0
    for path in sorted(folder.glob(patch.files)):
        text = texts[path] if path in texts else read(path)
        changed, count = re.subn(patch.pattern, patch.replacement, text)
        if count:
            texts[path] = changed
            total += count
    if not patch.least <= total <= patch.most:
        raise PatchFailed(
            f"The viewer's bundle is not built as expected: '{patch.name}' was found {total} times instead of "
            f"{patch.least} to {patch.most}. Nothing was installed. Look at tools/viewer_patch.py when OHIF's "
            "version was raised; else fetch the packages again."
        )
    return total


def patch_viewer(dist: Path, target: Path, *, version: str) -> dict[str, int]:
    """Copy OHIF's ``dist`` to ``target`` without what is left out, patched; give the count of each change.

    The counts are kept in ``target/PATCHED.json``. Raises PatchFailed when a place is not found as often
    as expected.
    """
    shutil.copytree(dist, target, ignore=_skip)
    cache: dict[Path, str] = {}
    texts: dict[Path, str] = {}

    def read(path: Path) -> str:
        if path not in cache:
            cache[path] = path.read_text("utf-8")
        return cache[path]

    counts = {patch.name: _apply(patch, target, texts, read) for patch in (*PATCHES, *INDEX_PATCHES)}
    for path, text in texts.items():
        path.write_text(text, "utf-8")
    (target / BOOT).write_text(BOOT_TEXT, "utf-8")
    record = {"ohif": version, "public_path": PUBLIC_PATH, "changes": counts}
    (target / "PATCHED.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    return counts
