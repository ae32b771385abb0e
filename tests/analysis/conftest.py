"""Runs made in memory, with the shape that ``sim.store.Run`` has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from equilibria.sim.certificate import Certificate


@dataclass
class FakeRun:
    path: Path
    manifest: dict[str, Any]
    status: dict[str, Any]
    summary: dict[str, Any] | None
    certificate: dict[str, Any] | None
    rows: pl.DataFrame
    extra: dict[str, pl.DataFrame] = field(default_factory=dict)

    def metrics(self) -> pl.LazyFrame:
        return self.rows.lazy()

    def tables(self) -> list[str]:
        return sorted(self.extra)

    def table(self, name: str) -> pl.LazyFrame:
        return self.extra[name].lazy()


@dataclass
class FakeSweep:
    path: Path
    members: Sequence[Any]


@dataclass
class FakeBroken:
    path: Path
    error: Exception


def make_run(
    path: Path,
    values: Sequence[float] = (1.0, 0.5, 0.25),
    *,
    every: int = 10,
    seed: int = 7,
    name: str = "toy",
    agent: str = "cfr",
    state: str = "complete",
    metric: str = "exploitability",
    overrides: Mapping[str, Any] | None = None,
    game: str = "leduc_poker",
    keyed: Mapping[str, Sequence[float]] | None = None,
    tables: Mapping[str, pl.DataFrame] | None = None,
) -> FakeRun:
    units = [i * every for i in range(len(values))]
    columns: dict[str, list[Any]] = {"unit": units, "metric": [metric] * len(units), "key": [""] * len(units)}
    columns["value"] = [float(v) for v in values]
    for key, series in (keyed or {}).items():
        columns["unit"] += units[: len(series)]
        columns["metric"] += ["gains"] * len(series)
        columns["key"] += [key] * len(series)
        columns["value"] += [float(v) for v in series]
    done = state == "complete"
    certificate = Certificate(measure=metric, value=float(values[-1]), unit="game payoff", method="exact best response")
    resolved = {
        "version": 1,
        "name": name,
        "game": {"use": "openspiel", "params": {"name": game}},
        "agents": [{"role": "all", "use": agent, "params": {}}],
        "metrics": [{"use": metric, "every": every, "params": {}}],
        "run": {"budget": units[-1], "seed": seed, "checkpoint_every": 0, "threads": 1},
    }
    return FakeRun(
        path=path,
        manifest={
            "format": 1,
            "name": name,
            "plan_hash": "ab" * 32,
            "seed": seed,
            "budget": units[-1],
            "unit": "iteration",
            "resolved": resolved,
            "versions": {"equilibria": "0.1.0", "python": "3.11.9"},
            "overrides": dict(overrides or {}),
            "argv": ["equilibria", "run", "<toy>"],
        },
        status={"status": state, "unit": units[-1], "budget": units[-1], "heartbeat": 0.0},
        summary={} if done else None,
        certificate=certificate.to_json() if done else None,
        rows=pl.DataFrame(
            columns, schema={"unit": pl.Int64, "metric": pl.String, "key": pl.String, "value": pl.Float64}
        ),
        extra=dict(tables or {}),
    )


MakeRun = Callable[..., FakeRun]


@pytest.fixture(name="make_run")
def _make_run(tmp_path: Path) -> MakeRun:
    def build(label: str = "run", *args: Any, **settings: Any) -> FakeRun:
        return make_run(tmp_path / label, *args, **settings)

    return build


@pytest.fixture(name="make_sweep")
def _make_sweep(tmp_path: Path) -> Callable[..., FakeSweep]:
    def build(members: Sequence[Any], label: str = "sweep") -> FakeSweep:
        return FakeSweep(tmp_path / label, members)

    return build


@pytest.fixture(name="broken")
def _broken(tmp_path: Path) -> Callable[..., FakeBroken]:
    def build(message: str, label: str = "broken") -> FakeBroken:
        return FakeBroken(tmp_path / label, ValueError(message))

    return build
