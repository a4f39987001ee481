"""Pictures hold the numbers of the loss; axes that are given are drawn on and come back; files come in each format."""

import doctest
import json
import os
import re

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lossmith import formulas, plots
from lossmith.checker.picture import Curve, Surface
from lossmith.errors import SettingError, TargetError
from lossmith.plots import lines
from lossmith.torch import FocalLoss, HuberLoss


def huber(x, delta):
    return formulas.huber(np.asarray(x), np.zeros(len(x)), delta=delta)


def test_each_line_of_a_varied_loss_is_the_loss_at_that_setting():
    value, gradient = plots.curve("huber", vary={"delta": [0.5, 2.0]})
    assert [line.get_label() for line in value.lines] == ["delta=0.5", "delta=2.0"]
    for line, slope, delta in zip(value.lines, gradient.lines, (0.5, 2.0), strict=True):
        x = line.get_xdata()
        np.testing.assert_allclose(line.get_ydata(), huber(x, delta), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(slope.get_ydata(), np.clip(x, -delta, delta), rtol=1e-12, atol=1e-12)


def test_a_wrong_number_in_a_line_would_be_noticed():
    value, _ = plots.curve("huber", vary={"delta": [0.5]})
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(value.lines[0].get_ydata(), huber(value.lines[0].get_xdata(), 0.6), rtol=1e-3)


def test_settings_vary_in_every_combination():
    made = plots.curve_of("binary_focal", vary={"gamma": [0.0, 2.0], "alpha": [0.25, 0.5]}, points=5)
    assert [series.label for series in made.series][1:3] == ["gamma=0.0, alpha=0.5", "gamma=2.0, alpha=0.25"]
    assert made.xlabel == "prediction (target 1)"


def test_several_losses_share_an_axis():
    made = plots.curve_of("huber", "cauchy", HuberLoss(delta=2.0), span=(-1, 1), points=3)
    assert [series.label for series in made.series] == ["huber", "cauchy", "HuberLoss"]
    assert [series.value[2] for series in made.series] == pytest.approx([0.5, np.log(1.5), 0.5])


def test_losses_of_different_things_do_not():
    with pytest.raises(SettingError, match="no axis in common"):
        plots.curve_of("huber", "giou")


def test_a_class_is_varied_and_an_object_is_not():
    made = plots.curve_of(FocalLoss, vary={"gamma": [0.0, 5.0]}, points=3)
    assert made.series[0].value[0] > made.series[1].value[1] >= 0
    with pytest.raises(SettingError, match="already built"):
        plots.curve_of(FocalLoss(), vary={"gamma": [0.0]})


BAD = [
    ({"vary": {"delta": []}}, "1 to 12 lines"),
    ({"vary": {"delta": [-1.0]}}, "cannot be built"),
    ({"vary": {"nonsense": [1.0]}}, "cannot be built"),
    ({"settings": {"nonsense": 1.0}}, "nonsense"),
]


@pytest.mark.parametrize(("keywords", "said"), BAD, ids=str)
def test_settings_that_do_not_exist_are_refused(keywords, said):
    with pytest.raises(SettingError, match=said):
        plots.curve_of("huber", **keywords)


def test_a_loss_without_a_line_says_what_it_takes():
    with pytest.raises(TargetError, match=r"has no a? ?plane|has no"):
        plots.surface_of("ntxent")


def test_the_axes_that_were_given_are_drawn_on_and_returned():
    figure = Figure()
    given = tuple(figure.subplots(3, 1))
    assert plots.curve("huber", points=9, axes=given) == given
    assert [axes.get_ylabel() for axes in given] == ["value", "gradient", "curvature"]
    one = figure.add_subplot()
    assert plots.contour("huber", points=9, axes=one) is one
    assert plots.gradient_field("huber", points=9, axes=one) is one
    solid = figure.add_subplot(projection="3d")
    assert plots.surface("huber", points=9, axes=solid) is solid


def test_nothing_global_is_touched():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.contour("huber", points=9)
    assert dict(matplotlib.rcParams) == before


def surface_at_9():
    return plots.surface_of("charbonnier", points=9)


def test_a_surface_is_the_mean_of_two_losses_and_is_marked():
    made = surface_at_9()
    x, y = np.meshgrid(made.x, made.y)
    want = (formulas.charbonnier(x, np.ones_like(x)) + formulas.charbonnier(y, -np.ones_like(y))) / 2
    np.testing.assert_allclose(made.value, want, rtol=1e-12, atol=1e-14)
    axes = plots.contour(made)
    labels = {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines}
    assert labels == {"target": (1.0, -1.0), "minimum": (1.0, -1.0)}


def test_arrows_point_downhill():
    from lossmith.plots.planes import arrows

    x, y, across, along = arrows(surface_at_9())
    away = (np.abs(x - 1) > 1e-9) & (np.abs(y + 1) > 1e-9)
    assert (np.sign(across) == np.sign(1 - x))[away].all()
    assert (np.sign(along) == np.sign(-1 - y))[away].all()


def test_a_hole_is_a_hole_and_a_cross():
    from lossmith.checker.picture import Series

    made = Curve("x", [Series("s", [0.0, 1.0, 2.0], [1.0, float("inf"), 3.0], [0.0, 1.0, 2.0])])
    value, _ = lines.draw(made)
    assert np.isnan(value.lines[0].get_ydata()[1])
    assert list(value.lines[1].get_xdata()) == [1.0]


@pytest.mark.parametrize(("ending", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_a_figure_is_written_in_each_format_and_over_nothing(tmp_path, ending, start):
    axes = plots.curve("huber", points=9)
    path = plots.save(axes, tmp_path / f"huber{ending}")
    assert path.read_bytes().startswith(start)
    with pytest.raises(SettingError, match="exists already"):
        plots.save(axes, path)
    path.write_text("mine")
    plots.save(axes, path, force=True)
    assert path.read_bytes().startswith(start)


def test_an_unknown_ending_and_a_missing_folder_are_refused(tmp_path):
    axes = plots.curve("huber", points=9)
    for name, said in (("x.docx", "endings"), ("no/x.png", "folder does not exist")):
        with pytest.raises(SettingError, match=said):
            plots.save(axes, tmp_path / name)


def traces(page):
    start = page.index("[", page.index("Plotly.newPlot("))
    return json.JSONDecoder().raw_decode(page, start)[0]


@pytest.mark.parametrize("field", [False, True])
def test_an_interactive_surface_holds_its_numbers_and_asks_for_nothing(field):
    page = plots.interactive(surface_at_9(), title="<script>alert(1)</script>", field=field)
    kinds = {trace["type"] for trace in traces(page)}
    assert kinds == ({"scatter", "contour"} if field else {"surface", "contour", "scatter3d", "scatter"})
    assert "<script>alert" not in page
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=[\"'](?!data:)", page)
    assert "default-src 'none'" in page


def test_an_interactive_curve_has_a_line_for_each_panel():
    page = plots.interactive(plots.curve_of("huber", vary={"delta": [1.0, 2.0]}, points=5))
    assert len(traces(page)) == 6


HOSTILE = "import os\nimport torch\n\ndef my_loss(pred, target):\n    {}\n    return ((pred - target) ** 2).mean()\n"


def test_a_users_loss_is_drawn_in_another_process(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(HOSTILE.format(f"assert os.getpid() != {os.getpid()}"))
    made = plots.curve_of(f"{file}:my_loss", points=5)
    assert made.series[0].value == pytest.approx([16.0, 4.0, 0.0, 4.0, 16.0])


def test_a_users_loss_that_ends_its_process_is_an_error_and_no_end_of_this_one(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(HOSTILE.format("os._exit(3)"))
    with pytest.raises(TargetError, match="could not be drawn"):
        plots.curve_of(f"{file}:my_loss", points=5)


def test_what_is_drawn_goes_through_json_and_back():
    made = surface_at_9()
    assert Surface(**json.loads(json.dumps(vars(made)))) == made
    assert torch.tensor(made.value).shape == (9, 9)


def test_the_examples_run():
    assert doctest.testmod(lines).attempted == 2
    assert doctest.testmod(lines).failed == 0


def test_no_public_name_is_hidden_by_a_module():
    import lossmith.plots.command  # noqa: F401  (imports every module of the package)

    for name in plots.__all__:
        assert callable(getattr(plots, name)), name
