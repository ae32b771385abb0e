"""Round-robin tournaments of iterated games as a solver."""
