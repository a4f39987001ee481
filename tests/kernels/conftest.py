"""The cases of the torch faces serve here too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "torch_faces"))
sys.path.insert(0, str(Path(__file__).parent))
