"""Extensive-form games as arrays; names are resolved on first use."""

from __future__ import annotations

import importlib
from typing import Any

_HERE = "equilibria.games.extensive"
_PUBLIC: dict[str, str] = {
    "BehaviouralPolicy": f"{_HERE}.policy:BehaviouralPolicy",
    "ExtensiveGame": f"{_HERE}.arrays:ExtensiveGame",
    "GameArrays": f"{_HERE}.arrays:GameArrays",
    "GameBuilder": f"{_HERE}.builder:GameBuilder",
    "HistoryGame": f"{_HERE}.history:HistoryGame",
    "behavioural": f"{_HERE}.policy:behavioural",
    "best_response": f"{_HERE}.values:best_response",
    "expected_values": f"{_HERE}.values:expected_values",
    "exploitability": f"{_HERE}.values:exploitability",
    "gains": f"{_HERE}.values:gains",
    "gradient": f"{_HERE}.values:gradient",
    "openspiel_history": f"{_HERE}.spiel:openspiel_history",
    "load_efg": f"{_HERE}.efg:load_efg",
    "load_nfg": f"{_HERE}.nfg:load_nfg",
    "nash_conv": f"{_HERE}.values:nash_conv",
    "openspiel": f"{_HERE}.spiel:openspiel",
    "random_policy": f"{_HERE}.policy:random_policy",
    "realisation_plan": f"{_HERE}.policy:realisation_plan",
    "GameTree": f"{_HERE}.tree:GameTree",
    "agent_qre": f"{_HERE}.qre:agent_qre",
    "bayesian_matrix_game": f"{_HERE}.matrix:bayesian_matrix_game",
    "head_to_head": f"{_HERE}.policy_io:head_to_head",
    "histories_of": f"{_HERE}.histories:histories_of",
    "matrix_game": f"{_HERE}.matrix:matrix_game",
    "play_value": f"{_HERE}.policy_io:play_value",
    "qre_path": f"{_HERE}.qre:qre_path",
    "random_game": f"{_HERE}.random_games:random_game",
    "read_policy": f"{_HERE}.policy_io:read_policy",
    "sequence_form_lp": f"{_HERE}.lp:sequence_form_lp",
    "write_policy": f"{_HERE}.policy_io:write_policy",
    "uniform_policy": f"{_HERE}.policy:uniform_policy",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605 - a sorted list of literal names


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module, _, attribute = _PUBLIC[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module {_HERE!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
