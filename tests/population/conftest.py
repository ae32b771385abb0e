"""An independent Philox in Python integers and a recorder that keeps what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

M32 = 0xFFFFFFFF
Word = Callable[[int, int, int, int], int]


def philox_block(key: int, step: int, agent: int, draw: int) -> list[int]:
    """Return the four words of a counter, computed with Python integers only."""
    c = [step & M32, step >> 32, agent & M32, draw & M32]
    k = [key & M32, key >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & M32, (p0 >> 32) ^ c[3] ^ k[1], p0 & M32]
        k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
    return c


class Draws:
    """Word streams and permutations as the documentation states them, position by position."""

    def word(self, key: int, step: int, stream: int, position: int) -> int:
        return philox_block(key, step, position // 4, stream)[position % 4]

    def below(self, key: int, step: int, stream: int, position: int, n: int) -> int:
        return self.word(key, step, stream, position) * n >> 32

    def permutation(self, key: int, step: int, stream: int, n: int) -> list[int]:
        order = list(range(n))
        for p in range(n):
            other = p + self.below(key, step, stream, p, n - p)
            order[p], order[other] = order[other], order[p]
        return order


class ListRecorder:
    """Keeps metrics and table rows as plain lists."""

    def __init__(self) -> None:
        self.metrics: list[tuple[str, int, float, str]] = []
        self.rows: dict[str, list[tuple[Any, ...]]] = {}
        self.columns: dict[str, list[tuple[str, str]]] = {}

    def metric(self, name: str, unit: Any, value: Any, key: str = "") -> None:
        self.metrics.append((name, int(unit), float(value), key))

    def table(self, name: str, columns: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self.columns[name] = [(c, str(v.dtype)) for c, v in columns.items()]
        self.rows.setdefault(name, []).extend(zip(*(v.tolist() for v in columns.values()), strict=True))


@pytest.fixture
def draws() -> Draws:
    return Draws()


@pytest.fixture
def recorder() -> Callable[[], ListRecorder]:
    return ListRecorder
