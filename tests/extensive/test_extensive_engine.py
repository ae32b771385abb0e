"""The extensive engine: recording points, chunks, resume, tables, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equilibria.agents.solvers.regret.methods import VADCFR, CFRPlus
from equilibria.games.extensive import exploitability, nash_conv, openspiel
from equilibria.games.extensive import metrics as measures
from equilibria.sim.contract import Engine, TableSpec
from equilibria.sim.engines.extensive import ExtensiveEngine, SolverView
from equilibria.sim.errors import InvalidValue, ScenarioError, UnknownName, Unsupported
from equilibria.sim.plugin import NoSettings
from equilibria.sim.scenario import load_plan
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray


class Log:
    """A recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.metrics: list[tuple[str, int, float, str]] = []
        self.tables: list[tuple[str, dict[str, list[Any]]]] = []

    def metric(self, name: str, unit: Any, value: Any, key: str = "") -> None:
        self.metrics.append((name, int(unit), float(value), key))

    def table(self, name: str, columns: Mapping[str, AnyArray]) -> None:
        self.tables.append((name, {k: v.tolist() for k, v in columns.items()}))


def make(budget: int = 25, sample: int | None = None) -> ExtensiveEngine:
    game = openspiel("kuhn_poker")
    settings = NoSettings()
    engine = ExtensiveEngine(
        game,
        CFRPlus(game),
        metrics=[(measures.exploitability(settings), 10), (measures.value(settings), 4)],
        tables=[TableSpec(name="policy", every=20, sample=sample)],
        budget=budget,
    )
    engine.start(SeedTree(3))
    return engine


def drive(engine: ExtensiveEngine, chunks: list[int]) -> Log:
    log = Log()
    for n in chunks:
        engine.advance(n, log)
    return log


def test_metrics_stand_at_zero_multiples_and_the_last_iteration() -> None:
    engine = make()
    assert isinstance(engine, Engine)
    log = drive(engine, [25, 5])
    assert [u for name, u, _, _ in log.metrics if name == "exploitability"] == [0, 10, 20, 25]
    assert [u for name, u, _, key in log.metrics if name == "value" and key == "1"] == [0, 4, 8, 12, 16, 20, 24, 25]
    assert [columns["unit"][0] for _, columns in log.tables] == [0, 20]
    assert engine.advance(1, log) == 0


@pytest.mark.parametrize("chunks", [[1] * 25, [3, 4, 18], [0, 25], [1000]])
def test_chunks_change_no_number(chunks: list[int]) -> None:
    whole, split = drive(make(sample=5), [25]), drive(make(sample=5), chunks)
    assert whole.metrics == split.metrics
    assert whole.tables == split.tables


def test_a_saved_run_goes_on_bit_identically() -> None:
    whole = drive(make(sample=7), [25])
    first = make(sample=7)
    start = drive(first, [13])
    second = make(sample=7)
    second.load(first.save())
    rest = drive(second, [12])
    assert start.metrics + rest.metrics == whole.metrics
    assert start.tables + rest.tables == whole.tables


def test_sampled_tables_keep_their_rows() -> None:
    log = drive(make(sample=6), [25])
    rows = [list(zip(c["infostate"], c["action"], strict=True)) for _, c in log.tables]
    assert len(rows[0]) == 6
    assert rows[0] == rows[1]


def test_metrics_are_the_exact_values() -> None:
    game = openspiel("leduc_poker")
    solver = VADCFR(game, warm_start=5)
    solver.step(20)
    settings, view = NoSettings(), SolverView(game, solver, 20)
    average = solver.average_policy()
    assert measures.exploitability(settings).compute(view) == exploitability(game, average)
    assert measures.nash_conv(settings).compute(view) == nash_conv(game, average)
    assert measures.current_exploitability(settings).compute(view) == exploitability(game, solver.current_policy())
    gains = measures.gains(settings).compute(view)
    assert isinstance(gains, dict)
    assert sum(gains.values()) == pytest.approx(nash_conv(game, average), abs=1e-14)
    assert set(view.memo) == {"policy", "current_policy"}, "each profile is evaluated once"


def test_metrics_refuse_solvers_without_a_behavioural_policy() -> None:
    class Odd:
        def policy(self) -> int:
            return 3

    view = SolverView(openspiel("kuhn_poker"), Odd(), 0)
    with pytest.raises(Unsupported, match="metric 'exploitability' needs a solver whose policy"):
        measures.exploitability(NoSettings()).compute(view)
    with pytest.raises(Unsupported, match="Odd has none"):
        measures.current_exploitability(NoSettings()).compute(view)
    with pytest.raises(Unsupported, match="use exploitability"):
        measures.agent_form_gain(NoSettings()).compute(view)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"tables": [TableSpec(name="polcy", every=1)]}, UnknownName, "did you mean 'policy'"),
        ({"tables": [TableSpec(name="policy", every=0)]}, InvalidValue, "every must be at least 1"),
        ({"tables": [TableSpec(name="policy", every=1, sample=0)]}, InvalidValue, "sample must be at least 1"),
        ({"budget": -1}, InvalidValue, "budget must be at least 0"),
    ],
)
def test_impossible_engines_are_refused(change: dict[str, Any], error: type[Exception], text: str) -> None:
    game = openspiel("kuhn_poker")
    with pytest.raises(error, match=text):
        ExtensiveEngine(game, CFRPlus(game), **{"budget": 10, **change})


SCENARIO = """
version: 1
name: small
game: {{use: openspiel, params: {{name: {game}}}}}
agents: [{agents}]
metrics: [{{use: {metric}, every: 5}}]
run: {{budget: 20, seed: 1}}
"""


def written(
    tmp_path: Path, game: str = "kuhn_poker", agents: str = "{use: cfr}", metric: str = "exploitability"
) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(SCENARIO.format(game=game, agents=agents, metric=metric))
    return path


def test_a_scenario_builds_and_ends_with_a_certificate(tmp_path: Path) -> None:
    engine = load_plan(written(tmp_path)).build()
    engine.start(SeedTree(1))
    log = Log()
    assert engine.advance(100, log) == 20
    certificate = engine.certificate()
    assert certificate.measure == "exploitability"
    assert certificate.value == log.metrics[-1][2]
    assert np.isfinite(certificate.value)


@pytest.mark.parametrize(
    ("agents", "text"),
    [
        ("{use: cfr}, {use: cfr_plus}", "one solver with role 'all'"),
        ("{role: poker, use: cfr}", r"roles \['poker'\]"),
        ("", "one solver with role 'all'"),
    ],
)
def test_anything_but_one_solver_for_all_roles_is_refused(tmp_path: Path, agents: str, text: str) -> None:
    with pytest.raises((Unsupported, ScenarioError), match=text):
        load_plan(written(tmp_path, agents=agents)).build()


def test_a_history_level_run_uses_its_own_metric(tmp_path: Path) -> None:
    path = written(tmp_path, game="kuhn_poker, recall: history", metric="agent_form_gain")
    engine = load_plan(path).build()
    engine.start(SeedTree(1))
    log = Log()
    engine.advance(20, log)
    assert engine.certificate().measure == "agent-form gain"
    assert log.metrics[0][3] == "0"
