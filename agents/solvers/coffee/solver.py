"""COffeE-PSRO: PSRO on a learned ensemble that prefers what the data can vouch for.  Two players.

One step:
1. meta-strategy of least pessimistic regret over the populations (``pessimism``); with probability
   ``explore`` responses are trained against the uniform mixture of policies whose optimistic payoff
   exceeds the pessimistic value instead;
2. candidate responses: exact best responses in the mean model minus {0, 1/2, 1, 2, 4} times the own
   penalty per unit of step uncertainty; the one of highest
   u - lambda_r U - lambda_s max over the other's policies of their payoff's deviation is added;
3. payoffs of new pairs in every member: mean, and deviation plus c_u times the expected step uncertainty.

The output is the profile of least total pessimistic regret over all steps.  Both penalties and kappa at
zero give plain offline PSRO.  The true game is never touched; a certificate against it is a matter of
simulation and needs the game to be handed to it.

From the paper (Nguyen and Wellman 2026, arXiv 2603.00374) come the ensemble, the response objective
that weighs return against own and strategic uncertainty, and the pessimistic-regret meta-solver; the
formulas and constants here are our design, since no detailed text or code was available.
"""

from __future__ import annotations

import numpy as np

from equilibria.agents.solvers.coffee.data import OfflineData
from equilibria.agents.solvers.coffee.ensemble import Ensemble, learn
from equilibria.agents.solvers.coffee.pessimism import pessimistic_meta_strategy, pessimistic_regret
from equilibria.agents.solvers.coffee.settings import CoffeeSettings
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import BehaviouralPolicy, behavioural, uniform_policy
from equilibria.games.extensive.values import best_response, gains, gradient
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, Unsupported
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray

_MULTIPLES = (0.0, 0.5, 1.0, 2.0, 4.0)
Sigma = tuple[FloatArray, FloatArray]


