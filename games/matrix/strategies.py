"""Named strategies of iterated two-action games as automata.

Memory-one strategies are four probabilities of cooperation after CC, CD, DC, DD (own action first) and
one for the first turn.  Sources: Axelrod (1984); Nowak and Sigmund (1993), win-stay lose-shift; Press and Dyson
(2012), zero-determinant strategies; Stewart and Plotkin (2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equilibria.games.analysis.checks import check_finite
from equilibria.sim.errors import InvalidValue, unknown_name
from equilibria.sim.types import FloatArray, IntArray

COOPERATE, DEFECT = 0, 1


@dataclass(frozen=True, slots=True)
class Automaton:
    """A strategy with finitely many states; it starts in state 0.

    Attributes:
        name: For reports.
        cooperate: [S] probability of cooperation in each state.
        transition: [S, 2, 2] next state after (own, other) actions, 0 = cooperate, 1 = defect.
    """

    name: str
    cooperate: FloatArray
    transition: IntArray

    def __post_init__(self) -> None:
        p, move = np.array(self.cooperate, dtype=np.float64), np.array(self.transition, dtype=np.int64)
        if p.ndim != 1 or not len(p) or move.shape != (len(p), 2, 2):
            raise InvalidValue(f"{self.name}: need cooperate [S] and transition [S, 2, 2], got {p.shape}, {move.shape}")
        check_finite(p, f"{self.name}.cooperate")
        if p.min() < 0 or p.max() > 1:
            raise InvalidValue(f"{self.name}: probabilities must lie in [0, 1], got {p.tolist()}")
        if move.min() < 0 or move.max() >= len(p):
            raise InvalidValue(
                f"{self.name}: next states must lie in 0..{len(p) - 1}, got {int(move.min())}..{move.max()}"
            )
        object.__setattr__(self, "cooperate", p)
        object.__setattr__(self, "transition", move)


def memory_one(name: str, probabilities: ArrayLike, *, first: float = 1.0) -> Automaton:
    """Return the automaton of a memory-one strategy.

    Args:
        name: For reports.
        probabilities: [4] probability of cooperation after CC, CD, DC, DD (own action first).
        first: Probability of cooperation in the first turn.

    Raises:
        InvalidValue: If a probability is outside [0, 1] or there are not four.
    """
    p = np.array(probabilities, dtype=np.float64)
    if p.shape != (4,):
        raise InvalidValue(f"{name}: a memory-one strategy has 4 probabilities (CC, CD, DC, DD), got shape {p.shape}")
    # state 0 is the start, 1 + 2 own + other remembers the last turn
    move = np.broadcast_to(np.array([[1, 2], [3, 4]]), (5, 2, 2))
    return Automaton(name, np.append(first, p), move)


_MEMORY_ONE: dict[str, tuple[tuple[float, float, float, float], float]] = {
    "cooperator": ((1, 1, 1, 1), 1),
    "defector": ((0, 0, 0, 0), 0),
    "random": ((0.5, 0.5, 0.5, 0.5), 0.5),
    "tit_for_tat": ((1, 0, 1, 0), 1),
    "suspicious_tit_for_tat": ((1, 0, 1, 0), 0),
    "generous_tit_for_tat": ((1, 1 / 3, 1, 1 / 3), 1),
    "win_stay_lose_shift": ((1, 0, 0, 1), 1),
    "grudger": ((1, 0, 0, 0), 1),
    "alternator": ((0, 0, 1, 1), 1),
    "joss": ((0.9, 0, 0.9, 0), 1),
    "bully": ((0, 1, 0, 1), 0),
    "zd_extort_2": ((8 / 9, 1 / 2, 1 / 3, 0), 1),
    "zd_generous_2": ((1, 1 / 8, 1, 1 / 4), 1),
}


def _tit_for_two_tats() -> Automaton:
    # state = number of defections just seen (at most 2)
    return Automaton("tit_for_two_tats", np.array([1, 1, 0.0]), np.array([[[0, 1]] * 2, [[0, 2]] * 2, [[0, 2]] * 2]))


def _two_tits_for_tat() -> Automaton:
    # state = punishments still due
    return Automaton("two_tits_for_tat", np.array([1, 0, 0.0]), np.array([[[0, 2]] * 2, [[0, 2]] * 2, [[1, 2]] * 2]))


_OTHER = {"tit_for_two_tats": _tit_for_two_tats, "two_tits_for_tat": _two_tits_for_tat}
STRATEGIES = (*_MEMORY_ONE, *_OTHER)
"""Names that ``named`` knows."""


def named(name: str) -> Automaton:
    """Return a strategy of the library by name.

    Raises:
        UnknownName: With the nearest known names.
    """
    if name in _MEMORY_ONE:
        probabilities, first = _MEMORY_ONE[name]
        return memory_one(name, probabilities, first=first)
    if name in _OTHER:
        return _OTHER[name]()
    raise unknown_name("strategy", name, STRATEGIES)
