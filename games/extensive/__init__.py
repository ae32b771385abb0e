"""Extensive-form games as arrays."""
