"""The two sides of a GAN in torch, mode by mode, against the sums that the papers print."""

import copy
import inspect
import pickle

import pytest
import torch
from torch.nn import functional as F
from torch_cases.data import close

from lossmith.errors import DtypeError, LossmithError, SettingError, ShapeError
from lossmith.torch import GANLoss

MODES = (
    "vanilla",
    "non_saturating",
    "least_squares",
    "wasserstein",
    "hinge",
    "relativistic",
    "relativistic_average",
)
every_mode = pytest.mark.parametrize("mode", MODES)


def scores(seed=0, n=6, m=6):
    g = torch.Generator().manual_seed(seed)
    return [3 * torch.randn(k, 2, generator=g, dtype=torch.float64) for k in (n, m)]


def printed_discriminator(mode, r, f):
    sigmoid, log = torch.sigmoid, torch.log
    return {
        "vanilla": lambda: -log(sigmoid(r)).mean() - log(1 - sigmoid(f)).mean(),
        "non_saturating": lambda: -log(sigmoid(r)).mean() - log(1 - sigmoid(f)).mean(),
        "least_squares": lambda: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
        "wasserstein": lambda: f.mean() - r.mean(),
        "hinge": lambda: F.relu(1 - r).mean() + F.relu(1 + f).mean(),
        "relativistic": lambda: -log(sigmoid(r - f)).mean(),
        "relativistic_average": lambda: -log(sigmoid(r - f.mean())).mean() - log(1 - sigmoid(f - r.mean())).mean(),
    }[mode]()


def printed_generator(mode, r, f):
    sigmoid, log = torch.sigmoid, torch.log
    return {
        "vanilla": lambda: log(1 - sigmoid(f)).mean(),
        "non_saturating": lambda: -log(sigmoid(f)).mean(),
        "least_squares": lambda: ((f - 1) ** 2).mean() / 2,
        "wasserstein": lambda: -f.mean(),
        "hinge": lambda: -f.mean(),
        "relativistic": lambda: -log(sigmoid(f - r)).mean(),
        "relativistic_average": lambda: -log(sigmoid(f - r.mean())).mean() - log(1 - sigmoid(r - f.mean())).mean(),
    }[mode]()


def generator_of(loss, mode, r, f, **more):
    return loss.generator(fake=f, real=r, **more) if "relativistic" in mode else loss.generator(fake=f, **more)


