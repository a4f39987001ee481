"""The page in a real browser: on a desk and on a phone, light and dark, by pointer and by keyboard.

It is driven through Playwright's Python package and the system's Chromium; no browser is downloaded. Set
LOSSMITH_SCREENSHOTS to a folder to keep what was seen.
"""

import os
import shutil
from pathlib import Path

import pytest
from report_samples import EVERY_CASE, HOSTILE, hostile

from lossmith.report import html

playwright = pytest.importorskip("playwright.sync_api", reason="the extra `dev` (playwright) is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this system: apt-get install chromium")
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
SIZES = {"desk": (1360, 900), "phone": (360, 780)}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    (folder / "every.html").write_text(html.render(EVERY_CASE))
    (folder / "hostile.html").write_text(html.render(hostile(HOSTILE)))
    (folder / "caught.html").write_text("<script>console.error('seen')</script><img src='https://evil.example/x.png'>")
    return folder


@pytest.fixture
def visit(browser, files):
    opened = []

    def visit(name="every", size="desk", scheme="light", **how):
        width, height = SIZES[size]
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, **how)
        opened.append(page)
        page.faults = []
        page.on("console", lambda said: page.faults.append(said.text))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on(
            "request", lambda sent: page.faults.append(sent.url) if sent.url[:5] not in ("file:", "data:") else None
        )
        page.goto((files / f"{name}.html").as_uri())
        return page

    yield visit
    for page in opened:
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_says_no_error_and_asks_for_nothing(visit, size, scheme):
    page = visit(size=size, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert page.locator("figure.live").count() == 4
    shot = page.screenshot(full_page=True)
    assert len(shot) > 20_000
    if folder := os.environ.get("LOSSMITH_SCREENSHOTS"):
        Path(folder, f"report-{size}-{scheme}.png").write_bytes(shot)
    assert page.faults == []


def test_a_page_that_says_an_error_or_asks_for_something_is_noticed(visit):
    page = visit("caught")
    page.wait_for_timeout(100)
    assert "seen" in page.faults
    assert any("evil.example" in fault for fault in page.faults)


@pytest.mark.parametrize("size", SIZES)
def test_nothing_that_a_stranger_wrote_runs_or_asks_or_widens_the_page(visit, size):
    page = visit("hostile", size)
    page.on("dialog", lambda dialog: page.faults.append(dialog.message))
    assert page.faults == []
    assert page.locator("img, a[href^=http]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]


def test_every_control_is_reached_by_the_tabulator_in_its_order(visit):
    page = visit()
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], button, input, summary, [tabindex=\"0\"]')]"
        ".filter((one) => one.checkVisibility()).map((one) => (one.dataset.order = Math.random().toString()))"
    )
    reached = []
    for _ in wanted:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.order"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached == wanted


def test_the_arrow_keys_move_the_reading_of_a_curve(visit):
    page = visit()
    figure = page.locator("figure[data-kind=curve]").first
    slider = figure.locator("input")
    slider.focus()
    page.keyboard.press("Home")
    assert figure.locator(".at").inner_text() == "-2"
    assert figure.locator("tbody td").all_inner_texts() == ["2", "-1", "9", "-6"]
    page.keyboard.press("ArrowRight")
    assert figure.locator(".at").inner_text() == "-1.95"
    assert figure.locator("tbody td").first.inner_text() == "1.95"
    assert "target 0 value 1.95" in slider.get_attribute("aria-valuetext")
    assert figure.locator("circle.dot").count() == 4


def test_the_pointer_moves_the_same_reading(visit):
    page = visit()
    svg = page.locator("figure[data-kind=curve] > svg").first
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 8 * box["width"] / 400, box["y"] + 100)
    assert page.locator("figure[data-kind=curve] .at").first.inner_text() == "2"


