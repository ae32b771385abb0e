"""Solvers: agents that own roles and improve a policy by steps."""
