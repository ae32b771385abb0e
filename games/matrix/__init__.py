"""Matrix games as first-class games: symmetric team games, preference games, iterated two-action games."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "TeamGame": "team",
    "TeamMixture": "team",
    "matrix_game": "team",
    "climb": "team_games",
    "seek_attack_defend": "team_games",
    "team_rock_paper_scissors": "team_games",
    "PreferenceGame": "preference",
    "IteratedGame": "iterated",
    "Automaton": "strategies",
    "memory_one": "strategies",
    "tournament": "iterated",
    "TournamentResult": "iterated",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.matrix", _PUBLIC)
