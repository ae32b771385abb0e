"""Games: where agents meet."""
