"""Real runs, made once per session, for the pages."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from equilibria.sim.run import start_run
from equilibria.sim.scenario import load_plan, plan_from_bytes
from equilibria.sim.sweep import start_sweep

PSRO = b"""
version: 1
name: psro-kuhn
game: {use: openspiel, params: {name: kuhn_poker}}
agents: [{role: all, use: psro}]
metrics: [{use: exploitability, every: 1}, {use: gains, every: 1}]
tables: [{name: meta_game, every: 1}, {name: meta_strategy, every: 1}, {name: policy, every: 4}]
run: {budget: 4, seed: 1}
"""
CYCLE = b"""
version: 1
name: cycle
game:
  use: preference
  params: {preference: [[0.5, 0.9, 0.3], [0.1, 0.5, 0.6], [0.7, 0.4, 0.5]], labels: [rock, paper, scissors]}
agents: [{role: all, use: inpo, params: {tau: 0.1}}]
metrics: [{use: solver_numbers, every: 5}]
tables: [{name: policy, every: 5}]
run: {budget: 20, seed: 1}
"""
WEALTH = b"""
version: 1
name: wealth
game: {use: wealth_exchange, params: {agents: 50, initial_wealth: 2, activation: random-sequential}}
metrics: [{use: gini, every: 5}]
tables: [{name: agents, every: 10}]
run: {budget: 20, seed: 1}
sweep:
  grid: {"game.params.initial_wealth": [1, 2], "game.params.agents": [20, 40]}
  seeds: {start: 0, count: 2}
"""
TEAM = b"""
version: 1
name: team
game: {use: coordination_game, params: {agents: 3, start: published}}
agents: [{role: all, use: bn_policy_gradient, params: {dag: line, start: normal, starts: 2}}]
metrics: [{use: solver_numbers, every: 10}]
tables: [{name: policy, every: 20}, {name: dag, every: 10}]
run: {budget: 40, seed: 1}
sweep:
  grid: {"agents.0.params.dag": [empty, full]}
  seeds: {start: 0, count: 3}
"""
LEARNER = b"""
version: 1
name: learner
game: {use: coordination_world}
agents: [{role: all, use: mappo, params: {worlds: 8, steps: 25, certificate_updates: 2, certificate_episodes: 16}}]
metrics: [{use: mean_return}, {use: evaluation_return, params: {episodes: 8}, every: 2}, {use: learning_numbers, params: {names: [entropy]}}]
tables: [{name: first_actions, every: 2}]
run: {budget: 4, seed: 1}
"""
PAYMENTS = b"""
version: 1
name: payments
game: {use: contextual_payments, params: {batch: 400, issuers: 3, features: 3, actions: 4, availability: 1.0}}
agents: [{role: all, use: payment_bandit, params: {exploration: greedy, memory: 2, judged: 500, oracle: logistic}}]
metrics:
  [{use: authorisation_rate}, {use: exploration}, {use: payment_regret_total}, {use: uniform_estimate}]
run: {budget: 6, seed: 1}
sweep:
  grid: {"agents.0.params.exploration": [uniform, epsilon_greedy, square_cb], "agents.0.params.memory": [1, 2, 3]}
  seeds: {start: 0, count: 2}
"""
MARKET = b"""
version: 1
name: market
game: {use: order_market, params: {noise: 100, session: 120.0, capacity: 2000}}
agents: []
metrics: [{use: market_price, every: 2}, {use: market_spread, every: 2}, {use: trader_profit, every: 20}]
run: {budget: 120, seed: 1}
sweep:
  grid: {"game.params.value": [0, 40]}
  seeds: {start: 0, count: 2}
"""
SHIPPED = ("cfr_kuhn", "vad_cfr_kuhn", "mmd_kuhn", "schelling", "contagion", "wealth_grid", "fxp_team_rps",
    "first_price", "rochet_net", "rtb_market", "bn_climbing", "auction_gym",
    "auction_net", "payments", "cascading", "corestless", "feed", "order_market")  # fmt: skip


def run_text(text: bytes, path: Path) -> Path:
    start_run(plan_from_bytes(text, "test"), path)
    return path


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Put ``__main__`` back: Streamlit's test runner replaces it, and spawned workers would then run a page."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of real runs: solvers, PSRO, a preference game, populations, a tournament, a sweep."""
    root = tmp_path_factory.mktemp("dashboards") / "runs"
    for name in SHIPPED:
        start_run(load_plan(f"quick/{name}"), root / name)
    start_run(load_plan("iterated_tournament", overrides=["run.budget=3", "tables.0.every=3"]), root / "tournament")
    run_text(PSRO, root / "psro")
    run_text(CYCLE, root / "cycle")
    run_text(WEALTH, root / "wealth")
    run_text(TEAM, root / "team")
    run_text(LEARNER, root / "learner")
    start_sweep(plan_from_bytes(WEALTH, "test"), root / "sweep", executor="serial")
    start_sweep(plan_from_bytes(TEAM, "test"), root / "team_sweep", executor="serial")
    start_sweep(plan_from_bytes(PAYMENTS, "test"), root / "payments_sweep", executor="serial")
    start_sweep(plan_from_bytes(MARKET, "test"), root / "market_sweep", executor="serial")
    return root


@pytest.fixture(scope="session")
def broken_runs(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose runs are damaged in every way that the overview must show, beside a sound one."""
    root = tmp_path_factory.mktemp("broken") / "runs"
    root.mkdir()
    shutil.copytree(runs / "cfr_kuhn", root / "sound")
    (root / "empty").mkdir()
    (root / "garbage").mkdir()
    (root / "garbage" / "manifest.json").write_bytes(b"\x00\xffnot json")
    (root / "list").mkdir()
    (root / "list" / "manifest.json").write_text("[1, 2]")
    shutil.copytree(runs / "cfr_kuhn", root / "nonsense")
    (root / "nonsense" / "manifest.json").write_text(
        '{"format": 1, "name": 3, "plan_hash": [], "seed": "x", "budget": {}, "unit": 7, "resolved": [], "versions": 1}'
    )
    shutil.copytree(runs / "cfr_kuhn", root / "truncated")
    for part in (root / "truncated" / "metrics").glob("*.parquet"):
        part.write_bytes(part.read_bytes()[:40])
    (root / "truncated" / "summary.json").unlink()
    (root / "out").symlink_to(runs / "cfr_kuhn")
    return root
