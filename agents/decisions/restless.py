"""Rules for coupled restless bandits, from nobody to the exact programme; an iteration evaluates some episodes.

* **null**, **random** (controls in random order while they fit), **sampling** (best one-step reward of 100 random
  sets), **iterative** (the control with the largest one-step gain, one after the other, while they fit);
* **myopic**: the feasible set with the largest expected reward of the next step;
* **whittle**, **lagrangian**: the feasible set with the largest sum of indices (see ``games.decisions.restless``);
  Whittle's index needs arms that are pulled alone;
* **optimal**: backward induction over joint states, at most 6 arms.

With at most 6 arms every rule without randomness is also valued exactly, and the certificate is its distance from
the optimum; beyond, the distance from the relaxed bound with the interval of the simulation.

Source: Xu et al. (2025), arXiv 2503.01919, baselines; Brown and Smith (2020) for the Lagrangian index policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from equilibria.agents.decisions.settings import RestlessRuleSettings
from equilibria.games.decisions.couplings import in_order
from equilibria.games.decisions.restless import EXACT_ARMS, STATES, RestlessGame
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import GameTooLarge
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import JSON, AnyArray, BoolArray, FloatArray, IntArray

Decide = Callable[[int, IntArray, np.random.Generator], AnyArray]
SAMPLES = 100


class RestlessRule:
    """A rule that pulls arms, and the episodes it has been through.

    Args:
        game: The instance.
        rule: Name of the rule.
        seeds: Source of episodes and of random sets.

    Raises:
        GameTooLarge: If the exact programme is asked for more than 6 arms.
    """

    def __init__(self, game: RestlessGame, rule: str, *, seeds: SeedTree) -> None:
        if rule == "optimal" and game.arms > EXACT_ARMS:
            raise GameTooLarge(f"the exact programme takes at most {EXACT_ARMS} arms, got {game.arms}; use lagrangian")
        self.game, self.rule = game, rule
        self._seeds = seeds
        self._decide = rule_of(game, rule)
        self._totals = np.zeros(3)  # episodes, sum and sum of squares of expected rewards
        self._iteration = 0

    @property
    def iteration(self) -> int:
        """Evaluations done."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Play ``n`` times the game's number of episodes."""
        for _ in range(n):
            for e in range(self.game.episodes):
                number = self._iteration * self.game.episodes + e
                earned = play(self.game, self._decide, self._seeds.child("episode", number).generator())
                self._totals += 1.0, earned, earned * earned
            self._iteration += 1

    def policy(self) -> Decide:
        """Return the decision function of (step, states [J], generator)."""
        return self._decide

    def metrics(self) -> dict[str, float]:
        """Return the mean expected reward per step so far; 0 before the first episode."""
        return {"reward_per_step": self._mean() / self.game.horizon}

    def save(self) -> State:
        """Return the totals."""
        return State({"totals": self._totals.copy()}, {"iteration": self._iteration})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        self._totals[:] = state.arrays["totals"]
        self._iteration = int(str(state.meta["iteration"]))

    def certificate(self) -> Certificate:
        """Return the distance from the optimum or from the relaxed bound, in reward per episode."""
        table = None
        if self.game.arms <= EXACT_ARMS and self.rule not in ("random", "sampling"):
            rng = np.random.default_rng(0)
            table = self.game.table(lambda t, s: self._decide(t, s, rng))
        return judge(self.game, table, self._totals)

    def _mean(self) -> float:
        return float(self._totals[1] / max(self._totals[0], 1.0))


def judge(game: RestlessGame, table: IntArray | None, totals: FloatArray) -> Certificate:
    """Return the certificate of a policy.

    Args:
        game: The instance.
        table: Sets [H, 4^J] of a policy that can be valued exactly, or ``None``.
        totals: float64 [3] episodes, sum, sum of squares of expected rewards in simulations.
    """
    bound, _ = game.relaxed()
    episodes = int(totals[0])
    mean = float(totals[1] / max(episodes, 1))
    spread = float(np.sqrt(max(0.0, totals[2] / max(episodes, 1) - mean**2) / max(episodes - 1, 1)))
    details: dict[str, JSON] = {"relaxed_bound": bound, "simulated": mean, "episodes": episodes,
                                "unproven_choices": game.unproven}  # fmt: skip
    goal, name = bound, "the relaxed bound (linear program over occupation measures)"
    if game.arms <= EXACT_ARMS:
        goal, name = float(game.first_states() @ game.solve()[0][0]), "the optimum by backward induction"
        details["optimal_value"] = goal
    if table is not None:
        value = game.evaluate(table)
        details["value"] = value
        return Certificate(
            measure="value gap",
            value=max(0.0, goal - value),
            unit="reward per episode",
            method=f"{name}, against the exact value of the policy",
            details={**details, "share_of_optimum": value / goal},
        )
    details["share_of_bound"] = mean / goal
    return Certificate(
        measure="value gap",
        value=goal - mean,
        unit="reward per episode",
        method=f"{name}, against the mean of simulated episodes",
        kind="estimate",
        low=goal - mean - 1.96 * spread,
        high=goal - mean + 1.96 * spread,
        confidence=0.95,
        sample_size=episodes,
        details=details,
        warning="" if game.arms <= EXACT_ARMS else "the optimum may lie below the bound",
    )


