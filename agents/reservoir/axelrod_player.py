"""The body-reservoir agent as a player of the ``axelrod`` library (not installed with this product).

axelrod 4.14 imports torch when it is imported; 4.13.1 plays the same matches without it:
``pip install "axelrod==4.13.1" pyarrow``.
"""

from __future__ import annotations

import importlib
from typing import Any, Literal

import numpy as np

from equilibria.agents.reservoir import kernels
from equilibria.agents.reservoir.body import make_body
from equilibria.agents.reservoir.settings import BRGSettings
from equilibria.sim.errors import InvalidValue, MissingExtra
from equilibria.sim.seeds import SeedTree


def brg_player(
    settings: BRGSettings | None = None, *, seed: int = 0, binary: Literal["threshold", "sample"] = "threshold"
) -> Any:
    """Return an ``axelrod.Player`` that cooperates by the body-reservoir agent's continuous action.

    Args:
        settings: See ``BRGSettings``; ``replicas`` is ignored.
        seed: Seed of the body, its noise and the sampled actions.
        binary: ``"threshold"`` (cooperate if the action is at least 1/2) or ``"sample"`` (with that probability).

    Raises:
        MissingExtra: If ``axelrod`` cannot be imported.
    """
    if binary not in ("threshold", "sample"):
        raise InvalidValue(f"binary must be 'threshold' or 'sample', got {binary!r}")
    try:
        axelrod = importlib.import_module("axelrod")
    except ImportError as error:
        raise MissingExtra("brg_player (axelrod)", "axelrod") from error
    options = settings or BRGSettings()
    tree = SeedTree(seed)
    agent = ReservoirState(options, tree)

    class BRGPlayer(axelrod.Player):  # type: ignore[misc, name-defined]
        """Body-reservoir governance."""

        name = "Body-Reservoir Governance"
        classifier = {  # noqa: RUF012 - the library reads a class attribute
            "memory_depth": float("inf"),
            "stochastic": True,
            "long_run_time": False,
            "inspects_source": False,
            "manipulates_source": False,
            "manipulates_state": False,
        }

        def strategy(self, opponent: Any) -> Any:
            if not self.history:
                agent.reset()
            previous = None if not opponent.history else float(opponent.history[-1] == axelrod.Action.C)
            action = agent.act(previous)
            limit = 0.5 if binary == "threshold" else agent.rng.random()
            return axelrod.Action.C if action >= limit else axelrod.Action.D

    return BRGPlayer()


class ReservoirState:
    """One agent that learns the opponent's action a round late; starts each match from its warm-up.

    Args:
        settings: See ``BRGSettings``.
        seeds: Seed tree.
    """

    def __init__(self, settings: BRGSettings, seeds: SeedTree) -> None:
        s = settings.sentinel
        fixed = -1.0 if settings.alpha is None else settings.alpha
        self._sentinel = np.array([fixed, s.rest, s.minimum, s.recovery, s.drop, s.threshold, *s.weights, s.memory])
        self._rest = s.rest if settings.alpha is None else settings.alpha
        self.body = make_body(settings.body, seeds)
        self._key = seeds.child("play").key()
        self.rng = seeds.child("actions").generator()
        self.reset()

    def reset(self) -> None:
        """Return to the state after the warm-up."""
        self._x, self._mean = self.body.state.copy(), self.body.state_baseline.copy()
        self._memory = np.array([self._rest, self.body.habit_baseline, -1.0])
        self._round, self._own = 0, 1.0

    def act(self, previous: float | None) -> float:
        """Return the continuous action; ``previous`` is the opponent's last action, ``None`` in the first round.

        In the first round the opponent's action is unknown and full cooperation is assumed.
        """
        body = self.body
        if previous is not None:
            kernels.step_(
                self._x,
                body.recurrent,
                body.input,
                body.offset,
                self._own,
                previous,
                body.noise,
                self._key,
                self._round,
            )
            self._round += 1
        self._memory[2] = 1.0 if previous is None else previous
        # the kernel also steps the state with the opponent's present action, which is not known yet: use a copy
        copy = self._x.copy()
        actions, _, _ = kernels.play_(
            copy, self._memory, self._mean, body.recurrent, body.input, body.offset, body.readout,
            body.readout_offset, np.ones(1), self._sentinel, 0.0, self._key, 0,
        )  # fmt: skip
        self._own = float(actions[0])
        return self._own
