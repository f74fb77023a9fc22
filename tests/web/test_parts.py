"""The parts of the pages: true HTML, accessible, usable with and without scripts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.preview import browser, samples
from tests.web.preview.gallery import PAGES, Running, Server, make_gallery

THEMES = ("light", "dark")
in_browser = pytest.mark.browser


class Outline(HTMLParser):
    """What a page's references need: its ids, and who refers to which."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, str]] = []
        self._templates = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "template":
            self._templates += 1
        for name, value in attrs:
            self.attributes.append((name, value or ""))
            if name == "id":
                self.ids.append(value or "")
            elif name in ("for", "aria-describedby", "aria-labelledby"):
                self.references.extend((name, one) for one in (value or "").split())
            elif (
                name == "href" and (value or "").startswith("#") and tag == "a" and "ti-error" in self._inside
            ):
                self.references.append(("href", (value or "")[1:]))
        classes = dict(attrs).get("class") or ""
        if "ti-error-summary" in classes:
            self._inside = "ti-error"

    def handle_endtag(self, tag: str) -> None:
        if tag == "ul":
            self._inside = ""
        if tag == "template":
            self._templates -= 1

    _inside = ""


def _render(page: str, **query: str) -> str:
    client = make_gallery(Server()).test_client()
    reply = client.get(f"/gallery/{page}", query_string=query)
    assert reply.status_code == 200
    return reply.text


def _part(name: str, macro: str, value: Any) -> str:
    app = make_gallery(Server())
    with app.test_request_context("/"):
        return str(getattr(app.jinja_env.get_template(f"parts/{name}.html").module, macro)(value))


@pytest.mark.parametrize("page", PAGES)
def test_every_reference_in_a_page_leads_to_one_element(page: str):
    outline = Outline(_render(page, errors="1"))
    assert len(outline.ids) == len(set(outline.ids)), "an id stands twice"
    lost = [reference for reference in outline.references if reference[1] not in outline.ids]
    assert lost == []


def test_every_error_of_the_summary_leads_to_its_field():
    outline = Outline(_render("form"))
    led = [target for kind, target in outline.references if kind == "href"]
    assert led == [error["field_id"] for error in samples.ERRORS]


def test_a_field_in_error_says_so_to_a_screen_reader():
    html = _part(
        "crf",
        "field",
        {"kind": "number", "name": "T", "label": "Temp", "hint": "h", "unit": "°C", "errors": ["Too hot."]},
    )
    assert 'aria-invalid="true"' in html
    assert re.search(r'aria-describedby="T-hint T-unit T-errors"', html)
    assert "Too hot." in html


@pytest.mark.parametrize(
    "kind", ["text", "textarea", "number", "choice", "date", "display", "yes_no", "partial_date"]
)
def test_what_people_type_is_never_markup(kind: str):
    evil = '<script>x</script>" onfocus="y'
    html = _part(
        "crf",
        "field",
        {
            "kind": kind,
            "name": "A",
            "label": evil,
            "hint": evil,
            "value": evil,
            "errors": [evil],
            "was": evil,
            "query": evil,
            "options": [{"value": "1", "label": evil}],
            "reveal": {"name": evil, "values": [evil]},
            "soft": [{"key": "k", "sentence": evil, "reason_name": "r", "reason": evil}],
        },
    )
    assert "<script" not in html
    assert "onfocus" not in {name for name, _value in Outline(html).attributes}


@pytest.mark.parametrize("display", ["radio", "select"])
def test_a_code_that_left_the_list_is_shown_and_kept(display: str):
    html = _part(
        "crf",
        "field",
        {
            "kind": "choice",
            "name": "C",
            "label": "C",
            "value": "OLD",
            "display": display,
            "options": [{"value": "A", "label": "a"}],
        },
    )
    assert re.search(r'value="OLD" (checked|selected)', html)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("2019", ("", "", "2019")),
        ("2019-05", ("", "05", "2019")),
        ("2019-05-07", ("07", "05", "2019")),
        ("", ("", "", "")),
    ],
)
def test_a_partial_date_shows_what_is_known(stored: str, shown: tuple[str, str, str]):
    html = _part("crf", "field", {"kind": "partial_date", "name": "D", "label": "D", "value": stored})
    assert tuple(re.findall(r'name="D__(?:day|month|year)" value="(\d*)"', html)) == shown


def test_what_was_typed_wrongly_in_a_date_is_shown_again():
    html = _part(
        "crf",
        "field",
        {"kind": "partial_date", "name": "D", "label": "D", "value": "", "raw": {"month": "13"}},
    )
    assert 'name="D__month" value="13"' in html
    assert 'value="7.3.24"' in _part(
        "crf", "field", {"kind": "date", "name": "D", "label": "D", "value": "7.3.24"}
    )


