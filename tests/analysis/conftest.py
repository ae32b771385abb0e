"""Real run directories with chosen numbers, written by the run loop with a toy engine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import Recorder, State
from equilibria.sim.errors import NumericalError
from equilibria.sim.run import start_run
from equilibria.sim.seeds import SeedTree
from equilibria.sim.store import Run, Sweep, open_run, open_sweep


@dataclass
class ToyEngine:
    """Records given values at units 0, every, 2*every, ..."""

    unit: ClassVar[str] = "iteration"
    plan: ToyPlan
    at: int = -1

    def start(self, seeds: SeedTree) -> None:
        self.at = -1

    def advance(self, n: int, out: Recorder) -> int:
        first, last = self.at + 1, max(self.at, 0) + n
        for unit in range(first, last + 1):
            self._record(unit, out)
        done = last - max(self.at, 0)
        self.at = last
        return done

    def _record(self, unit: int, out: Recorder) -> None:
        index, rest = divmod(unit, self.plan.every)
        if rest:
            return
        if unit == self.plan.fail_at:
            raise NumericalError("payoff", float("inf"), step=unit)
        out.metric(self.plan.metric, unit, self.plan.values[index])
        for key, series in self.plan.gains.items():
            out.metric("gains", unit, series[index], key)
        if self.plan.table:
            rows = np.arange(3)
            out.table("agents", {"unit": np.full(3, unit), "agent": rows, "wealth": rows * 0.5 + unit})

    def save(self) -> State:
        return State(meta={"at": self.at})

    def load(self, state: State) -> None:
        self.at = int(str(state.meta["at"]))

    def certificate(self) -> Certificate:
        return Certificate(
            measure=self.plan.metric, value=self.plan.values[-1], unit="game payoff", method="exact best response"
        )


@dataclass
class ToyPlan:
    values: Sequence[float]
    every: int = 10
    name: str = "toy"
    seed: int = 7
    agent: str = "cfr"
    game: str = "leduc_poker"
    metric: str = "exploitability"
    gains: Mapping[str, Sequence[float]] = field(default_factory=dict)
    table: bool = False
    fail_at: int = -1
    checkpoint_every: int = 0
    threads: int = 1

    @property
    def budget(self) -> int:
        return (len(self.values) - 1) * self.every

    @property
    def hash(self) -> str:
        return "ab" * 32

    @property
    def source(self) -> bytes:
        return json.dumps(self.resolved).encode()

    @property
    def resolved(self) -> Any:
        return {
            "version": 1,
            "name": self.name,
            "game": {"use": "openspiel", "params": {"name": self.game}},
            "agents": [{"role": "all", "use": self.agent, "params": {}}],
            "metrics": [{"use": self.metric, "every": self.every, "params": {}}],
            "run": {"budget": self.budget, "seed": self.seed, "checkpoint_every": 0, "threads": 1},
        }

    def build(self) -> ToyEngine:
        return ToyEngine(self)


def write_run(path: Path, values: Sequence[float] = (1.0, 0.5, 0.25), **settings: Any) -> Run:
    plan = ToyPlan(values, **settings)
    try:
        start_run(plan, path)
    except NumericalError:
        if plan.fail_at < 0:
            raise
    return open_run(path)


MakeRun = Callable[..., Run]
MakeSweep = Callable[..., Sweep]


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small runs are written here; that they survive a power cut is tested elsewhere."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(name="make_run")
def _make_run(tmp_path: Path) -> MakeRun:
    """Return a function (label, values, **settings) -> Run."""

    def build(label: str = "toy-run", values: Sequence[float] = (1.0, 0.5, 0.25), **settings: Any) -> Run:
        return write_run(tmp_path / label, values, **settings)

    return build


@pytest.fixture(name="make_sweep")
def _make_sweep(tmp_path: Path) -> MakeSweep:
    """Return a function (label, {group: [final value per seed]}, **settings) -> Sweep over ``agents.0.use``."""

    def build(
        label: str,
        groups: Mapping[str, Sequence[float]],
        *,
        missing: int = 0,
        games: Sequence[str] = (),
        **settings: Any,
    ) -> Sweep:
        entries: list[dict[str, Any]] = []
        for agent, finals in groups.items():
            for seed, final in enumerate(finals):
                for scale, game in enumerate(games or ("",), start=1):
                    name = f"{agent}-s{seed}{game}"
                    path = tmp_path / label / "members" / name
                    write_run(path, (1.0, final / scale), seed=seed, agent=agent, **settings)
                    overrides = {"agents.0.use": agent} | ({"game.params.name": game} if game else {})
                    entries.append({"label": name, "seed": seed, "overrides": overrides})
        entries += [{"label": f"late-{i}", "seed": 90 + i, "overrides": {}} for i in range(missing)]
        manifest = {"format": 1, "name": label, "plan_hash": "cd" * 32, "members": entries}
        (tmp_path / label).mkdir(exist_ok=True)
        (tmp_path / label / "sweep.json").write_text(json.dumps(manifest))
        return open_sweep(tmp_path / label)

    return build


@pytest.fixture(name="cli")
def _cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function (*arguments) -> (exit code, standard output, standard error)."""
    from equilibria.sim.cli.app import main

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        shown = capsys.readouterr()
        code = end.value.code
        return code if isinstance(code, int) else int(code is not None), shown.out, shown.err

    return call