@every_mode
def test_each_side_is_what_the_paper_prints(mode):
    r, f = (x.requires_grad_() for x in scores())
    loss = GANLoss(mode)
    for got, want in (
        (loss.discriminator(real=r, fake=f), printed_discriminator(mode, r, f)),
        (generator_of(loss, mode, r, f), printed_generator(mode, r, f)),
    ):
        close(got, want)
        slopes = [torch.autograd.grad(x, (r, f), allow_unused=True, retain_graph=True) for x in (got, want)]
        for one, other in zip(*slopes, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                close(one, other)


@every_mode
def test_a_step_down_either_loss_moves_the_scores_the_way_its_player_wants(mode):
    r, f = (torch.full((4,), 0.5).requires_grad_() for _ in range(2))  # between the labels: nobody is sure
    loss = GANLoss(mode)
    real, fake = torch.autograd.grad(loss.discriminator(real=r, fake=f), (r, f))
    assert real.sum() < 0 < fake.sum()  # real scores up, generated ones down
    (fake,) = torch.autograd.grad(generator_of(loss, mode, r, f), (f,))
    assert fake.sum() < 0


@every_mode
def test_neither_side_can_be_called_by_position_or_as_the_module(mode):
    r, f = scores()
    loss = GANLoss(mode)
    for call in (lambda: loss.discriminator(r, f), lambda: loss.generator(f)):
        with pytest.raises(TypeError, match="positional"):
            call()
    for arguments in ((), (r,), (r, f)):
        with pytest.raises(LossmithError, match=r"not called itself\n.*discriminator"):
            loss(*arguments)
    for side in (loss.discriminator, loss.generator):
        assert all(p.kind is p.KEYWORD_ONLY for p in inspect.signature(side).parameters.values())


def test_the_real_scores_belong_to_relativistic_generators_alone():
    r, f = scores()
    for mode in MODES:
        relative = "relativistic" in mode
        with pytest.raises(SettingError, match="needs the real scores" if relative else "takes no real scores"):
            GANLoss(mode).generator(fake=f, **({} if relative else {"real": r}))


@every_mode
def test_batches_of_two_lengths_are_taken_but_for_pairs(mode):
    r, f = scores(n=6, m=4)
    loss = GANLoss(mode)
    if mode == "relativistic":
        with pytest.raises(ShapeError, match="GANLoss"):
            loss.discriminator(real=r, fake=f)
    else:
        close(loss.discriminator(real=r, fake=f), printed_discriminator(mode, r, f))
        close(generator_of(loss, mode, r, f), printed_generator(mode, r, f))
        with pytest.raises(ShapeError, match="must have one shape"):
            GANLoss(mode, reduction="none").discriminator(real=r, fake=f)


@every_mode
def test_a_masked_score_is_removed_whatever_it_holds(mode):
    r, f = scores()
    keep = torch.tensor([True, False, True, True, False, True])
    bad = [torch.where(keep[:, None], x, torch.nan).requires_grad_() for x in (r, f)]
    loss = GANLoss(mode)
    total = loss.discriminator(real=bad[0], fake=bad[1], real_mask=keep, fake_mask=keep)
    close(total, loss.discriminator(real=r[keep], fake=f[keep]))
    for slope in torch.autograd.grad(total, bad):
        assert slope.isfinite().all()
        assert not slope[~keep].any()
    more = {"real_mask": keep} if "relativistic" in mode else {}
    total = generator_of(loss, mode, bad[0], bad[1], fake_mask=keep, **more)
    close(total, generator_of(loss, mode, r[keep], f[keep]))


@every_mode
def test_nothing_left_gives_zero_with_a_zero_gradient(mode):
    nothing = torch.zeros(6, dtype=torch.bool)
    for r, f, masks in (
        (*(x[:0] for x in scores()), {}),
        (*(x * torch.nan for x in scores()), {"real_mask": nothing, "fake_mask": nothing}),
    ):
        r, f = r.requires_grad_(), f.requires_grad_()
        total = GANLoss(mode).discriminator(real=r, fake=f, **masks)
        assert total == 0
        assert all(not slope.any() for slope in torch.autograd.grad(total, (r, f)))


def test_weights_denominators_and_terms_belong_to_each_side():
    r, f = scores()
    weight = torch.tensor([1.0, 0.0, 2.0, 0.5, 3.0, 1.0], dtype=torch.float64)
    loss = GANLoss("least_squares")
    total, terms = loss.discriminator(real=r, fake=f, real_weight=weight, denominator=4.0, return_terms=True)
    close(terms["real"], (weight[:, None] * (r - 1) ** 2).sum() / 8)
    close(terms["fake"], (f**2).sum() / 8)
    close(total, terms["real"] + terms["fake"])
    pairs = GANLoss("relativistic", reduction="none")
    close(
        pairs.discriminator(real=r, fake=f, real_weight=weight, fake_weight=weight),
        F.softplus(f - r) * weight[:, None] ** 2,
    )


def test_labels_are_smoothed_as_in_cross_entropy():
    r, f = scores()
    loss = GANLoss(real_label=0.9, fake_label=0.1, generator_label=0.8)
    bce = F.binary_cross_entropy_with_logits
    want = bce(r, torch.full_like(r, 0.9)) + bce(f, torch.full_like(f, 0.1))
    close(loss.discriminator(real=r, fake=f), want)
    close(loss.generator(fake=f), bce(f, torch.full_like(f, 0.8)))
    mao = GANLoss("least_squares", real_label=1.0, fake_label=-1.0, generator_label=0.0)
    close(mao.discriminator(real=r, fake=f), ((r - 1) ** 2).mean() / 2 + ((f + 1) ** 2).mean() / 2)
    close(mao.generator(fake=f), (f**2).mean() / 2)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"mode": "wgan"}, "mode must be 'vanilla' or"),
        ({"mode": "hinge", "real_label": 0.9}, "this mode has no real_label"),
        ({"mode": "wasserstein", "fake_label": 0.1}, "this mode has no fake_label"),
        ({"mode": "vanilla", "generator_label": 0.9}, "this mode has no generator_label"),
        ({"mode": "relativistic", "fake_label": 0.1}, "this mode has no fake_label"),
        ({"real_label": 1.1}, "real_label must be a number from 0 to 1"),
        ({"real_label": 0.2, "fake_label": 0.3}, "real_label must be above fake_label"),
        ({"mode": "least_squares", "real_label": float("nan")}, "must be a finite number"),
        ({"reduction": "average"}, "reduction must be"),
    ],
)
def test_a_setting_that_would_turn_the_sign_or_do_nothing_is_refused(settings, says):
    with pytest.raises(SettingError, match=says):
        GANLoss(**settings)


