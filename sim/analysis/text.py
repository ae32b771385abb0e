"""Plain text tables."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Set a table with two spaces between columns.

    Args:
        head: Column names.
        rows: Cells as text; every row has as many as ``head``.
        right: Indices of right-aligned columns.
    """
    cells = [list(head), *[list(row) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return [
        "  ".join(
            f"{c:>{w}}" if i in right else f"{c:<{w}}" for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def clipped(text: str, width: int) -> str:
    """Return ``text`` cut to ``width`` characters, with ``...`` where something is missing."""
    return text if len(text) <= width else text[: max(1, width - 3)] + "..."


def printable(text: str) -> str:
    """Return ``text`` with control characters made visible, so that no file can steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n" else f"\\x{ord(c):02x}" for c in text)
