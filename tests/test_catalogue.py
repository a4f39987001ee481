"""What `lossmith list` and `lossmith show` say is what the code says, and every example that they print runs."""

import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

import lossmith
from lossmith import formulas
from lossmith.cli import main
from lossmith.entries import TASKS, faces, find
from lossmith.errors import SettingError
from lossmith.report.catalogue import in_full, page, shown_examples

ENTRIES = lossmith.catalogue()
every_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
OWN = {"numpy": np.ndarray, "jax": jax.Array, "tensorflow": tf.Tensor}


def test_every_formula_has_an_entry_with_its_task_and_its_equation():
    assert {entry.name for entry in ENTRIES} == set(formulas.__all__)
    assert {entry.task for entry in ENTRIES} == set(TASKS)
    assert [entry.name for entry in ENTRIES if not entry.equation] == []
    assert [entry.name for entry in ENTRIES if not (entry.summary and entry.source)] == []


def test_every_formula_has_a_face_in_torch_and_in_keras():
    assert [entry.name for entry in ENTRIES if not entry.torch] == []
    assert [entry.name for entry in ENTRIES if not entry.keras] == []


def test_faces_read_from_source_are_those_that_python_finds():
    import lossmith.keras
    import lossmith.torch

    for framework, module in (("torch", lossmith.torch), ("keras", lossmith.keras)):
        read = {face.name: face.formula for face in faces() if face.framework == framework}
        found = {name: getattr(module, name) for name in module.__all__}
        real = {name: one for name, one in found.items() if not one.__module__.endswith(".loss")}
        assert read.keys() == real.keys()
        for name, one in real.items():
            made = getattr(one, "formula", None)
            assert read[name] == (made.name if isinstance(made, lossmith.spec.Formula) else ""), name


def run(code: str):
    """Execute the lines behind the prompts of an example; the value of the last one."""
    lines = [line[4:] for line in code.splitlines() if line.startswith((">>> ", "... "))]
    *before, last = re.split(r"\n(?=\S)", "\n".join(lines))
    space: dict[str, object] = {}
    exec("\n".join(before), space)
    return eval(last, space)


@every_entry
def test_the_example_of_each_framework_runs_and_gives_the_same(entry):
    shown = shown_examples(entry)
    want = np.asarray(run(shown["numpy"]), dtype=float)
    for framework, kind in OWN.items():
        got = run(shown[framework])
        assert isinstance(got, kind | np.generic) or framework != "numpy"
        assert framework == "numpy" or isinstance(got, kind), f"{entry.name}: nothing of {framework} in its example"
        np.testing.assert_allclose(np.asarray(got, dtype=float), want, rtol=2e-5, atol=2e-6)


def test_a_face_leads_to_its_formula_whatever_its_letters():
    assert find("huberloss") is find("huber")
    assert find("HuberLoss").name == "huber"
    for face in faces():
        assert find(face.name)


def test_a_name_that_is_no_loss_gets_the_nearest_one():
    with pytest.raises(SettingError, match="nearest") as caught:
        find("hubr")
    assert "fix     lossmith show Huber" in str(caught.value)


def test_entries_are_chosen_by_task_claim_and_framework():
    assert {entry.task for entry in lossmith.catalogue(task="regression")} == {"regression"}
    assert all("convex" in entry.claims for entry in lossmith.catalogue(claim="convex"))
    assert all(entry.keras for entry in lossmith.catalogue(framework="keras"))
    for wrong in ({"task": "cooking"}, {"claim": "tasty"}, {"framework": "caffe"}):
        with pytest.raises(SettingError, match="is no"):
            lossmith.catalogue(**wrong)


def printed(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_list_and_show_print_what_the_catalogue_holds(capsys):
    listed = printed(capsys, "list", "--claim", "convex")
    assert "HuberLoss" in listed
    assert "FocalLoss" not in listed
    rows = json.loads(printed(capsys, "list", "--json"))
    assert [row["name"] for row in rows] == [entry.name for entry in ENTRIES]
    shown = printed(capsys, "show", "FocalLoss")
    assert shown.startswith(in_full(find("softmax_focal")))
    assert "compared with fifty digits" in shown
    assert printed(capsys, "show", "huber", "--latex").startswith(r"\begin{align*}")
    assert "power: (u^n)' = n u^(n-1) u'" in printed(capsys, "show", "huber", "--steps")
    for word in ("softmax_focal", "gamma=2.0", "1708.02002", "FocalLoss", ">>>", "jax", "tensorflow"):
        assert word in shown


def test_what_is_made_of_losses_is_listed_and_shown_for_both_frameworks(capsys):
    assert "MultiTaskLoss" in printed(capsys, "list")
    assert "MultiTaskLoss" not in printed(capsys, "list", "--claim", "convex")
    shown = printed(capsys, "show", "multitaskloss")
    assert "lossmith.torch.MultiTaskLoss" in shown
    assert "lossmith.keras.MultiTask\n" in shown
    shown = printed(capsys, "show", "GANLoss")
    assert "  formulas  gan_discriminator, gan_generator, gan_relativistic\n" in shown
    assert "lossmith.keras.GAN\n" in shown
    assert [face.name for face in find("gan_generator").torch] == ["GANLoss"]


def test_the_page_of_losses_is_what_list_prints(capsys):
    stored = (Path(__file__).parents[1] / "docs" / "losses.md").read_text(encoding="utf-8")
    assert stored == page(ENTRIES), "run: lossmith list --markdown > docs/losses.md"
    assert printed(capsys, "list", "--markdown") == stored


def test_an_example_that_is_wrong_elsewhere_is_caught():
    assert float(run(">>> import jax.numpy as jnp\n>>> jnp.array([1.0])[0]")) == 1.0
    with pytest.raises(NameError):
        run(">>> not_imported(1.0)")
    assert isinstance(jnp.zeros(1), OWN["jax"])
