"""The payment world transaction by transaction, as a PettingZoo parallel environment with one agent.

An episode is a number of generations.  The reward is known at once; a learner that respects the delays of the world
ignores it and learns from ``info["feedback"]``, which comes at the end of each generation.

Cost: about 10 us per transaction, most of it dictionaries; the world itself needs 0.7 us.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict

from equilibria.games.adapters.episodes import EpisodicView, MaskedDiscrete, Stepped
from equilibria.games.payments.settings import PaymentsViewSettings
from equilibria.games.payments.world import PaymentsWorld, Transactions
from equilibria.sim.errors import IllegalAction
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray, IntArray

PROCESSOR = "processor"


class PaymentsEnv(EpisodicView):
    """A payment processor.

    * Observation: ``observation`` [d + I], the features and the issuer (one-hot), and ``action_mask`` int8 [K], the
      feasible actions; after the last transaction of an episode those of the one that would follow.
    * Action: a feasible action, 0 .. K-1; the action space draws feasible ones.
    * Reward: 1 if authorised, else 0.
    * Info: ``generation`` and ``transaction`` just served and the ``regret`` of the action, the largest chance among
      feasible actions minus its own (for judging, not for learning).  After the last transaction of a generation also
      ``feedback``: ``generation``, ``transaction``, ``action`` int64 [F] and ``authorised`` bool [F] of the transactions
      whose outcome arrives now: the timely ones of this generation and the late ones of the one before.

    Episodes are truncated after ``generations`` generations: the world goes on.  ``reset(seed=s)`` begins the world that
    ``PaymentsWorld(seeds=SeedTree(s))`` is, with generation 1; ``reset()`` goes on with the next generations of the same
    world.  Feedback of an earlier episode does not arrive.

    Args:
        settings: Parameters of the world and length of an episode.
        seeds: Source of the world until ``reset`` is given a seed.
    """

    def __init__(self, settings: PaymentsViewSettings | None = None, *, seeds: SeedTree | None = None) -> None:
        self.settings = s = settings or PaymentsViewSettings()
        seen = Dict({
            "observation": Box(-np.inf, np.inf, (s.features + s.issuers,), np.float64),
            "action_mask": Box(0, 1, (s.actions,), np.int8),
        })  # fmt: skip
        self._choices = MaskedDiscrete(s.actions)
        super().__init__("contextual_payments", {PROCESSOR: seen}, {PROCESSOR: self._choices}, seeds or SeedTree(0))
        self._world = PaymentsWorld(s, seeds=self._seeds)
        self._number, self._place = 1, 0
        self._batch: Transactions = self._world.generation(1)
        self._action: IntArray = np.zeros(s.batch, np.int64)
        self._won: BoolArray = np.zeros(s.batch, np.bool_)
        self._waiting: dict[str, AnyArray] = _nothing()

    @property
    def world(self) -> PaymentsWorld:
        """The world of the running episode."""
        return self._world

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin an episode.

        Raises:
            InvalidValue: If the seed is negative.
        """
        del options
        self._begin(seed)
        if seed is not None:
            self._world = PaymentsWorld(self.settings, seeds=self._seeds)
        self._open(self._episode * self.settings.generations + 1)
        self._waiting = _nothing()
        return self._look(), {PROCESSOR: {}}

    def step(self, actions: dict[str, Any]) -> Stepped:
        """Serve one transaction.

        Raises:
            GameError: Before the first reset, or after the end of an episode.
            IllegalAction: If the action is missing, out of range or not feasible.
        """
        if not self.agents and self._episode >= 0 and not actions:
            return {}, {}, {}, {}, {}
        self._refuse(actions)
        batch, i, action = self._batch, self._place, int(actions[PROCESSOR])
        if not batch.available[i, action]:
            raise IllegalAction(
                f"{self.name}: action must be one of the feasible {np.flatnonzero(batch.available[i]).tolist()}, "
                f"got {action}"
            )
        chance = batch.chance[i]
        self._action[i], self._won[i] = action, batch.coin[i] < chance[action]
        info: dict[str, Any] = {
            "generation": self._number,
            "transaction": i,
            "regret": float(chance[batch.available[i]].max() - chance[action]),
        }
        self._place += 1
        over = False
        if self._place == self.settings.batch:
            info["feedback"] = self._close(batch)
            over = self._number % self.settings.generations == 0
            self._open(self._number + 1)
        if over:
            self.agents = []
        rewards, ended, cut = {PROCESSOR: float(self._won[i])}, {PROCESSOR: False}, {PROCESSOR: over}
        return self._look(), rewards, ended, cut, {PROCESSOR: info}

    def _open(self, number: int) -> None:
        self._batch = self._world.generation(number)
        self._number, self._place = number, 0

    def _close(self, batch: Transactions) -> dict[str, AnyArray]:
        """Return the feedback that arrives now and keep what is late."""

        def part(on: BoolArray) -> dict[str, AnyArray]:
            at = np.flatnonzero(on)
            return {
                "generation": np.full(at.size, self._number),
                "transaction": at,
                "action": self._action[at],
                "authorised": self._won[at],
            }

        timely, before = part(~batch.late), self._waiting
        self._waiting = part(batch.late)
        return {name: np.concatenate([before[name], timely[name]]) for name in timely}

    def _look(self) -> dict[str, Any]:
        batch, i, s = self._batch, self._place, self.settings
        seen = np.zeros(s.features + s.issuers)
        seen[: s.features] = batch.features[i]
        seen[s.features + batch.issuer[i]] = 1.0
        self._choices.allowed = batch.available[i].astype(np.int8)
        return {PROCESSOR: {"observation": seen, "action_mask": self._choices.allowed.copy()}}


def _nothing() -> dict[str, AnyArray]:
    whole = {name: np.zeros(0, np.int64) for name in ("generation", "transaction", "action")}
    return {**whole, "authorised": np.zeros(0, np.bool_)}


def build(settings: PaymentsViewSettings, *, seeds: SeedTree) -> PaymentsEnv:
    """Build the view of a scenario's name; see ``games.adapters.environment``."""
    return PaymentsEnv(settings, seeds=seeds)