@pytest.mark.parametrize("state", samples.ALL_STATES)
def test_every_state_has_a_colour_an_icon_and_a_word(state: str):
    html = _part("state", "badge", state)
    assert re.search(r"ti-tone-(neutral|info|progress|success|warning|danger)", html)
    icon = re.search(r"bi bi-([a-z0-9-]+)", html)
    assert icon
    assert icon[1] != "question-circle"
    assert re.sub(r"<[^>]*>", "", html).strip()


def test_every_icon_that_a_part_names_is_in_the_font():
    browser.need_frontend()
    font = (browser.ROOT / "trialimg/web/static/vendor/bootstrap-icons/bootstrap-icons.min.css").read_text(
        "utf-8"
    )
    named = set(re.findall(r"bi-([a-z0-9-]+)\"", "".join(_render(page, errors="1") for page in PAGES)))
    assert len(named) > 30
    assert [name for name in sorted(named) if f".bi-{name}::before" not in font] == []


def test_a_state_nobody_knows_does_not_break_the_page():
    assert "Never heard of" in _part("state", "badge", "never_heard_of")


def test_an_icon_is_never_read_out():
    for page in PAGES:
        assert re.findall(r"<i (?![^>]*aria-hidden=\"true\")[^>]*>", _render(page)) == []


# --- in the browser --------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    browser.need_frontend()
    with browser.chromium() as running:
        yield running


@pytest.fixture
def gallery() -> Iterator[Running]:
    with Running() as running:
        yield running


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "console", lambda message: wrong.append(message.text) if "Content Security" in message.text else None
    )
    yield opened
    context.close()
    assert wrong == []


@in_browser
@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits_from_a_telephone_to_a_wide_screen(
    chromium: Browser, gallery: Running, name: str, theme: str
):
    # The policy is set aside for axe's own script only; the other tests run under it.
    context = chromium.new_context(color_scheme=theme, bypass_csp=True)
    opened = context.new_page()
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    for width in (360, 1280, 1920):
        opened.set_viewport_size({"width": width, "height": 900})
        opened.goto(f"{gallery.url}/gallery/{name}?errors=1")
        assert opened.evaluate("document.documentElement.dataset.bsTheme") == theme
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        if width < 1920:
            assert browser.serious_violations(opened) == []
    context.close()
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {gallery.url.split("/")[2]}


@in_browser
def test_the_chosen_theme_stays_on_the_next_page(page: Page, gallery: Running):
    page.goto(f"{gallery.url}/gallery/states")
    page.locator("[data-theme-toggle]").click()
    page.goto(f"{gallery.url}/gallery/nothing")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"


@in_browser
def test_the_first_tab_stop_leads_to_the_content(page: Page, gallery: Running):
    page.goto(f"{gallery.url}/gallery/states")
    page.keyboard.press("Tab")
    expect(page.locator(".ti-skip")).to_be_focused()
    expect(page.locator(".ti-skip")).to_be_in_viewport()


@in_browser
def test_a_field_appears_when_its_condition_holds_and_keeps_what_was_typed(page: Page, gallery: Running):
    page.goto(f"{gallery.url}/gallery/form")
    week, reason = page.locator("#PREGWK"), page.locator("#PREGNO")
    expect(week).to_be_visible()
    expect(reason).to_be_hidden()
    week.fill("12")
    page.locator("input[name=PREG][value=N]").check()
    expect(week).to_be_hidden()
    expect(reason).to_be_visible()
    page.locator("input[name=PREG][value=Y]").check()
    expect(week).to_have_value("12")


@in_browser
def test_an_answer_that_is_not_required_can_be_taken_back(page: Page, gallery: Running):
    page.goto(f"{gallery.url}/gallery/form")
    page.locator("[data-clear-choice=PREG]").click()
    assert page.locator("input[name=PREG]:checked").count() == 0
    expect(page.locator("#PREGWK")).to_be_hidden()
    assert page.locator("[data-clear-choice=SMOKE]").count() == 0


@in_browser
def test_the_error_summary_takes_the_focus_and_leads_to_the_field(page: Page, gallery: Running):
    page.goto(f"{gallery.url}/gallery/form")
    expect(page.locator("[data-error-summary]")).to_be_focused()
    page.get_by_role("link", name="Temperature must be").click()
    expect(page.locator("[id='VS.TEMP']")).to_be_focused()


@in_browser
def test_without_scripts_every_field_is_shown_and_rows_come_from_the_server(
    chromium: Browser, gallery: Running
):
    context = chromium.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(f"{gallery.url}/gallery/form")
    expect(opened.locator("#PREGWK")).to_be_visible()
    expect(opened.locator("#PREGNO")).to_be_visible()
    add = opened.locator("button[name=_add_row]")
    assert add.get_attribute("type") == "submit"
    assert add.get_attribute("value") == "AE"
    opened.goto(f"{gallery.url}/gallery/upload")
    expect(opened.locator("input[type=file][name=files]")).to_be_visible()
    expect(opened.get_by_role("button", name="Send")).to_be_visible()
    expect(opened.get_by_role("button", name="Choose a folder")).to_be_hidden()
    context.close()


