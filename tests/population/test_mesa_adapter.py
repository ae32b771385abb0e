"""Mesa models run from scenarios: repeatable, resumable, with named errors."""

from __future__ import annotations

import multiprocessing
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from equilibria.games.population import metrics, plugins
from equilibria.sim.contract import EngineContext, MetricSpec, TableSpec
from equilibria.sim.engines.population import PopulationView, build
from equilibria.sim.errors import CorruptRun, EquilibriaError, GameError, InvalidValue, UnknownName
from equilibria.sim.mesa import MesaSettings, MesaWorld
from equilibria.sim.mesa_import import model_class, seed_argument
from equilibria.sim.seeds import SeedTree

HERE = Path(__file__).parent
SHIPPED = "mesa.examples.basic.boltzmann_wealth_model.model:BoltzmannWealth"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


def world(name: str = "Walkers", seed: int = 3, *, path: str = "", **settings: Any) -> MesaWorld:
    made = MesaWorld(MesaSettings(model=path or f"mesa_models:{name}", **settings))
    made.reset(SeedTree(seed))
    return made


def same(a: MesaWorld, b: MesaWorld) -> bool:
    one, two = a.columns(), b.columns()
    return list(one) == list(two) and all(np.array_equal(one[k], two[k]) for k in one)


@pytest.mark.parametrize("name", ["Walkers", "Globals"])
def test_same_seed_gives_the_same_run_and_another_seed_another(name: str) -> None:
    random.seed(1)
    first, again, other = world(name), world(name), world(name, seed=4)
    first.run(1, 5)
    random.seed(2)
    again.run(1, 2)
    again.run(3, 3)
    other.run(1, 5)
    assert same(first, again)
    assert not same(first, other)


def test_the_programs_own_generators_and_start_method_are_untouched() -> None:
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    before = random.getstate(), str(np.random.get_state())  # noqa: NPY002
    method = multiprocessing.get_start_method(allow_none=True)
    world("Globals").run(1, 3)
    assert (random.getstate(), str(np.random.get_state())) == before  # noqa: NPY002
    assert multiprocessing.get_start_method(allow_none=True) == method


