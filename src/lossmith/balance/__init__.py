"""Several losses at once, without a framework: the mathematics of task weights, and sums of losses.

    uncertainty      weights that are learnt as the noise of each task
    dynamic          weights that follow how fast each loss falls
    random           weights drawn anew in each step
    sums             0.8 * one + 0.2 * other
    tasks            what is said of tasks that are missing or unknown

Weights are one array with an entry for each task. What holds state, such as variables that learn, is the faces'.
"""

from lossmith.balance.dynamic import dynamic_weights
from lossmith.balance.random import Distribution, random_weights
from lossmith.balance.sums import Arithmetic, Terms, named
from lossmith.balance.tasks import require_known, require_names, require_tasks
from lossmith.balance.uncertainty import FACTORS, Form, uncertainty

__all__ = [
    "FACTORS",
    "Arithmetic",
    "Distribution",
    "Form",
    "Terms",
    "dynamic_weights",
    "named",
    "random_weights",
    "require_known",
    "require_names",
    "require_tasks",
    "uncertainty",
]
