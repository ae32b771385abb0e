"""Deep IWOCS: a robust policy from learned policies for a growing list of worst-case models.

PPO learns a policy for the present model.  The candidate plays, in every state, the action of the policy whose
critic promises least there: pi_j with j = argmin_j Q_j(s, pi_j(s)), where Q_j(s, pi_j(s)) is the critic's value.
The model that is worst for the candidate is found by playing all of them, and learned next; the search ends when
the candidate earns there what was promised, when the worst model repeats, or when the list is full.

Source: Zouitine, Geist, Rachelson (2024), arXiv 2410.06212, algorithm 1 with sampled solvers; grid search for the
worst case instead of CMA-ES.

Axes: K models, R episodes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.players import FrozenPlayer
from equilibria.agents.learning.response import trained_best_response
from equilibria.agents.learning.tensors import load_module, module_state, one_thread
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.robust.deep_policy import Expert, LeastPromise, discounted_returns
from equilibria.agents.robust.deep_settings import DeepIWOCSSettings
from equilibria.games.robust.models import ModelSet
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, Unsupported, UnsupportedGame, unknown_name
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import JSON, AnyArray, FloatArray

TABLE = "worst_cases"


class DeepIWOCS:
    """IWOCS on learned policies; satisfies ``sim.contract.Solver``, an iteration is one PPO update.

    Args:
        game: A set of models.
        settings: Sizes and rates of PPO, updates per model, episodes of the worst-case search.
        seeds: Source of all randomness.
        budget: Updates of the run; more than ``most * updates`` change nothing.

    Attributes:
        solved: Numbers of the models solved so far, the nominal one (0) first.
        values: [K] mean discounted return of the present candidate in every model, empty before the first.
        promised: Least mean value of a policy in its own model.
        converged: Whether the worst case kept the promise.
        latest: Numbers of the last update by name.

    Raises:
        UnsupportedGame: If the game is no ``ModelSet``.
    """

    table_names: ClassVar[tuple[str, ...]] = (TABLE,)

    def __init__(self, game: ModelSet, settings: DeepIWOCSSettings, *, seeds: SeedTree, budget: int = 0) -> None:
        if not isinstance(game, ModelSet):
            raise UnsupportedGame(f"iwocs_deep needs a set of models, got {type(game).__name__}")
        self.game, self.settings, self.seeds, self.budget = game, settings, seeds, budget
        self.solved: list[int] = []
        self.values: FloatArray = np.zeros(0)
        self.promised, self.converged, self.latest = math.inf, False, dict[str, float]()
        self._experts: list[Expert] = []
        self._errors: FloatArray = np.zeros(0)
        self._iteration, self._over = 0, False
        self._history: list[dict[str, float]] = []
        self._learner = self._fresh(0)
        self._model = 0

    @property
    def iteration(self) -> int:
        """Updates done."""
        return self._iteration

    @property
    def over(self) -> bool:
        """Whether the list of models is closed."""
        return self._over

    def meet(self, opponents: Mapping[Any, Any]) -> None:
        """Accept that there are no opponents.

        Raises:
            Unsupported: If there are some.
        """
        if opponents:
            raise Unsupported(f"iwocs_deep plays alone, got {', '.join(map(str, opponents))}")

    def step(self, n: int = 1) -> None:
        """Do up to ``n`` updates; nothing more is learned once the list of models is closed.

        Raises:
            NumericalError: If an observation, reward or loss is not finite.
        """
        for _ in range(n):
            self._iteration += 1
            if self._over:
                continue
            self._learner.step(1)
            self.latest |= self._learner.latest
            self._history.append(dict(self._learner.latest))
            if self._learner.iteration == self.settings.updates:
                self._close()

    def policy(self) -> LeastPromise:
        """Return the candidate policy; before the first model is solved, the one in training."""
        return LeastPromise(self._experts or [self._present()])

    def player(self, *, greedy: bool = True, key: int | None = None) -> FrozenPlayer:
        """Return a copy of the candidate that no longer learns."""
        seed = int(self.seeds.child("player").integer()) if key is None else key
        return FrozenPlayer(self.policy(), seed, greedy=greedy)

    def returns(self, model: int, episodes: int, seeds: SeedTree) -> FloatArray:
        """Return discounted returns [R] of the candidate's fresh episodes in a model; changes nothing here."""
        player = self.player(key=int(seeds.child("policy").integer()))
        return discounted_returns(
            self.game.models[model], player, episodes=episodes, key=int(seeds.key()), discount=self.game.discount
        )

    def search(self) -> tuple[FloatArray, FloatArray]:
        """Play all models with the same random numbers; return mean values and standard errors, both [K]."""
        node, episodes = self.seeds.child("search", len(self._experts)), self.settings.search_episodes
        found = [self.returns(k, episodes, node) for k in range(len(self.game.models))]
        return np.array([f.mean() for f in found]), np.array([f.std(ddof=1) for f in found]) / math.sqrt(episodes)

    def history(self) -> dict[str, FloatArray]:
        """Return what was logged since the last call, one entry per update that learned."""
        rows, self._history = self._history, []
        names = list(dict.fromkeys(name for row in rows for name in row))
        return {name: np.array([row.get(name, math.nan) for row in rows]) for name in names}

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return table ``worst_cases``: the candidate's value in every model; empty before the first is solved.

        Raises:
            UnknownName: If there is no such table.
        """
        if name != TABLE:
            raise unknown_name("table", name, self.table_names)
        models = np.arange(len(self.values), dtype=np.int64)
        solved: AnyArray = np.isin(models, self.solved)
        return {"model": models, "value": self.values, "standard_error": self._errors, "solved": solved}

    def certificate(self) -> Certificate:
        """Return what a response trained in the worst model gains over the candidate there, at least 0.

        No policy's worst case exceeds the best value in any one model, so the best response's gain bounds what
        another policy could be more robust; the trained one bounds that gain from below.
        """
        seeds, settings = self.seeds.child("certificate", self._iteration), self.settings
        values = self.values if len(self.values) else self.search()[0]
        worst = int(values.argmin())
        world = self.game.models[worst]
        role = next(iter(world.roles))
        response = trained_best_response(
            world, {role: self.player()}, role, settings=settings.learning(), updates=settings.certificate_updates,
            episodes=settings.certificate_episodes, seeds=seeds,
        )  # fmt: skip
        fresh = self.returns(worst, settings.certificate_episodes, seeds.child("worst"))
        nominal = self.returns(0, settings.certificate_episodes, seeds.child("nominal"))
        value = max(response.gain, 0.0)
        return Certificate(
            measure="gain of a response in the worst model",
            value=value,
            unit="return per episode",
            method=f"response trained on {response.samples} samples in the worst model of a grid",
            kind="lower bound",
            low=min(max(response.low, 0.0), value),
            high=max(response.high, value),
            confidence=0.95,
            sample_size=response.episodes,
            details={
                "worst_model": self.game.labels[worst],
                "worst_value": float(fresh.mean()),
                "worst_value_error": float(fresh.std(ddof=1) / math.sqrt(len(fresh))),
                "nominal_value": float(nominal.mean()),
                "promised": self.promised if math.isfinite(self.promised) else None,
                "models_solved": [self.game.labels[k] for k in self.solved],
                "converged": self.converged,
            },
        )

    def save(self) -> State:
        """Return policies, critics and the learner in progress; the unread history is left out."""
        meta: dict[str, JSON] = {
            "iteration": self._iteration, "solved": [*self.solved], "model": self._model, "over": self._over,
            "converged": self.converged, "promised": self.promised if math.isfinite(self.promised) else None,
            "latest": dict(self.latest),
        }  # fmt: skip
        whole = State({"values": self.values.copy(), "errors": self._errors.copy()}, meta)
        for i, expert in enumerate(self._experts):
            whole = whole.merged(module_state(expert).nested(f"expert/{i}"))
        return whole.merged(self._learner.save().nested("learner"))

    def load(self, state: State) -> None:
        """Restore what ``save`` returned.

        Raises:
            InvalidValue: If the state belongs to other networks or another number of models.
        """
        meta, values = state.meta, np.array(state.arrays["values"], np.float64)
        if len(values) not in (0, len(self.game.models)):
            raise InvalidValue(f"the state is of {len(values)} models, this game has {len(self.game.models)}")
        solved, latest, promised = meta["solved"], meta["latest"], meta["promised"]
        assert isinstance(solved, list) and isinstance(latest, dict)
        self.solved, self._iteration = [int(str(k)) for k in solved], int(str(meta["iteration"]))
        self._model, self._over, self.converged = int(str(meta["model"])), bool(meta["over"]), bool(meta["converged"])
        self.promised = math.inf if promised is None else float(str(promised))
        self.latest = {name: float(str(value)) for name, value in latest.items()}
        self.values, self._errors = values, np.array(state.arrays["errors"], np.float64)
        self._experts = []
        for i, model in enumerate(self.solved):
            expert = Expert(self._fresh(model))
            load_module(expert, state.part(f"expert/{i}").arrays, f"policy {i}")
            self._experts.append(expert)
        self._learner = self._fresh(self._model)
        self._learner.load(state.part("learner"))
        self._history = []

    def _fresh(self, model: int) -> Learner:
        node = self.seeds.child("model", len(self.solved))
        return Learner(self.game.models[model], self.settings.learning(), seeds=node, budget=self.settings.updates)

    def _present(self) -> Expert:
        """Return a frozen copy of policy and critic in training."""
        return Expert(self._learner)

    def _close(self) -> None:
        """Take the learned policy into the list and look for the model that is worst for the candidate."""
        with one_thread(), torch.inference_mode():
            expert = self._present()
            alone = FrozenPlayer(LeastPromise([expert]), 0, greedy=True)
            own = discounted_returns(
                self.game.models[self._model], alone, episodes=self.settings.search_episodes,
                key=int(self.seeds.child("promise", len(self._experts)).key()), discount=self.game.discount,
            )  # fmt: skip
            self._experts.append(expert)
            self.solved.append(self._model)
            self.promised = min(self.promised, float(own.mean()))
            self.values, self._errors = self.search()
        worst = int(self.values.argmin())
        noise = 2.0 * math.hypot(float(self._errors[worst]), float(own.std(ddof=1)) / math.sqrt(len(own)))
        self.converged = bool(self.values[worst] >= self.promised - max(self.settings.tolerance, noise))
        self._over = self.converged or worst in self.solved or len(self.solved) >= self.settings.most
        numbers = {"worst": float(self.values[worst]), "promised": self.promised, "nominal": float(self.values[0])}
        self.latest |= {**numbers, "worst_model": float(worst), "models": float(len(self.solved))}
        self._history[-1] |= self.latest
        if not self._over:
            self._model = worst
            self._learner = self._fresh(worst)
