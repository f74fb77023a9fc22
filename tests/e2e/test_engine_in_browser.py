"""The engine in Chromium: files that a page read are cleaned in it, as on the server, under a strict content policy."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, expect
from pydicom.data import get_testdata_file
from werkzeug.security import safe_join
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from bench.pyodide_run import HERE, KEY, PYODIDE, archives, run_here
from bench.pyodide_task import PROFILE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGE = Path(__file__).parent / "engine_page"
POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src data:"
NAMES = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "ExplVR_BigEnd.dcm")


@contextmanager
def served(folder: Path, policy: str = POLICY) -> Iterator[str]:
    """Serve a folder on loopback; every answer has the policy."""

    @Request.application
    def app(request: Request) -> Response:
        found = safe_join(str(folder), request.path.lstrip("/"))
        if found is None or not Path(found).is_file():
            return Response("not here", 404)
        kind = {".mjs": "text/javascript", ".wasm": "application/wasm"}.get(Path(found).suffix)
        kind = kind or mimetypes.guess_type(found)[0] or "application/octet-stream"
        return Response(Path(found).read_bytes(), mimetype=kind, headers={"Content-Security-Policy": policy})

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_page_cleans_files_that_have_not_left_it_as_the_server_would(browser: Browser, tmp_path: Path) -> None:
    site, given = tmp_path / "site", {"profile": PROFILE, "key": KEY}
    shutil.copytree(PAGE, site)
    shutil.copytree(PYODIDE.parent, site / "pyodide")
    (site / "files").mkdir()
    for name in ("pyodide_engine.mjs", "pyodide_task.py"):
        shutil.copyfile(HERE / name, site / name)
    archives(site)
    files = [site / "files" / name for name in (*NAMES, "letter")]
    for name in NAMES:
        shutil.copyfile(str(get_testdata_file(name, download=False)), site / "files" / name)
    files[-1].write_bytes(b"Dear Sir or Madam, " * 20)
    results, report = run_here(files, tmp_path / "here")
    wanted = {name: hashlib.sha256((tmp_path / "here" / name).read_bytes()).hexdigest() for name in NAMES}

    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    with served(site) as origin:
        query = urlencode([*(("file", path.name) for path in files), ("given", json.dumps(given))])
        page.goto(f"{origin}/page.html?{query}")
        expect(page.get_by_role("status")).not_to_have_text("Working …", timeout=120_000)
        expect(page.get_by_role("status")).to_have_text("Done.")
        made = page.evaluate("made")
    context.close()
    assert "failed" not in made, made
    assert made["results"] == results
    assert ["refused" in each for each in results] == [False] * len(NAMES) + [True]
    assert made["report"] == report
    assert made["digests"] == wanted
    assert [url for url in asked if not url.startswith((origin, "data:"))] == []
    assert f"{origin}/pyodide/pyodide.mjs" in asked