def play(game: RestlessGame, decide: Decide, rng: np.random.Generator) -> float:
    """Play one episode; returns the sum of expected one-step rewards."""
    state = (rng.random(game.arms) < 0.2).astype(np.int64)
    total = 0.0
    for t in range(game.horizon):
        chosen = np.asarray(decide(t, state, rng), np.bool_)
        total += game.expected(state, chosen)
        state = after(game, state, chosen, rng)
    return total


def after(game: RestlessGame, state: IntArray, chosen: AnyArray, rng: np.random.Generator) -> IntArray:
    """Draw the next states [J]."""
    up = rng.random(game.arms) < game.up[game.modes(chosen), np.arange(game.arms)]
    return np.asarray(np.clip(np.where(up, state + 1, state - 1), 0, STATES - 1), np.int64)


def rule_of(game: RestlessGame, rule: str) -> Decide:
    """Return the decision function of a rule."""
    pay, arms = game.step_reward(), np.arange(game.arms)
    if rule == "null":
        return lambda t, s, rng: np.zeros(game.controls, np.bool_)
    if rule == "random":
        return lambda t, s, rng: in_order(game.coupling, rng.permutation(game.controls))
    if rule == "sampling":

        def sample(t: int, s: IntArray, rng: np.random.Generator) -> BoolArray:
            drawn = [in_order(game.coupling, rng.permutation(game.controls)) for _ in range(SAMPLES)]
            return max(drawn, key=lambda a: game.expected(s, a))

        return sample
    if rule == "iterative":
        known: dict[bytes, BoolArray] = {}

        def greedy(t: int, s: IntArray, rng: np.random.Generator) -> BoolArray:
            if s.tobytes() not in known:
                known[s.tobytes()] = one_by_one(game, lambda sets: [game.expected(s, a) for a in sets])
            return known[s.tobytes()]

        return greedy
    if rule == "optimal":
        chosen, digits = game.solve()[1], STATES ** np.arange(game.arms - 1, -1, -1)
        return lambda t, s, rng: chosen[t, int(s @ digits)] >> np.arange(game.controls) & 1
    score: FloatArray = np.broadcast_to(pay, (game.horizon, *pay.shape))
    if rule == "whittle":
        index = game.whittle()
        score = np.stack([np.zeros_like(index), index], axis=1)
    elif rule == "lagrangian":
        score = game.charged_values(game.relaxed()[1])[1]
    memo: dict[tuple[int, bytes], BoolArray] = {}

    def indexed(t: int, s: IntArray, rng: np.random.Generator) -> BoolArray:
        key = (0 if rule == "myopic" else t, s.tobytes())  # one-step gains do not depend on the step
        if key not in memo:
            memo[key] = game.best_set(np.ascontiguousarray(score[t][:, arms, s]))
        return memo[key]

    return indexed


def one_by_one(game: RestlessGame, worth: Callable[[BoolArray], Sequence[float] | FloatArray]) -> BoolArray:
    """Add the feasible control that raises the worth most, until none does.

    Args:
        game: The instance.
        worth: Function of sets bool [M, C] that returns their worth [M].
    """
    chosen = np.zeros(game.controls, np.bool_)
    best = float(worth(chosen[None])[0])
    left = np.ones(game.controls, np.bool_)
    while left.any():
        ahead = np.flatnonzero(left)
        sets = np.repeat(chosen[None], ahead.size, axis=0)
        sets[np.arange(ahead.size), ahead] = True
        values = np.asarray(worth(sets), np.float64)
        for k in np.argsort(-values, kind="stable"):
            if values[k] <= best:
                return chosen
            if game.feasible(sets[k]):
                break
            left[ahead[k]] = False  # subsets of feasible sets are feasible, so it never fits again
        else:
            return chosen
        chosen, best = sets[k], float(values[k])
        left[ahead[k]] = False
    return chosen


def build(
    settings: RestlessRuleSettings, *, game: RestlessGame, roles: Any, seeds: SeedTree, budget: int
) -> RestlessRule:
    """Build the agent."""
    return RestlessRule(game, settings.rule, seeds=seeds)