def test_scores_that_are_no_tensors_or_no_numbers_are_refused():
    r, f = scores()
    with pytest.raises(DtypeError, match="real must be a torch tensor"):
        GANLoss().discriminator(real=r.numpy(), fake=f)
    with pytest.raises(DtypeError, match="fake must be floating-point"):
        GANLoss().discriminator(real=r, fake=torch.ones(6, 2, dtype=torch.long))
    with pytest.raises(ShapeError, match="mask must have the shape"):
        GANLoss().discriminator(real=r, fake=f, real_mask=torch.ones(2))


@every_mode
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_float32_rounded_once(mode, dtype):
    r, f = (x.to(dtype) for x in scores())
    settings = {} if mode in ("wasserstein", "hinge") else {"real_label": 0.9}
    loss = GANLoss(mode, **settings)
    wide = loss.discriminator(real=r.float(), fake=f.float())
    assert torch.equal(loss.discriminator(real=r, fake=f), wide.to(dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss.discriminator(real=r, fake=f), wide)


@pytest.mark.parametrize("mode", ["vanilla", "hinge", "relativistic_average"])
def test_both_sides_compile_as_one_graph(mode):
    torch._dynamo.reset()
    r, f = scores()
    loss = GANLoss(mode)
    compiled = torch.compile(lambda r, f: loss.discriminator(real=r, fake=f), fullgraph=True, backend="aot_eager")
    close(compiled(r, f), loss.discriminator(real=r, fake=f))
    compiled = torch.compile(lambda r, f: generator_of(loss, mode, r, f), fullgraph=True, backend="aot_eager")
    close(compiled(r, f), generator_of(loss, mode, r, f))


def test_it_is_copied_pickled_and_shown():
    loss = GANLoss("least_squares", real_label=0.9)
    r, f = scores()
    for again in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert repr(again) == repr(loss)
        close(again.discriminator(real=r, fake=f), loss.discriminator(real=r, fake=f))
    assert repr(loss) == (
        "GANLoss(mode='least_squares', real_label=0.9, fake_label=0.0, generator_label=1.0, reduction='mean')"
    )
    assert loss.state_dict() == {}


@pytest.mark.parametrize("reader", ["torch", "jax", "tensorflow"])
def test_a_hinge_that_is_just_kept_has_no_slope(reader):
    from lossmith import formulas
    from readers import READERS

    (reader,) = (r for r in READERS if r.name == reader)
    x, t = (reader.make(torch.tensor(v).numpy()) for v in ([1.0, -1.0], [1.0, 0.0]))
    function = lambda x, t: formulas.gan_discriminator.values(reader.ops, x, t, mode="hinge")
    assert reader.read(reader.gradient(function, x, t)[0]).tolist() == [0.0, 0.0]
