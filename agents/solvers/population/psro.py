"""Policy-space response oracles (PSRO) on exact realisation plans.

1. Every player starts with one policy (uniform random unless given).
2. The training meta-solver turns the meta-game into a meta-strategy sigma.
3. Each player's oracle responds to the others' part of the same sigma; the answers are appended.
4. The new entries of the meta-game are filled; go to 2.
5. When asked, the evaluation meta-solver gives the mixture that is reported.

A mixture means "draw one policy before the game, then follow it", which is the mixture of
realisation plans, not the average of action probabilities.  With exact responses and ``nash`` this
is the double oracle: it stops at an exact equilibrium, when NashConv of sigma is within
``tolerance``; later steps then change nothing.

Sources: Lanctot et al. (2017), arXiv 1711.00832; McMahan, Gordon, Blum (2003); Muller et al. (2020),
arXiv 1909.12823; Marris et al. (2021), arXiv 2106.09435 (JPSRO).
Cost per iteration: one meta-solve, n gradients, and the new meta-game entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from equilibria.agents.solvers.population import expansion
from equilibria.agents.solvers.population.evaluation import Distance, correlated_gap, distance
from equilibria.agents.solvers.population.meta_game import MetaGame, MetaStrategy
from equilibria.agents.solvers.population.meta_solvers.registry import META_SOLVERS, meta_solver, resolve
from equilibria.agents.solvers.population.oracle import (
    CallableOracle,
    ExactOracle,
    Oracle,
    OracleFunction,
    StatefulOracle,
)
from equilibria.agents.solvers.population.oracle_settings import (
    DQNOracleSettings,
    PPOOracleSettings,
    oracle_settings,
)
from equilibria.agents.solvers.population.payoffs import SampledPayoffs
from equilibria.agents.solvers.population.plan_game import PlanMetaGame
from equilibria.agents.solvers.population.reporting import Evaluation
from equilibria.agents.solvers.population.settings import PSROSettings, make_settings
from equilibria.agents.solvers.population.tables import TABLES, MetaGameRows, meta_strategy_rows
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import BehaviouralPolicy, behavioural, uniform_policy
from equilibria.games.extensive.tables import policy_table
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import CorruptRun, InvalidValue, UnknownName, Unsupported, UnsupportedGame, did_you_mean
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray, IntArray


class PSRO:
    """Policy-space response oracles.

    Args:
        game: A perfect-recall game of at least two players.
        oracle: Name of a built-in one (``"exact"``, ``"exact_openspiel"``, ``"ppo"``, ``"dqn"``), an ``Oracle``, or a function
            ``(game, player, sigma, populations, rng) -> policy``.
        initial: First policies: one or more profiles, ``None`` for the uniform one.
        seeds: Seed node, used by sampled payoffs, selectors and random meta-solvers.
        settings: All other parameters as one object, instead of keywords.
        **params: Fields of ``PSROSettings`` by keyword: ``meta_solver="shor"``, ``eval="nash"`` ...

    Raises:
        InvalidValue: If a parameter is out of range.
        UnknownName: If a meta-solver does not exist.
        UnsupportedGame: If ``symmetric`` is asked of a game that is not (see ``verify_symmetric``).

    Example:
        >>> from equilibria.games.extensive import openspiel
        >>> solver = PSRO(openspiel("kuhn_poker"), meta_solver="nash")
        >>> solver.step(20)
        >>> bool(solver.distance().exploitability < 1e-9), solver.terminated
        (True, True)
    """

    table_names: ClassVar[tuple[str, ...]] = TABLES

    def __init__(
        self,
        game: ExtensiveGame,
        *,
        oracle: Oracle | OracleFunction | str | None = None,
        initial: BehaviouralPolicy | Sequence[BehaviouralPolicy] | None = None,
        seeds: SeedTree | None = None,
        settings: PSROSettings | None = None,
        **params: Any,
    ) -> None:
        if isinstance(oracle, str):
            params, oracle = {**params, "oracle": oracle}, None
        if settings is not None and params:
            raise InvalidValue(f"give either settings or keywords, got both: {sorted(params)}")
        if not isinstance(game, ExtensiveGame):
            raise UnsupportedGame(
                f"psro needs a perfect-recall game in sequence form, got {type(game).__name__}; make it with "
                "openspiel(...), load_efg(...) or GameBuilder"
            )
        self.settings = settings or make_settings(params)
        self.game = game
        self.seeds = seeds or SeedTree(0)
        self.meta = PlanMetaGame(game, representation=self.settings.representation)
        self._spec = META_SOLVERS[resolve(self.settings.meta_solver)]
        self._oracle = _oracle(oracle, game, self.settings)
        self._iteration = 0
        self._terminated_at: int | None = None
        self._train_gap = np.inf
        self._shortfall = np.zeros(0)
        self._sigma: MetaStrategy | None = None
        self._reported: MetaStrategy | None = None
        self._mapping: tuple[IntArray, ...] | None = None
        self._rows = MetaGameRows(game.players)
        self._check_combination()
        if self.settings.symmetric:
            from equilibria.agents.solvers.population.symmetric import verify_symmetric

            self._mapping = verify_symmetric(game)
        self._add_initial(initial)
        self.sampled = self._sampled_payoffs()
        self._train = meta_solver(
            self.settings.meta_solver,
            self.settings.meta_solver_params,
            purpose="train",
            seeds=self.seeds.child("meta_solver"),
        )
        self._evaluation = Evaluation(self.settings, self._train, self.seeds.child("evaluation"))

    @property
    def iteration(self) -> int:
        """Iterations asked for so far; after termination they change nothing."""
        return self._iteration

    @property
    def terminated(self) -> bool:
        """Whether no response improves on the training mixture any more (exact oracles only)."""
        return self._terminated_at is not None

    @property
    def terminated_at(self) -> int | None:
        """Iteration at which that was found, ``None`` before."""
        return self._terminated_at

    @property
    def meta_solver_name(self) -> str:
        """Name of the training meta-solver."""
        return self._train.name

    @property
    def evaluation_name(self) -> str:
        """Name of the evaluation meta-solver."""
        return self._evaluation.name

    @property
    def train_gap(self) -> float:
        """NashConv (CE or CCE gap) of the last training meta-strategy; infinite before the first iteration."""
        return self._train_gap

    @property
    def oracle_shortfall(self) -> FloatArray:
        """[n] what the last responses of a learning oracle earn less than exact ones; empty when not known."""
        return self._shortfall.copy()

    def step(self, n: int = 1) -> None:
        """Do ``n`` iterations.

        Raises:
            InvalidValue: If ``n`` is negative.
        """
        if n < 0:
            raise InvalidValue(f"n must be at least 0, got {n!r}")
        for _ in range(n):
            if not self.terminated:
                self._iterate()
            self._iteration += 1

    def payoffs(self) -> MetaGame:
        """Return the meta-game that meta-solvers see: exact, or sampled."""
        if self.sampled is None:
            return self.meta
        self.sampled.update()
        return self.sampled.meta_game()

    def train_strategy(self) -> MetaStrategy | None:
        """Return the last training meta-strategy (over the populations before the last expansion)."""
        return self._sigma

    def meta_strategy(self) -> MetaStrategy:
        """Return the evaluation meta-strategy over the present populations; solved once per iteration."""
        if self._reported is None:
            self._reported = self._symmetrised(self._evaluation.solve(self.meta, self.payoffs()))
        return self._reported

    def distance(self) -> Distance:
        """Return values and exact gains of the evaluation mixture (the product of its marginals)."""
        return distance(self.meta, self.meta_strategy())

    def plan(self) -> FloatArray:
        """Return the realisation plans [S] of the evaluation mixture."""
        return self.meta.mixture_plan(self.meta_strategy().marginals)

    def policy(self) -> BehaviouralPolicy:
        """Return the behavioural policy of the evaluation mixture; unreached infosets are uniform."""
        return behavioural(self.game, self.plan())

    def average_policy(self) -> BehaviouralPolicy:
        """Return ``policy()``; the name that regret minimisers use."""
        return self.policy()

    def current_policy(self) -> BehaviouralPolicy:
        """Return the training mixture that the newest policies respond to (the first policies at the start)."""
        if self._sigma is None:
            return behavioural(self.game, self.meta.mixture_plan(self._newest()))
        padded = [
            np.concatenate([m, np.zeros(int(k) - len(m))])
            for m, k in zip(self._sigma.marginals, self.meta.sizes, strict=True)
        ]
        return behavioural(self.game, self.meta.mixture_plan(padded))

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return the rows of an offered table at the present iteration (see ``tables``)."""
        if name == "meta_game":
            return self._rows.take(self)
        if name == "meta_strategy":
            return meta_strategy_rows(self)
        if name == "policy":
            return policy_table(self.game, self.policy())
        raise UnknownName(f"psro offers no table {name!r}; {did_you_mean(name, self.table_names, 'table')}")

    def certificate(self) -> Certificate:
        """Return the exact exploitability of the evaluation mixture (CE or CCE gap for correlated ones)."""
        strategy = self.meta_strategy()
        away = self.distance()
        details: dict[str, Any] = {
            "nash_conv": away.nash_conv,
            "gains": away.gains.tolist(),
            "values": away.values.tolist(),
            "meta_solver": self.meta_solver_name,
            "eval": strategy.solver,
            "policies": self.meta.sizes.tolist(),
            "terminated_at": self._terminated_at,
        }
        method = f"exact best response to the {strategy.solver} mixture of a {self.meta_solver_name}-trained population"
        concept = META_SOLVERS[strategy.solver].joint if strategy.solver in META_SOLVERS else ""
        if concept:
            details["exploitability_of_marginals"] = away.exploitability
            return Certificate(
                measure=f"{concept.upper()} gap",
                value=max(correlated_gap(self.meta, strategy, concept), 0.0),
                unit="game payoff",
                method=method,
                details=details,
                warning="policy() is the product of the marginals, not the joint device",
            )
        return Certificate(
            measure="exploitability",
            value=max(away.exploitability, 0.0),
            unit="game payoff",
            method=method,
            details=details,
        )

    def save(self) -> State:
        """Return populations, sampled payoffs, counters and the training solver's state."""
        arrays: dict[str, AnyArray] = {"recorded": self._rows.recorded, "shortfall": self._shortfall}
        arrays |= {f"plans/{p}": self.meta.plans(p) for p in range(self.meta.players)}
        if self._sigma is not None:
            arrays |= {f"sigma/{p}": m for p, m in enumerate(self._sigma.marginals)}
            if self._sigma.joint is not None:
                arrays["joint"] = self._sigma.joint
        own = State(
            arrays,
            {
                "iteration": self._iteration,
                "terminated_at": self._terminated_at,
                "train_gap": None if np.isinf(self._train_gap) else self._train_gap,
                "content_hash": self.game.content_hash,
            },
        )
        state = own.nested("psro").merged(self._train.save(self.meta).nested("train"))
        if isinstance(self._oracle, StatefulOracle):
            state = state.merged(self._oracle.save().nested("oracle"))
        return state if self.sampled is None else state.merged(self.sampled.save().nested("sampled"))

    def load(self, state: State) -> None:
        """Restore a state made by ``save`` of a solver with the same game and settings.

        Raises:
            CorruptRun: If the state belongs to another game or is incomplete.
        """
        own = state.part("psro")
        if own.meta.get("content_hash") != self.game.content_hash:
            raise CorruptRun(f"the saved state belongs to another game than {self.game.name!r}")
        try:
            self._restore(own)
        except (KeyError, TypeError, InvalidValue) as error:
            raise CorruptRun(f"the saved PSRO state is damaged: {error}") from error
        if self.sampled is not None:
            self.sampled.load(state.part("sampled"))
        if isinstance(self._oracle, StatefulOracle):
            self._oracle.load(state.part("oracle"))
        self._train.load(state.part("train"), self.payoffs())
        self._reported = None

    def _restore(self, own: State) -> None:
        meta = PlanMetaGame(self.game, representation=self.settings.representation)
        for p in range(meta.players):
            for plan in np.asarray(own.arrays[f"plans/{p}"], np.float64):
                meta.add(p, plan)
        self.meta = meta
        if self.sampled is not None:
            self.sampled.attach(meta)
        self._rows.restore(own.arrays["recorded"], meta.players)
        self._shortfall = np.asarray(own.arrays["shortfall"], np.float64)
        self._iteration = int(own.meta["iteration"])  # type: ignore[arg-type]
        ended, gap = own.meta["terminated_at"], own.meta["train_gap"]
        self._terminated_at = None if ended is None else int(ended)  # type: ignore[arg-type]
        self._train_gap = np.inf if gap is None else float(gap)  # type: ignore[arg-type]
        self._sigma = None
        if "sigma/0" in own.arrays:
            marginals = tuple(np.asarray(own.arrays[f"sigma/{p}"], np.float64) for p in range(meta.players))
            joint = np.asarray(own.arrays["joint"], np.float64) if "joint" in own.arrays else None
            self._sigma = MetaStrategy(marginals, joint, self._train.name)

    def _newest(self) -> list[FloatArray]:
        return [np.eye(int(k))[-1] for k in self.meta.sizes]

    def _iterate(self) -> None:
        self._sigma = self._symmetrised(self._train.solve(self.payoffs()))
        grown = self._expand(self._sigma)
        self._train_gap, self._shortfall = grown.nash_conv, grown.shortfall
        if self._oracle.exact and grown.nash_conv <= self.settings.tolerance * self.meta.scale:
            self._terminated_at = self._iteration + 1
            return
        for player, plan in expansion.policies(grown.plans):
            self._add(player, plan)
        self._reported = None

    def _expand(self, sigma: MetaStrategy) -> expansion.Expansion:
        if self._spec.joint:
            tolerance = self.settings.tolerance * self.meta.scale
            return expansion.expand_joint(self.meta, sigma, self._oracle, concept=self._spec.joint, tolerance=tolerance)
        return expansion.expand_product(
            self.meta,
            sigma,
            self._oracle,
            selector="rectified" if self._spec.rectified else self.settings.selector,
            num_new=self.settings.num_new,
            seeds=self.seeds.child("expansion", self._iteration),
        )

    def _add(self, player: int, plan: FloatArray) -> None:
        if self._mapping is None:
            self.meta.add(player, plan)
        elif player == 0:
            for p in range(self.meta.players):
                self.meta.add(p, plan[self._mapping[p]])

    def _symmetrised(self, strategy: MetaStrategy) -> MetaStrategy:
        if self._mapping is None or strategy.joint is not None:
            return strategy
        shared = np.mean(np.stack(strategy.marginals), axis=0)
        return MetaStrategy(tuple(shared for _ in strategy.marginals), None, strategy.solver)

    def _add_initial(self, initial: BehaviouralPolicy | Sequence[BehaviouralPolicy] | None) -> None:
        profiles = [uniform_policy(self.game)] if initial is None else initial
        profiles = [profiles] if isinstance(profiles, BehaviouralPolicy) else list(profiles)
        if not profiles:
            raise InvalidValue("initial must hold at least one policy, got an empty sequence")
        off = self.game.arrays.seq_off.astype(np.int64)
        for profile in profiles:
            if profile.game.content_hash != self.game.content_hash:
                raise InvalidValue(f"an initial policy belongs to game {profile.game.name!r}, not {self.game.name!r}")
            plan = profile.plan()
            for p in range(self.meta.players):
                self._add(p, plan[off[p] : off[p + 1]])

    def _sampled_payoffs(self) -> SampledPayoffs | None:
        if self.settings.payoffs == "exact":
            return None
        return SampledPayoffs(self.meta, self.settings, self.seeds.child("payoffs"))

    def _check_combination(self) -> None:
        s = self.settings
        rectified = self._spec.rectified or s.selector == "rectified"
        if rectified and (self.game.players != 2 or self.game.constant_sum is None):
            raise Unsupported("rectified training needs a two-player zero-sum game; use selector 'probabilistic'")
        if self._oracle.exact and (s.num_new > 1 or s.selector == "exhaustive"):
            raise Unsupported(
                "the exact oracle gives the same response for every start; num_new > 1 and selector 'exhaustive' "
                "need a learning oracle"
            )
        if s.symmetric and (self._spec.joint or rectified):
            raise Unsupported("symmetric populations work with product meta-solvers without rectification only")


