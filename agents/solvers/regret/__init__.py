"""Regret minimisers: the CFR family as rows of one table."""
