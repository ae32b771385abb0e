"""The decision environments as PettingZoo parallel environments of one agent."""

from __future__ import annotations

from equilibria.games.adapters.pettingzoo import ParallelView, parallel_env
from equilibria.games.decisions import cascading as lists
from equilibria.games.decisions import feed as feeds
from equilibria.games.decisions import restless_instances as bandits
from equilibria.games.decisions.cascading_world import CascadingWorld
from equilibria.games.decisions.restless_world import RestlessWorld
from equilibria.games.decisions.settings import CascadingSettings, FeedSettings, RestlessSettings
from equilibria.sim.seeds import SeedTree


def cascading(settings: CascadingSettings, *, seeds: SeedTree) -> ParallelView:
    """Build a view of a random cascading process; see ``CascadingWorld``."""
    return parallel_env(CascadingWorld(lists.build(settings, seeds=seeds)))


def corestless(settings: RestlessSettings, *, seeds: SeedTree) -> ParallelView:
    """Build a view of random coupled restless bandits; see ``RestlessWorld``."""
    return parallel_env(RestlessWorld(bandits.build(settings, seeds=seeds)))


def feed(settings: FeedSettings, *, seeds: SeedTree) -> ParallelView:
    """Build a view of the feed; see ``FeedWorld``."""
    return parallel_env(feeds.build(settings, seeds=seeds))
