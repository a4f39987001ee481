"""From one expression to a verified loss: read, derived, rewritten, written as source, run and checked."""

from lossmith.forging.forged import Forged as Forged
from lossmith.forging.forged import forge as forge

__all__ = ["Forged", "forge"]
