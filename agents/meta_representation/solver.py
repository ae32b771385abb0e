"""MRA: one set of policies, indexed by latents, for all populations of a game.

Every update plays one episode in each world of each training population, every agent with a latent of its own
drawn from p(z|N), then does three updates in turn:

1. policy, relation and critic: clipped policy gradient on all populations at once;
2. relation only: mutual information between latents and actions (the constraint of the method);
3. task encoder and predictor: which population is played, from attended embedding and latent.

The published method learns off-policy (soft actor-critic with one replay buffer per population); this one is
on-policy on the house's learning core.  Networks, latents, information and encoder are the published ones.

Source: Zhang, Shen, Han, Shen (2021), Learning Meta Representations for Agents in Multi-Agent Reinforcement
Learning, arXiv 2108.12988, and its code.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from equilibria.agents.learning.players import FrozenPlayer
from equilibria.agents.learning.response import bootstrap_interval
from equilibria.agents.learning.tensors import adam_state, load_adam, load_module, module_state, one_thread
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.learning.value_norm import ValueNorm
from equilibria.agents.meta_representation.adaptation import Adapted, adapt, evaluate
from equilibria.agents.meta_representation.information import draw
from equilibria.agents.meta_representation.model import Model, generator_of, play
from equilibria.agents.meta_representation.policy import LatentPolicy
from equilibria.agents.meta_representation.settings import MRASettings
from equilibria.agents.meta_representation.updates import (
    Offsets,
    Optimisers,
    Samples,
    diversify,
    improve,
    inner_step,
    measure_information,
    prepare,
    recognise,
    shifted,
)
from equilibria.games.vector.families import PopulationFamily
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, NumericalError, Unsupported, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray

NAME = "mra"
VALUE_NORM_DECAY = 0.99


class MRA:
    """Meta representations for agents; satisfies ``sim.contract.Solver``, an iteration is one update.

    Args:
        game: A family of worlds.
        settings: Sizes and rates; ``latents=1`` is a shared single policy.
        seeds: Source of all randomness; every update draws from a child of its own.

    Attributes:
        model: The networks.
        latest: Numbers of the last update by name.

    Raises:
        UnsupportedGame: If the game is no ``PopulationFamily``.

    Torch runs on one thread, so results do not depend on their number.
    """

    table_names = ("latents",)

    def __init__(
        self, game: PopulationFamily, settings: MRASettings | None = None, *, seeds: SeedTree | None = None
    ) -> None:
        if not isinstance(game, PopulationFamily):
            raise UnsupportedGame(
                f"{NAME} plays families of worlds (resource_occupation_family, treasure_collection_family), "
                f"got {type(game).__name__}"
            )
        self.game, self.settings, self.seeds = game, settings or MRASettings(), seeds or SeedTree(0)
        self._worlds = {n: game.world(n, self.settings.reward) for n in game.train}
        first = next(iter(self._worlds.values()))
        with one_thread():
            self.model = Model(
                sites=first.sites,
                actions=first.roles["agent"].actions,
                latents=self.settings.latents,
                games=len(game.train),
                embed_self=self.settings.embed_self,
                attend=self.settings.attend,
                seeds=self.seeds.child("networks"),
            )
        self._optimisers = Optimisers(self.model, self.settings)
        self._norms = {n: ValueNorm(decay=VALUE_NORM_DECAY) for n in game.train}
        self.latest: dict[str, float] = {}
        self._iteration = 0
        self._history: list[dict[str, float]] = []
        self._adapted: dict[int, Adapted] = {}

    @property
    def iteration(self) -> int:
        """Number of updates done."""
        return self._iteration

    def meet(self, opponents: Mapping[Any, Any]) -> None:
        """Accept that there are no opponents; the team is one role.

        Raises:
            Unsupported: If there are some.
        """
        if opponents:
            raise Unsupported(f"{NAME} owns all agents; it meets no opponents, got {', '.join(map(str, opponents))}")

    def step(self, n: int = 1) -> None:
        """Do ``n`` updates.

        Raises:
            NumericalError: If a logit, loss or weight is not finite; names the update.
        """
        with one_thread():
            for _ in range(n):
                self._update()

    def policy(self) -> Model:
        """Return the networks."""
        return self.model

    def player(
        self, agents: int, *, adapted: bool = False, greedy: bool = False, key: int | None = None
    ) -> FrozenPlayer:
        """Return a copy of the team of ``agents`` agents that no longer learns, a player of the learning core.

        Args:
            agents: N.
            adapted: With the latents (and networks) after few-shot adaptation.
            greedy: Choose the likeliest actions.
            key: Seed of its random numbers, ``None`` for one of the solver's.
        """
        team = copy.deepcopy(self.model)
        log_p = team.latent_log_p(agents)
        if adapted:
            found = self.adapt(agents)
            log_p = found.log_p
            if found.weights is not None:
                team.load_state_dict(found.weights)
        seed = self.seeds.child("player", agents).integer() if key is None else key
        return FrozenPlayer(LatentPolicy(team, agents, log_p), seed, greedy=greedy, copied=False)

    def evaluate(
        self, agents: int, episodes: int | None = None, *, adapted: bool = False, seeds: SeedTree | None = None
    ) -> FloatArray:
        """Return the mean team reward per step of fresh episodes with ``agents`` agents, [episodes].

        Args:
            agents: N, trained on or not.
            episodes: How many; ``None`` for the setting.
            adapted: Use the latents after few-shot adaptation instead of those of the encoder (zero-shot).
            seeds: Worlds and latents; by default the same for every call with the same N.
        """
        node = seeds or self.seeds.child("evaluation", agents)
        model, log_p = self.model, self.model.latent_log_p(agents)
        if adapted:
            found = self.adapt(agents)
            log_p = found.log_p
            if found.weights is not None:
                model = copy.deepcopy(self.model)
                model.load_state_dict(found.weights)
        with one_thread():
            return evaluate(
                model, self.game, agents, log_p, episodes or self.settings.evaluation_worlds, node,
                greedy=self.settings.greedy,
            )  # fmt: skip

    def adapt(self, agents: int) -> Adapted:
        """Adapt the latents to ``agents`` agents (few-shot); remembered until the next update."""
        if agents not in self._adapted:
            node = self.seeds.child("adaptation", self._iteration).child("population", agents)
            with one_thread():
                self._adapted[agents] = adapt(
                    self.model, self.game, agents, self.settings, node, greedy=self.settings.greedy
                )
        return self._adapted[agents]

    def metrics(self) -> dict[str, float]:
        """Return the zero-shot return of every population and the information of the last update."""
        found = {f"return_{n}": float(self.evaluate(n).mean()) for n in self.game.populations}
        return found | {k: self.latest[k] for k in ("information", "entropy") if k in self.latest}

    def history(self) -> dict[str, FloatArray]:
        """Return what was logged since the last call, one entry per update."""
        rows, self._history = self._history, []
        names = list(dict.fromkeys(name for row in rows for name in row))
        return {name: np.array([row.get(name, math.nan) for row in rows]) for name in names}

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return p(z|N), one row per population and latent."""
        if name not in self.table_names:
            raise InvalidValue(f"{NAME} offers the tables {', '.join(self.table_names)}, not {name!r}")
        h, sizes = self.settings.latents, self.game.populations
        return {
            "agents": np.repeat(np.array(sizes, dtype=np.int64), h),
            "latent": np.tile(np.arange(h), len(sizes)),
            "probability": np.concatenate([self.model.latent_log_p(n).exp().numpy() for n in sizes]).astype(np.float64),
        }

    def certificate(self) -> Certificate:
        """Return a lower bound of what one agent gains by another latent, all others as they are.

        For every training population the best latent of agent 0 is chosen on half of the episodes and its gain
        measured on the other half, in pairs with the same worlds; the largest gain counts.
        """
        gains = {n: self._deviation(n) for n in self.game.train}
        worst = max(gains, key=lambda n: float(gains[n].mean()))
        mean = float(gains[worst].mean())
        low, high = bootstrap_interval(gains[worst], self.seeds.child("bootstrap").generator())
        value = max(mean, 0.0)
        return Certificate(
            measure="gain of an agent by another latent",
            value=value,
            unit="team reward per step",
            method="best latent of one agent, chosen on half of the episodes and measured on the other half",
            kind="lower bound",
            low=min(max(low, 0.0), value),
            high=max(high, value),
            confidence=0.95,
            sample_size=len(gains[worst]),
            details={
                "population": worst,
                "gains": {str(n): float(g.mean()) for n, g in gains.items()},
                "returns": {str(n): float(self.evaluate(n).mean()) for n in self.game.populations},
            },
            warning="deviations that no latent expresses are not tried",
        )

    def save(self) -> State:
        """Return weights, moments and statistics; the unread history is left out."""
        whole = State({}, {"iteration": self._iteration, "solver": NAME, "latest": dict(self.latest)})
        whole = whole.merged(module_state(self.model).nested("model"))
        for name, optimiser in self._optimisers.items():
            whole = whole.merged(adam_state(optimiser).nested(f"adam/{name}"))
        for n, norm in self._norms.items():
            whole = whole.merged(norm.save().nested(f"norm/{n}"))
        return whole

    def load(self, state: State) -> None:
        """Restore what ``save`` returned.

        Raises:
            InvalidValue: If the state is of another solver or of other networks; names the first differing tensor.
        """
        if state.meta.get("solver") != NAME:
            raise InvalidValue(f"the state is of {state.meta.get('solver')!r}, expected {NAME!r}")
        load_module(self.model, state.part("model").arrays, "model")
        for name, optimiser in self._optimisers.items():
            load_adam(optimiser, state.part(f"adam/{name}"))
        for n, norm in self._norms.items():
            norm.load(state.part(f"norm/{n}"))
        latest = state.meta["latest"]
        assert isinstance(latest, dict)
        self.latest = {name: float(str(value)) for name, value in latest.items()}
        self._iteration, self._history, self._adapted = int(str(state.meta["iteration"])), [], {}

    # one update

    def _update(self) -> None:
        settings, node = self.settings, self.seeds.child("update", self._iteration)
        samples: dict[int, Samples] = {}
        offsets: dict[int, Offsets | None] = {}
        numbers: dict[str, float] = {}
        try:
            for n in self.game.train:
                here = node.child("population", n)
                offsets[n] = self._inner(n, here.child("inner")) if settings.meta_rate > 0 else None
                samples[n], numbers[f"reward_{n}"] = self._collect(n, here, offsets[n])
            shuffle = generator_of(node.child("minibatches"))
            numbers |= improve(self.model, samples, offsets, self._optimisers, settings, shuffle)
            if settings.latents > 1:
                shaping = generator_of(node.child("information"))
                diversify(self.model, samples, self._optimisers, settings, shaping)
                numbers["information"] = measure_information(self.model, samples, settings, shaping)
            if settings.latents > 1 and settings.task_steps:
                numbers["task_loss"] = recognise(
                    self.model, samples, self._optimisers, settings, generator_of(node.child("task"))
                )
        except NumericalError as error:
            raise NumericalError(error.variable, math.nan, step=self._iteration, where=NAME) from error
        numbers["mean_return"] = float(
            np.mean([numbers[f"reward_{n}"] * self._worlds[n].horizon for n in self.game.train])
        )
        self._iteration += 1
        self._check()
        self._adapted = {}
        self.latest = numbers
        self._history.append(numbers)

    def _collect(self, n: int, node: SeedTree, offsets: Offsets | None) -> tuple[Samples, float]:
        generator = generator_of(node.child("acting"))
        z = draw(self.model.latent_log_p(n), (self.settings.worlds, n), generator)
        with shifted(self.model.relation, offsets):
            played = play(self.model, self._worlds[n], z, int(node.child("world").key()), generator)
            return prepare(self.model, played, self._norms[n], self.settings), float(played.returns.mean())

    def _inner(self, n: int, node: SeedTree) -> Offsets:
        batch, _ = self._collect(n, node, None)
        return inner_step(self.model, batch, self.settings)

    def _check(self) -> None:
        for name, value in self.model.named_parameters():
            if not bool(torch.isfinite(value).all()):
                raise NumericalError(f"weight {name}", float("nan"), step=self._iteration, where=NAME)

    def _deviation(self, n: int) -> FloatArray:
        """Return what agent 0 gains per step by its best latent in the episodes kept for measuring."""
        episodes, node = self.settings.evaluation_worlds, self.seeds.child("certificate", n)
        world, key = self.game.world(n), int(node.child("world").key())
        with one_thread():
            z = draw(self.model.latent_log_p(n), (episodes, n), generator_of(node.child("latents")))
            returns = []
            for latent in (None, *range(self.settings.latents)):
                z_now = z.clone()
                if latent is not None:
                    z_now[:, 0] = latent
                acting = generator_of(node.child("acting"))
                returns.append(play(self.model, world, z_now, key, acting, greedy=self.settings.greedy).returns)
        gains = np.array(returns[1:]) - returns[0]
        half = episodes // 2
        return np.asarray(gains[int(gains[:, :half].mean(axis=1).argmax()), half:])
