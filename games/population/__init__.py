"""Populations of rule-following agents."""
