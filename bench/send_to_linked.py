"""From *send* to *linked*: a CT of 200 slices, on the local archive and on Orthanc, beside a bare push of its bytes.

``python -m bench.send_to_linked [--slices N]``. The bar: under 60 s, and on Orthanc at most 5 times the bare push of
the very same clean bytes to an empty Orthanc in the same run. What is measured is printed as met or not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.installation import DAY, PATIENT, ROOT, Installation, say
from bench.receiver import Opener, Receiver
from seed_data.phantom.ct import write_ct
from tests.peers import OrthancPeer, missing_orthanc, orthanc

SECONDS, RATIO = 60.0, 5.0
_BATCH = 20
_BOUNDARY = "a-boundary-of-the-bench"


@dataclass
class Measured:
    """One way, one archive: seconds in all, and of each step."""

    way: str
    archive: str
    seconds: float
    steps: dict[str, float]


def bare_push(peer: OrthancPeer, files: list[Path]) -> float:
    """Push files by STOW in batches, nothing asked and nothing compared; gives the seconds."""
    head = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'}
    start = time.monotonic()
    with httpx.Client(auth=(peer.user, peer.password), timeout=300) as http:
        for at in range(0, len(files), _BATCH):
            parts = [
                f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + path.read_bytes() + b"\r\n"
                for path in files[at : at + _BATCH]
            ]
            body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
            http.post(f"{peer.url}/dicom-web/studies", content=body, headers=head).raise_for_status()
    return time.monotonic() - start


def sent_by_the_client(made: Installation, source: Path) -> tuple[float, dict[str, float]]:
    """Run `trialimg send` from its start to its end: cleaned at the site, checked by the server."""
    number, token = made.subject(), made.data.parent / "token"
    token.write_text(made.token)
    command = [
        "send", "--server", made.url, "--token-file", str(token), "--subject", number, "--visit", "SCR",
        "--slot", "CT", "--json", str(source),
    ]  # fmt: skip
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "trialimg", *command], cwd=ROOT, env=made.environment(), capture_output=True, check=False
    )
    seconds = time.monotonic() - start
    if done.returncode:
        log = made.data.parent / "processes.log"
        raise RuntimeError(done.stderr.decode(errors="replace")[-1500:] + log.read_text(errors="replace")[-1500:])
    return seconds, made.timings(json.loads(done.stdout)["submission"])


def _opening(path: Path) -> Opener:
    return lambda: path.open("rb")


def originals_received(made: Installation, files: list[Path]) -> tuple[float, dict[str, float]]:
    """Send originals as a browser does: cleaned by the server."""
    key = made.begin(made.subject())
    receiver = Receiver(made.url, made.token)
    start = time.monotonic()
    receiver.send(key, [_opening(path) for path in files])
    sent = time.monotonic() - start
    account = receiver.follow(key)
    seconds = time.monotonic() - start
    if account["stage"] != "linked":
        raise RuntimeError(account["sentence"])
    return seconds, {"receive": round(sent, 2)} | made.timings(key)


def measure(folder: Path, name: str, url: str, files: list[Path]) -> list[Measured]:
    """Measure both ways on one archive."""
    made = Installation(folder / name / "data", archive_url=url)
    made.make()
    found = []
    with made.process("serve"):
        made.wait_until_served()
        say(f"trialimg send, archive: {name}")
        found.append(Measured("trialimg send", name, *sent_by_the_client(made, files[0].parents[1])))
        say(f"originals by HTTP, archive: {name}")
        found.append(Measured("originals", name, *originals_received(made, files)))
    return found


def cleaned(folder: Path, source: Path) -> list[Path]:
    """Clean the study once for the bare push."""
    command = ["deidentify", str(source), str(folder), "--trial", "demo", "--subject", "101-001"]
    subprocess.run([sys.executable, "-m", "trialimg", *command], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    return sorted(folder.glob("study-*/series-*/*.dcm"))


def show(measured: list[Measured], bare: float | None) -> None:
    """Print the table and whether the bars are met."""
    print(f"{'way':<15} {'archive':<8} {'seconds':>8} {'x bare':>7}  steps (s)")
    for each in measured:
        ratio = each.seconds / bare if bare and each.archive == "orthanc" else None
        steps = ", ".join(f"{step} {seconds:.2f}" for step, seconds in each.steps.items())
        print(f"{each.way:<15} {each.archive:<8} {each.seconds:8.2f} {f'{ratio:.1f}' if ratio else '':>7}  {steps}")
        print(f"  under {SECONDS:.0f} s: {'met' if each.seconds < SECONDS else 'NOT MET'}", end="")
        print(f"; at most {RATIO:.0f} x bare: {'met' if ratio <= RATIO else 'NOT MET'}" if ratio else "")
    if bare:
        print(f"{'bare push':<15} {'orthanc':<8} {bare:8.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=200)
    slices = parser.parse_args().slices
    with tempfile.TemporaryDirectory(prefix="trialimg-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        say(f"Making a CT of {slices} slices.")
        day = DAY.strftime("%Y%m%d")
        write_ct(folder / "ct", PATIENT, study_date=day, slices=slices, slice_mm=2.4, study_key="bench")
        files = sorted(path for path in (folder / "ct").rglob("*") if path.is_file())
        measured, bare = measure(folder, "local", "", files), None
        if missing := missing_orthanc():
            say(missing)
        else:
            for_bare = stack.enter_context(orthanc(folder / "bare-orthanc"))
            bare = bare_push(for_bare, cleaned(folder / "clean", folder / "ct"))
            peer = stack.enter_context(orthanc(folder / "orthanc-peer"))
            measured += measure(folder, "orthanc", peer.dicomweb_url, files)
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{len(files)} instances, {size:.0f} MB")
        show(measured, bare)


if __name__ == "__main__":
    main()