def test_first_import_of_mesa_keeps_the_start_method_and_prints_nothing() -> None:
    code = (
        "import multiprocessing as m, warnings; warnings.simplefilter('error');"
        "from equilibria.sim.mesa_import import model_class; import sys; assert 'mesa' not in sys.modules;"
        f"model_class({SHIPPED!r}); assert 'mesa' in sys.modules; assert m.get_start_method(allow_none=True) is None"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("cut", [0, 1, 4])
@pytest.mark.parametrize("births", [0, 2])
def test_resume_repeats_the_run_with_ids_and_both_generators(cut: int, births: int) -> None:
    params = {"n": 12, "births": births}
    whole, first = world(params=params), world(params=params)
    whole.run(1, 9)
    if cut:
        first.run(1, cut)
    again = world(params=params, seed=99)
    again.load(first.save())
    again.run(cut + 1, 9 - cut)
    assert same(whole, again)
    assert whole.agent_ids().tolist() == again.agent_ids().tolist()
    assert whole.certificate().value == again.certificate().value
    if births:
        assert whole.agent_ids().max() == 12 + 9 * births


def test_model_that_cannot_be_repeated_is_refused_on_resume() -> None:
    first = world("Unrepeatable")
    first.run(1, 2)
    with pytest.raises(CorruptRun, match="cannot be resumed"):
        world("Unrepeatable").load(first.save())


def test_stopped_model_stays_as_it_is() -> None:
    stopped, short = world(params={"stop": 3}), world(params={"stop": 3})
    stopped.run(1, 10)
    short.run(1, 3)
    assert same(stopped, short)
    assert stopped.model.steps == 3
    assert stopped.certificate().value == 0.0


def test_collector_is_silent_unless_wanted() -> None:
    silent, kept = world(), world(collect=True)
    silent.run(1, 5)
    kept.run(1, 5)
    assert len(silent.model.datacollector.model_vars["total"]) == 1
    assert len(kept.model.datacollector.model_vars["total"]) == 6
    assert same(silent, kept)


def test_columns_are_found_or_chosen() -> None:
    assert list(world().columns()) == ["speed", "wealth"]
    chosen = world(agent_columns=["mood", "wealth"]).columns()
    assert chosen["mood"].tolist() == ["calm"] * 10
    assert chosen["wealth"].dtype == np.float64


def test_columns_keep_their_type_when_agents_leave_or_values_change() -> None:
    made = world(agent_columns=["mood", "wealth"])
    agents = list(made.model.agents)
    agents[0].mood, agents[1].mood, agents[2].wealth = 5, None, None
    columns = made.columns()
    assert columns["mood"].tolist()[:3] == ["5", "", "calm"]
    assert np.isnan(columns["wealth"].astype(np.float64)[2])
    agents[2].wealth = "much"
    with pytest.raises(GameError, match="'much'"):
        made.columns()
    for agent in agents:
        agent.remove()
    assert [made.columns()[name].dtype.kind for name in ("mood", "wealth")] == ["U", "f"]
    assert made.certificate().value == 0.0


def test_model_values_are_reporters_attributes_or_methods() -> None:
    made = world()
    made.run(1, 4)
    wealth = made.columns()["wealth"].tolist()
    view = PopulationView(made, 4)
    for name, expected in (("total", sum(wealth)), ("richest", max(wealth)), ("poorest", min(wealth)), ("steps", 4)):
        metric = metrics.ModelValue(metrics.ModelValueSettings(attribute=name))
        assert metric.compute(view) == {name: expected}
    for name, error in (("richst", UnknownName), ("nothing", InvalidValue), ("agents", InvalidValue)):
        with pytest.raises(error, match=name):
            metrics.ModelValue(metrics.ModelValueSettings(attribute=name)).compute(view)


def test_model_value_names_the_lack_of_a_model() -> None:
    metric = metrics.ModelValue(metrics.ModelValueSettings(attribute="gini"))
    with pytest.raises(UnknownName, match="no value 'gini'"):
        metric.compute(PopulationView(object(), 0))


def test_column_statistic_reads_any_column() -> None:
    made = world(agent_columns=["mood", "wealth"])
    view = PopulationView(made, 0)
    for statistic in ("mean", "min", "max", "median"):
        settings = metrics.StatisticSettings.model_validate({"column": "wealth", "statistic": statistic})
        assert metrics.ColumnStatistic(settings).compute(view) == {f"{statistic}(wealth)": 1.0}
    with pytest.raises(InvalidValue, match="numbers"):
        metrics.ColumnStatistic(metrics.StatisticSettings(column="mood")).compute(view)


class Lists:
    def __init__(self) -> None:
        self.metrics: list[tuple[Any, ...]] = []
        self.rows: list[Any] = []

    def metric(self, name: str, unit: Any, value: Any, key: str = "") -> None:
        self.metrics.append((name, unit, value, key))

    def table(self, name: str, columns: Any) -> None:
        self.rows.append({c: v.tolist() for c, v in columns.items()})


def run_engine(cut: int | None, path: str, params: dict[str, Any]) -> Lists:
    plugin = plugins.mesa_model
    settings = plugin.settings.model_validate({"model": path, "params": params})

    def make() -> Any:
        seeds = SeedTree(5)
        gini = plugins.gini
        context = EngineContext(
            game=plugin.load()(settings, seeds=seeds), game_plugin=plugin, game_settings=settings, agents=(),
            mechanisms=(), metrics=[MetricSpec(plugin=gini, settings=gini.settings(), every=2)],
            tables=[TableSpec(name="agents", every=3, sample=4)], budget=8, seeds=seeds, threads=1,
        )  # fmt: skip
        engine = build(context)
        engine.start(seeds)
        return engine

    engine, out = make(), Lists()
    if cut is not None:
        engine.advance(cut, out)
        state = engine.save()
        engine = make()
        engine.load(state)
    engine.advance(100, out)
    return out


@pytest.mark.parametrize("cut", [1, 3, 6])
def test_engine_resumes_shipped_model_bit_for_bit(cut: int) -> None:
    params = {"n": 30, "width": 5, "height": 5}
    whole, resumed = run_engine(None, SHIPPED, params), run_engine(cut, SHIPPED, params)
    assert whole.metrics == resumed.metrics
    assert whole.rows == resumed.rows
    assert [m[1] for m in whole.metrics] == [0, 2, 4, 6, 8]
    assert {len(rows["agent"]) for rows in whole.rows} == {4}


def test_budget_is_the_exact_number_of_steps() -> None:
    made = world()
    made.run(1, 10)
    assert made.model.steps == 10


def test_models_with_scenario_objects_are_built_through_them() -> None:
    made = world("Planned", scenario="mesa_models:Plan", params={"n": 6})
    assert made.agents == 6
    with pytest.raises(InvalidValue, match=r"game\.params\.scenario"):
        world("Planned")


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"path": "no_such_module:Model"}, UnknownName, "no_such_module"),
        ({"name": "Walker5"}, UnknownName, "did you mean"),
        ({"name": "NoModel"}, InvalidValue, "no subclass of mesa.Model"),
        ({"name": "Seedless"}, InvalidValue, "neither seed nor rng"),
        ({"params": {"m": 3}}, UnknownName, "no parameter 'm'"),
        ({"params": {"seed": 3}}, InvalidValue, "must not set seed"),
        ({"params": {"n": "x"}}, GameError, "could not be built: TypeError"),
        ({"agent_columns": ["welth"]}, UnknownName, "did you mean 'wealth'"),
    ],
)
def test_bad_models_are_named_errors(settings: dict[str, Any], error: type[EquilibriaError], words: str) -> None:
    with pytest.raises(error, match=words):
        world(**settings).columns()


def test_model_that_fails_names_the_step() -> None:
    with pytest.raises(GameError, match="failed in step 3: ZeroDivisionError: oops"):
        world("Failing").run(1, 5)


def test_module_that_fails_on_import_is_a_named_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_model_module.py").write_text("x = (\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(GameError, match="SyntaxError"):
        model_class("broken_model_module:Model")


@pytest.mark.parametrize("path", ["nocolon", "a b:C", ":C", "m:", "m:C:D", "../m:C"])
def test_malformed_paths_are_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        MesaSettings(model=path)


def test_rng_is_preferred_over_seed() -> None:
    class Both:
        def __init__(self, seed: int | None = None, rng: int | None = None) -> None: ...

    class Open:
        def __init__(self, **keywords: Any) -> None: ...

    assert (seed_argument(Both), seed_argument(Open)) == ("rng", "rng")
