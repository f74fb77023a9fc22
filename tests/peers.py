"""Real peers for tests, benches and the end-to-end walk: Orthanc, storescp, PostgreSQL, Chromium.

Free of pytest but for ``require``. Every peer listens on loopback only, on a free port, keeps its files
in the folder it is given, and is stopped by the context manager that started it.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PLUGIN_FOLDERS = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc/plugins", "/usr/local/share/orthanc/plugins")
_PLUGIN = "libOrthancDicomWeb.so"
_USER, _PASSWORD = "trialimg", "only-for-tests"
_START_SECONDS = 60.0


_FIRST_PORT, _WORKERS, _PORTS_EACH = 16_000, 16, 1_000


def _candidates() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    first = _FIRST_PORT + worker * _PORTS_EACH
    start = random.randrange(_PORTS_EACH)
    return (first + (start + number) % _PORTS_EACH for number in itertools.count())


_ports = _candidates()


def free_port() -> int:
    """Give a TCP port of loopback that nobody listens on.

    Each worker has a range of its own and goes round in it; none lies where the system takes ports for connections
    (32768 and above), so that a port stays free until the one it is for listens on it.
    """
    for port in itertools.islice(_ports, _PORTS_EACH):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free for a test")


def missing_orthanc() -> str | None:
    """Say why Orthanc cannot be started here, None when it can."""
    if _program("Orthanc") is None:
        return "Orthanc is not installed (Debian: apt-get install orthanc orthanc-dicomweb)"
    if _plugin() is None:
        return "Orthanc's DICOMweb plugin is not installed (Debian: apt-get install orthanc-dicomweb)"
    return None


def missing_storescp() -> str | None:
    """Say why DCMTK's storescp cannot be started here, None when it can."""
    return None if _program("storescp") else "DCMTK is not installed (Debian: apt-get install dcmtk)"


def missing_postgresql() -> str | None:
    """Say why PostgreSQL cannot be started here, None when it can."""
    return None if _postgresql_bin() else "PostgreSQL is not installed (Debian: apt-get install postgresql)"


def missing_chromium() -> str | None:
    """Say why there is no Chromium here, None when there is."""
    return None if chromium_path() else "Chromium is not installed (Debian: apt-get install chromium)"


def missing_poppler() -> str | None:
    """Say why poppler's programs for PDF cannot be run here, None when they can."""
    return None if _program("pdftoppm") else "poppler is not installed (Debian: apt-get install poppler-utils)"


def require(reason: str | None) -> None:
    """Skip the calling test for this reason; in CI, where no peer may be missing, fail it."""
    if reason is None:
        return
    import pytest

    if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
        pytest.fail(f"needed in CI: {reason}", pytrace=False)
    pytest.skip(reason)


