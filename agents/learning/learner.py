"""PPO, IPPO, MAPPO and MDPO on batches of worlds.

Source: Schulman et al. (2017), arXiv 1707.06347; de Witt et al. (2020), arXiv 2011.09533; Yu et al. (2022),
arXiv 2103.01955; Tomar et al. (2022), arXiv 2005.09814.  Cost: see ``docs/learning.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from equilibria.agents.learning.advantages import advantages, normalised
from equilibria.agents.learning.batches import Batch
from equilibria.agents.learning.buffer import Buffer
from equilibria.agents.learning.critics import CentralCritic, Critic, OwnCritic
from equilibria.agents.learning.first_actions import TABLE, first_actions
from equilibria.agents.learning.players import AgentPlayer, FrozenPlayer, Player
from equilibria.agents.learning.policies import JointPolicy
from equilibria.agents.learning.rollout import Rollout, evaluate_returns
from equilibria.agents.learning.settings import PPOSettings
from equilibria.agents.learning.spaces import spaces_of
from equilibria.agents.learning.tensors import (
    generator_from,
    generator_state,
    load_module,
    module_state,
    one_thread,
)
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.learning.updates import Updates
from equilibria.agents.learning.vector_policies import product_policy
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import Unsupported, unknown_name
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray

LEAST_STEP = 0.01


class Learner:
    """A policy-gradient learner that owns some agents of a vector game; satisfies ``sim.contract.Solver``.

    Args:
        game: A vector game.
        settings: Sizes and rates.
        seeds: Source of all randomness.
        roles: Controlled agents: ``"all"``, role names, or columns.
        opponents: Players of the other agents by role name or tuple of columns (see ``rollout.Seats``);
            they can also be given later by ``meet``.
        budget: Updates of the run, for schedules that fall to 0; 0 when unknown (schedules stay at their start).
        policy: Policy to train instead of ``make_policy``'s.
        critic: Critic to train instead of ``make_critic``'s.

    Raises:
        Unsupported: If the game is no vector game, or a subclass needs single discrete actions and has others.

    An iteration is one update.  Torch runs on one thread, so results do not depend on their number.
    """

    table_names: ClassVar[tuple[str, ...]] = (TABLE,)
    compiled: ClassVar[bool] = True
    """Take compiled gradient steps where they exist; without, results differ by rounding."""

    def __init__(
        self,
        game: Any,
        settings: PPOSettings,
        *,
        seeds: SeedTree,
        roles: Any = "all",
        opponents: Mapping[Any, Player] | None = None,
        budget: int = 0,
        policy: JointPolicy | None = None,
        critic: Critic | None = None,
    ) -> None:
        self.game, self.settings, self.seeds, self.budget = game, settings, seeds, budget
        self.spaces = spaces_of(game, roles)
        if self.spaces.parts is not None and type(self).make_policy is not Learner.make_policy and policy is None:
            raise Unsupported(
                f"{game.name}: actions have several parts; {type(self).__name__} needs single discrete ones"
            )
        self._generator = _generator(seeds.child("acting"))
        with one_thread():
            made: Any = policy if policy is not None else self.make_policy(_generator(seeds.child("policy")))
            judge: Any = critic if critic is not None else self.make_critic(_generator(seeds.child("critic")))
        self.actor, self.critic = made, judge
        self.updates = Updates(
            settings,
            made,
            judge,
            shuffle=_generator(seeds.child("minibatches")),
            extra_loss=None if type(self).extra_loss is Learner.extra_loss else self.extra_loss,
            compiled=self.compiled,
        )
        self.latest: dict[str, float] = {}
        self._iteration = 0
        self._history: list[dict[str, float]] = []
        self._opponents: Mapping[Any, Player] = opponents or {}
        self._rollout: Rollout | None = None
        self._buffer: Buffer | None = None

    # hooks of subclasses

    def make_policy(self, generator: torch.Generator) -> JointPolicy:
        """Return the policy to train."""
        return product_policy(self.spaces, self.settings, generator)

    def make_critic(self, generator: torch.Generator) -> Critic:
        """Return the critic to train."""
        kind = CentralCritic if self.settings.critic == "central" else OwnCritic
        return kind(self.spaces, self.settings, generator)

    def before_update(self) -> None:
        """Do something before samples are collected."""

    def reward_transform(self, buffer: Buffer) -> None:
        """Change ``buffer.reward`` [T, B, N] in place before advantages are computed."""

    def extra_loss(self, batch: Batch) -> torch.Tensor | None:
        """Return a scalar to add to the actor's loss."""
        return None

    def extra_numbers(self) -> Mapping[str, float]:
        """Return further numbers for the history of this update."""
        return {}

    def extra_state(self) -> State:
        """Return what a subclass must save."""
        return State()

    def load_extra_state(self, state: State) -> None:
        """Restore what ``extra_state`` returned."""

    # the solver contract

    @property
    def iteration(self) -> int:
        """Updates done."""
        return self._iteration

    def meet(self, opponents: Mapping[Any, Player]) -> None:
        """Set the players of the other agents; only before the first update.

        Raises:
            Unsupported: If updates were done.
        """
        if self._rollout is not None:
            raise Unsupported("opponents can be set before the first update only; they are part of the worlds' state")
        self._opponents = opponents

    def step(self, n: int = 1) -> None:
        """Do ``n`` updates.

        Raises:
            NumericalError: If an observation, reward or loss is not finite; names it, the update and the place.
            Unsupported: If an agent of the world has no player.
        """
        with one_thread():
            for _ in range(n):
                self._update()

    def policy(self) -> JointPolicy:
        """Return the policy in training; ``player`` gives a frozen copy."""
        policy: JointPolicy = self.actor
        return policy

    def player(self, *, greedy: bool = False, key: int | None = None) -> FrozenPlayer:
        """Return a frozen copy of the present policy that acts for the controlled agents."""
        seed = int(self.seeds.child("player").integer()) if key is None else key
        return FrozenPlayer(self.actor, seed, greedy=greedy)

    def seat(self, other: Any, seeds: SeedTree) -> Player:
        """Return a player for another agent of the run: a rule, a player, or a learner's present policy."""
        if isinstance(other, Learner):
            return FrozenPlayer(other.actor, int(seeds.integer()), copied=False)
        if hasattr(other, "begin"):
            player: Player = other
            return player
        return AgentPlayer(other, seeds.generator())

    def evaluate(self, episodes: int, seeds: SeedTree, *, greedy: bool = False) -> FloatArray:
        """Return undiscounted returns [episodes, E] of fresh episodes with frozen policies; changes nothing here."""
        team = tuple(int(c) for c in self.spaces.columns)
        own = self.player(greedy=greedy, key=int(seeds.child("policy").integer()))
        with one_thread():
            return evaluate_returns(
                self.game, {**self.frozen_opponents(), team: own}, episodes=episodes, key=int(seeds.key())
            )

    def fork(self, settings: PPOSettings) -> Learner:
        """Return an independent learner that goes on from the present state with other rates.

        Sizes of networks and worlds must stay; subclasses with other constructors override this.
        """
        columns = self.spaces.columns
        twin = type(self)(
            self.game, settings, seeds=self.seeds, roles=columns, opponents=self.frozen_opponents(), budget=self.budget
        )
        twin.load(self.save())
        return twin

    def frozen_opponents(self) -> dict[Any, Player]:
        """Return copies of the other agents' players, so that playing on does not change this run."""
        return {who: player.copy() for who, player in self._opponents.items()}

    def history(self) -> dict[str, FloatArray]:
        """Return what was logged since the last call, one entry per update; nan where nothing was measured."""
        rows, self._history = self._history, []
        names = list(dict.fromkeys(name for row in rows for name in row))
        return {name: np.array([row.get(name, math.nan) for row in rows]) for name in names}

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return table ``first_actions``: the joint actions played most often at the start of episodes.

        Raises:
            UnknownName: If there is no such table.
        """
        if name != TABLE:
            raise unknown_name("table", name, self.table_names)
        return first_actions(self)

    def save(self) -> State:
        """Return weights, moments, statistics, generators and worlds; the unread history is left out."""
        whole = State({}, {"iteration": self._iteration, "latest": dict(self.latest)})
        parts = {
            "actor": module_state(self.actor),
            "critic": module_state(self.critic),
            "acting": generator_state(self._generator),
            "rollout": self._worlds().save(),
            "extra": self.extra_state(),
        }
        for name, part in parts.items():
            whole = whole.merged(part.nested(name))
        return whole.merged(self.updates.save())

    def load(self, state: State) -> None:
        """Restore what ``save`` returned.

        Raises:
            InvalidValue: If the state belongs to other networks or worlds; names the first differing tensor.
        """
        load_module(self.actor, state.part("actor").arrays, "policy")
        load_module(self.critic, state.part("critic").arrays, "critic")
        self.updates.load(state)
        generator_from(self._generator, state.part("acting"))
        self._worlds().load(state.part("rollout"))
        self.load_extra_state(state.part("extra"))
        latest = state.meta["latest"]
        assert isinstance(latest, dict)
        self.latest = {name: float(str(value)) for name, value in latest.items()}
        self._iteration, self._history = int(str(state.meta["iteration"])), []

    def certificate(self) -> Certificate:
        """Return a lower bound of what an agent gains by a best response trained against the others."""
        from equilibria.agents.learning.response import trained_certificate

        return trained_certificate(self)

    # one update

    def _worlds(self) -> Rollout:
        if self._rollout is None:
            key = int(self.seeds.child("worlds").key())
            self._rollout = Rollout(self.game, self.settings.worlds, key, self.spaces, self._opponents)
        return self._rollout

    def _storage(self) -> Buffer:
        if self._buffer is None:
            self._buffer = self._worlds().buffer(self.settings.steps, self.critic.values)
        return self._buffer

    def _update(self) -> None:
        self.before_update()
        rollout, buffer = self._worlds(), self._storage()
        rollout.collect(self.updates.acting(), self.critic, self._generator, buffer)
        buffer.check(self._iteration)
        self.reward_transform(buffer)
        self._credit(buffer)
        numbers = {"explained_variance": self._explained(buffer)}
        self.updates.set_rates(self._rate_factor())
        numbers |= self.updates.improve(buffer, unit=self._iteration, step_size=self.step_size())
        if rollout.episodes:
            numbers["mean_return"] = float(rollout.finished.mean()) / rollout.episodes
        numbers["mean_reward"] = float(buffer.reward.mean())
        numbers["episodes"] = float(rollout.episodes)
        numbers |= self.extra_numbers()
        self._iteration += 1
        self._history.append(numbers)
        self.latest |= {name: value for name, value in numbers.items() if math.isfinite(value)}

    def _credit(self, buffer: Buffer) -> None:
        """Compute advantages and targets of the buffer from values that the critic left normalised."""
        settings, lanes = self.settings, buffer.values.shape[-1]
        buffer.values[:] = self.updates.norm.denormalise(buffer.values)
        buffer.final_values[:] = self.updates.norm.denormalise(buffer.final_values)
        present = None if buffer.active is None else buffer.active.numpy()
        reward, here = buffer.reward, present
        if lanes == 1 and buffer.spaces.agents > 1:
            count = np.ones(reward.shape) if present is None else present[:-1]
            reward = (reward * count).sum(axis=-1, keepdims=True) / np.maximum(count.sum(axis=-1, keepdims=True), 1)
            here = None if present is None else np.asarray(present.any(axis=-1, keepdims=True))
        shape = reward.shape
        found, targets = advantages(
            reward,
            buffer.values,
            np.broadcast_to(buffer.terminated[..., None], shape),
            truncated=np.broadcast_to(buffer.truncated[..., None], shape),
            final_values=buffer.final_values,
            active=here,
            discount=settings.discount,
            trace=settings.trace,
            time_limit=settings.time_limit,
        )
        found = np.broadcast_to(found, buffer.reward.shape)
        if settings.advantage_norm in ("buffer", "per_agent"):
            mode: Any = settings.advantage_norm
            found = normalised(found, None if present is None else present[:-1], mode=mode)
        buffer.advantages.copy_(torch.from_numpy(np.array(found)))
        buffer.targets.copy_(torch.from_numpy(targets))

    def _explained(self, buffer: Buffer) -> float:
        """Return 1 - Var(target - prediction) / Var(target), 0 without spread."""
        targets = buffer.targets.numpy()
        spread = float(targets.var())
        return 1 - float((targets - buffer.values[:-1]).var()) / spread if spread > 0 else 0.0

    def _rate_factor(self) -> float:
        left = 1.0
        if self.settings.lr_decay == "linear" and self.budget:
            left = max(1 - self._iteration / self.budget, 0.0)
        return left * self.settings.rate_factor

    def step_size(self) -> float:
        """Return t_k of mirror descent: falls linearly from 1 over the budget, at least 0.01."""
        return max(1 - self._iteration / self.budget, LEAST_STEP) if self.budget else 1.0


def _generator(seeds: SeedTree) -> torch.Generator:
    return torch.Generator().manual_seed(int(seeds.key()) >> 1)
