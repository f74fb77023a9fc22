"""What programs see of an installation, and what an Orthanc says of itself: the other side of what pages told."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.e2e.installation import Installation
from tests.peers import OrthancPeer


def ask(installation: Installation, user: str, path: str) -> Any:
    """Ask the interface for programs, with a token the operator makes for a person."""
    made = installation.run("token", "create", "--user", user)
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip().splitlines()[-1]
    request = urllib.request.Request(f"{installation.url}{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def studies_of(orthanc: OrthancPeer) -> dict[str, dict[str, str]]:
    """Give what Orthanc holds: by StudyInstanceUID, its own instance keys by SOPInstanceUID."""
    found = {}
    for study in orthanc.rest("/studies?expand"):
        instances = orthanc.rest(f"/studies/{study['ID']}/instances")
        found[study["MainDicomTags"]["StudyInstanceUID"]] = {
            entry["MainDicomTags"]["SOPInstanceUID"]: entry["ID"] for entry in instances
        }
    return found


def fetch_files(orthanc: OrthancPeer, folder: Path) -> list[Path]:
    """Fetch every file Orthanc holds, as it holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for key in orthanc.rest("/instances"):
        path = folder / f"{key}.dcm"
        path.write_bytes(orthanc.rest(f"/instances/{key}/file"))
        found.append(path)
    return found
