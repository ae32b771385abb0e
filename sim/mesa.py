"""Run any ``mesa.Model`` from a scenario.

The adapter is a population world around one Mesa model: the population engine drives it, metrics
and per-agent columns go to our run store, and ``DataCollector.collect`` is silenced after the model
is built (reporters are evaluated when a metric asks for them; ``collect: true`` keeps it for the few
models that read back what they collected).

**What the adapter repairs** (facts of Mesa 3.3): importing Mesa switches the program's start method
for processes; the old one is put back.  Models that draw from the global generators of ``random``
or ``numpy.random`` (some shipped examples do) are given private states of them, so they follow the
run's seed too.  ``budget: 10`` performs exactly 10 steps.

**Resume is replay.**  A Mesa model is an object graph that can be saved only by pickling, which loses
agent numbers, fails on lambdas and runs code on loading.  So a checkpoint holds the seed, the number
of steps and a fingerprint of both generators, of the agents' numbers and of their columns; loading
builds the model again and repeats its steps without recording.  That costs the time of the run so
far.  It cannot work for models that read the clock, the operating system's entropy, files that
change, or the order of sets of strings: these are found by the fingerprint and refused by name.

**Certificate.**  The share of agents whose columns changed in the last step: 0 is a state of rest.  A
stochastic model need not come to rest.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import inspect
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np
from pydantic import Field

from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import CorruptRun, GameError, InvalidValue, UnknownName, did_you_mean
from equilibria.sim.mesa_import import kept_start_method, load_class, model_class, quiet, said, seed_argument
from equilibria.sim.plugin import Settings
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, IntArray

Parameter: TypeAlias = int | float | bool | str | list[int] | list[float] | list[str] | None


_MISSING = object()
_PATH = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


class MesaSettings(Settings):
    """Which model to run, and what of its agents to record."""

    model: str = Field(
        pattern=_PATH,
        description="Model class as module:Class; the module must be importable (installed, or on PYTHONPATH)",
    )
    params: dict[str, Parameter] = Field(
        default={}, description="Keyword arguments of the class; its seed comes from the run's seed"
    )
    scenario: str | None = Field(
        default=None,
        pattern=_PATH,
        description="For models built as Model(scenario=...) (Mesa 3.5 and later): the scenario class as module:Class, "
        "which then receives params and the seed",
    )
    agent_columns: list[str] | None = Field(
        default=None,
        description="Agent attributes to record as columns; null takes all numeric public attributes of the first agent",
    )
    collect: bool = Field(
        default=False,
        description="Let the model's DataCollector collect: slower, memory grows; for models that read it back",
    )


class PrivateGlobals:
    """States of the global generators that belong to one model; the program's own are untouched."""

    def __init__(self, seeds: SeedTree) -> None:
        self._python = random.Random(seeds.child("random").integer()).getstate()
        self._numpy = np.random.RandomState(seeds.child("numpy").integer()).get_state()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Let the model draw from its own states inside the block."""
        outer = random.getstate(), np.random.get_state()  # noqa: NPY002 (models use these generators, we do not)
        random.setstate(self._python)
        np.random.set_state(self._numpy)  # noqa: NPY002
        try:
            yield
        finally:
            self._python, self._numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
            random.setstate(outer[0])
            np.random.set_state(outer[1])  # noqa: NPY002


class MesaWorld:
    """A Mesa model as a population world.

    Args:
        settings: Model, parameters, columns.

    Raises:
        MissingExtra, UnknownName, InvalidValue, GameError: If the class cannot be used (see ``model_class``).

    Cost: that of the model; columns are collected by one pass over the agents.
    """

    unit: ClassVar[str] = "period"

    def __init__(self, settings: MesaSettings) -> None:
        self._settings = settings
        self._class = model_class(settings.model)
        self._scenario = None
        if settings.scenario is not None:
            self._scenario = load_class(settings.scenario, "game.params.scenario")[1]
        self._seed_name = "rng" if self._scenario is not None else seed_argument(self._class)
        self._check_params()
        self._model: Any = None
        self._seeds = SeedTree(0)
        self._globals = PrivateGlobals(self._seeds)
        self._names: tuple[str, ...] = ()
        self._texts: frozenset[str] = frozenset()
        self._before: dict[str, AnyArray] | None = None
        self._steps = 0

    @property
    def model(self) -> Any:
        """The Mesa model; metrics read its attributes."""
        return self._model

    @property
    def agents(self) -> int:
        """Number of agents now; it may change during a run."""
        return 0 if self._model is None else len(self._model.agents)

    def agent_ids(self) -> IntArray:
        """Return the agents' ``unique_id`` in ascending order, int64 [N]."""
        return np.array(sorted(int(a.unique_id) for a in self._model.agents), np.int64)

    def reset(self, seeds: SeedTree) -> None:
        """Build the model from the run's seed."""
        self._seeds = seeds
        self._globals = PrivateGlobals(seeds)
        arguments = {**self._settings.params, self._seed_name: seeds.child("mesa").integer()}
        with self._guarded("could not be built"):
            build_model = self._class if self._scenario is None else self._build_with_scenario
            self._model = build_model(**arguments)
        collector = getattr(self._model, "datacollector", None)
        if collector is not None and not self._settings.collect:
            collector.collect = _nothing
        self._before, self._steps = None, 0
        self._names = self._column_names()
        self._texts = frozenset(name for name in self._names if _holds_text(name, self._model.agents))

    def run(self, first: int, steps: int) -> None:
        """Perform steps; a model that set ``running`` to false stays as it is."""
        for number in range(first, first + steps):
            if number == first + steps - 1:
                self._before = dict(self.columns())
            if self._model.running:
                with self._guarded(f"failed in step {number}"):
                    self._model.step()
        self._steps = first + steps - 1

    def columns(self) -> Mapping[str, AnyArray]:
        """Return the recorded attributes [N] in the order of ``agent_ids``; numbers as float64, else text.

        Whether a column holds text is decided by the agents at step 0 (numbers if there are none).

        Raises:
            UnknownName: If no agent has a named attribute.
            GameError: If a column of numbers later holds text.
        """
        ordered = sorted(self._model.agents, key=lambda a: int(a.unique_id))
        return {name: _column(name, ordered, text=name in self._texts) for name in self._names}

    def save(self) -> State:
        """Return seed, steps and fingerprint; see the module on resuming."""
        seed: list[Any] = [self._seeds.seed, *self._seeds.path]
        return State({}, {"seed": seed, "steps": self._steps, "fingerprint": self._fingerprint()})

    def load(self, state: State) -> None:
        """Build the model again and repeat its steps.

        Raises:
            CorruptRun: If the repeated run differs from the first one.
        """
        seed, steps = state.meta["seed"], state.meta["steps"]
        if not isinstance(seed, list) or not isinstance(steps, int):
            raise CorruptRun("a saved Mesa run must hold its seed and number of steps")
        numbers = [int(str(part)) for part in seed]
        self.reset(SeedTree(numbers[0], tuple(numbers[1:])))
        if steps > 0:
            self.run(1, steps)
        if self._fingerprint() != state.meta["fingerprint"]:
            raise CorruptRun(
                f"{self._settings.model} cannot be resumed: repeating its first {steps} steps from the same seed gave "
                "another state (it may read the clock, operating system entropy, files, or the order of a set); "
                "run it anew without interruption"
            )

    def certificate(self) -> Certificate:
        """Return the share of agents whose columns changed in the last step, exact."""
        now, before = self.columns(), self._before
        if before is None or not now:
            changed = np.zeros(self.agents, bool)
        elif any(now[name].size != before[name].size for name in now):
            changed = np.ones(self.agents, bool)
        else:
            changed = np.any([_differs(now[name], before[name]) for name in now], axis=0)
        return Certificate(
            measure="share of agents that changed in the last step",
            value=float(changed.mean()) if changed.size else 0.0,
            unit="share of agents",
            method=f"comparing the columns {', '.join(now) or '(none)'} before and after it",
            details={"agents": self.agents, "running": bool(self._model.running)},
            warning="a stochastic model need not come to rest",
        )

    @contextlib.contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        with self._globals.installed(), kept_start_method(), quiet():
            try:
                yield
            except Exception as error:
                raise GameError(f"Mesa model {self._settings.model} {what}: {said(error)}") from error

    def _build_with_scenario(self, **arguments: Any) -> Any:
        assert self._scenario is not None
        return self._class(scenario=self._scenario(**arguments))

    def _check_params(self) -> None:
        if {"seed", "rng"} & set(self._settings.params):
            raise InvalidValue("game.params.params must not set seed or rng: the run's seed decides")
        accepted = inspect.signature((self._scenario or self._class).__init__).parameters
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values()):
            return
        known = [name for name in accepted if name not in ("self", "seed", "rng")]
        for name in self._settings.params:
            if name not in known:
                raise UnknownName(f"game.params.params: {self._settings.model} has no parameter {name!r}; "
                                  f"{did_you_mean(name, known, 'parameter')}")  # fmt: skip

    def _column_names(self) -> tuple[str, ...]:
        if self._settings.agent_columns is not None:
            return tuple(self._settings.agent_columns)
        first = min(self._model.agents, key=lambda a: int(a.unique_id), default=None)
        attributes = {} if first is None else vars(first)
        return tuple(sorted(n for n, v in attributes.items() if _is_number(v) and n[0] != "_" and n != "unique_id"))

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(repr(self._model.random.getstate()).encode())
        digest.update(json.dumps(self._model.rng.bit_generator.state, sort_keys=True, default=str).encode())
        digest.update(self.agent_ids().tobytes())
        for name, values in self.columns().items():
            digest.update(name.encode() + values.tobytes())
        return digest.hexdigest()


