"""What may be said in an expression, a name, a parameter and a file name; everything else is refused in words."""

import pytest

from lossmith.errors import LossmithError, SettingError
from lossmith.forging import forge
from lossmith.forging.names import parse_param, require_name, require_params, require_place
from lossmith.forging.parse import parse
from lossmith.forging.spell import text_of

HOSTILE = {
    "__import__('os').system('id')": "attribute",
    "__import__('os')": "__import__ is not a word",
    "pred.__class__": "attribute",
    "().__class__.__bases__[0]": "subscript",
    "pred[0]": "subscript",
    "(lambda: 1)()": "lambda",
    "[x for x in pred]": "ListComp",
    "eval(pred)": "eval is not a word",
    "exec('1')": "exec is not a word",
    "open(pred)": "open is not a word",
    "getattr(pred, target)": "getattr is not a word",
    "pred if pred > 0 else target": "write where",
    "(pred := 1)": "assignment",
    "f'{pred}'": "string",
    "'pred'": "str is not a number",
    "pred + 1j": "complex is not a number",
    "pred + True": "bool is not a number",
    "pred + None": "NoneType is not a number",
    "pred + ...": "ellipsis is not a number",
    "square(*pred)": "a star",
    "square(x=pred)": "argument by name",
    "square(pred, target)": "takes 1",
    "where(pred, target, 1)": "condition",
    "pred > target": "true or false",
    "pred in target": "compare with",
    "pred is target": "compare with",
    "pred // 2": "BinOp",
    "pred % 2": "BinOp",
    "pred @ target": "BinOp",
    "pred + 9**9**9": "cannot compute",
    "pred ** 1e400": "cannot compute",
    "pred + " + "9" * 400: "cannot compute",
    "pred + 1e-300": "cannot compute",
    "pred / 0": "division by 0",
    "(-1)**0.5 * pred": "cannot compute",
    "(" * 300 + "pred" + ")" * 300: "",
    "-" * 900 + "pred": "nested",
    "abs(" * 60 + "pred" + ")" * 60: "nested",
    "pred + " * 160 + "pred": "characters",
    "рred - target": "ASCII",  # a Cyrillic letter
    "ｐred - target": "ASCII",  # a full-width letter, which Python reads as p
    "pred − target": "ASCII",  # a minus sign
    "pred\u202e - target": "ASCII",
    "pred\0": "ASCII",
    "": "empty",
    "   ": "empty",
    "pred -": "not an expression",
    "pred; target": "not an expression",
    "import os": "not an expression",
    "target": "depends on pred",
    "hypot(pred, target)": "hypot is not a word",
    "_x + pred": "neither",
    "sqaure(pred)": "did you mean square",
    "clamp(pred, 0, 1)": "did you mean clip",
    "prd - target": "did you mean pred",
    "y_pred - target": "did you mean pred",
    "log": "takes arguments",
    "pred - delta": "--param delta=VALUE",
}


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:24].encode("ascii", "replace").decode() for text in HOSTILE])
def test_anything_else_is_refused_in_words(text):
    with pytest.raises(SettingError) as caught:
        parse(text)
    assert HOSTILE[text] in str(caught.value)
    assert str(caught.value).isascii()


def test_the_test_above_can_fail():
    assert text_of(parse("square(pred - target)")) == "square(pred - target)"


@pytest.mark.parametrize("word", ["exp", "sigmoid", "log_cosh", "softplus", "tanh", "square", "sinh"])
def test_deep_nests_are_refused_before_they_grow(word):
    nest = f"{word}(" * 20 + "pred - target" + ")" * 20
    for text in (f"square({nest})", f"{nest} * {nest}"):
        with pytest.raises(SettingError):
            forge(text, name="Nest", pred="real", target="real", check=False)


