"""What the browser loads: locked, complete, patched, and never from another origin."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import frontend  # noqa: E402 - the path above comes first
import viewer_patch  # noqa: E402 - the path above comes first

from tests.web.preview import browser  # noqa: E402 - the path above comes first
from tests.web.preview.gallery import Running  # noqa: E402 - the path above comes first

WEB = ROOT / "trialimg" / "web"
VIEWER = WEB / "viewer_dist"


@pytest.fixture(scope="module")
def viewer() -> Path:
    browser.need_frontend()
    return VIEWER


def test_the_lock_file_pins_every_package_by_hash_and_names_no_address():
    text = (ROOT / "package-lock.json").read_text("utf-8")
    packages = json.loads(text)["packages"]
    assert '"resolved"' not in text
    assert "https://registry" not in text
    wanted = json.loads((ROOT / "package.json").read_text("utf-8"))
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} is not pinned"
        assert packages[f"node_modules/{name}"]["version"] == version
    assert all(entry["integrity"].startswith("sha512-") for key, entry in packages.items() if key)


def test_a_second_installation_does_nothing(viewer: Path, capsys: pytest.CaptureFixture[str]):
    before = (viewer / ".stamp").stat().st_mtime_ns
    assert frontend.main([]) == 0
    assert "already in place" in capsys.readouterr().out
    assert (viewer / ".stamp").stat().st_mtime_ns == before


def test_a_half_installed_front_end_is_seen(viewer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert frontend.is_installed(frontend.fingerprint())
    monkeypatch.setattr(frontend, "VENDOR", tmp_path)  # as after a kill before the stamp was written
    assert not frontend.is_installed(frontend.fingerprint())


def test_without_a_node_of_the_machine_the_one_of_pip_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    python = tmp_path / "python"
    npm = tmp_path / "npm"
    for program in (python, npm):
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.setattr(sys, "executable", str(python))
    assert frontend.find_npm() == str(npm)


def test_a_node_that_is_too_old_is_not_taken(tmp_path: Path):
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v16.20.2\n")
    node.chmod(0o755)
    assert frontend._node_major(str(node)) == 16 < frontend.OLDEST_NODE
    assert frontend._node_major(str(tmp_path / "absent")) == 0


def test_a_failing_npm_is_told_in_a_sentence_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'no network here' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(frontend, "find_npm", lambda: str(npm))
    monkeypatch.setattr(frontend, "VIEWER", tmp_path / "viewer")
    assert frontend.main(["--force"]) == 1
    told = capsys.readouterr().err
    assert "no network here" in told
    assert "nothing was changed" in told
    assert not (tmp_path / "viewer").exists()


def _small_dist(folder: Path) -> Path:
    """A bundle with each place that is patched, as often as expected."""
    dist = folder / "dist"
    (dist / "ort").mkdir(parents=True)
    (dist / "assets").mkdir()
    (dist / "ort" / "model.js").write_text("x")
    (dist / "app-config.js").write_text("the public demo server")
    (dist / "a.js.map").write_text("{}")
    for number in range(8):
        (dist / f"{number}.js").write_text('__webpack_require__.p = "/";')
    (dist / "app.js").write_text(
        "import('/dicom-microscopy-viewer/x.js'); 'https://cdn.jsdelivr.net/npm/a'; "
        "'https://huggingface.co/b'; window.open('https://ohif.org/', '_blank');"
    )
    (dist / "app.css").write_text("@font-face{src:url(/a34f.woff2)}")
    links = "".join(f'<link rel="icon" href="/assets/{n}.png">' for n in range(20))
    (dist / "index.html").write_text(
        f'<script>console.time("x"),window.PUBLIC_URL="/"</script>{links}<link rel="manifest" href="/manifest.json">'
        '<link rel="yandex-tableau-widget" href="/y.json"><script type="module" src="/init-service-worker.js"></script>'
        "<script>function browserImportFunction(n){return import(n)}</script><title>OHIF Viewer</title>"
    )
    return dist


def test_every_place_with_the_baked_in_path_is_patched(tmp_path: Path):
    target = tmp_path / "viewer"
    counts = viewer_patch.patch_viewer(_small_dist(tmp_path), target, version="0")
    assert counts["public path of the bundles"] == 8
    assert "/viewer/" in (target / "3.js").read_text()
    assert "url(/viewer/a34f.woff2)" in (target / "app.css").read_text()
    assert "'/viewer/dicom-microscopy-viewer/x.js'" in (target / "app.js").read_text()
    assert "https://" not in (target / "app.js").read_text()
    assert not (target / "ort").exists()
    assert not (target / "app-config.js").exists()
    assert not list(target.rglob("*.map"))
    assert json.loads((target / "PATCHED.json").read_text())["changes"] == counts


@pytest.mark.parametrize("lost", ["3.js", "app.js", "app.css", "index.html"])
def test_a_bundle_that_is_built_differently_is_refused(tmp_path: Path, lost: str):
    dist = _small_dist(tmp_path)
    (dist / lost).write_text("built by other means")
    with pytest.raises(viewer_patch.PatchFailed, match="not built as expected"):
        viewer_patch.patch_viewer(dist, tmp_path / "viewer", version="0")


def test_the_installed_viewer_has_each_change_as_often_as_expected(viewer: Path):
    record = json.loads((viewer / "PATCHED.json").read_text("utf-8"))
    assert (
        record["ohif"] == json.loads((ROOT / "package.json").read_text("utf-8"))["dependencies"]["@ohif/app"]
    )
    for patch in (*viewer_patch.PATCHES, *viewer_patch.INDEX_PATCHES):
        assert patch.least <= record["changes"][patch.name] <= patch.most, patch.name
    for path in viewer.glob("*.js"):
        text = path.read_text("utf-8")
        assert not re.search(r'__webpack_require__\.p\s*=\s*"/"', text), path.name
        assert "jsdelivr" not in text, path.name
        assert "huggingface.co" not in text, path.name


def test_the_viewer_page_has_no_inline_script_and_only_own_addresses(viewer: Path):
    page = (viewer / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    for address in re.findall(r'(?:href|src)="([^"]*)"', page):
        assert address.startswith("/viewer/"), address


def test_what_points_to_other_origins_is_not_installed(viewer: Path):
    assert not [name for name in viewer_patch.LEFT_OUT if (viewer / name).exists()]
    assert not list(viewer.rglob("*.map"))


def test_the_viewers_configuration_names_our_origin_only():
    text = (WEB / "static" / "viewer" / "app-config.js").read_text("utf-8")
    assert "http" not in text.replace("httpErrorHandler", "").replace("HTTP/1.1", "")
    for said in (
        "routerBasename: '/viewer'",
        "showStudyList: false",
        "'ohif.tours'",
        "option: 'never'",
        "wadoRoot: '/dicomweb'",
    ):
        assert said in text


def test_no_template_has_an_inline_script_style_or_handler():
    templates = sorted((WEB / "templates").rglob("*.html"))
    assert templates
    for path in templates:
        text = re.sub(r"{#.*?#}", "", path.read_text("utf-8"), flags=re.DOTALL)
        runs = r"<script(?![^>]*\b(?:src=|type=\"application/json\"))"  # a block of data is never run
        assert not re.search(runs, text), path.name
        assert "<style" not in text, path.name
        assert not re.search(r"\sstyle\s*=", text), path.name
        assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text), path.name
        assert "javascript:" not in text, path.name
        assert "|safe" not in text.replace(" ", ""), path.name


@pytest.fixture
def gallery(viewer: Path) -> Iterator[Running]:
    with Running() as running:
        yield running


@pytest.mark.browser
@pytest.mark.slow
def test_the_viewer_draws_an_image_under_its_path_and_asks_no_other_origin(gallery: Running):
    asked: list[str] = []
    broken: list[str] = []
    with browser.chromium(webgl=True) as chromium:
        page = chromium.new_page(viewport={"width": 1000, "height": 700})
        page.on("request", lambda request: asked.append(request.url))
        page.on(
            "console",
            lambda message: (
                broken.append(message.text) if "Content Security Policy" in message.text else None
            ),
        )
        page.goto(
            f"{gallery.url}/viewer/viewer?StudyInstanceUIDs=1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
        )
        page.wait_for_selector("canvas.cornerstone-canvas", timeout=90_000)
        page.wait_for_function(  # the canvas has light and dark, not one colour
            """() => { const c = document.querySelector('canvas.cornerstone-canvas'); if (!c || !c.width) { return false; }
              const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let dark = 0, light = 0;
              for (let i = 0; i < d.length; i += 4) { if (d[i] < 40) { dark++; } else if (d[i] > 90) { light++; } }
              return dark > 1000 && light > 1000; }""",
            timeout=90_000,
        )
        assert page.locator(".shepherd-element").count() == 0, "the guided tour covers the image"
        assert page.get_by_text("investigational use only").count() == 0
        if os.environ.get("TRIALIMG_PICTURES"):
            page.screenshot(path=str(Path(os.environ["TRIALIMG_PICTURES"]) / "viewer.png"))
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {gallery.url.split("/")[2]}
    assert broken == []


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("refused", ["**/dicomweb/**", "**/frames/**"])
def test_a_session_that_ends_while_images_are_read_leads_to_sign_in_and_back(gallery: Running, refused: str):
    study = "/viewer/viewer?StudyInstanceUIDs=1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
    with browser.chromium(webgl=True) as chromium:
        page = chromium.new_page()
        page.route(refused, lambda route: route.fulfill(status=401, body="{}", content_type="application/problem+json"))
        page.goto(gallery.url + study)
        page.wait_for_url("**/sign-in?next=*", timeout=60_000)
        assert parse_qs(urlsplit(page.url).query)["next"] == [study]
