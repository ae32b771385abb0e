"""Learners that play the designer: they choose the rules of an auction."""
