"""Mathematics from another process: a closed list of elements passes, anything else does not."""

import pytest
from report_walls import Page

from lossmith.report.mathml import cleaned

PASSES = {
    "<mi>r</mi>": "<mi>r</mi>",
    "<math xmlns=''><mi>r</mi></math>": "<mi>r</mi>",
    '<mi mathcolor="red">r</mi>': "<mi>r</mi>",
    "<mrow><mo>-</mo><mi>x</mi></mrow>": "<mrow><mo>\N{MINUS SIGN}</mo><mi>x</mi></mrow>",
    "<msup><mi>&ExponentialE;</mi><mi>r</mi></msup>": "<msup><mi>e</mi><mi>r</mi></msup>",
    "<mo>&lt;</mo>": "<mo>&lt;</mo>",
    "<mo>&InvisibleTimes;</mo>": "<mo>&#8290;</mo>",
    "<mfenced><mi>a</mi><mi>b</mi></mfenced>": "<mrow><mo>(</mo><mi>a</mi><mo>,</mo><mi>b</mi><mo>)</mo></mrow>",
}
STOPPED = [
    "",
    "r",
    "<mi>r",
    "<script>alert(1)</script>",
    "<mrow><annotation-xml><b>x</b></annotation-xml></mrow>",
    "<maction><mi>x</mi></maction>",
    "<html:script xmlns:html='http://www.w3.org/1999/xhtml'>alert(1)</html:script>",
    "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><mi>&a;</mi>",
    "<mi>" * 80 + "x" + "</mi>" * 80,
    "<mi>" + "x" * 50_000 + "</mi>",
]


@pytest.mark.parametrize(("given", "kept"), PASSES.items())
def test_what_is_allowed_is_written_anew_without_attributes(given, kept):
    assert cleaned(given) == f'<math display="block">{kept}</math>'


@pytest.mark.parametrize("given", STOPPED, ids=lambda text: text[:30])
def test_anything_else_is_no_mathematics(given):
    assert cleaned(given) is None


def test_text_inside_is_escaped_and_hidden_characters_are_seen():
    made = cleaned("<mi>&lt;script&gt;alert(1)&lt;/script&gt;\u202e</mi>")
    assert made == '<math display="block"><mi>&lt;script&gt;alert(1)&lt;/script&gt;\\u202e</mi></math>'
    assert Page(made).faults == []
