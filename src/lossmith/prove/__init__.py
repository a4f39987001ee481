"""What is true of a loss: derivations over symbols."""
