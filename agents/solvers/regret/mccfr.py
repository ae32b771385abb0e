"""Monte Carlo counterfactual regret minimisation (MCCFR) with external or outcome sampling.

One iteration makes one pass per player p:

1. external sampling: every own action is followed, chance and the others are sampled; with the child values
   u_a and V = sum of sigma(a) u_a the regrets grow by u_a - V;
2. outcome sampling: one trajectory is drawn, own moves from epsilon * uniform + (1 - epsilon) * sigma; the sampled
   child's value is divided by its sampling probability, the others count 0 (or their baseline), and the
   regrets grow by (u_a - V) * others' reach / sampling reach;
3. the policy is regret matching on the cumulative regrets; the output is the average policy.

Baselines b replace the value 0 of moves that were not sampled and centre the sampled one, so that the estimate
stays unbiased for every b and its variance vanishes as b approaches the true value.

Use sampling only when full iterations are too slow: a full CFR iteration of Leduc poker takes about 12
microseconds with the array engine, no more than a handful of sampled passes.

References: Lanctot, Waugh, Zinkevich, Bowling (2009), Monte Carlo sampling for regret minimization in extensive
games, NeurIPS.  Schmid, Burch, Lanctot, Moravcik, Kadlec, Bowling (2019), Variance reduction in Monte Carlo
counterfactual regret minimization (VR-MCCFR), AAAI.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.solvers.policy_tables import PolicyTables
from equilibria.agents.solvers.regret import sampling_kernels as kernels
from equilibria.agents.solvers.regret.sampling_settings import Average, Baseline, MCCFRSettings, Sampling
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.histories import histories_of
from equilibria.games.extensive.history import NO_HISTORY, HistoryGame
from equilibria.games.extensive.policy import BehaviouralPolicy, behavioural
from equilibria.games.extensive.values import exploitability
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray


class MCCFR(PolicyTables):
    """Monte Carlo CFR on a finite game of perfect recall.

    Args:
        game: The game; its histories are walked once more (see ``histories_of``).
        seeds: Seed tree node; draws depend on (its key, iteration, player, history) only.
        sampling: ``"external"`` or ``"outcome"``.
        epsilon: Exploration of outcome sampling, in (0, 1].
        average: ``"simple"`` or ``"full"`` (external sampling; outcome sampling always weights by
            own reach / sampling reach).
        linear: Weight the increments of iteration t by t.
        baseline: ``"none"`` (the method of 2009), ``"infoset"`` or ``"history"`` (8nH bytes).
        baseline_rate: Step of the running means behind the baselines, in (0, 1].

    Raises:
        InvalidValue: If a parameter is out of range.
        Unsupported: If the histories of the game are unknown.

    Example:
        >>> from equilibria.games.extensive import openspiel, nash_conv
        >>> solver = MCCFR(openspiel("kuhn_poker"))
        >>> solver.step(20_000)
        >>> nash_conv(solver.game, solver.average_policy()) < 0.02
        True
    """

    def __init__(
        self,
        game: ExtensiveGame,
        *,
        seeds: SeedTree | None = None,
        sampling: Sampling = "external",
        epsilon: float = 0.6,
        average: Average = "simple",
        linear: bool = False,
        baseline: Baseline = "history",
        baseline_rate: float = 0.5,
    ) -> None:
        # the settings model states the ranges once, for scenarios and the library alike
        self.settings = _checked(
            sampling=sampling, epsilon=epsilon, average=average, linear=linear,
            baseline=baseline, baseline_rate=baseline_rate,
        )  # fmt: skip
        self.game, self.tree = game, histories_of(game)
        self._key = (seeds or SeedTree(0)).child("mccfr").key()
        self._iteration = 0
        self._regrets, self._weights = np.zeros(game.arrays.sequences), np.zeros(game.arrays.sequences)
        self._baseline_of, size = _baseline_keys(self.tree, self.settings.baseline)
        self._baselines = np.zeros((game.players, size))
        self._allocate()

    @classmethod
    def from_settings(cls, game: ExtensiveGame, settings: MCCFRSettings, seeds: SeedTree) -> MCCFR:
        """Build a solver from validated scenario parameters."""
        return cls(game, seeds=seeds, **dict(settings))

    def _allocate(self) -> None:
        levels = _depth(self.tree) + 2
        widest = int(self.tree.nact.max(initial=1))
        self._node, self._taken = np.zeros(levels, dtype=np.uint32), np.zeros(levels, dtype=np.uint32)
        self._index = np.zeros(levels, dtype=np.int64)
        self._policy, self._value = np.zeros((levels, widest)), np.zeros((levels, widest))
        self._sampled, self._reach = np.zeros(levels), np.zeros((levels, 3))
        self._x = np.ones(self.game.arrays.sequences)

    @property
    def iteration(self) -> int:
        """Number of iterations done."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Do ``n`` iterations (one pass per player each) in one compiled call."""
        if n < 0:
            raise InvalidValue(f"the number of iterations must be non-negative, got {n!r}")
        h, s, a = self.tree, self.settings, self.game.arrays
        tree = (h.child, h.sibling, h.chance, h.player, h.infoset, h.utility)
        tables = (self._regrets, self._weights, self._baselines, self._baseline_of)
        control = (s.baseline != "none", s.baseline_rate)
        begin = self._iteration + 1
        if s.sampling == "external":
            kernels.run_external(
                begin, n, a.players, self._key, s.linear, s.average == "simple", *control, *tree,
                a.iset_off, a.parent, a.first, a.nact, *tables,
                self._node, self._taken, self._index, self._policy, self._value, self._x,
            )  # fmt: skip
        else:
            kernels.run_outcome(
                begin, n, a.players, self._key, s.linear, s.epsilon, *control, *tree, a.first, a.nact, *tables,
                self._node, self._index, self._policy, self._sampled, self._reach,
            )  # fmt: skip
        self._iteration += n

    def average_policy(self) -> BehaviouralPolicy:
        """Return the average policy, uniform at infosets that were never met."""
        return behavioural(self.game, self._weights)

    def policy(self) -> BehaviouralPolicy:
        """Return the average policy, the output of the method."""
        return self.average_policy()

    def current_policy(self) -> BehaviouralPolicy:
        """Return regret matching on the cumulative regrets."""
        return behavioural(self.game, np.maximum(self._regrets, 0.0))

    def regrets(self) -> FloatArray:
        """Return a copy of the cumulative (estimated) regrets [S]."""
        return self._regrets.copy()

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        arrays: dict[str, Any] = {
            "regrets": self._regrets.copy(), "weights": self._weights.copy(), "baselines": self._baselines.copy()
        }  # fmt: skip
        return State(arrays, {"iteration": self._iteration, "key": str(int(self._key))})

    def load(self, state: State) -> None:
        """Restore a state made by ``save`` for the same game and parameters."""
        current = self.save().arrays
        for name, array in current.items():
            if state.arrays[name].shape != array.shape:
                raise InvalidValue(f"saved {name} has shape {state.arrays[name].shape}, expected {array.shape}")
        restored = {name: np.array(state.arrays[name], dtype=np.float64) for name in current}
        self._regrets, self._weights, self._baselines = (restored[n] for n in ("regrets", "weights", "baselines"))
        self._iteration = int(state.meta["iteration"])  # type: ignore[arg-type]
        self._key = np.uint64(int(str(state.meta["key"])))

    def certificate(self) -> Certificate:
        """Measure the exploitability of the average policy exactly."""
        warning = ""
        if self.settings.sampling == "external" and self.settings.average == "simple" and self.game.players > 2:
            warning = "the simple average is biased for more than two players; use average='full'"
        return Certificate(
            measure="exploitability",
            value=exploitability(self.game, self.average_policy()),
            unit="game payoff",
            method="exact best response by backward induction, average policy",
            warning=warning,
        )


def _checked(**parameters: object) -> MCCFRSettings:
    from pydantic import ValidationError

    try:
        return MCCFRSettings.model_validate(parameters)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise InvalidValue(f"{name}: {first['msg']}, got {first['input']!r}") from error


def _depth(tree: HistoryGame) -> int:
    """Return the number of moves of the longest history."""
    depth = np.zeros(tree.nodes, dtype=np.int64)
    for h, above in enumerate(tree.parent.tolist()):
        if above != NO_HISTORY:
            depth[h] = depth[above] + 1
    return int(depth.max(initial=0))


def _baseline_keys(tree: HistoryGame, baseline: str) -> tuple[IntArray, int]:
    """Return the baseline index of the move into each history [H], and the number of baselines."""
    if baseline == "none":
        return np.zeros(tree.nodes, dtype=np.int64), 1
    keys = np.arange(tree.nodes, dtype=np.int64)
    if baseline == "history":
        return keys, tree.nodes
    # moves of an infoset share one baseline; chance moves keep their own
    by_slot = np.where(tree.edge >= 0, tree.edge, keys + tree.sequences)
    _, dense = np.unique(by_slot, return_inverse=True)
    return np.asarray(dense, dtype=np.int64), int(dense.max()) + 1