def _nothing(*_arguments: Any, **_keywords: Any) -> None:
    """Replace ``DataCollector.collect``, which would keep every step in memory."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating | np.bool_)


def _differs(a: AnyArray, b: AnyArray) -> AnyArray:
    """Compare two columns; two missing values (not-a-number) are equal."""
    if np.issubdtype(a.dtype, np.floating) and np.issubdtype(b.dtype, np.floating):
        return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))
    return np.asarray(a != b)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _empty(value: Any) -> bool:
    return value is _MISSING or value is None


def _values(name: str, agents: Iterable[Any]) -> list[Any]:
    return [_plain(getattr(agent, name, _MISSING)) for agent in agents]


def _holds_text(name: str, agents: Iterable[Any]) -> bool:
    return any(not _empty(value) and not _is_number(value) for value in _values(name, agents))


def _column(name: str, ordered: list[Any], *, text: bool) -> AnyArray:
    """Return one attribute of all agents; agents without it hold not-a-number (or an empty text)."""
    values = _values(name, ordered)
    if values and all(v is _MISSING for v in values):
        have = sorted({key for agent in ordered[:100] for key in vars(agent) if key[0] != "_"})
        raise UnknownName(f"no agent has the attribute {name!r}; {did_you_mean(name, have, 'attribute')}")
    if text:
        return np.array(["" if _empty(v) else str(v) for v in values], np.str_)
    wrong = next((v for v in values if not _empty(v) and not _is_number(v)), None)
    if wrong is not None:
        raise GameError(
            f"agent attribute {name!r} held numbers at step 0 and now {wrong!r}; leave it out of agent_columns"
        )
    return np.array([np.nan if _empty(v) else float(v) for v in values], np.float64)


def build(settings: MesaSettings, *, seeds: SeedTree) -> MesaWorld:
    """Import the class and check its parameters; the engine builds the model."""
    return MesaWorld(settings)