def test_the_column_is_marked():
    with pytest.raises(SettingError) as caught:
        parse("  square(pred - tgt)")
    line, mark = str(caught.value).splitlines()[1:3]
    assert line[mark.index("^") : mark.index("^") + 3] == "tgt"
    assert "column 17" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("(pred-target)**2", "square(pred - target)"),
        ("relu(pred)", "maximum(pred, 0)"),
        ("clip(pred, 0, 1)", "minimum(maximum(pred, 0), 1)"),
        ("where(0 < pred < 1, pred, target)", "where((0 < pred) & (pred < 1), pred, target)"),
        ("where(not pred > 0, pred, pi)", "where(~(pred > 0), pred, pi)"),
        ("2*(3*pred) - -target", "6 * pred + target"),
        ("pred - (target - 1)", "pred - (target - 1)"),
        ("(pred / target) / 2", "pred / target / 2"),
        ("pred / (target / 2)", "pred / (target / 2)"),
        ("-(pred + target)**3", "-(pred + target) ** 3"),
        ("2**-pred", "2 ** (-pred)"),
    ],
)
def test_text_read_and_written_again_means_the_same(text, shown):
    assert text_of(parse(text)).replace("**-pred", " ** (-pred)") == shown
    assert parse(text_of(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "class",
        "import",
        "None",
        "_Loss",
        "Loss_",
        "a__b",
        "9Loss",
        "My Loss",
        "Lоss",
        "A" * 80,
        "x;y",
        "torch",
        "print",
        "Print",
        "Return",
        "Tensor",
        "../x",
        "a.b",
        "pred",
        "Keras",
    ],
)
def test_a_name_that_means_something_else_is_refused(name):
    with pytest.raises(SettingError):
        require_name(name)
    assert require_name("AsymmetricMSE")


@pytest.mark.parametrize("text", ["", "a", "a=", "a=nan", "a=inf", "a=1e999", "a=b", "a=__import__('os')", "=1"])
def test_a_parameter_without_a_number_is_refused(text):
    with pytest.raises(SettingError):
        require_params(dict([parse_param(text)]))


@pytest.mark.parametrize("name", ["pred", "lambda", "exp", "np", "reduction", "self", "é", "a-b", "float"])
def test_a_parameter_whose_name_is_taken_is_refused(name):
    with pytest.raises(SettingError):
        require_params({name: 1.0})
    assert require_params({"under": 2}) == {"under": 2.0}


@pytest.mark.parametrize(
    "name", ["a.txt", "a", "", "a\0.py", "torch.py", "json.py", "no/such/a.py", "a b.py", "a-b.py", "class.py", "..py"]
)
def test_a_place_that_cannot_be_imported_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError):
        require_place(name, ".py", force=True, with_tests=False)
    assert require_place("my_loss.py", ".py", force=False, with_tests=True)


def test_links_and_files_that_exist_are_kept(tmp_path):
    (tmp_path / "there.py").write_text("kept")
    (tmp_path / "link.py").symlink_to(tmp_path / "there.py")
    for name, force in (("there.py", False), ("link.py", True)):
        with pytest.raises(SettingError):
            require_place(tmp_path / name, ".py", force=force, with_tests=False)
    (tmp_path / "test_new.py").write_text("kept")
    with pytest.raises(SettingError, match="exists"):
        require_place(tmp_path / "new.py", ".py", force=False, with_tests=True)


def test_what_is_not_known_is_refused():
    for options in ({"to": "tensorflow"}, {"to": "latex", "with_tests": True}, {"pred": "angle"}):
        with pytest.raises(SettingError):
            forge("square(pred - target)", name="Square", check=False, **options)
    with pytest.raises(SettingError, match="could not be found out"):
        forge("pred + target", name="Slope", check=False)
    with pytest.raises(SettingError, match="score is any number"):
        forge("target / pred + log(pred)", name="Gamma", to="xgboost", check=False)
    with pytest.raises(LossmithError, match="no finite value"):
        forge("log(pred)", name="Bad", pred="real", target="real", check=False)
