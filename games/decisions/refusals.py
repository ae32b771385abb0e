"""Why a set of controls of a restless bandit may not be used: the constraint that it breaks, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from equilibria.games.decisions.couplings import Capacity, Count, Coupling, Path, Schedule
from equilibria.games.decisions.tours import bounds
from equilibria.games.decisions.walks import TOUR, shortest_tours
from equilibria.sim.types import AnyArray, IntArray

APART = 1_000_000
"""Hop distance of arms that no way joins; see ``walks.hop_distances``."""


def broken_constraint(coupling: Coupling, chosen: AnyArray) -> str:
    """Say which constraint an infeasible set bool [C] breaks, in one clause.

    Example:
        >>> broken_constraint(Count(4, 2), np.array([1, 1, 0, 1]))
        'interventions 0, 1, 3 are used, at most 2 may be'
    """
    used = np.flatnonzero(chosen).astype(np.int64)
    if isinstance(coupling, Count):
        return f"interventions {_listed(used)} are used, at most {coupling.most} may be"
    if isinstance(coupling, Capacity):
        return _unpacked(coupling, used)
    if isinstance(coupling, Schedule):
        return _unmatched(coupling, used)
    if isinstance(coupling, Path):
        return _unvisited(coupling, used)
    return f"controls {_listed(used)} may not be used together ({type(coupling).__name__})"


def _unpacked(coupling: Capacity, arms: IntArray) -> str:
    cost, room = coupling.cost[arms], coupling.capacity
    most = int(room.max(initial=0))
    if cost.max() > most:
        arm = int(arms[int(cost.argmax())])
        return f"arm {arm} costs {int(cost.max())}, the largest capacity is {most}"
    if cost.sum() > room.sum():
        return f"arms {_listed(arms)} cost {int(cost.sum())} together, the capacities add up to {int(room.sum())}"
    return f"arms {_listed(arms)} with costs {_listed(cost)} cannot be packed into capacities {_listed(room)}"


def _unmatched(coupling: Schedule, arms: IntArray) -> str:
    """Name arms that have fewer workers between them than there are of them (Hall's condition)."""
    fits = coupling.fits[arms]
    worker = maximum_bipartite_matching(csr_array(fits), perm_type="column")
    owner = {int(i): k for k, i in enumerate(worker) if i >= 0}
    crowd, workers = [int(np.flatnonzero(worker < 0)[0])], dict[int, None]()
    for k in crowd:  # grows while it is walked: whoever holds a worker in reach competes too
        fresh = [int(i) for i in np.flatnonzero(fits[k]) if int(i) not in workers]
        workers |= dict.fromkeys(fresh)
        crowd += [owner[i] for i in fresh]
    names = _listed(np.sort(arms[crowd]))
    if not workers:
        return f"arm {names} shares a time slot with no worker"
    return f"arms {names} share time slots with workers {_listed(sorted(workers))} only, and each needs its own"


def _unvisited(coupling: Path, arms: IntArray) -> str:
    if arms.size > coupling.most:
        return f"arms {_listed(arms)} are pulled, at most {coupling.most} may be"
    hops, source, length = coupling.walks.hops, coupling.source, coupling.length
    own = arms[arms != source]
    out = hops[source, own]
    start = f"no closed walk of at most {length} edges from arm {source} visits arms {_listed(own)}"
    if out.max() >= APART:
        return f"{start}: no way leads to arm {int(own[int(out.argmax())])}"
    between = np.ascontiguousarray(hops[np.ix_(own, own)])
    if own.size > TOUR:
        return f"{start}: the shortest has at least {bounds(between, out)[0]}"
    return f"{start}: the shortest has {int(shortest_tours(between, np.ascontiguousarray(out))[-1])}"


def _listed(numbers: AnyArray | Sequence[int]) -> str:
    return ", ".join(str(int(x)) for x in numbers)
