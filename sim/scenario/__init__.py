"""Scenarios: reading, validating and resolving them."""
