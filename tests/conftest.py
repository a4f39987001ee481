"""What every test process needs before a framework is imported; `tests/` itself is on the path through this file."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "torch")
# Most of jax's time here is LLVM's; the passes over the graph, which could change a formula, still run.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# The same for tensorflow's compiler; and for both one plain kernel an operation, where fused ones take twice as long.
XLA = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false"
os.environ.setdefault("XLA_FLAGS", XLA)

gc.set_threshold(20_000)  # tracers make and drop objects by the hundred thousand


def pytest_collection_modifyitems(items):
    """The longest tests first: left to the end, they would keep one worker busy and the others idle."""
    items.sort(key=lambda item: "test_the_faces_hold_on_the_back_end" not in item.name)


def pytest_collection_finish():
    """What imports and the collection made stays: no later search for garbage looks through millions of objects."""
    gc.collect()
    gc.freeze()
