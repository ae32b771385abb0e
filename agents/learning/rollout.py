"""Collecting samples from batches of worlds; no gradients, no allocation that grows, no loop over agents.

Axes: T steps, B worlds, E agents of the world, N controlled agents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equilibria.agents.learning.batches import Context
from equilibria.agents.learning.buffer import Buffer
from equilibria.agents.learning.critics import Critic
from equilibria.agents.learning.players import Player
from equilibria.agents.learning.policies import JointPolicy
from equilibria.agents.learning.spaces import Spaces, spaces_of
from equilibria.agents.learning.tensors import context_from, context_state, renewed
from equilibria.agents.learning.torch_import import torch
from equilibria.games.vector.states import load_worlds, save_worlds
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, Unsupported
from equilibria.sim.types import AnyArray, BoolArray, FloatArray, IntArray

ROWS = 8192
"""Rows per call when values are computed after the collection; keeps activations in the cache."""


class Seats:
    """Who plays which columns of a world: the learner's agents, and frozen players for the others.

    Args:
        spaces: Spaces of the controlled agents.
        game: The vector game.
        opponents: Player by role name or by tuple of columns; later entries overrule earlier ones and
            the controlled agents overrule all.

    Raises:
        Unsupported: If an agent of the world is nobody's.
    """

    def __init__(self, spaces: Spaces, game: Any, opponents: Mapping[Any, Player]) -> None:
        self.spaces = spaces
        self.others: list[tuple[Spaces, Player]] = [
            (spaces_of(game, who if isinstance(who, str) else np.array(who, np.int64)), player)
            for who, player in opponents.items()
        ]
        held = set(spaces.columns.tolist()).union(*(s.columns.tolist() for s, _ in self.others))
        missing = sorted(set(range(spaces.everyone)) - held)
        if missing:
            names = [game.names()[i] for i in missing]
            raise Unsupported(f"{game.name}: nobody plays {', '.join(names)}; name an agent for every role")


class Rollout:
    """Worlds in progress.

    Args:
        game: A vector game.
        worlds: Number B of worlds.
        key: Key of the worlds' random numbers.
        spaces: Spaces of the controlled agents.
        opponents: Players of the other agents (see ``Seats``).
    """

    def __init__(
        self, game: Any, worlds: int, key: int, spaces: Spaces, opponents: Mapping[Any, Player] | None = None
    ) -> None:
        self.game, self.worlds, self.spaces = game, worlds, spaces
        self.seats = Seats(spaces, game, opponents or {})
        self.state = game.reset(int(key), worlds)
        self.finished = np.zeros(spaces.agents)  # sums of the returns of ended episodes
        self.episodes = 0
        self.context: Context = {}
        self.critic_context: Context = {}
        self._begun: BoolArray = np.ones(worlds, np.bool_)
        self._fresh = True
        shape = getattr(game, "action_shape", ())
        self._actions: AnyArray = np.zeros((worlds, spaces.everyone, *shape), getattr(game, "action_type", np.int64))
        self._by_role: dict[str, AnyArray] = {}
        first = 0
        for role, spec in game.roles.items():
            part = self._actions[:, first : first + spec.count]
            self._by_role[role] = part[..., : spec.action_shape[0]] if shape else part
            first += spec.count
        self._masked = self._mask_of(spaces) is not None
        self._absent = self._present() is not None

    def buffer(self, steps: int, values: int) -> Buffer:
        """Return storage for ``steps`` steps and ``values`` values per world."""
        return Buffer(
            self.spaces, steps, self.worlds, values, masked=self._masked, absent=self._absent,
            state=self._global() is not None,
        )  # fmt: skip

    def collect(self, policy: JointPolicy, critic: Critic, generator: torch.Generator, buffer: Buffer) -> None:
        """Play ``buffer.steps`` steps and fill the buffer; values are normalised predictions.

        ``buffer.values`` and ``final_values`` hold what the critic says; the learner denormalises them.
        """
        with torch.inference_mode():
            self._start(policy, critic, generator)
            buffer.final_values[:] = 0.0  # what an earlier collection left is no prediction
            finals: list[tuple[int, IntArray, torch.Tensor, torch.Tensor]] = []
            for t in range(buffer.steps):
                self._look(buffer, t)
                self._act(policy, generator, buffer, t)
                if critic.recurrent:
                    self._value(critic, buffer, t)
                self.game.step(self.state, self._by_role)
                self._take(buffer, t)
                self._close(policy, critic, generator, buffer, t, finals)
            self._look(buffer, buffer.steps)
            if critic.recurrent:
                last = buffer.steps
                found, _ = critic.step(buffer.controlled(buffer.obs[last]), buffer.shared(last), self.critic_context)
                buffer.values[last] = found.numpy()
            else:
                _values_after(critic, buffer, finals)

    def save(self) -> State:
        """Return worlds, contexts and players."""
        parts = [save_worlds(self.state).nested("worlds"), context_state(self.context).nested("policy")]
        parts += [context_state(self.critic_context).nested("critic")]
        parts += [player.save().nested(f"player/{i}") for i, (_, player) in enumerate(self.seats.others)]
        parts += [State({"begun": self._begun.copy()}, {"fresh": self._fresh})]
        whole = State()
        for part in parts:
            whole = whole.merged(part)
        return whole

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        saved = state.part("worlds")
        if len(saved.arrays["elapsed"]) != self.worlds:
            raise InvalidValue(f"the saved run has {len(saved.arrays['elapsed'])} worlds, this one {self.worlds}")
        self.state = load_worlds(self.game, saved)
        self.context, self.critic_context = context_from(state.part("policy")), context_from(state.part("critic"))
        self._begun, self._fresh = np.array(state.arrays["begun"], np.bool_), bool(state.meta["fresh"])
        for i, (_, player) in enumerate(self.seats.others):
            player.load(state.part(f"player/{i}"))

    def _start(self, policy: JointPolicy, critic: Critic, generator: torch.Generator) -> None:
        self.finished[:], self.episodes = 0.0, 0
        if self._fresh:
            self.context, self.critic_context = policy.begin(self.worlds, generator), critic.begin(self.worlds)
            for _, player in self.seats.others:
                player.begin(self.worlds)
            self._fresh = False

    def _look(self, buffer: Buffer, t: int) -> None:
        """Store what is seen before step t."""
        buffer.obs[t] = torch.from_numpy(self.state.observation)
        buffer.begun[t] = torch.from_numpy(self._begun)
        present = self._present()
        if present is not None:
            assert buffer.active is not None
            buffer.obs[t][~torch.from_numpy(present)] = 0.0
            buffer.active[t] = torch.from_numpy(present[:, self.spaces.columns])
        if buffer.state is not None:
            buffer.state[t] = torch.from_numpy(self._global())
        if buffer.mask is not None:
            mask = self._mask_of(self.spaces)
            assert mask is not None
            buffer.mask[t] = torch.from_numpy(mask)
            if buffer.active is not None:
                free = ~buffer.active[t].unsqueeze(-1)  # absent agents may do whatever their role can
                buffer.mask[t] |= free if self.spaces.legal is None else free & torch.from_numpy(self.spaces.legal)

    def _act(self, policy: JointPolicy, generator: torch.Generator, buffer: Buffer, t: int) -> None:
        for spaces, player in self.seats.others:
            mask = self._mask_of(spaces)
            seen = buffer.obs[t][:, torch.from_numpy(spaces.columns)]
            self._play(spaces, player.act(seen, None if mask is None else torch.from_numpy(mask)))
        mask_t = None if buffer.mask is None else buffer.mask[t]
        action = policy.act(buffer.controlled(buffer.obs[t]), mask_t, self.context, generator)
        self.context = action.context
        buffer.actions[t], buffer.log_prob[t] = action.actions, action.log_prob
        if action.extras:
            buffer.keep(t, dict(action.extras))
        self._play(self.spaces, action.actions.numpy())

    def _play(self, spaces: Spaces, actions: AnyArray) -> None:
        """Take down the actions [B, n] or [B, n, parts] of some agents for the next step."""
        if spaces.parts is not None:
            self._actions[:, spaces.columns, : spaces.parts.width] = actions
        elif spaces.all_columns:
            self._actions[:] = actions
        else:
            self._actions[:, spaces.columns] = actions

    def _value(self, critic: Critic, buffer: Buffer, t: int) -> None:
        """Predict as the collection goes on (recurrent critics)."""
        hidden = self.critic_context["hidden"]
        if buffer.critic_hidden is None:
            buffer.critic_hidden = torch.zeros((buffer.steps, *hidden.shape))
        buffer.critic_hidden[t] = hidden
        found, self.critic_context = critic.step(
            buffer.controlled(buffer.obs[t]), buffer.shared(t), self.critic_context
        )
        buffer.values[t] = found.numpy()

    def _take(self, buffer: Buffer, t: int) -> None:
        """Store what step t paid."""
        columns = slice(None) if self.spaces.all_columns else self.spaces.columns
        buffer.reward[t] = self.state.reward[:, columns]
        if buffer.active is not None:
            buffer.reward[t][~buffer.active[t].numpy()] = 0.0
        buffer.terminated[t], buffer.truncated[t] = self.game.terminated(self.state), self.game.truncated(self.state)

    def _close(
        self, policy: JointPolicy, critic: Critic, generator: torch.Generator, buffer: Buffer, t: int,
        finals: list[tuple[int, IntArray, torch.Tensor, torch.Tensor]],
    ) -> None:  # fmt: skip
        """Count ended episodes, renew their contexts, keep the last look at truncated ones."""
        over = self.state.ended
        self._begun = over.copy()
        if not over.any():
            return
        columns = slice(None) if self.spaces.all_columns else self.spaces.columns
        self.finished += self.state.episode_return[over][:, columns].sum(axis=0)
        self.episodes += int(over.sum())
        cut = np.flatnonzero(buffer.truncated[t])
        if len(cut):
            obs = torch.from_numpy(self.state.final_observation[cut])
            share = obs.flatten(-2) if buffer.state is None else torch.from_numpy(self._global(final=True)[cut])
            if critic.recurrent:
                rows = torch.from_numpy(cut)
                context = {name: value[rows] for name, value in self.critic_context.items()}
                buffer.final_values[t, cut] = critic.step(buffer.controlled(obs), share, context)[0].numpy()
            else:
                finals.append((t, cut, obs, share))
        self.context = renewed(policy, self.context, over, generator)
        if self.critic_context:
            keep = torch.from_numpy(~over)
            self.critic_context = {
                name: value * keep.view(-1, *[1] * (value.dim() - 1)) for name, value in self.critic_context.items()
            }
        for _, player in self.seats.others:
            player.ended(over)

    def mask(self) -> BoolArray | None:
        """Return available actions [B, N, A] of the controlled agents, ``None`` when all always are."""
        return self._mask_of(self.spaces)

    def _mask_of(self, spaces: Spaces) -> BoolArray | None:
        """Return available actions [B, N, A] of some agents, ``None`` when all always are."""
        if spaces.parts is not None:
            return None
        masks = {role: self.game.action_mask(self.state, role) for role in self.game.roles}
        if spaces.legal is None and all(mask is None for mask in masks.values()):
            return None
        whole = np.zeros((self.worlds, spaces.everyone, spaces.actions), np.bool_)
        first = 0
        for role, spec in self.game.roles.items():
            part = whole[:, first : first + spec.count]
            size = min(spec.actions, spaces.actions)
            part[..., :size] = True if masks[role] is None else masks[role][..., :size]
            first += spec.count
        return whole[:, spaces.columns]

    def _present(self) -> BoolArray | None:
        active = getattr(self.game, "active", None)
        return None if active is None else active(self.state)

    def _global(self, *, final: bool = False) -> Any:
        look = getattr(self.game, "global_state", None)
        if look is None:
            return None
        return look(self.state, final=True) if final else look(self.state)


def _values_after(
    critic: Critic, buffer: Buffer, finals: Sequence[tuple[int, IntArray, torch.Tensor, torch.Tensor]]
) -> None:
    """Predict the values of all stored states at once (critics without memory)."""
    obs = buffer.controlled(buffer.obs).flatten(0, 1)
    share = buffer.shared().flatten(0, 1)
    flat = buffer.values.reshape(len(obs), -1)
    for first in range(0, len(obs), ROWS):
        rows = slice(first, first + ROWS)
        flat[rows] = critic.step(obs[rows], share[rows], {})[0].numpy()
    if finals:
        seen, shares = torch.cat([f[2] for f in finals]), torch.cat([f[3] for f in finals])
        found = critic.step(buffer.controlled(seen), shares, {})[0].numpy()
        start = 0
        for t, cut, *_ in finals:
            buffer.final_values[t, cut] = found[start : start + len(cut)]
            start += len(cut)


def evaluate_returns(
    game: Any,
    players: Mapping[Any, Player],
    *,
    episodes: int,
    key: int,
    worlds: int | None = None,
) -> FloatArray:
    """Play complete episodes and return their undiscounted returns [episodes, E].

    Args:
        game: A vector game.
        players: Player by role name or by tuple of columns; later entries overrule earlier ones.
        episodes: Number of episodes; world b's first ones count, so long episodes are not left out.
        key: Key of the worlds' random numbers.
        worlds: Parallel worlds; by default one per episode, at most 1024.
    """
    if episodes < 1:
        raise InvalidValue(f"episodes must be at least 1, got {episodes}")
    count = min(worlds or 1024, episodes)
    quota = -(-episodes // count)
    first_role = next(iter(game.roles))
    seats = Seats(spaces_of(game, first_role), game, players)
    rollout = Rollout(game, count, key, seats.spaces, players)
    found: list[list[FloatArray]] = [[] for _ in range(count)]
    for _, player in rollout.seats.others:
        player.begin(count)
    while min(len(f) for f in found) < quota:
        obs = torch.from_numpy(rollout.state.observation)
        for spaces, player in rollout.seats.others:
            mask = rollout._mask_of(spaces)
            seen = obs[:, torch.from_numpy(spaces.columns)]
            rollout._play(spaces, player.act(seen, None if mask is None else torch.from_numpy(mask)))
        game.step(rollout.state, rollout._by_role)
        over = rollout.state.ended
        if over.any():
            for b in np.flatnonzero(over):
                if len(found[b]) < quota:
                    found[b].append(rollout.state.episode_return[b].copy())
            for _, player in rollout.seats.others:
                player.ended(over.copy())
    return np.array([f[i] for i in range(quota) for f in found])[:episodes]
