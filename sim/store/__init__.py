"""The run store (format 1)."""
