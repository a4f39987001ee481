"""Every example in a docstring of a formula runs and gives what it shows."""

import doctest

import pytest

from lossmith import formulas


def run(name: str, text: str) -> doctest.TestResults:
    test = doctest.DocTestParser().get_doctest(text, {name: getattr(formulas, name)}, name, None, 0)
    return doctest.DocTestRunner(verbose=False).run(test)


@pytest.mark.parametrize("name", formulas.__all__)
def test_the_example_of_each_formula_runs_and_is_right(name):
    result = run(name, getattr(formulas, name).__doc__)
    assert result.attempted > 1, f"{name} shows no example"
    assert result.failed == 0


def test_an_example_with_a_wrong_number_is_caught(capsys):
    text = formulas.huber.__doc__.replace("array([2.5])", "array([2.6])")
    assert run("huber", text).failed == 1
    assert "array([2.5])" in capsys.readouterr().out


@pytest.mark.parametrize("name", formulas.__all__)
def test_each_docstring_says_shapes_unit_range_gradient_limits_and_source(name):
    made = getattr(formulas, name)
    words = [line.split()[0] for line in made.__doc__.splitlines() if line and line[0].isupper() and "  " in line]
    order = ["Shapes", "Unit", "Range", "Gradient", "Limits", *(["Keywords"] if made.keywords else []), "Source"]
    assert [word for word in words if word in order] == order
    assert all(keyword in made.__doc__ for keyword in made.keywords)
    assert made.source.split(",")[0] in made.__doc__