class CoffeePSRO:
    """Offline PSRO with conservative responses and meta-strategies.

    Args:
        data: The data set; the only source of knowledge.
        settings: See ``CoffeeSettings``.
        seeds: Seed tree of bootstrap, unknown payoffs and exploration.
        true_game: For the certificate only; never used in learning.

    Raises:
        Unsupported: If the data have not exactly two players.
    """

    name = "coffee_psro"
    table_names = ("policy",)

    def __init__(
        self,
        data: OfflineData,
        settings: CoffeeSettings | None = None,
        *,
        seeds: SeedTree | None = None,
        true_game: ExtensiveGame | None = None,
    ) -> None:
        if data.players != 2:
            raise Unsupported(f"coffee_psro solves two-player games, the data have {data.players} players")
        self.settings, self.true_game = settings or CoffeeSettings(), true_game
        self._seeds = seeds or SeedTree(0)
        self.ensemble: Ensemble = learn(data, self.settings, self._seeds)
        unit = self.settings.own_penalty * self.ensemble.reward_range
        self._penalty = unit
        multiples = _MULTIPLES if unit > 0 else (0.0,)
        self._shaped = [self.ensemble.penalised(unit * k) if unit * k > 0 else self.ensemble.mean for k in multiples]
        arrays = self.ensemble.mean.arrays
        self._cut = int(arrays.seq_off[1])
        start = uniform_policy(self.ensemble.mean).plan()
        self.plans: list[FloatArray] = [start[None, : self._cut], start[None, self._cut :]]
        self._estimate: FloatArray = np.zeros((2, 0, 0))
        self._deviation: FloatArray = np.zeros((2, 0, 0))
        self._extend()
        self._history: list[Sigma] = []
        self._best, self._best_regret = 0, 0.0
        self._iteration = 0
        self._meta()

    @property
    def iteration(self) -> int:
        """PSRO steps done."""
        return self._iteration

    @property
    def pessimistic_regret(self) -> float:
        """Total pessimistic regret of the output, in game payoff; a ranking, not a bound."""
        return float(self._best_regret)

    def step(self, n: int = 1) -> None:
        """Do ``n`` PSRO steps."""
        for _ in range(n):
            sigma = self._train_strategy()
            new = [self._respond(p, sigma) for p in range(2)]
            self.plans = [np.concatenate([plans, plan[None]]) for plans, plan in zip(self.plans, new, strict=True)]
            self._extend()
            self._iteration += 1
            self._meta()

    def _mixture(self, sigma: Sigma) -> FloatArray:
        return np.concatenate([s @ plans for s, plans in zip(sigma, self.plans, strict=True)])

    def _meta(self) -> None:
        """Solve the meta-game; rank the meta-strategies of all steps in the present, largest one."""
        kappa = self.settings.kappa
        self._sigma, _ = pessimistic_meta_strategy(self._estimate, self._deviation, kappa=kappa)
        self._history.append(self._sigma)
        low, high = self._estimate - kappa * self._deviation, self._estimate + kappa * self._deviation
        regrets = [sum(pessimistic_regret(low, high, self._padded(s))) for s in self._history]
        # the newest of the best: later ones had more deviations to stand against
        self._best = len(regrets) - 1 - int(np.argmin(regrets[::-1]))
        self._best_regret = float(regrets[self._best])

    def _padded(self, sigma: Sigma) -> Sigma:
        """Return a meta-strategy of an earlier step over the present populations."""
        x, y = (np.pad(s, (0, len(plans) - len(s))) for s, plans in zip(sigma, self.plans, strict=True))
        return x, y

    @property
    def _best_plan(self) -> FloatArray:
        return self._mixture(self._padded(self._history[self._best]))

    def _train_strategy(self) -> Sigma:
        rng = self._seeds.child("explore", self._iteration).generator()
        if rng.random() >= self.settings.explore:
            return self._sigma
        x, y = self._sigma
        kappa = self.settings.kappa
        low, high = self._estimate - kappa * self._deviation, self._estimate + kappa * self._deviation
        out = []
        for p, own in enumerate(self._sigma):
            advantage = (high[p] @ y if p == 0 else x @ high[p]) - x @ low[p] @ y
            chosen = (advantage > 0).astype(np.float64)
            out.append(chosen / chosen.sum() if chosen.any() else own)
        return out[0], out[1]

    def _respond(self, player: int, sigma: Sigma) -> FloatArray:
        """Return the plan of the best candidate response of ``player``."""
        x = self._mixture(sigma)
        own = slice(0, self._cut) if player == 0 else slice(self._cut, len(x))
        best: FloatArray | None = None
        best_score = -np.inf
        for game in self._shaped:
            _, profile = best_response(game, behavioural(game, x), player, ties="uniform")
            plan = profile.plan()[own]
            score = self._objective(player, plan, x)
            if best is None or score > best_score + 1e-12:
                best, best_score = plan, score
        if best is None:
            raise InvalidValue("no candidate response")
        return best

    def _objective(self, player: int, plan: FloatArray, x: FloatArray) -> float:
        model = self.ensemble
        value = float(plan @ gradient(model.mean, player, x)) - self._penalty * float(
            plan @ gradient(model.uncertainty, player, x)
        )
        if self.settings.strategic_penalty == 0:
            return value
        other = 1 - player
        mine = np.zeros_like(x)
        mine[slice(0, self._cut) if player == 0 else slice(self._cut, len(x))] = plan
        deviation = self._spread(self._payoffs(other, mine)[1])
        return value - self.settings.strategic_penalty * float(deviation.max())

    def _payoffs(self, player: int, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return payoffs [k] of ``player``'s policies against ``x``, and [M + 1, k] by member with uncertainty last."""
        plans = self.plans[player]
        games = (*self.ensemble.games, self.ensemble.uncertainty)
        values = np.stack([plans @ gradient(game, player, x) for game in games])
        return values[:-1].mean(axis=0), values

    def _spread(self, values: FloatArray) -> FloatArray:
        """Return the deviation [k] from payoffs by member and expected uncertainty [M + 1, k]."""
        unit = self.settings.step_uncertainty * self.ensemble.reward_range / self.ensemble.horizon
        return np.asarray(values[:-1].std(axis=0) + unit * np.maximum(values[-1], 0.0))

    def _extend(self) -> None:
        """Fill the payoffs of all pairs with a new policy; old entries stay as they are."""
        sizes = [len(p) for p in self.plans]
        known = self._estimate.shape[1:]
        estimate: FloatArray = np.zeros((2, *sizes))
        deviation: FloatArray = np.zeros((2, *sizes))
        estimate[:, : known[0], : known[1]] = self._estimate
        deviation[:, : known[0], : known[1]] = self._deviation
        for p in range(2):
            other = 1 - p
            for j in range(sizes[other]):
                x = np.zeros(self.ensemble.mean.arrays.sequences)
                x[slice(0, self._cut) if other == 0 else slice(self._cut, len(x))] = self.plans[other][j]
                mean, values = self._payoffs(p, x)
                spread = self._spread(values)
                # player p's policies run along axis p; entries of known pairs are not touched
                first = known[p] if j < known[other] else 0
                place = (p, slice(first, None), j) if p == 0 else (p, j, slice(first, None))
                estimate[place], deviation[place] = mean[first:], spread[first:]
        self._estimate, self._deviation = estimate, deviation

    def policy(self) -> BehaviouralPolicy:
        """Return the output as a behavioural policy of the mean model."""
        return behavioural(self.ensemble.mean, self._best_plan)

    def transferred(self, game: ExtensiveGame) -> BehaviouralPolicy:
        """Return the output in another game with the same infosets; uniform where the data have none."""
        model, probs = self.ensemble.mean, self.policy().probs
        table = {}
        for (player, text), i in model.index.items():
            if (player, text) in game.index:
                first, count = int(model.arrays.first[i]), int(model.arrays.nact[i])
                table[(player, text)] = [float(v) for v in probs[first : first + count]]
        return BehaviouralPolicy.from_table(game, table)

    def coverage(self) -> float:
        """Return the observed share of actions at decisions that unilateral deviations from the output can reach."""
        x = [self._best_plan[: self._cut], self._best_plan[self._cut :]]
        reached = [d for d in self.ensemble.decisions if x[1 - d.player][d.sequences[1 - d.player]] > 0]
        return float(np.mean([d.observed for d in reached])) if reached else 0.0

    def metrics(self) -> dict[str, float]:
        """Return pessimistic regret and coverage, and the true NashConv where the game is known."""
        out = {"pessimistic_regret": self.pessimistic_regret, "coverage": self.coverage()}
        if self.true_game is not None:
            out["nash_conv"] = float(gains(self.true_game, self.transferred(self.true_game)).sum())
        return out

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return the output policy, one row per player, infoset and action."""
        model, probs = self.ensemble.mean, self.policy().probs
        rows = [
            (player, text, int(action), float(probs[int(model.arrays.first[i]) + k]))
            for (player, text), i in model.index.items()
            for k, action in enumerate(model.actions[i])
        ]
        player, text, action, probability = zip(*rows, strict=True)
        return {
            "player": np.array(player),
            "infostate": np.array(text),
            "action": np.array(action),
            "probability": np.array(probability),
        }

    def certificate(self) -> Certificate:
        """Return the exact true NashConv / 2 where the game is known, else the pessimistic regret as a mere ranking."""
        details = {"pessimistic_regret": self.pessimistic_regret, "coverage": self.coverage()}
        if self.true_game is None:
            return Certificate(
                measure="pessimistic regret",
                value=self.pessimistic_regret,
                unit="game payoff",
                kind="estimate",
                method="ensemble of models learned from the data",
                details=dict(details),
                warning="this ranks profiles by what the data cannot rule out; it bounds nothing in the true game",
            )
        total = float(gains(self.true_game, self.transferred(self.true_game)).sum())
        return Certificate(
            measure="exploitability",
            value=max(total, 0.0) / 2,
            unit="game payoff",
            method="exact best responses in the true game, which the solver has not seen",
            details={**details, "nash_conv": total},
        )

    def save(self) -> State:
        """Return everything needed to go on bit-identically (the ensemble is learned again from data and seed)."""
        arrays = {"plans_0": self.plans[0], "plans_1": self.plans[1]}
        arrays |= {"estimate": self._estimate, "deviation": self._deviation}
        for p in range(2):
            arrays[f"history_{p}"] = np.concatenate([sigma[p] for sigma in self._history])
        meta = {"iteration": self._iteration, "best": self._best, "best_regret": self._best_regret}
        return State(arrays, meta)

    def load(self, state: State) -> None:
        """Restore a state made by ``save``."""
        a = {k: np.array(v, dtype=np.float64) for k, v in state.arrays.items()}
        self.plans = [a["plans_0"], a["plans_1"]]
        self._estimate, self._deviation = a["estimate"], a["deviation"]
        self._iteration = int(state.meta["iteration"])  # type: ignore[arg-type]
        # step t chose over populations of t + 1 policies each
        cuts = np.cumsum(np.arange(1, self._iteration + 1))
        pieces = [np.split(a[f"history_{p}"], cuts) for p in range(2)]
        self._history = list(zip(*pieces, strict=True))
        self._sigma = self._history[-1]
        self._best = int(state.meta["best"])  # type: ignore[arg-type]
        self._best_regret = float(state.meta["best_regret"])  # type: ignore[arg-type]
