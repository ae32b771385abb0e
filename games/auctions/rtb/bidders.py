"""What worlds ask of bidders: a rule made from training data, and for learners a choice per episode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from equilibria.games.auctions.rtb.requests import Training
from equilibria.games.auctions.rtb.rules import BidRule
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray


class Bidder(Protocol):
    """Someone who bids for one advertiser."""

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """Learn from the training requests and return the bid rule for all episodes."""
        ...


@runtime_checkable
class EpisodeLearner(Protocol):
    """A bidder that also chooses a multiplier of its scale before every episode."""

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """See ``Bidder``; also forgets what was learned."""
        ...

    def begin(self, episode: int, context: FloatArray | None = None) -> float:
        """Return the multiplier for episode ``episode`` (from 0); depends on state, number and context only.

        Args:
            episode: Number of the episode.
            context: float64 [3] share of the budget spent, win rate and mean price paid over the training mean in
                the last complete episode; zeros before it.
        """
        ...

    def end(self, reward: float) -> None:
        """Take the predicted value won in the episode."""
        ...

    def arrays(self) -> Mapping[str, AnyArray]:
        """Return everything learned, as copies."""
        ...

    def restore(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take back what ``arrays`` returned."""
        ...
