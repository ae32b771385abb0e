"""Games and solvers through their registry descriptors, as scenarios use them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from equilibria.agents.solvers.mirror.plugins import mmd, regularised_gap
from equilibria.agents.solvers.regret.sampling_plugins import mccfr
from equilibria.agents.solvers.search.plugins import mds, mmds
from equilibria.games.extensive.source_plugins import (
    bayesian_matrix_game,
    efg_file,
    matrix_game,
    nfg_file,
    random_extensive,
)
from equilibria.games.extensive.spiel import openspiel_history
from equilibria.games.extensive.tables import policy_table
from equilibria.sim.contract import Solver
from equilibria.sim.errors import GameFileError, InvalidValue, UnknownName, Unsupported
from equilibria.sim.plugin import Plugin
from equilibria.sim.seeds import SeedTree

PENNIES = 'EFG 2 R "pennies" { "a" "b" } p 1 1 "row" { "h" "t" } 0 p 2 1 "col" { "h" "t" } 0 t 1 { 1 -1 } t 2 { -1 1 } p 2 1 0 t 2 t 1'
TABLES: list[Any] = [[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]]


def _game(plugin: Plugin, **params: Any) -> Any:
    return plugin.load()(plugin.settings.model_validate(params), seeds=SeedTree(1))


def _solver(plugin: Plugin, game: Any, **params: Any) -> Any:
    settings = plugin.settings.model_validate(params)
    return plugin.load()(settings, game=game, roles=("all",), seeds=SeedTree(1), budget=10)


def test_files_are_pinned_by_their_hash(tmp_path: Path) -> None:
    path = tmp_path / "pennies.efg"
    path.write_text(PENNIES)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert _game(efg_file, path=str(path), sha256=right).nodes == 7
    with pytest.raises(GameFileError, match="the scenario expects 000"):
        _game(efg_file, path=str(path), sha256="0" * 64)
    with pytest.raises(GameFileError, match="cannot read the file"):
        _game(nfg_file, path=str(tmp_path / "none.nfg"), sha256="0" * 64)
    assert GameFileError("x", "y").exit_code == 2


def test_tables_and_seeds_make_games(tmp_path: Path) -> None:
    assert _game(matrix_game, payoffs=TABLES).constant_sum == 0.0
    private = _game(bayesian_matrix_game, payoffs=[[TABLES, TABLES]], prior=[[0.5, 0.5]])
    assert private.infostates == ("type 0", "type 0", "type 1")
    first, second = _game(random_extensive, game_seed=3), _game(random_extensive, game_seed=4)
    assert first.content_hash != second.content_hash
    with pytest.raises(InvalidValue, match="rectangular table of numbers"):
        _game(matrix_game, payoffs=[["a"]])
    (tmp_path / "p.nfg").write_text('NFG 1 R "p" { "a" "b" } { 2 2 } 1 -1 -1 1 -1 1 1 -1')
    assert _game(nfg_file, path=str(tmp_path / "p.nfg")).arrays.merged == 4


def _is_solver(candidate: object) -> bool:
    return isinstance(candidate, Solver)


@pytest.mark.parametrize("plugin", [mmd, mds, mmds, mccfr])
def test_solvers_are_built_offer_the_policy_table_and_refuse_other_games(plugin: Plugin) -> None:
    game = _game(matrix_game, payoffs=TABLES)
    solver = _solver(plugin, game)
    solver.step(3)
    assert _is_solver(solver)
    assert set(solver.table("policy")) == set(policy_table(game, solver.policy()))
    with pytest.raises(UnknownName, match="unknown table 'polcy'; did you mean 'policy'"):
        solver.table("polcy")
    with pytest.raises(Unsupported, match="perfect recall, got HistoryGame"):
        _solver(plugin, openspiel_history("kuhn_poker"))


def test_gap_metric_needs_a_solver_that_has_one() -> None:
    game = _game(matrix_game, payoffs=TABLES)
    metric = regularised_gap.load()(regularised_gap.settings())

    class View:
        solver = _solver(mmd, game, schedule="constant", alpha=0.5)

    assert metric.compute(View()) == 0.0  # uniform play is the quantal response of pennies
    View.solver = _solver(mds, game)
    with pytest.raises(Unsupported, match="needs the solver 'mmd', got MDS"):
        metric.compute(View())
