"""Auction games."""
