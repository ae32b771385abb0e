"""OpenSpiel games as PettingZoo turn-based environments: thin, seeded, with the same spaces for ever.

Chance is drawn from the environment's own generator.  At a simultaneous node the players choose one after
the other without seeing each other's choice, then all move.  At a mean-field node the population is spread
evenly over the states the game asks about.  Everything handed out is a copy.

Cost: one Python step of about 5 microseconds around the game's own C++ step.
"""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete
from pettingzoo import AECEnv

from equilibria.games.extensive.spiel import find_game
from equilibria.sim.errors import GameError, IllegalAction, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray

_CHANCE, _SIMULTANEOUS, _TERMINAL, _MEAN_FIELD = -1, -2, -4, -5
_TEXT = 1024  # bytes of an observation that the game gives as text only


class OpenSpielEnv(AECEnv):  # type: ignore[misc]
    """An OpenSpiel game as a PettingZoo AEC environment.

    Observations are float32: the information state tensor if the game has one, else the observation tensor,
    else the bytes of the observation string.  The info of the agent to move holds ``action_mask`` int8 [A].
    Rewards add up to the game's returns; games that pay per move pay at once, the others at the end.

    Args:
        name_or_game: Game string such as ``"leduc_poker(players=3)"``, or a ``pyspiel.Game``.
        render_mode: ``"ansi"`` makes ``render`` return the state as text.

    Raises:
        UnknownName: If OpenSpiel has no such game.
        UnsupportedGame: If it cannot be loaded or shows its players nothing.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "openspiel_v0", "render_modes": ["ansi"], "is_parallelizable": False}

    def __init__(self, name_or_game: Any, *, render_mode: str | None = None) -> None:
        self.game = find_game(name_or_game)
        self.render_mode = render_mode
        kind = self.game.get_type()
        self.metadata = {**type(self).metadata, "name": f"openspiel_{kind.short_name}_v0"}  # type: ignore[misc]
        players, self._actions = self.game.num_players(), self.game.num_distinct_actions()
        self._draws_itself = str(kind.chance_mode).endswith("SAMPLED_STOCHASTIC")
        self._paid_per_move = str(kind.reward_model).endswith("REWARDS")
        self._look, shape = _eye(self.game, kind)
        self.possible_agents = [f"player_{i}" for i in range(players)]
        self._player = {name: i for i, name in enumerate(self.possible_agents)}
        self.observation_spaces = {name: Box(-np.inf, np.inf, shape, np.float32) for name in self.possible_agents}
        self.action_spaces = {name: Discrete(self._actions) for name in self.possible_agents}
        self._shape = shape
        self._rng = Random(int(SeedTree(0).child("environment").key()))
        self._legal: list[int] = []
        self._blank = dict.fromkeys(self.possible_agents, 0.0)
        self._state: Any = None
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> Any:
        """Return the space of an agent, the same object every time."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """Return the space of an agent, the same object every time."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode; without a seed, the next one of the last seed (of seed 0 at first).

        Raises:
            InvalidValue: If the seed is negative.
        """
        if seed is not None:
            self._rng = Random(int(SeedTree(int(seed)).child("environment").key()))
        self._state = self._dealt().new_initial_state()
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {name: {} for name in self.agents}
        self.agent_selection = self.agents[0]
        self._returns, self._moved = [0.0] * len(self.agents), False
        self._joint: list[int] = []  # choices at a simultaneous node, -1 for those still to come
        self._settle()
        self._moved = True

    def observe(self, agent: str) -> AnyArray:
        """Return what an agent sees."""
        return np.array(self._look(self._state, self._player[agent]), np.float32).reshape(self._shape)

    def step(self, action: int | None) -> None:
        """Play the action of ``agent_selection`` (``None`` once the game is over).

        Raises:
            GameError: Before the first reset.
            IllegalAction: If the action is not legal.
        """
        if self._state is None:
            raise GameError(f"{self.metadata['name']}: step() before reset()")
        agent = self.agent_selection
        if self.terminations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0.0
        if action is None or int(action) not in self._legal:
            raise IllegalAction(f"{self.metadata['name']}: {agent} played {action!r}, legal are {self._legal}")
        if not self._joint:
            self._state.apply_action(int(action))
            self._settle()
            return
        self._joint[self._player[agent]] = int(action)
        if -1 in self._joint:
            self._clear_rewards()
            self._ask(self._joint.index(-1))
        else:
            self._state.apply_actions(self._joint)
            self._settle()

    def render(self) -> str | None:
        """Return the state as text in mode ``"ansi"``."""
        return str(self._state) if self.render_mode == "ansi" else None

    def close(self) -> None:
        """Nothing to release."""

    def _dealt(self) -> Any:
        """Return the game; one that draws its chance itself is made anew with the episode's seed."""
        if not self._draws_itself:
            return self.game
        import pyspiel

        parameters = {**self.game.get_parameters(), "rng_seed": self._rng.getrandbits(31)}
        return pyspiel.load_game(self.game.get_type().short_name, parameters)

    def _settle(self) -> None:
        """Let nature move until somebody has to choose or the game is over; pay."""
        state, self._joint = self._state, []
        while True:
            player = int(state.current_player())
            if player == _CHANCE:
                state.apply_action(_drawn(state.chance_outcomes(), self._rng.random()))
            elif player == _MEAN_FIELD:
                support = state.distribution_support()
                state.update_distribution([1.0 / len(support)] * len(support))
            else:
                break
        self._pay(player == _TERMINAL)
        if player == _TERMINAL:
            self.infos[self.agent_selection] = {}
            self.terminations = dict.fromkeys(self.agents, True)
            self._legal = []
        elif player == _SIMULTANEOUS:
            # who has no legal action sends 0, which the game ignores
            self._joint = [-1 if state.legal_actions(p) else 0 for p in range(len(self._player))]
            self._ask(self._joint.index(-1))
        else:
            self._ask(player)

    def _pay(self, over: bool) -> None:
        """Hand out what the returns grew by; what a game pays before the first move comes with that move."""
        if self._moved and (over or self._paid_per_move):
            before, self._returns = self._returns, self._state.returns()
            paid = [now - then for now, then in zip(self._returns, before, strict=True)]
            self.rewards = dict(zip(self.possible_agents, paid, strict=True))
            self._accumulate_rewards()
        else:
            self.rewards = self._blank.copy()

    def _ask(self, player: int) -> None:
        self.infos[self.agent_selection] = {}
        self.agent_selection = self.possible_agents[player]
        self._legal = self._state.legal_actions(player)
        mask = np.zeros(self._actions, np.int8)
        mask[self._legal] = 1
        self.infos[self.agent_selection] = {"action_mask": mask}


def _drawn(outcomes: list[tuple[int, float]], draw: float) -> int:
    """Return the outcome at the given place of the cumulated probabilities."""
    for action, probability in outcomes:
        draw -= probability
        if draw < 0:
            return action
    return outcomes[-1][0]


def _eye(game: Any, kind: Any) -> tuple[Any, tuple[int, ...]]:
    """Return the function (state, player) -> flat observation, and the observation's shape."""
    if kind.provides_information_state_tensor:
        return lambda state, player: state.information_state_tensor(player), tuple(
            game.information_state_tensor_shape()
        )
    if kind.provides_observation_tensor:
        return lambda state, player: state.observation_tensor(player), tuple(game.observation_tensor_shape())
    if kind.provides_observation_string:
        return _text, (_TEXT,)
    raise UnsupportedGame(f"{game} shows its players nothing: no information state and no observation")


def _text(state: Any, player: int) -> AnyArray:
    """Return the bytes of the observation string, zeros behind."""
    seen = np.zeros(_TEXT, np.float32)
    raw = state.observation_string(player).encode()[:_TEXT]
    seen[: len(raw)] = np.frombuffer(raw, np.uint8)
    return seen
