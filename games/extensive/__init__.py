"""Extensive-form games as arrays; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "AlternatingOffers": "equilibria.games.extensive.bargaining:AlternatingOffers",
    "BehaviouralPolicy": "equilibria.games.extensive.policy:BehaviouralPolicy",
    "ExtensiveGame": "equilibria.games.extensive.arrays:ExtensiveGame",
    "GameArrays": "equilibria.games.extensive.arrays:GameArrays",
    "GameBuilder": "equilibria.games.extensive.builder:GameBuilder",
    "HistoryGame": "equilibria.games.extensive.history:HistoryGame",
    "behavioural": "equilibria.games.extensive.policy:behavioural",
    "best_response": "equilibria.games.extensive.values:best_response",
    "expected_values": "equilibria.games.extensive.values:expected_values",
    "exploitability": "equilibria.games.extensive.values:exploitability",
    "gains": "equilibria.games.extensive.values:gains",
    "gradient": "equilibria.games.extensive.values:gradient",
    "openspiel_history": "equilibria.games.extensive.spiel:openspiel_history",
    "load_efg": "equilibria.games.extensive.efg:load_efg",
    "load_nfg": "equilibria.games.extensive.nfg:load_nfg",
    "nash_conv": "equilibria.games.extensive.values:nash_conv",
    "openspiel": "equilibria.games.extensive.spiel:openspiel",
    "random_policy": "equilibria.games.extensive.policy:random_policy",
    "realisation_plan": "equilibria.games.extensive.policy:realisation_plan",
    "GameTree": "equilibria.games.extensive.tree:GameTree",
    "agent_qre": "equilibria.games.extensive.qre:agent_qre",
    "bayesian_matrix_game": "equilibria.games.extensive.matrix:bayesian_matrix_game",
    "head_to_head": "equilibria.games.extensive.policy_io:head_to_head",
    "histories_of": "equilibria.games.extensive.histories:histories_of",
    "matrix_game": "equilibria.games.extensive.matrix:matrix_game",
    "play_value": "equilibria.games.extensive.policy_io:play_value",
    "qre_path": "equilibria.games.extensive.qre:qre_path",
    "random_game": "equilibria.games.extensive.random_games:random_game",
    "read_policy": "equilibria.games.extensive.policy_io:read_policy",
    "sequence_form_lp": "equilibria.games.extensive.lp:sequence_form_lp",
    "write_policy": "equilibria.games.extensive.policy_io:write_policy",
    "uniform_policy": "equilibria.games.extensive.policy:uniform_policy",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605 - a sorted list of literal names
__getattr__ = exports("equilibria.games.extensive", _PUBLIC)


def __dir__() -> list[str]:
    return list(__all__)
