"""Alternating-offers bargaining: player 0 offers first, an offer is what the other one gets.

Accepting in round t (from 0) pays discount^t times the shares; without agreement both get nothing.  With a
continuous pie backward induction gives the proposer of the last of T rounds everything, and one round
earlier 1 - discount times that: 1, 0.1, 0.91 of the pie for T = 1, 2, 3 and discount 0.9.

The state has the methods of an OpenSpiel state that data generators use, so episodes can be recorded.
Source: Stahl (1972), Bargaining Theory; Rubinstein (1982), Econometrica 50.  Cost: (pie + 1)^T histories.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.bargaining_plugin import AlternatingOffersSettings
from equilibria.games.extensive.builder import GameBuilder
from equilibria.sim.errors import GameTooLarge
from equilibria.sim.seeds import SeedTree

_MAX_HISTORIES = 2_000_000
_REJECT, _ACCEPT = 0, 1


@dataclass(slots=True)
class OfferState:
    """A history: offers and answers in turn."""

    rules: AlternatingOffersSettings
    past: list[int] = field(default_factory=list)

    @property
    def _round(self) -> int:
        return len(self.past) // 2

    def is_terminal(self) -> bool:
        """Return whether an offer was accepted or the last one was rejected."""
        answered = len(self.past) % 2 == 0 and bool(self.past)
        return answered and (self.past[-1] == _ACCEPT or self._round == self.rules.rounds)

    def is_chance_node(self) -> bool:
        """Return False: nothing is random."""
        return False

    def chance_outcomes(self) -> list[tuple[int, float]]:
        """Return no outcomes: nothing is random."""
        return []

    def current_player(self) -> int:
        """Return who offers or answers."""
        return (self._round + len(self.past)) % 2

    def legal_actions(self) -> list[int]:
        """Return the offers 0 .. pie, or 0 (reject) and 1 (accept)."""
        return [_REJECT, _ACCEPT] if len(self.past) % 2 else list(range(self.rules.pie + 1))

    def apply_action(self, action: int) -> None:
        """Append an action."""
        self.past.append(int(action))

    def history_str(self) -> str:
        """Return the history as text."""
        return " ".join(map(str, self.past))

    def information_state_string(self, player: int) -> str:
        """Return what ``player`` knows: everything."""
        return f"{player}: {self.history_str()}"

    def returns(self) -> list[float]:
        """Return the payoffs of a final history."""
        if self.past[-1] == _REJECT:
            return [0.0, 0.0]
        turn = self._round - 1
        given, worth = self.past[-2], self.rules.discount**turn
        shares = (self.rules.pie - given, given)
        return [worth * shares[0], worth * shares[1]] if turn % 2 == 0 else [worth * shares[1], worth * shares[0]]


@dataclass(frozen=True, slots=True)
class AlternatingOffers:
    """The game as a source of histories.

    Attributes:
        rules: Pie, rounds and discount.
    """

    rules: AlternatingOffersSettings = field(default_factory=AlternatingOffersSettings)

    @property
    def name(self) -> str:
        """Name with the rules."""
        r = self.rules
        return f"alternating_offers(pie={r.pie},rounds={r.rounds},discount={r.discount:g})"

    def num_players(self) -> int:
        """Return 2."""
        return 2

    def new_initial_state(self) -> OfferState:
        """Return the empty history."""
        return OfferState(self.rules)

    def extensive(self) -> ExtensiveGame:
        """Return the game in sequence form.

        Raises:
            GameTooLarge: If it has more than two million histories.
        """
        r = self.rules
        if (r.pie + 1) ** r.rounds > _MAX_HISTORIES:
            raise GameTooLarge(
                f"{self.name} has about {(r.pie + 1) ** r.rounds} histories (limit {_MAX_HISTORIES}); "
                "lower pie or rounds"
            )
        builder = GameBuilder(2, name=self.name)
        self._walk(builder, self.new_initial_state(), (0, 0))
        return builder.build()

    def _walk(self, builder: GameBuilder, state: OfferState, sequences: tuple[int, int]) -> None:
        if state.is_terminal():
            builder.add_terminal(sequences, state.returns())
            return
        p, actions = state.current_player(), state.legal_actions()
        first = builder.add_infoset(p, state.information_state_string(p), actions, sequences[p])
        for place, action in enumerate(actions):
            after = (first + place, sequences[1]) if p == 0 else (sequences[0], first + place)
            self._walk(builder, OfferState(self.rules, [*state.past, action]), after)

    def subgame_perfect(self) -> tuple[float, float]:
        """Return the payoffs of the equilibrium by backward induction in which indifferent players agree."""
        r = self.rules
        proposer, responder = 0.0, 0.0  # worth of the subgame after the last round, at its own time
        for _ in range(r.rounds):
            # the responder proposes next: rejecting is worth a discounted proposer's share
            reject = r.discount * proposer
            offer = next((x for x in range(r.pie + 1) if x >= reject - 1e-12), None)
            if offer is None or r.pie - offer < r.discount * responder:
                proposer, responder = r.discount * responder, reject
            else:
                proposer, responder = float(r.pie - offer), float(offer)
        return proposer, responder


def build(settings: AlternatingOffersSettings, *, seeds: SeedTree) -> ExtensiveGame:
    """Build the game of a scenario; nothing is drawn."""
    del seeds
    return AlternatingOffers(settings).extensive()