@in_browser
def test_a_new_row_has_a_key_of_its_own_and_rows_end_at_the_limit(page: Page, gallery: Running):
    page.goto(f"{gallery.url}/gallery/form")
    add = page.locator("[data-add-row]")
    add.click()
    expect(page.locator("[id='AE/n1/AETERM']")).to_be_focused()
    add.click()
    expect(add).to_be_disabled()
    keys = page.eval_on_selector_all("form [name=_rows]", "all => all.map(one => one.value)")
    assert keys == ["AE/1", "AE/2", "AE/n1", "AE/n2"]
    page.locator("[data-row=n1] [data-remove-new-row]").click()
    expect(add).to_be_enabled()
    add.click()
    keys = page.eval_on_selector_all("form [name=_rows]", "all => all.map(one => one.value)")
    assert len(set(keys)) == 4
    assert "__KEY__" not in page.locator("[data-rows]").inner_html()


@in_browser
def test_leaving_a_changed_form_asks_first(page: Page, gallery: Running):
    page.goto(f"{gallery.url}/gallery/form")
    page.locator("#DMNOTE").fill("something new")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto(f"{gallery.url}/gallery/nothing")
    assert asked == ["beforeunload"]


@in_browser
def test_a_progress_panel_and_the_badge_above_it_tell_of_the_stage_that_is_reached(page: Page, gallery: Running):
    gallery.server.answers = 1000
    page.goto(f"{gallery.url}/gallery/nothing?watch=1")
    reached = page.locator(".ti-stages [aria-current=step]")
    expect(reached).to_have_attribute("data-stage", "clean")
    page.evaluate("document.body.dataset.seen = 'yes'")
    expect(reached).to_have_attribute("data-stage", "sent", timeout=5000)
    expect(reached).to_have_class("ti-stage-current")
    expect(page.locator("[data-stage=clean]")).to_have_class("ti-stage-done")
    expect(page.locator("[data-stage=clean]")).to_contain_text(": done")
    expect(page.locator(".ti-heading .ti-badge")).to_have_attribute("data-state", "sent")
    assert page.evaluate("document.body.dataset.seen") == "yes", "the page was loaded again"


@in_browser
def test_a_progress_panel_keeps_itself_fresh_and_loads_the_page_at_the_end(page: Page, gallery: Running):
    page.goto(f"{gallery.url}/gallery/nothing?watch=1")
    expect(page.locator("[data-progress-sentence]")).to_have_text("Cleaned 1.", timeout=5000)
    assert page.locator("progress").evaluate("bar => [bar.value, bar.max]") == [1, 4]
    expect(page.locator("[data-progress-url]")).to_have_count(0, timeout=10_000)  # loaded again, finished
    assert gallery.server.asked == 3


# --- sending -----------------------------------------------------------------------------------------------
@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scanner's export: 12 files in two folders, with a name that needs care, and a file of the system."""
    root = tmp_path / "Müller^Erika"
    for number in range(1, 13):
        path = root / f"S{number % 2}" / f"IM {number:04d} ä%.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000 * number)
    (root / ".DS_Store").write_bytes(b"mac")
    return root


def _choose(page: Page, gallery: Running, source: Path | list[Path]) -> list[str]:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.goto(f"{gallery.url}/gallery/upload")
    picker = "#upload-folder" if isinstance(source, Path) else "#upload-files"
    page.set_input_files(picker, source)
    return addresses


@in_browser
def test_a_folder_arrives_whole_and_no_address_holds_a_name(page: Page, gallery: Running, folder: Path):
    gallery.server.pause = 0.05
    addresses = _choose(page, gallery, folder)
    page.wait_for_url("**/gallery/nothing")
    got = {unquote(name): body for name, body in gallery.server.objects.values()}
    sent = {f"{folder.name}/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*.dcm")}
    assert got == sent
    assert sorted(gallery.server.objects) == list(range(1, 13))
    assert gallery.server.completed == [{"announced": 12, "refused": 0}]
    assert gallery.server.created[0]["announced"] == "12"
    assert gallery.server.created[0]["acquired"] == "2026-03-07"
    assert 1 < gallery.server.most_at_once <= 3
    assert not [url for url in addresses if any(part in url for part in ("dcm", "Erika", "IM%"))]


