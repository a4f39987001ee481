"""The trial can be trusted: its page is its record, its record is its table, and a small part of it is run again."""

import pytest
from faults import FAULTS
from mutation import SEEDS, Mutant, behaves_alike, examined, judged, planted, recorded, seeds
from page import PAGE, page
from patterns import rewritings
from reported import NONE, TABLES, Report, accusations, reports
from reported import judged as reported_as
from reported import recorded as verdicts

from lossmith.checker.finding import Finding, LossReport

AGAIN = ("float64 constant", "rebuilt as a tensor", "result negated")


def test_the_page_says_what_was_recorded():
    assert PAGE.read_text(encoding="utf-8") == page()


def test_what_is_recorded_is_in_the_table_of_faults():
    """In one loss of two at least, or the page names it as not run yet."""
    wanted = {mutant.key: mutant.defect for fault in FAULTS for mutant, _ in planted(fault)}
    known = {each.key: each.defect for each in recorded()}
    assert known.items() <= wanted.items()
    missing = {fault.name for fault in FAULTS} - {name for name, _ in known}
    assert {name for name in missing if name not in page()} == set()


def test_every_fault_fits_a_loss():
    assert [fault.name for fault in FAULTS if not list(planted(fault))] == []


def test_a_few_mutants_are_judged_as_recorded(tmp_path):
    chosen = [(*next(planted(fault)), fault) for fault in FAULTS if fault.name in AGAIN]
    answers = list(examined([(mutant, fault, source) for mutant, source, fault in chosen], tmp_path))
    known = {each.key: each for each in recorded()}
    assert [each.outcome for each in answers] == [known[each.key].outcome for each in answers]
    assert len(answers) == len(AGAIN)


def test_an_accusation_under_another_name_finds_nothing():
    fault = FAULTS[0]
    mutant = Mutant(fault.defect, fault.name, "mse_loss")
    other = LossReport("mse_loss", "", findings=(Finding("LS603", "", "error", "proved", ""),))
    assert judged(mutant, fault, other, same=False).outcome == "escaped"
    assert judged(mutant, fault, other, same=True).outcome == "same"


def test_what_is_the_same_is_measured(tmp_path):
    source = "def mse_loss(pred, target):\n    return {}((pred - target) ** 2).mean()\n"
    for sign, alike in (("", True), ("-", False)):
        file = tmp_path / f"signed{len(sign)}.py"
        file.write_text(source.format(sign), encoding="utf-8")
        assert behaves_alike("mse_loss", SEEDS, "mse_loss", file) is alike


@pytest.mark.parametrize(
    ("source", "before", "after", "changed"),
    [
        ("y = (a - b) ** 2 + c ** 2", "A ** 2", "A", ["y = a - b + c ** 2", "y = (a - b) ** 2 + c"]),
        ("f(x, k=1, m=2)", "f(A, k=B, **R)", "f(A, **R)", ["f(x, m=2)"]),
        ("x - x", "A - A", "A", ["x"]),
        ("x - y", "A - A", "A", []),
        ("0.5 * x", "K * A", "A", ["x"]),
        ("n * x", "K * A", "A", []),
        ("f(n).x * 2", "P * 2", "P", []),
        ("self.put('w', 1)", "self.put('w', A)", "self.w = A", ["self.w = 1"]),
        ("return x", "return A", "print(A)\nreturn A", ["print(x)\nreturn x"]),
    ],
)
def test_a_pattern_rewrites_one_place_after_the_other(source, before, after, changed):
    assert list(rewritings(source, before, after)) == changed


def test_no_fault_leaves_a_loss_as_it_was():
    known = seeds()
    assert all(source != known[mutant.seed] for fault in FAULTS for mutant, source in planted(fault))


REPORTS = [report for table in TABLES for report in reports(table)]
SEEN_AGAIN = ("nll_on_probabilities", "IoULossMasks", "kl_exchanged")


def test_every_report_has_a_twin_and_a_verdict():
    known = {(each.table, each.name): each for each in verdicts()}
    assert known.keys() == {(report.table, report.name) for report in REPORTS}
    assert [report.name for report in REPORTS if bool(report.codes) != (report.wrong != report.right)] == []
    for report in REPORTS:
        compile(report.wrong, report.name, "exec")
        compile(report.right, report.name, "exec")


@pytest.mark.parametrize("name", SEEN_AGAIN)
def test_a_few_reports_are_judged_as_recorded(name, tmp_path):
    report = next(each for each in REPORTS if each.name == name)
    known = next(each for each in verdicts() if each.name == name)
    assert (reported_as(report, tmp_path).now, accusations(report, tmp_path)) == (known.now, known.accused)


def test_a_twin_that_is_wrong_is_accused_and_a_mended_report_is_not_found(tmp_path):
    source = "def mse_loss(pred, target):\n    return {}((pred - target) ** 2).mean()\n"
    turned = Report("innocents", "mse_loss", "wrong direction", ("LS701",), source.format(""), source.format("-"))
    assert reported_as(turned, tmp_path).now == "escaped"
    assert "LS701" in accusations(turned, tmp_path).split()
    assert NONE not in accusations(turned, tmp_path)
