"""Building the bidders of a simulated market from the entries of a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equilibria.sim.contract import AgentSpec
from equilibria.sim.errors import UnsupportedGame
from equilibria.sim.seeds import SeedTree


def bidders_of(agents: Sequence[AgentSpec], game: Any, *, needs: str, count: int) -> tuple[list[Any], list[str]]:
    """Return ``count`` bidders and their labels (``name_1`` ...).

    Args:
        agents: One entry, which all bidders follow, or ``count`` entries.
        game: The world, handed to the agents' build functions.
        needs: Method that a bidder of this world has.
        count: Number of bidders.

    Raises:
        UnsupportedGame: If a role, the number of entries or an agent does not fit.
    """
    for index, spec in enumerate(agents):
        if spec.role not in ("all", "bidder"):
            raise UnsupportedGame(f"agents.{index}.role must be 'bidder' (or 'all') in this market, got {spec.role!r}")
    if len(agents) not in (1, count):
        raise UnsupportedGame(f"agents must hold one entry for all bidders or {count} entries, got {len(agents)}")
    entries = list(agents) * count if len(agents) == 1 else list(agents)
    made, labels, numbers = [], [], dict[str, int]()
    for index, spec in enumerate(entries):
        seeds = SeedTree(0).child("agent", index)
        bidder = spec.plugin.load()(spec.settings, game=game, roles=("bidder",), seeds=seeds, budget=0)
        if not hasattr(bidder, needs):
            raise UnsupportedGame(f"agent {spec.plugin.name!r} is no bidder of this market (it has no {needs})")
        numbers[spec.plugin.name] = numbers.get(spec.plugin.name, 0) + 1
        labels.append(f"{spec.plugin.name}_{numbers[spec.plugin.name]}")
        made.append(bidder)
    return made, labels
