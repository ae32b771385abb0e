"""What every benchmark shares: the row it reports and how it measures time.

A benchmark module ``equilibria.benchmarks.NAME`` has one public function ``rows(*, quick=False)``
that yields ``Row`` objects as they are measured.  Times are CPU seconds of the process
(``time.process_time``) for single-threaded work, so that other processes disturb less; ours and the
peer are interleaved and the median of the repetitions is reported.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from equilibria.sim.types import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured case.

    Attributes:
        case: What was measured.
        ours: Our median, in ``unit``.
        peer: The peer's median, in ``unit``; ``None`` without a peer.
        peer_name: Name and version of the peer, empty without one.
        unit: Unit of both, for example ``"us/iteration"`` (lower is better) or ``"rows/s"`` (higher is better).
        ratio: How many times better ours is than the peer, ``None`` without a peer.
        target: The promised ratio (or value, without a peer), ``None`` if nothing is promised.
        limit_fraction: Fraction of the hardware limit reached, ``None`` when unknown.
        note: What a reader must know.
    """

    case: str
    ours: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    ratio: float | None = None
    target: float | None = None
    limit_fraction: float | None = None
    note: str = ""

    def to_json(self) -> dict[str, JSON]:
        """Return the row as a JSON object."""
        return asdict(self)


def seconds(function: Callable[[], object], repeat: int = 1) -> float:
    """Return CPU seconds per call over ``repeat`` calls."""
    start = time.process_time()
    for _ in range(repeat):
        function()
    return (time.process_time() - start) / repeat


def medians(functions: dict[str, Callable[[], object]], *, rounds: int = 5, budget: float = 0.2) -> dict[str, float]:
    """Measure several functions interleaved; return the median CPU seconds per call of each.

    Args:
        functions: Calls to measure by name; each is called once before (compilation, caches).
        rounds: Rounds of which the median is taken, at least 5 for reported numbers.
        budget: Seconds that one round of one function should last; fast calls are repeated.
    """
    repeats = {}
    for name, function in functions.items():
        function()
        once = seconds(function)
        repeats[name] = max(1, min(100_000, int(budget / max(once, 1e-7))))
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(seconds(function, repeats[name]))
    return {name: statistics.median(values) for name, values in times.items()}
