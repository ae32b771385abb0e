"""The policy table that solvers of extensive-form games offer to runs."""

from __future__ import annotations

from typing import ClassVar

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import BehaviouralPolicy
from equilibria.games.extensive.tables import policy_table
from equilibria.sim.errors import UnknownName, Unsupported, unknown_name
from equilibria.sim.types import AnyArray


class PolicyTables:
    """Mixin: offers the table ``policy`` of the output policy with reach and regret."""

    table_names: ClassVar[tuple[str, ...]] = ("policy",)
    game: ExtensiveGame

    def policy(self) -> BehaviouralPolicy:
        """Return the output policy."""
        raise NotImplementedError

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return the rows of an offered table.

        Raises:
            UnknownName: If there is no such table.
        """
        if name not in self.table_names:
            error: UnknownName = unknown_name("table", name, self.table_names)
            raise error
        return policy_table(self.game, self.policy())


def require_extensive(game: object, solver: str) -> ExtensiveGame:
    """Return the game if it is an extensive-form game of perfect recall.

    Raises:
        Unsupported: If it is another kind of game.
    """
    if not isinstance(game, ExtensiveGame):
        raise Unsupported(
            f"solver {solver!r} needs an extensive-form game of perfect recall, got {type(game).__name__}"
            f"{'; drop recall: history' if type(game).__name__ == 'HistoryGame' else ''}"
        )
    return game
