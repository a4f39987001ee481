"""Emitted files for the tests: written, and imported in this process where that is wanted."""

import importlib.util
import sys

from forged_losses import CASES

from lossmith.forging.plan import plan
from lossmith.forging.targets import TARGETS


def planned(name, **options):
    return plan(CASES[name].text, name + "Loss", CASES[name].params, **options)


def write(folder, made, to):
    """The file of a target, in a folder; the same file serves the tests of every kind."""
    file = folder / f"{made.function}_{to.replace('-', '_')}.py"
    file.write_text(TARGETS[to].write(made))
    return file


def load(file, name):
    """One name of an emitted file, imported here."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


def forged(folder, name, to, **options):
    made = planned(name, **options)
    return load(write(folder, made, to), TARGETS[to].called(made))
