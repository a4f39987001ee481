"""What the losses of a network promise: the network stays frozen, unseen by optimisers, and is loaded as told."""

import copy
import io
import pickle
import urllib.error

import pytest
import torch
from torch import nn
from torch_cases.data import close
from torch_cases.networks import SMALL, vgg_state

import lossmith.torch as faces
from lossmith.errors import LossmithError, SettingError, ShapeError

BOTH = pytest.mark.parametrize("face", [faces.PerceptualLoss, faces.StyleLoss], ids=lambda face: face.__name__)
IMAGE, TARGET = torch.rand(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
MEAN, STD = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], dtype=torch.float64)


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    first = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5)]
    return nn.Sequential(*first, nn.Conv2d(4, 2, 3), nn.ReLU(inplace=True)).double()


def by_hand(image: torch.Tensor, upto: int) -> torch.Tensor:
    """The layers of the small VGG one after another, as torchvision numbers them."""
    state = torch.load(SMALL, weights_only=True)
    x = (image - MEAN[:, None, None]) / STD[:, None, None]
    for place in range(upto + 1):
        if f"features.{place}.weight" in state:
            x = nn.functional.conv2d(x, state[f"features.{place}.weight"], state[f"features.{place}.bias"], padding=1)
        else:
            x = nn.functional.max_pool2d(x, 2) if place in (4, 9, 16, 23, 30) else x.relu()
    return x


def test_vgg_is_that_of_torchvision_behind_the_normalisation_of_imagenet():
    """Places of torchvision's layers: relu1_2 is features.3, relu3_3 features.15, conv4_2 features.19."""
    layers = {"relu1_2": 3, "relu3_3": 15, "conv4_2": 19}
    loss = faces.PerceptualLoss(weights=SMALL, layers=list(layers), layer_weights=[1.0, 0.5, 2.0], pixel_weight=0.25)
    apart = [(by_hand(IMAGE, place) - by_hand(TARGET, place)).square().mean() for place in layers.values()]
    pixel, features = (IMAGE - TARGET).square().mean(), apart[0] + 0.5 * apart[1] + 2.0 * apart[2]
    total, terms = loss(IMAGE, TARGET, return_terms=True)
    close(terms["pixel"], pixel)
    close(terms["features"], features)
    close(total, 0.25 * pixel + features)


def test_style_compares_gram_matrices_of_images_of_any_size():
    loss = faces.StyleLoss(weights=SMALL, layers=["relu2_2"], layer_weights=[3.0])
    wide = torch.rand(2, 3, 8, 12, dtype=torch.float64)

    def gram(x):
        f = by_hand(x, 8).flatten(2)
        return f @ f.mT / (f.shape[1] * f.shape[2])

    total, terms = loss(IMAGE, wide, return_terms=True)
    want = (gram(IMAGE) - gram(wide)).square().sum((1, 2)).mean()
    close(terms["relu2_2"], want)
    close(total, 3.0 * want)


@BOTH
def test_a_style_or_a_picture_that_is_met_costs_nothing(face):
    assert face(weights=SMALL)(IMAGE, IMAGE) == 0


def test_the_public_file_is_taken_from_the_folder_of_torch_hub():
    loss = faces.PerceptualLoss()  # tests/torch_faces/conftest.py has put a file of zeros there
    close(loss(IMAGE, TARGET), (IMAGE - TARGET).square().mean(), rtol=1e-12)
    assert loss._features.network.conv4_3.weight.shape == (512, 512, 3, 3)


def test_without_a_network_the_error_names_the_file_its_folder_and_the_other_way(monkeypatch, tmp_path):
    def offline(*_, **__):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    with pytest.raises(LossmithError) as caught:
        faces.PerceptualLoss()
    text = str(caught.value)
    assert text.startswith("PerceptualLoss: vgg16-397923af.pth could not be loaded")
    for word in ("https://download.pytorch.org/models/", str(tmp_path / "hub" / "checkpoints"), "no route to host"):
        assert word in text
    assert "PerceptualLoss(weights='.../vgg16-397923af.pth')" in text


