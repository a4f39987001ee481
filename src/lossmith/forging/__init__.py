"""From one expression to a verified loss: read, derived, rewritten, written as source, run and checked."""

from lossmith.forging.forged import Forged as Forged
from lossmith.forging.forged import forge as forge
from lossmith.forging.forged import forge_from as forge_from

__all__ = ["Forged", "forge", "forge_from"]