def chromium_path() -> str | None:
    """Find the browser of the system."""
    return next(filter(None, map(_program, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class OrthancPeer:
    """A running Orthanc: its addresses, and its life in the test's hands."""

    folder: Path
    http_port: int
    dicom_port: int
    aet: str = "ORTHANC"
    user: str = _USER
    password: str = _PASSWORD
    move_port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The REST root, without credentials."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        """The DICOMweb root, with credentials."""
        return f"http://{self.user}:{self.password}@127.0.0.1:{self.http_port}/dicom-web"

    @property
    def dimse_url(self) -> str:
        """The DIMSE address in the form ``archive.choose`` takes."""
        return f"dimse://{self.aet}@127.0.0.1:{self.dicom_port}?calling=TRIALIMG"

    def start(self) -> None:
        """Start it (again) and wait until it answers."""
        _check_stopped(self._process)
        # TCP_NODELAY: else Nagle against delayed ACK makes one C-STORE association ten times slower.
        self._process = _spawn(
            [_program("Orthanc"), str(self.folder / "orthanc.json")], self.folder, {"TCP_NODELAY": "1"}
        )
        _wait_for(lambda: self.rest("/system"), self._process, self.folder)

    def runs(self) -> bool:
        """Say whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def rest(self, path: str, data: bytes | None = None, method: str | None = None) -> Any:
        """Call Orthanc's own REST interface and give its answer as JSON (or bytes)."""
        request = urllib.request.Request(self.url + path, data=data, method=method)
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        with suppress(ValueError):
            return json.loads(body)
        return body

    def _end(self, how: signal.Signals) -> None:
        _end(self._process, how)
        self._process = None


@contextmanager
def orthanc(
    folder: Path, *, http_port: int | None = None, dicom_port: int | None = None, **extra: Any
) -> Iterator[OrthancPeer]:
    """Run an Orthanc as FACTS.md asks: never overwrites, syncs, wants a password, loopback only.

    ``extra`` are settings of Orthanc laid over these.
    """
    folder.mkdir(parents=True, exist_ok=True)
    peer = OrthancPeer(folder, http_port or free_port(), dicom_port or free_port())
    settings = {
        "Name": "trialimg test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(_plugin())],
        "HttpPort": peer.http_port,
        "DicomPort": peer.dicom_port,
        "DicomAet": peer.aet,
        "DicomServerEnabled": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {peer.user: peer.password},
        "DicomAlwaysAllowEcho": False,
        "DicomAlwaysAllowStore": False,
        "DicomCheckCalledAet": True,
        "DicomModalities": {
            "trialimg": {
                "AET": "TRIALIMG",
                "Host": "127.0.0.1",
                "Port": peer.move_port,
                "AllowEcho": True,
                "AllowFind": True,
                "AllowGet": True,
                "AllowMove": True,
                "AllowStore": True,
            }
        },
        "OverwriteInstances": False,
        "SyncStorageArea": True,
        "StorageCompression": False,
        "MaximumStorageSize": 0,
        "MaximumPatientCount": 0,
        "MaximumStorageMode": "Reject",
        "StableAge": 1,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    } | extra
    (folder / "orthanc.json").write_text(json.dumps(settings, indent=1))
    peer.start()
    try:
        yield peer
    finally:
        peer.stop()


@dataclass
class StorescpPeer:
    """A running storescp that writes what it receives into ``received``."""

    aet: str
    port: int
    received: Path


@contextmanager
def storescp(folder: Path, *, port: int | None = None, aet: str = "STORESCP") -> Iterator[StorescpPeer]:
    """Run DCMTK's storescp, taking every transfer syntax as it comes."""
    received = folder / "received"
    received.mkdir(parents=True, exist_ok=True)
    peer = StorescpPeer(aet, port or free_port(), received)
    command = [_program("storescp"), "-aet", aet, "+xa", "--bit-preserving", "-od", str(received), str(peer.port)]
    process = _spawn(command, folder, {"TCP_NODELAY": "1"})
    try:
        _wait_for(lambda: socket.create_connection(("127.0.0.1", peer.port), 1).close(), process, folder)
        yield peer
    finally:
        _end(process, signal.SIGTERM)


@dataclass
class PostgresPeer:
    """A running PostgreSQL with one empty data base."""

    url: str
    port: int
    folder: Path
    _control: Callable[..., None] = field(repr=False)

    def start(self) -> None:
        """Start it (again) and wait until it takes connections."""
        log = self.folder / "log"
        self._control("start", "-w", "-t", "60", "-l", str(log), "-o", self._options())

    def stop(self) -> None:
        """End it, cutting the connections that are open."""
        self._control("stop", "-w", "-m", "fast")

    def _options(self) -> str:
        return f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"


@contextmanager
def postgresql(folder: Path, *, port: int | None = None) -> Iterator[PostgresPeer]:
    """Run a private PostgreSQL without fsync; as root it runs under the account ``postgres``.

    The data lies in a short folder of its own, which that account can reach (a socket's path may have
    107 characters), and is destroyed at the end; ``folder`` holds a link to it.
    """
    binaries = _postgresql_bin()
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    prefix: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")
        prefix = ["runuser", "-u", "postgres", "--"]
    port = port or free_port()

    def control(*arguments: str) -> None:
        command = [*prefix, f"{binaries}/pg_ctl", "-D", str(home / "data"), "-s", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    user = "trialimg"
    url = f"postgresql+psycopg://{user}@127.0.0.1:{port}/postgres"
    peer = PostgresPeer(url, port, home, control)
    try:
        init = [
            *prefix,
            f"{binaries}/initdb",
            "-D",
            str(home / "data"),
            "-U",
            user,
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL, cwd="/")
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (folder / "postgresql").symlink_to(home)
        peer.start()
        yield peer
    finally:
        with suppress(subprocess.CalledProcessError):
            peer.stop()
        shutil.rmtree(home, ignore_errors=True)


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def _plugin() -> Path | None:
    places = [Path(folder) / _PLUGIN for folder in _PLUGIN_FOLDERS]
    return next((place for place in places if place.exists()), None)


def _postgresql_bin() -> Path | None:
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if newest_first:
        return newest_first[0].parent
    found = _program("initdb")
    return Path(found).resolve().parent if found else None


def _spawn(command: list[str | None], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [part for part in command if part is not None],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=os.environ | environment,
            cwd=folder,
        )


def _check_stopped(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.poll() is None:
        raise RuntimeError("the peer runs already")


def _end(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if process is None:
        return
    with suppress(ProcessLookupError):
        process.send_signal(how)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)


def _wait_for(ask: Callable[[], Any], process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        try:
            ask()
        except (OSError, urllib.error.URLError):
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return
    _end(process, signal.SIGKILL)
    log = (folder / "log").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"a peer did not start: {log}")
