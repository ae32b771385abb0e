"""Conformance of mechanisms: every invariant a mechanism claims is tried on random reports.

A *direct mechanism* has ``outcome(reports) -> (allocation, payments)`` on float64 [B, N] arrays: B
independent problems, N participants with one value each, utility value x allocation - payment.  For
these the probes below are ready; other mechanisms bring a probe per claim.

A probe returns the size of the worst violation it found, 0 when there is none.

Reference: Nisan, Roughgarden, Tardos, Vazirani (2007), Algorithmic Game Theory, chapter 9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from equilibria.sim.contract import Mechanism
from equilibria.sim.testing.states import demand, same
from equilibria.sim.types import FloatArray

Probe = Callable[[Any, np.random.Generator], float]
PROBLEMS: Final = 512
DEVIATIONS: Final = 8


def check_mechanism(
    mechanism: Mechanism,
    *,
    probes: Mapping[str, Probe] | None = None,
    seed: int = 1,
    rounds: int = 4,
    tolerance: float = 1e-9,
) -> None:
    """Check every property that a mechanism claims.

    Args:
        mechanism: The mechanism.
        probes: Property to probe, added to ``PROBES`` (which apply to direct mechanisms).
        seed: Seed of the random reports.
        rounds: Calls of each probe, 512 problems each.
        tolerance: Largest violation taken for rounding, in units of money.

    Raises:
        PluginError: If a claim does not hold, has no probe, or the mechanism is not a pure function.
    """
    claims = mechanism.properties()
    demand(isinstance(claims, Mapping), f"properties() must return a mapping, got {type(claims).__name__}")
    for name, value in claims.items():
        demand(isinstance(name, str) and isinstance(value, bool), f"properties() must map text to bool, got {name!r}")
    direct = callable(getattr(mechanism, "outcome", None))
    known = {**(PROBES if direct else {}), **(probes or {})}
    if direct:
        _check_purity(mechanism, np.random.default_rng(seed))
    for name, claimed in claims.items():
        if not claimed:
            continue
        demand(name in known, f"claim {name!r} has no probe; pass probes={{{name!r}: ...}}, known: {sorted(known)}")
        rng = np.random.default_rng(seed)
        worst = max(float(known[name](mechanism, rng)) for _ in range(rounds))
        demand(worst <= tolerance, f"claim {name!r} does not hold: violated by {worst:.6g} (tolerance {tolerance:g})")
    demand(dict(mechanism.properties()) == dict(claims), "properties() must return the same claims each time")


def _reports(rng: np.random.Generator) -> FloatArray:
    """Return values [B, N] in [0, 1), N in 1..6, rounded in half of the cases so that ties occur."""
    values = rng.random((PROBLEMS, int(rng.integers(1, 7))))
    return np.round(values, 1) if rng.random() < 0.5 else values


def _outcome(mechanism: Any, reports: FloatArray) -> tuple[FloatArray, FloatArray]:
    allocation, payments = (np.asarray(a, np.float64) for a in mechanism.outcome(reports))
    shape = reports.shape
    demand(allocation.shape == shape, f"outcome: allocation must have shape {shape}, got {allocation.shape}")
    demand(payments.shape == shape, f"outcome: payments must have shape {shape}, got {payments.shape}")
    demand(bool(np.isfinite(allocation).all() and np.isfinite(payments).all()), "outcome must be finite")
    return allocation, payments


def _check_purity(mechanism: Any, rng: np.random.Generator) -> None:
    reports = _reports(rng)
    kept = reports.copy()
    first, second = _outcome(mechanism, reports), _outcome(mechanism, reports)
    demand(same(reports, kept), "outcome must not change its argument")
    demand(all(map(same, first, second)), "outcome must be a pure function: two equal calls differ")
    alone = [_outcome(mechanism, reports[i : i + 1]) for i in range(3)]
    for i, (allocation, payments) in enumerate(alone):
        demand(
            np.array_equal(allocation[0], first[0][i]) and np.array_equal(payments[0], first[1][i]),
            "outcome of a problem must not depend on the others of the batch",
        )


def _utility(mechanism: Any, values: FloatArray, reports: FloatArray) -> FloatArray:
    allocation, payments = _outcome(mechanism, reports)
    return values * allocation - payments


def truthful(mechanism: Any, rng: np.random.Generator) -> float:
    """Return the largest gain from misreporting, over random single deviations of each participant."""
    values = _reports(rng)
    honest = _utility(mechanism, values, values)
    worst = 0.0
    for i in range(values.shape[1]):
        for _ in range(DEVIATIONS):
            reports = values.copy()
            lie = rng.random(len(values)) * 1.2
            near = values[np.arange(len(values)), rng.integers(0, values.shape[1], len(values))]
            reports[:, i] = np.where(rng.random(len(values)) < 0.5, lie, near + rng.choice([-1e-3, 0.0, 1e-3]))
            reports[:, i] = np.maximum(reports[:, i], 0.0)
            gain = _utility(mechanism, values, reports)[:, i] - honest[:, i]
            worst = max(worst, float(gain.max()))
    return worst


def individually_rational(mechanism: Any, rng: np.random.Generator) -> float:
    """Return the largest loss of a truthful participant against staying away."""
    values = _reports(rng)
    return max(0.0, float(-_utility(mechanism, values, values).min()))


def budget_balanced(mechanism: Any, rng: np.random.Generator) -> float:
    """Return the largest sum of payments in absolute value: nothing enters or leaves."""
    return float(np.abs(_outcome(mechanism, _reports(rng))[1].sum(axis=1)).max())


def weakly_budget_balanced(mechanism: Any, rng: np.random.Generator) -> float:
    """Return the largest deficit of the designer."""
    return max(0.0, float(-_outcome(mechanism, _reports(rng))[1].sum(axis=1).min()))


def no_positive_transfers(mechanism: Any, rng: np.random.Generator) -> float:
    """Return the largest payment to a participant."""
    return max(0.0, float(-_outcome(mechanism, _reports(rng))[1].min()))


def efficient(mechanism: Any, rng: np.random.Generator) -> float:
    """Return the largest loss of welfare against giving the same amounts to the highest values."""
    values = _reports(rng)
    allocation, _ = _outcome(mechanism, values)
    best = (np.sort(values, axis=1) * np.sort(allocation, axis=1)).sum(axis=1)
    return float((best - (values * allocation).sum(axis=1)).max())


def monotone(mechanism: Any, rng: np.random.Generator) -> float:
    """Return the largest fall of the own allocation after raising the own report."""
    values = _reports(rng)
    before, _ = _outcome(mechanism, values)
    worst = 0.0
    for i in range(values.shape[1]):
        raised = values.copy()
        raised[:, i] += rng.random(len(values))
        worst = max(worst, float((before[:, i] - _outcome(mechanism, raised)[0][:, i]).max()))
    return worst


PROBES: Final[Mapping[str, Probe]] = {
    "truthful": truthful,
    "individually_rational": individually_rational,
    "budget_balanced": budget_balanced,
    "weakly_budget_balanced": weakly_budget_balanced,
    "no_positive_transfers": no_positive_transfers,
    "efficient": efficient,
    "monotone": monotone,
}
"""Ready probes for direct mechanisms, by the name of the property."""
