"""The kernel: knows protocols and names, imports no concrete game, agent or mechanism."""