def test_the_surface_is_read_by_two_sliders_from_its_minimum(visit):
    page = visit()
    figure = page.locator("figure[data-kind=surface]")
    assert figure.locator("[data-out=value]").inner_text() == "0"
    figure.locator("input").nth(1).focus()
    page.keyboard.press("End")
    assert figure.locator("[data-out=y]").inner_text() == "1"
    assert figure.locator("[data-out=value]").inner_text() == "2"
    assert figure.locator("[data-out=slope_y]").inner_text() == "4"


CORNERS = "[...document.querySelectorAll('.relief .cells path')].map((one) => one.getAttribute('d'))"


def test_the_solid_surface_is_turned_by_keyboard_with_its_marks(visit):
    page = visit()
    turn = page.locator(".relief input").first
    before, minimum = page.evaluate(CORNERS), page.locator(".relief .minimum").get_attribute("cx")
    assert len(before) == 64
    assert all(before)
    turn.focus()
    page.keyboard.press("Home")
    assert page.locator("[data-out=turn]").inner_text() == "-180\N{DEGREE SIGN}"
    assert turn.get_attribute("aria-valuetext") == "turned by -180 degrees"
    assert page.evaluate(CORNERS) != before
    assert page.locator(".relief .minimum").get_attribute("cx") == minimum == "200"  # the middle of the plane stays
    assert page.locator(".relief .target").is_visible()
    assert page.locator(".relief text").all_text_contents() == ["prediction 1", "prediction 2"]


def test_the_solid_surface_from_above_is_the_plane_and_shows_the_point_that_is_read(visit):
    page = visit()
    turn, tilt = page.locator(".relief input").all()
    turn.fill("0")
    tilt.fill("90")
    across = page.locator("figure[data-kind=surface] .controls").first.locator("input").first
    across.focus()
    page.keyboard.press("End")
    read, target = (page.locator(f".relief .{name}").bounding_box() for name in ("dot", "target"))
    middle = page.locator(".relief .minimum").bounding_box()
    centre = [box["x"] + box["width"] / 2 for box in (read, target, middle)]
    assert centre[0] - centre[2] == pytest.approx(2 * (centre[1] - centre[2]), abs=1.5)  # x = 1, and 0.5
    assert target["y"] > middle["y"]  # its second prediction is below 0


def test_dragging_turns_the_solid_surface(visit):
    page = visit()
    svg = page.locator(".relief svg")
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    page.mouse.move(box["x"] + 150, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 190, box["y"] + 120)
    page.mouse.up()
    assert page.locator("[data-out=turn]").inner_text() == "-16\N{DEGREE SIGN}"
    assert page.locator("[data-out=tilt]").inner_text() == "40\N{DEGREE SIGN}"
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    assert page.locator("[data-out=turn]").inner_text() == "-16\N{DEGREE SIGN}"
    assert page.faults == []


def test_a_finger_reads_a_picture_too(visit):
    page = visit(size="phone", has_touch=True)
    svg = page.locator("figure[data-kind=surface] > svg")
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    page.touchscreen.tap(box["x"] + 51 * box["width"] / 400, box["y"] + 13 * box["width"] / 400)
    assert page.locator("[data-out=x]").inner_text() == "-1"
    assert page.locator("[data-out=value]").inner_text() == "3"


PAPER = "getComputedStyle(document.body).backgroundColor"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_button_changes_the_colours_and_back(visit, scheme):
    page = visit(scheme=scheme)
    before = page.evaluate(PAPER)
    page.locator("#theme").focus()
    page.keyboard.press("Enter")
    assert page.evaluate(PAPER) != before
    page.keyboard.press("Enter")
    assert page.evaluate(PAPER) == before


def test_details_open_by_keyboard(visit):
    page = visit()
    page.locator("nav summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("nav dl").is_visible()


def test_without_scripts_the_page_shows_its_pictures_and_no_dead_control(visit):
    page = visit(java_script_enabled=False)
    assert page.locator("figure > svg").first.is_visible()
    assert page.locator("input:visible, button:visible").count() == 0
