"""What every test process needs before a framework is imported; `tests/` itself is on the path through this file."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "torch")
