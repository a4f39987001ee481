"""The cases of the torch faces serve here too."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "torch_faces"))
sys.path.insert(0, str(Path(__file__).parent))

if os.environ.get("LOSSMITH_TEST_DEVICE", "cpu") == "cpu":  # Triton asks when it is imported; only its tests want it
    os.environ |= {"TRITON_INTERPRET": "1", "LOSSMITH_TRITON": "0"}
