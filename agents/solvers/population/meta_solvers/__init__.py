"""Meta-solvers: one module per family; ``registry`` lists them by name."""
