"""Mechanisms: rules that a designer chooses, as pure functions on arrays."""
