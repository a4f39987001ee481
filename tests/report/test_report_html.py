"""The page: it says the words of the terminal, lets nothing in, and is the same page every time."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from report_said import left_out
from report_samples import (
    CLEAN,
    CLOSING,
    EVERY_CASE,
    HIDDEN,
    HOSTILE,
    IMAGE,
    RMSE,
    SCRIPT,
    UNCHECKED,
    hostile,
)
from report_walls import Page

from lossmith.checker.finding import Report
from lossmith.checker.picture import Pictures
from lossmith.errors import MissingExtraError, SettingError
from lossmith.report import html, words


@pytest.fixture(scope="module")
def document() -> str:
    return html.render(EVERY_CASE)


@pytest.fixture(scope="module")
def page(document: str) -> Page:
    return Page(document)


def test_the_page_says_everything_that_was_found(page):
    assert left_out(EVERY_CASE, page.text) == []


def test_the_page_says_the_sentences_of_the_terminal(page):
    said = " ".join(page.text.split())
    assert words.summary(EVERY_CASE) in said
    for loss in EVERY_CASE:
        assert f"{loss.name} {words.verdict(loss)}" in said
        assert " ".join(words.counts(loss).split()) in said or loss is UNCHECKED


def test_every_rule_has_its_row(page):
    said = " ".join(page.text.split())
    for loss in EVERY_CASE:
        for code, status in loss.statuses.items():
            assert f"{code} {status.status} {status.reason}".strip() in said


def test_the_page_lets_nothing_in(page):
    assert page.faults == []


ODD = ("'", '"', "]]>", "-->", "{% raw %}", "&lt;b&gt;")


@pytest.mark.parametrize("text", [SCRIPT, IMAGE, CLOSING, HOSTILE, *ODD])
def test_what_a_user_wrote_is_shown_and_never_becomes_a_part_of_the_page(text):
    page, harmless = Page(html.render(hostile(text), title=text)), Page(html.render(hostile("a"), title="a"))
    assert page.faults == []
    assert page.tags == harmless.tags
    assert left_out(hostile(words.visible(text)), page.text) == []


@pytest.mark.parametrize("text", [SCRIPT, IMAGE, CLOSING])
def test_a_page_that_does_not_escape_is_noticed(text, document):
    open_page = Page(document.replace("sqrt has an infinite slope at 0", text))
    assert open_page.faults
    assert open_page.tags != Page(document).tags


@pytest.mark.parametrize(
    "breach",
    [
        "<link rel=stylesheet href=https://evil.example/x.css>",
        "<style>@import 'https://evil.example/x.css'</style>",
        "<p style='background: url(https://evil.example/x.png)'></p>",
        "<a href='javascript:alert(1)'>x</a>",
        "<svg><use xlink:href='//evil.example/x.svg#a'/></svg>",
    ],
)
def test_a_request_is_noticed(breach, document):
    assert Page(document.replace("</main>", breach + "</main>")).faults


def test_characters_that_hide_are_shown_as_their_escapes():
    rendered = html.render(hostile(HIDDEN))
    assert r"\x1b[2J\u202eevil\ud800\x00" in rendered
    assert not [letter for letter in rendered if letter != "\n" and not letter.isprintable()]
    rendered.encode()  # a lone surrogate would stop the page from being written


def test_the_policy_of_the_page_forbids_requests_and_every_script_but_its_own(document):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', document)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert re.search(r"script-src 'sha256-[^' ]+';", policy[1])
    assert "unsafe-eval" not in policy[1]
    assert document.index("Content-Security-Policy") < document.index("<style>")


def test_every_link_leads_somewhere_and_every_id_is_used_once(page):
    assert len(page.ids) == len(set(page.ids))
    inside = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)
    assert {f"loss-{number}" for number in range(1, 5)} <= inside


def test_elements_are_closed_in_their_order(page):
    void, opened = {"meta", "link", "br", "input"}, []
    for tag in page.tags:
        if not tag.startswith("/"):
            opened += [tag] if tag not in void else []
        else:
            assert opened.pop() == tag[1:]
    assert opened == []


def test_each_loss_has_the_pictures_that_were_made_of_it_and_no_others(document):
    sections = document.split('<section class="loss"')[1:]
    kinds = [re.findall(r'<figure data-kind="(\w+)"', section) for section in sections]
    assert kinds == [["curve", "surface", "precision"], ["curve"], [], []]
    assert [section.count('role="img"') for section in sections] == [4, 1, 0, 0]


def test_the_legend_names_each_line_and_explains_the_cross(page):
    assert "along pred[0], the others at their targets" in page.text
    assert "target 0" in page.text
    assert "A cross marks NaN, infinity, or a size beyond 1e+150." in page.text
    assert RMSE.pictures
    assert RMSE.pictures.curve
    whole = Pictures(replace(RMSE.pictures.curve, series=RMSE.pictures.curve.series[1:]))
    assert "A cross" not in Page(html.render(Report((replace(RMSE, pictures=whole),)))).text


def test_what_was_measured_is_said_in_words_beside_the_pictures(page):
    said = " ".join(page.text.split())
    for words_ in (
        "33.6 ns per prediction, forward and backward",
        "8 B per prediction kept for the backward pass",
        "3e-07 largest relative error of the value in float32",
        "overflows largest relative error of the value in bfloat16",
        "float16: it raises RuntimeError in float16.",
        "one CPU, 1 thread, float32, best of 7",
        "convex F2 convex proved for -8 <= r <= 8",
        "predicts F7 not known open the slope could not be read at every target",
        "compared with fifty digits at 64 points",
    ):
        assert words_ in said


def test_mathematics_is_set_where_it_passes_and_plain_where_it_does_not(document):
    assert (
        '<math display="block"><mrow><mfrac><msup><mi>r</mi><mn>2</mn></msup><mn>2</mn></mfrac></mrow></math>'
        in document
    )
    assert "<code>abs(r) - 1/2</code>" in document


def test_a_page_without_the_things_that_were_not_made_has_no_empty_place_for_them():
    for part in ("Formula and derivatives", "Facts", "Cost", "Surface", "Precision", "Curve"):
        assert part not in Page(html.render(Report((CLEAN,)))).text


def test_data_cannot_end_the_element_it_stands_in(document):
    held = re.findall(r'<script type="application/json">(.*?)</script>', document, re.DOTALL)
    assert len(held) == 4
    assert all(json.loads(text) for text in held)
    assert not re.search("[<>&]", "".join(held))


def test_the_page_reads_on_a_phone_in_the_dark_and_on_paper(document):
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in document
    assert "color-scheme: light dark" in document
    assert "@media print" in document


def test_whatever_scrolls_can_be_reached_with_the_keyboard(document):
    scrolling = re.findall(r'<[^>]*class="[^"]*\bscroll\b[^>]*>', document)
    assert len(scrolling) > 5
    assert all('tabindex="0"' in tag and "aria-label=" in tag for tag in scrolling)


def test_a_loss_with_a_problem_says_what_to_do_and_counts_no_rules():
    said = Page(html.render(Report((UNCHECKED,)))).text
    assert "write example_Triplet(seed=0) beside it" in said
    assert "no rule was run" not in said


def test_a_report_of_nothing_is_a_page_too():
    page = Page(html.render(Report(())))
    assert page.faults == []
    assert "0 losses: nothing was checked" in page.text


def test_the_title_is_that_of_the_caller():
    assert "<title>first_drafts.py</title>" in html.render(Report((CLEAN,)), title="first_drafts.py")


def test_the_same_report_gives_the_same_page_in_another_process(document):
    script = (
        "import sys; from report_samples import EVERY_CASE; from lossmith.report import html;"
        "page = html.render(EVERY_CASE); assert not {'matplotlib', 'torch'} & set(sys.modules);"
        "sys.stdout.buffer.write(page.encode())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
    assert child.stdout.decode() == document
    assert html.render(EVERY_CASE) == document


def test_without_its_library_the_page_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"needs jinja2\n  fix     pip install 'lossmith\[report\]'"):
        html.render(EVERY_CASE)


def test_a_report_may_be_written_over_and_another_file_may_not(tmp_path, document):
    path = tmp_path / "report.html"
    html.require_own(path)
    path.write_text(document)
    html.require_own(path)
    path.write_text("<!doctype html><p>my page")
    with pytest.raises(SettingError, match=r"is no report of ours\n  fix     another name, or --force"):
        html.require_own(path)