def _oracle(oracle: Oracle | OracleFunction | None, game: ExtensiveGame, settings: PSROSettings) -> Oracle:
    if oracle is None and settings.oracle == "exact_openspiel":
        from equilibria.agents.solvers.population.oracle_openspiel import OpenSpielOracle

        return OpenSpielOracle(game.name)
    if oracle is None and settings.oracle in ("ppo", "dqn"):
        return _learned(settings)
    if oracle is None:
        return ExactOracle(ties=settings.ties, tolerance=settings.tie_tolerance)
    if isinstance(oracle, Oracle):
        return oracle
    if callable(oracle):
        return CallableOracle(oracle)
    raise InvalidValue(f"oracle must be None, an Oracle or a function, got {type(oracle).__name__}")


def _learned(settings: PSROSettings) -> Oracle:
    """Import a learning oracle only when it is used: it loads torch."""
    chosen = oracle_settings(settings.oracle, settings.oracle_params)
    if isinstance(chosen, PPOOracleSettings):
        from equilibria.agents.solvers.population.oracle_ppo import PPOOracle

        return PPOOracle(chosen)
    from equilibria.agents.solvers.population.oracle_dqn import DQNOracle

    assert isinstance(chosen, DQNOracleSettings)
    return DQNOracle(chosen)