def test_a_download_with_another_checksum_is_refused(monkeypatch, tmp_path):
    """What is served here is not torchvision's file: torch.hub compares its SHA-256 with the name."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", lambda *_, **__: Served(SMALL.read_bytes()))
    with pytest.raises(LossmithError, match="invalid hash value"):
        faces.PerceptualLoss()


class Served(io.BytesIO):
    """What urlopen answers."""

    def info(self):
        return self

    def get_all(self, _name):
        return None


@pytest.mark.parametrize("backbone", ["vgg16", "module"])
@BOTH
def test_the_network_is_frozen_and_stays_in_eval_mode(face, backbone):
    own = small_network()
    settings = {"weights": SMALL} if backbone == "vgg16" else {"backbone": own, "layers": ["0", "5"]}
    loss = face(**settings).train()
    network = loss._features.network
    assert not network.training
    assert not any(module.training for module in network.modules())
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}
    before = copy.deepcopy(network.state_dict())
    image = IMAGE.clone().requires_grad_()
    loss(image, TARGET).backward()
    assert image.grad.isfinite().all()
    assert image.grad.any()
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before.values(), network.state_dict().values(), strict=True))
    assert own.training
    assert all(p.requires_grad for p in own.parameters())
    assert own[2].inplace


def test_a_layer_gives_what_it_gave_though_the_next_one_works_in_place():
    loss = faces.PerceptualLoss(backbone=small_network(), layers=["4"], pixel_weight=0.0, mean=None, std=None)
    network = small_network().eval()
    f, g = (network[4](network[:4](x)) for x in (IMAGE, TARGET))
    close(loss(IMAGE, TARGET), (f - g).square().mean())


def test_a_file_of_weights_is_loaded_into_a_module(tmp_path):
    given, other = small_network(), small_network()
    with torch.no_grad():
        given[0].weight.mul_(2.0)
    torch.save(given.state_dict(), tmp_path / "own.pth")
    loaded = faces.PerceptualLoss(backbone=other, weights=tmp_path / "own.pth", layers=["0"])
    close(loaded(IMAGE, TARGET), faces.PerceptualLoss(backbone=given, layers=["0"])(IMAGE, TARGET))


@BOTH
def test_the_network_moves_with_the_loss_and_is_copied_with_it(face):
    loss = face(weights=SMALL)
    want = loss(IMAGE, TARGET)
    for again in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert torch.equal(again(IMAGE, TARGET), want)
        assert again._features.network is not loss._features.network
    assert loss.float()._features.network.conv1_1.weight.dtype == torch.float32
    assert loss.to("meta")._features.network.conv1_1.weight.device.type == "meta"


def test_an_optimiser_of_model_and_loss_leaves_the_network_alone():
    model, loss = nn.Conv2d(3, 3, 1).double(), faces.PerceptualLoss(weights=SMALL)
    weights = copy.deepcopy(loss._features.network.state_dict())
    optimiser = torch.optim.SGD(nn.ModuleList([model, loss]).parameters(), 1e-4)
    values = []
    for _ in range(3):
        optimiser.zero_grad()
        values.append(loss(model(IMAGE), TARGET))
        values[-1].backward()
        optimiser.step()
    assert values[2] < values[0]
    assert all(torch.equal(weights[k], v) for k, v in loss._features.network.state_dict().items())


def test_a_grey_image_counts_as_three_equal_channels():
    loss = faces.PerceptualLoss(weights=SMALL, pixel_weight=0.0)
    grey, other = IMAGE[:, :1], TARGET[:, :1]
    close(loss(grey, other), loss(grey.expand(2, 3, 8, 8), other.expand(2, 3, 8, 8)))


@BOTH
def test_autocast_does_not_round_the_features(face):
    loss, image, target = face(weights=SMALL).float(), IMAGE.float(), TARGET.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(image, target)
    assert torch.equal(inside, loss(image, target))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: faces.PerceptualLoss(backbone="vgg19"), "backbone must be 'vgg16' or a module"),
        (lambda: faces.PerceptualLoss(weights=SMALL, layers=["relu6_1"]), "vgg16 has no layer 'relu6_1'"),
        (lambda: faces.PerceptualLoss(backbone=small_network(), layers=["9"]), "the backbone has no layer '9'"),
        (lambda: faces.PerceptualLoss(weights=SMALL, layers=[]), "layers must name some"),
        (lambda: faces.StyleLoss(weights=SMALL, layer_weights=[1.0]), "layer_weights one number each"),
        (lambda: faces.StyleLoss(weights="missing.pth"), "there is no file of weights"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(make, says):
    with pytest.raises(SettingError, match=says):
        make()


def test_a_file_that_is_not_vgg_is_refused(tmp_path):
    state = vgg_state((3, 4, 5, 4, 3), torch.zeros)
    torch.save({key: value for key, value in state.items() if "features.5" not in key}, tmp_path / "lacking.pth")
    with pytest.raises(SettingError, match=r"the weights of vgg16 have no 'features\.5\.weight'"):
        faces.PerceptualLoss(weights=tmp_path / "lacking.pth")
    torch.save({**state, "features.5.weight": torch.zeros(4, 7, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(SettingError, match=r"features.5 of vgg16 must have the shape \(4, 3, 3, 3\)"):
        faces.PerceptualLoss(weights=tmp_path / "other.pth")


@BOTH
def test_what_is_no_pair_of_images_is_refused(face):
    loss = face(weights=SMALL)
    for one, other in ((IMAGE[0], TARGET[0]), (IMAGE, TARGET[:1]), (IMAGE[:, :2], TARGET[:, :2])):
        with pytest.raises(ShapeError):
            loss(one, other)
    with pytest.raises(ShapeError, match="at least 8 x 8 pixels"):
        loss(IMAGE[..., :7], TARGET[..., :7])