@in_browser
def test_a_busy_server_is_asked_again_with_the_same_ordinal(page: Page, gallery: Running, folder: Path):
    gallery.server.plan = {3: [503, 502], 7: [503]}
    _choose(page, gallery, folder)
    page.wait_for_url("**/gallery/nothing", timeout=20_000)
    assert sorted(gallery.server.objects) == list(range(1, 13))
    assert gallery.server.completed == [{"announced": 12, "refused": 0}]


@in_browser
@pytest.mark.parametrize("status", [401, 507])
def test_a_full_disk_or_an_ended_session_stops_and_can_be_continued(
    page: Page, gallery: Running, folder: Path, status: int
):
    gallery.server.plan = {4: [status]}
    _choose(page, gallery, folder)
    problem = page.locator("[data-upload-problem]")
    expect(problem).to_contain_text(f"A sentence of the server about {status}.")
    assert gallery.server.completed == []
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/gallery/nothing")
    assert sorted(gallery.server.objects) == list(range(1, 13))


@in_browser
def test_a_refused_object_is_named_and_the_others_go_on(page: Page, gallery: Running, folder: Path):
    gallery.server.plan = {2: [422]}
    page.route("**/uploads/7/complete", lambda route: route.abort())  # stay, to read the list
    _choose(page, gallery, folder)
    expect(page.locator("[data-upload-refused] li")).to_have_count(1)
    expect(page.locator("[data-upload-refused]")).to_contain_text(".dcm: A sentence of the server about 422.")
    expect(page.locator("[data-upload-problem]")).to_contain_text("The connection was lost.")
    assert len(gallery.server.objects) == 11
    page.unroute("**/uploads/7/complete")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/gallery/nothing")
    assert gallery.server.completed == [{"announced": 12, "refused": 1}]


@in_browser
def test_cancelling_tells_the_server(page: Page, gallery: Running, folder: Path):
    gallery.server.plan = {5: [507]}
    _choose(page, gallery, folder)
    expect(page.locator("[data-upload-problem]")).to_be_visible()
    with page.expect_navigation():
        page.get_by_role("button", name="Cancel and destroy").click()
    assert gallery.server.cancelled == 1
    assert gallery.server.completed == []


@in_browser
def test_an_empty_folder_is_said_and_nothing_is_begun(page: Page, gallery: Running, tmp_path: Path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / ".DS_Store").write_bytes(b"mac")
    _choose(page, gallery, tmp_path / "x")
    expect(page.locator("[data-upload-problem]")).to_contain_text("There is no file in what you chose.")
    expect(page.get_by_role("button", name="Choose a folder")).to_be_visible()
    assert gallery.server.created == []


DROP = """async zone => {
  const files = [['a.dcm', 'first'], ['b.dcm', 'second']].map(pair => new File([pair[1]], pair[0]));
  const transfer = new DataTransfer();
  files.forEach(file => transfer.items.add(file));
  zone.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


@in_browser
def test_files_dropped_on_the_zone_are_sent(page: Page, gallery: Running):
    page.goto(f"{gallery.url}/gallery/upload")
    page.locator("[data-upload-drop]").evaluate(DROP)
    page.wait_for_url("**/gallery/nothing")
    assert {unquote(name): body for name, body in gallery.server.objects.values()} == {
        "a.dcm": b"first",
        "b.dcm": b"second",
    }


# A tree as the browser's drop gives it: a reader hands out a hundred names at a time, then none.
DROP_TREE = """async ([zone, count]) => {
  const file = (path, text) => ({ isFile: true, fullPath: path, file: done => done(new File([text], path.split('/').pop())) });
  const folder = (path, children) => ({ isDirectory: true, fullPath: path, createReader: () => {
    let at = 0;
    return { readEntries: done => { const some = children.slice(at, at + 100); at += 100; done(some); } }; } });
  const leaves = Array.from({ length: count }, (_, n) => file('/exam/deep/IM' + n, 'body ' + n));
  const tree = folder('/exam', [file('/exam/top', 'top'), folder('/exam/deep', leaves)]);
  const event = new Event('drop', { bubbles: true, cancelable: true });
  event.dataTransfer = { items: [{ webkitGetAsEntry: () => tree }], files: [] };
  zone.dispatchEvent(event);
}"""


@in_browser
@pytest.mark.slow
def test_a_dropped_folder_of_hundreds_is_read_to_its_end(page: Page, gallery: Running):
    page.goto(f"{gallery.url}/gallery/upload")
    zone = page.locator("[data-upload-drop]").element_handle()
    page.evaluate(DROP_TREE, [zone, 450])
    start = time.monotonic()
    page.wait_for_url("**/gallery/nothing", timeout=60_000)
    assert time.monotonic() - start < 60
    names = {unquote(name) for name, _body in gallery.server.objects.values()}
    assert names == {"exam/top", *(f"exam/deep/IM{number}" for number in range(450))}
    assert gallery.server.completed == [{"announced": 451, "refused": 0}]
