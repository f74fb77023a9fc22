"""Makes ``.venv`` and the front-end packages, with a sentence for every slow step; runs on a bare Python.

``--dev`` adds what building and testing needs, ``--peers`` the programs that tests and benches need (Orthanc,
PostgreSQL, Chromium, DCMTK, dciodvfy, gdcmanon): as root on Debian they are installed, elsewhere the missing ones are
named.
"""

from __future__ import annotations

import argparse
import ctypes.util
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PANGO = ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0")
PEERS = {
    "Orthanc": (("Orthanc", "/usr/sbin/Orthanc"), ("orthanc", "orthanc-dicomweb")),
    "PostgreSQL": (("/usr/lib/postgresql/*/bin/postgres",), ("postgresql",)),
    "Chromium": (("chromium",), ("chromium",)),
    "DCMTK": (("storescu",), ("dcmtk",)),
    "dciodvfy": (("dciodvfy",), ("dicom3tools",)),
    "poppler": (("pdftoppm",), ("poppler-utils",)),
    "gdcmanon": (("gdcmanon",), ("libgdcm-tools",)),
}


def say(sentence: str) -> None:
    """Tell the person what happens now."""
    print(f"· {sentence}", flush=True)


def fail(sentence: str) -> None:
    """End with a sentence."""
    print(f"! {sentence}", file=sys.stderr)
    sys.exit(64)


def is_root_on_debian() -> bool:
    """Say whether this may install system packages."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


_updated = False


def apt(packages: tuple[str, ...]) -> bool:
    """Install system packages; False where that did not work."""
    global _updated  # noqa: PLW0603 (the list of packages is fetched once)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if not _updated:
        say("Fetching the list of Debian packages.")
        subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
        _updated = True
    say(f"Installing {', '.join(packages)} from Debian.")
    command = ["apt-get", "install", "-yqq", "--no-install-recommends", *packages]
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0


def ensure_venv() -> None:
    """Make the virtual environment, with the system's venv package where that is separate."""
    if (VENV / "bin" / "pip").exists():
        return
    say("Making .venv, a Python of its own.")
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, check=False)
    if made.returncode and is_root_on_debian() and apt(("python3-venv",)):
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, check=False)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        fail("Python cannot make a virtual environment here. On Debian: apt-get install python3-venv")


def stamp(names: tuple[str, ...]) -> str:
    """Give a hash of what was asked for, so that a second run has nothing to do."""
    digest = hashlib.sha256(sys.version.encode())
    for name in names:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def ensure_packages(*, dev: bool) -> None:
    """Install the locked Python packages, by hash."""
    lock = "requirements-dev.txt" if dev else "requirements.txt"
    kept = VENV / f".stamp-{lock}"
    wanted = stamp((lock, "pyproject.toml"))
    dev_kept = VENV / ".stamp-requirements-dev.txt"
    if kept.exists() and kept.read_text() == wanted:
        return
    if not dev and dev_kept.exists() and dev_kept.read_text() == stamp(("requirements-dev.txt", "pyproject.toml")):
        return
    count = sum("==" in line for line in (ROOT / lock).read_text().splitlines())
    say(f"Installing {count} Python packages, each checked against its hash; about a minute.")
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    # The lock is whole, so nothing is looked up; what it leaves out (requirements-left-out.txt) stays out.
    run_with_progress([*pip, "--no-deps", "--require-hashes", "-r", str(ROOT / lock)])
    # "compat" notes the folder alone; otherwise each start of Python would load what finds the package (10 ms).
    as_a_folder = ["--config-settings", "editable_mode=compat"]
    run_with_progress([*pip, "-q", "--no-deps", "--no-build-isolation", *as_a_folder, "-e", str(ROOT)])
    kept.write_text(wanted)


def run_with_progress(command: list[str]) -> None:
    """Run pip and show that it lives; on failure show what it said."""
    started, shown = time.monotonic(), 0.0
    tail: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            tail = [*tail[-30:], line]
            now = time.monotonic()
            if now - shown > 5 and line.startswith(("Collecting", "Installing", "  Downloading")):
                print(f"    {int(now - started):3d} s  {line.strip()[:90]}", flush=True)
                shown = now
    if process.returncode:
        sys.stderr.writelines(tail)
        fail("The Python packages could not be installed; the lines above say why. Nothing else was changed.")


def ensure_pango() -> None:
    """Find WeasyPrint's system library at once rather than at the first PDF."""
    if ctypes.util.find_library("pango-1.0") and ctypes.util.find_library("pangoft2-1.0"):
        return
    line = f"apt-get install {' '.join(PANGO)}"
    if not (is_root_on_debian() and apt(PANGO)):
        fail(f"PDF reports need the library Pango, which is not here. On Debian or Ubuntu: sudo {line}")


def ensure_frontend() -> None:
    """Bring the viewer and the styles through npm."""
    done = subprocess.run([str(VENV / "bin" / "python"), str(ROOT / "tools" / "frontend.py")], check=False, cwd=ROOT)
    if done.returncode:
        fail("The front-end packages could not be installed; the lines above say why.")


def _present(names: tuple[str, ...]) -> bool:
    return any(
        bool(list(Path("/").glob(name.lstrip("/")))) if name.startswith("/") else shutil.which(name) is not None
        for name in names
    )


def ensure_peers() -> None:
    """Install what tests talk to, or say which of them cannot run here."""
    missing = {peer: packages for peer, (names, packages) in PEERS.items() if not _present(names)}
    if not missing:
        return
    if is_root_on_debian():
        apt(tuple(name for packages in missing.values() for name in packages))
        missing = {peer: packages for peer, packages in missing.items() if not _present(PEERS[peer][0])}
    for peer, packages in missing.items():
        say(f"{peer} is not here, so what needs it cannot run. On Debian: sudo apt-get install {' '.join(packages)}")
    if missing and os.environ.get("CI"):
        fail("In CI no peer may be missing.")


def main() -> None:
    """Set up what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--peers", action="store_true")
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 (this file is run by whatever Python is there)
        fail("trialimg needs Python 3.11 or newer.")
    ensure_venv()
    ensure_pango()
    ensure_packages(dev=arguments.dev)
    ensure_frontend()
    if arguments.peers:
        ensure_peers()


if __name__ == "__main__":
    main()
