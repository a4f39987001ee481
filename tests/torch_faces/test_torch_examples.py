"""The examples in the docstrings of the torch faces run, and every face has one."""

import doctest
import importlib

import pytest
import torch

import lossmith.torch as faces

PUBLIC = {name: getattr(faces, name) for name in faces.__all__}
FAMILIES = sorted({getattr(faces, name).__module__.rpartition(".")[2] for name in faces.__all__} - {"loss"})


@pytest.mark.parametrize("family", FAMILIES)
def test_each_example_runs(family):
    module = importlib.import_module(f"lossmith.torch.{family}")
    failed, tried = doctest.testmod(module, extraglobs={"torch": torch, **PUBLIC})
    assert tried
    assert not failed


def test_every_face_has_an_example():
    bases = {name for name, one in PUBLIC.items() if one.__module__.endswith(".loss")} | {"Weighting"}
    assert [name for name, one in PUBLIC.items() if name not in bases and ">>> " not in one.__doc__] == []
