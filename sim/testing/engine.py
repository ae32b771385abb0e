"""Conformance of engines: chunks, resumption, determinism, recording, certificate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from equilibria.sim.contract import Engine
from equilibria.sim.seeds import SeedTree
from equilibria.sim.testing.states import check_certificate, demand, difference, frozen, same
from equilibria.sim.types import AnyArray


class Recording:
    """A recorder in memory that checks what it is given.

    Attributes:
        metrics: ``(name, key, unit, value)`` in the order recorded.
        tables: Name to column to the list of chunks.
    """

    def __init__(self) -> None:
        self.metrics: list[tuple[str, str, int, float]] = []
        self.tables: dict[str, dict[str, list[AnyArray]]] = {}
        self._last: dict[tuple[str, str], int] = {}

    def metric(self, name: str, unit: Any, value: Any, key: str = "") -> None:
        """Record values of a metric."""
        units, values = np.atleast_1d(np.asarray(unit)), np.atleast_1d(np.asarray(value, np.float64))
        demand(bool(name), "a metric must have a name")
        demand(units.shape == values.shape, f"metric {name!r}: unit has shape {units.shape}, value {values.shape}")
        for u, v in zip(units.tolist(), values.tolist(), strict=True):
            demand(math.isfinite(v), f"metric {name!r} must be finite, got {v!r} at unit {u}")
            demand(u >= self._last.get((name, key), 0), f"metric {name!r}: units must not decrease, got {u}")
            self._last[name, key] = int(u)
            self.metrics.append((name, key, int(u), v))

    def table(self, name: str, columns: Mapping[str, AnyArray]) -> None:
        """Append rows to a table."""
        arrays = {k: np.array(v, copy=True) for k, v in columns.items()}
        demand(next(iter(arrays), "") == "unit", f"table {name!r}: the first column must be 'unit'")
        sizes = {k: v.shape for k, v in arrays.items()}
        demand(len(set(sizes.values())) == 1, f"table {name!r}: columns differ in length: {sizes}")
        demand(arrays["unit"].dtype == np.int64, f"table {name!r}: unit must be int64, got {arrays['unit'].dtype}")
        known = self.tables.setdefault(name, {k: [] for k in arrays})
        demand(list(known) == list(arrays), f"table {name!r}: columns changed from {list(known)} to {list(arrays)}")
        for key, array in arrays.items():
            earlier = known[key][0].dtype if known[key] else array.dtype
            text = earlier.kind == array.dtype.kind == "U"
            demand(text or earlier == array.dtype, f"table {name!r}: {key} changed from {earlier} to {array.dtype}")
            known[key].append(array)
        units = np.concatenate(known["unit"])
        demand(bool((np.diff(units) >= 0).all()), f"table {name!r}: units must not decrease")

    def differs_from(self, other: Recording) -> str:
        """Say where two recordings differ, empty when they are equal bit by bit."""
        if self.metrics != other.metrics:
            pairs = zip(self.metrics, other.metrics, strict=False)
            first = next(((a, b) for a, b in pairs if a != b), "one has more rows")
            return f"metrics differ: {first}"
        if set(self.tables) != set(other.tables):
            return f"tables {sorted(set(self.tables) ^ set(other.tables))} are in one run only"
        for name, columns in self.tables.items():
            for key, chunks in columns.items():
                if not same(np.concatenate(chunks), np.concatenate(other.tables[name][key])):
                    return f"column {key!r} of table {name!r} differs"
        return ""


def check_engine(make: Callable[[], Engine], *, seed: int = 1, units: int = 9) -> None:
    """Check an engine.

    Args:
        make: Builds a fresh engine for the same plan, for example ``plan.build``.
        seed: Root seed handed to ``start``.
        units: Units to run, at least 4; fewer are run when the budget ends before.

    Raises:
        PluginError: If a promise of ``sim.contract.Engine`` is broken.
    """
    demand(units >= 4, f"check_engine needs units >= 4, got {units}")
    engine = make()
    demand(isinstance(engine, Engine), f"{type(engine).__name__} must have start, advance, save, load, certificate")
    demand(isinstance(getattr(engine, "unit", None), str) and bool(engine.unit), "an engine must name its unit")
    whole, done = _run(engine, seed, [units])
    demand(done >= 1, "advance must do at least one unit of a fresh run")
    check_certificate(engine.certificate(), "engine")

    again, done_again = _run(make(), seed, [units])
    demand(done_again == done, f"two equal runs did {done} and {done_again} units")
    demand(not whole.differs_from(again), f"two equal runs must record the same: {whole.differs_from(again)}")

    pieces = [1, 2, units]
    split, done_split = _run(make(), seed, pieces, limit=done)
    demand(done_split == done, f"advance({units}) did {done} units, in pieces {done_split}")
    demand(not whole.differs_from(split), f"advance in pieces must record the same: {whole.differs_from(split)}")

    _check_resume(make, seed, done, whole)
    _check_end(engine, done, units)


def _run(
    engine: Engine, seed: int, pieces: Sequence[int], limit: int | None = None, out: Recording | None = None
) -> tuple[Recording, int]:
    """Start and advance by pieces (the last one repeated) up to ``limit`` units."""
    out = out or Recording()
    engine.start(SeedTree(seed))
    goal = sum(pieces) if limit is None else limit
    return out, _advance(engine, out, pieces, goal)


def _advance(engine: Engine, out: Recording, pieces: Sequence[int], goal: int) -> int:
    total = turn = 0
    while total < goal:
        ask = min(pieces[min(turn, len(pieces) - 1)], goal - total)
        done = engine.advance(ask, out)
        demand(0 <= done <= ask, f"advance({ask}) must return 0..{ask}, got {done!r}")
        if done == 0:
            break
        total, turn = total + int(done), turn + 1
    return total


def _check_resume(make: Callable[[], Engine], seed: int, done: int, whole: Recording) -> None:
    """Save in the middle, load into a fresh engine, go on: the recording must be that of one run."""
    middle = done // 2
    first = make()
    out, _ = _run(first, seed, [max(middle, 1)], limit=middle)
    saved = first.save()
    kept = frozen(saved, "engine")
    first.certificate()
    demand(not difference(kept, frozen(first.save(), "engine")), "certificate() must not change the engine's state")

    second = make()
    second.start(SeedTree(seed))
    second.load(kept)
    text = difference(kept, frozen(second.save(), "engine"))
    demand(not text, f"load(s); save() must return s: {text}")
    before = Recording()
    before.metrics, before.tables = (
        list(out.metrics),
        {n: {k: list(c) for k, c in t.items()} for n, t in out.tables.items()},
    )
    _advance(second, before, [1], done - middle)
    demand(
        not whole.differs_from(before),
        f"a resumed run must record what an uninterrupted one does: {whole.differs_from(before)}",
    )
    _advance(first, out, [1], done - middle)
    demand(
        not difference(kept, frozen(saved, "engine")), "a saved state must not change when the run goes on (copy it)"
    )
    demand(not whole.differs_from(out), f"save() must not change what is recorded: {whole.differs_from(out)}")


def _check_end(engine: Engine, done: int, units: int) -> None:
    """After the end of the budget ``advance`` returns 0 for ever."""
    if done < units:
        out = Recording()
        demand(engine.advance(1, out) == 0, "after 0 (finished) advance must keep returning 0")
        demand(not out.metrics and not out.tables, "a finished engine must record nothing more")
