"""An installation as an operator makes it: the command line, a folder, and one serving process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.peers import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
FORMS: Final = ROOT / "forms" / "demo" / "1.0"
_START_SECONDS: Final = 60.0


@dataclass
class Installation:
    """One data folder and its server; everything the processes print goes to ``output``."""

    folder: Path
    archive_url: str = ""
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        """The folder of everything it keeps."""
        return self.folder / "data"

    @property
    def data_named(self) -> str:
        """Name the folder as the Makefile does: from where one stands."""
        return os.path.relpath(self.data, ROOT)

    @property
    def output(self) -> Path:
        """What its processes printed."""
        return self.folder / "output.txt"

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def quarantine(self) -> list[Path]:
        """The folders of originals that lie in the vault now."""
        return sorted(self.data.glob("vault/areas/quarantine.*"))

    def environment(self) -> dict[str, str]:
        """The environment of its processes: no setting of the person who runs the tests."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIALIMG_")}
        return clean | {
            "TRIALIMG_DATA": self.data_named,
            "TRIALIMG_PORT": str(self.port),
            "TRIALIMG_ARCHIVE_URL": self.archive_url,
            "TRIALIMG_VAULT_RESERVE_MB": "0",
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``trialimg`` and give how it ended; what it printed is kept as well."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "trialimg", *arguments],
            cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        with self.output.open("a") as output:
            output.write(done.stderr)
        return done

    def start(self, *command: str) -> None:
        """Serve, and wait until it answers."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *(command or ("trialimg", "serve"))],
                cwd=ROOT, env=self.environment(), stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            with suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"{self.url}/sign-in", timeout=5).close()
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the server did not start: {self.output.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """End the server as Ctrl-C does."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None
