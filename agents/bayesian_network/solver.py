"""Exact softmax policy gradient on Bayesian-network joint policies.

Agent i plays pi_i(a_i | s, parents' actions) = softmax(theta_i).  With W(s, a) = d(s) pi(a|s) Q(s, a), d the
discounted visits, the gradient is

    dJ / dtheta_i(s, p, x) = sum of W(s, a) over a with parents' actions p and a_i = x
                             - pi_i(x | s, p) * the same sum over all a_i,

and all agents step at once.  Without edges this is independent learning; with all edges any joint
distribution can be reached.  A profile is an equilibrium of the class when no agent gains by another
conditional policy, its parents included in what it sees, while all other conditionals stay.

Source: Chen and Zhang (2023), Context-Aware Bayesian Network Actor-Critic, arXiv 2306.01920, sections 3 and 4;
subteams and the barrier: Correlated Policy Optimization in Multi-Agent Subteams (ICLR 2026).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.bayesian_network import kernels
from equilibria.agents.bayesian_network.dag import dag_matrix, subteams
from equilibria.agents.bayesian_network.layout import Layout
from equilibria.agents.bayesian_network.policy import BNPolicy
from equilibria.agents.bayesian_network.settings import BNSettings
from equilibria.games.vector.tabular import TabularTeamGame
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, NumericalError, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray, FloatArray

NAME = "bn_policy_gradient"


class BNPolicyGradient:
    """Exact policy gradient; one step is one simultaneous update of all agents, in K independent runs.

    Args:
        game: A cooperative game as tables.
        settings: Graph, step size and starts.
        seeds: Source of normal starts; run k draws from its own child.

    Attributes:
        theta: [K, M] logits.
        optimum: J*, the value of the best joint policy.

    Raises:
        UnsupportedGame: If the game is no ``TabularTeamGame``.
        InvalidValue: If the graph is not acyclic or does not fit the game.
    """

    table_names = ("policy", "dag")

    def __init__(
        self, game: TabularTeamGame, settings: BNSettings | None = None, *, seeds: SeedTree | None = None
    ) -> None:
        if not isinstance(game, TabularTeamGame):
            raise UnsupportedGame(
                f"{NAME} plays cooperative games given as tables (coordination_game, climbing_game, penalty_game, "
                f"team_matrix), got {type(game).__name__}"
            )
        self.game, self.settings = game, settings or BNSettings()
        self.layout = Layout.of(game, _graph(self.settings, game.agents))
        self.theta = np.zeros((self.settings.starts, self.layout.entries))
        if self.settings.start == "normal":
            for k, row in enumerate(self.theta):
                row[:] = (seeds or SeedTree(0)).child("start", k).generator().standard_normal(self.layout.entries)
        self.optimum = game.optimum()
        self._iteration = 0

    @property
    def iteration(self) -> int:
        """Number of steps done."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Do ``n`` updates.

        Raises:
            NumericalError: If a logit became infinite or not a number (step size too large).
        """
        kernels.ascend(self.theta, n, self.settings.rate, self.settings.barrier, *self._model())
        self._iteration += n
        if not np.isfinite(self.theta).all():
            raise NumericalError("policy logit", float("nan"), step=self._iteration, where=NAME)

    def policy(self, start: int = 0) -> BNPolicy:
        """Return the present policy of one run."""
        return BNPolicy(self.game, self.layout, self._tables()[start])

    def returns(self) -> FloatArray:
        """Return J [K] of every run."""
        slope, pi = np.empty(self.layout.entries), np.empty(self.layout.entries)
        return np.array([kernels.gradient(row, slope, pi, *self._model()) for row in self.theta])

    def gradient(self, start: int = 0) -> FloatArray:
        """Return the exact gradient [M] of J, less the barrier if there is one, by the logits of one run."""
        slope, pi, layout = np.empty(self.layout.entries), np.empty(self.layout.entries), self.layout
        kernels.gradient(self.theta[start], slope, pi, *self._model())
        barrier, states = self.settings.barrier, self.game.states
        kernels.add_barrier(pi, slope, barrier, layout.offset, layout.width, layout.actions, states)
        return slope

    def gains(self) -> FloatArray:
        """Return what each agent gains by its best conditional policy, [K, n], at least 0."""
        tables, now = self._tables(), self.returns()
        best = [[kernels.best_response(pi, i, *self._model()) for i in range(self.game.agents)] for pi in tables]
        # the true gain is never negative; rounding can make it so
        return np.asarray(np.maximum(np.array(best) - now[:, None], 0.0))

    def metrics(self) -> dict[str, float]:
        """Return headline numbers over the runs: return, its ratio to the optimum, distance from equilibrium."""
        returns, gaps = self.returns(), self.gains().max(axis=1)
        numbers = {
            "return": float(returns.mean()),
            "regret": float(self.optimum - returns.mean()),
            "gap": float(gaps.mean()),
            "gap_max": float(gaps.max()),
        }
        if self.optimum > 0:
            ratio = returns / self.optimum
            numbers |= {
                "return_ratio": float(ratio.mean()),
                "return_ratio_min": float(ratio.min()),
                "return_ratio_sd": float(ratio.std(ddof=1)) if len(ratio) > 1 else 0.0,
            }
        return numbers

    def certificate(self) -> Certificate:
        """Return the largest distance of a run from an equilibrium of its policy class."""
        gains, returns = self.gains(), self.returns()
        worst = int(gains.max(axis=1).argmax())
        return Certificate(
            measure="equilibrium gap",
            value=float(gains[worst].max()),
            unit="team return",
            method="best conditional policy of each agent by policy iteration, exact linear solves",
            details={
                "gains": [float(g) for g in gains[worst]],
                "gap_mean": float(gains.max(axis=1).mean()),
                "return_mean": float(returns.mean()),
                "return_min": float(returns.min()),
                "optimum": self.optimum,
                "runs": len(returns),
            },
            warning="an equilibrium of the policy class can lie below the optimum",
        )

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return ``policy``: one row per run, agent, state, parents' actions and action; or ``dag``: one per pair."""
        if name not in self.table_names:
            raise InvalidValue(f"{NAME} offers the tables {', '.join(self.table_names)}, not {name!r}")
        if name == "dag":
            parent, child = np.nonzero(~np.eye(self.game.agents, dtype=np.bool_))
            return {"parent": parent, "child": child, "probability": self.layout.dag[parent, child].astype(np.float64)}
        parts = []
        for i in range(self.game.agents):
            shape = (self.game.states, int(self.layout.configurations[i]), int(self.layout.actions[i]))
            state, parents, action = (x.ravel() for x in np.indices(shape))
            parts.append((np.full(state.size, i), state, parents, action))
        columns = [np.concatenate(c) for c in zip(*parts, strict=True)]
        runs = len(self.theta)
        return {
            "run": np.repeat(np.arange(runs), self.layout.entries),
            **{n: np.tile(c, runs) for n, c in zip(("agent", "state", "parents", "action"), columns, strict=True)},
            "probability": self._tables().ravel(),
        }

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        return State({"theta": self.theta.copy()}, {"iteration": self._iteration, "solver": NAME})

    def load(self, state: State) -> None:
        """Restore a state made by ``save``.

        Raises:
            InvalidValue: If the state is of another solver or of another size.
        """
        theta = np.asarray(state.arrays.get("theta", np.zeros(0)))
        if state.meta.get("solver") != NAME or theta.shape != self.theta.shape:
            raise InvalidValue(
                f"the state is of {state.meta.get('solver')!r} with logits {theta.shape}, expected {NAME!r} "
                f"with {self.theta.shape}"
            )
        self.theta = np.array(theta, dtype=np.float64)
        self._iteration = int(state.meta["iteration"])  # type: ignore[arg-type]

    def _tables(self) -> FloatArray:
        out, layout = np.empty_like(self.theta), self.layout
        for row, pi in zip(self.theta, out, strict=True):
            kernels.softmax(row, pi, layout.offset, layout.width, layout.actions, self.game.states)
        return out

    def _model(self) -> tuple[Any, ...]:
        """Return what every kernel needs after its own arguments."""
        layout, game = self.layout, self.game
        return (
            layout.slot, layout.offset, layout.width, layout.actions,
            game.rewards, game.transition, game.discount, game.start,
        )  # fmt: skip


def _graph(settings: BNSettings, agents: int) -> BoolArray:
    """Return the graph of the settings; tables say nothing of who interferes, so subteams join all alike."""
    if settings.dag == "subteams":
        return subteams(np.ones((agents, agents)), settings.subteam_edges)
    return dag_matrix(settings.dag, agents)
