"""Deep fictitious cross-play: a main and a counter team that learn by MAPPO against populations of frozen teams.

Per episode the main team meets itself, a past main team or a past counter team; the counter team meets
past main teams only and so learns what beats them as a team, which self-play never looks for.  After every
``snapshot_every`` updates both are frozen into the archive, which lets each new team meet all earlier ones.

With ``meta="uniform"`` the past is met as in the published battle experiments (0.2, 0.4, 0.4); with
``meta="nash"`` as in the matrix experiments: the equilibrium of the whole cross-play matrix for the main team,
that of main against counter teams for the counter team, which then usually starts anew (``reset_counter``).
Without counter teams this is self-play, fictitious self-play or PSRO with team responses.

Source: Xu, Liang, Yu, Wang and Wu (2023), Fictitious Cross-Play, arXiv 2310.03354.
Cost: two MAPPO updates per update, and P matches per snapshot of P earlier teams.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.players import FrozenPlayer, Player
from equilibria.agents.learning.policies import JointPolicy
from equilibria.agents.learning.response import CONFIDENCE
from equilibria.agents.solvers.fxp.deep.archive import COUNTER, KIND_NAMES, MAIN, TeamArchive, spread
from equilibria.agents.solvers.fxp.deep.exploitability import (
    exact_exploitability,
    team_probabilities,
    trained_exploitability,
)
from equilibria.agents.solvers.fxp.deep.opponents import PopulationPlayer
from equilibria.agents.solvers.fxp.deep.settings import DeepFXPSettings
from equilibria.agents.solvers.fxp.meta import meta_strategy
from equilibria.agents.solvers.fxp.opponents import OpponentSampler
from equilibria.games.analysis.ratings import Ratings
from equilibria.games.vector.two_teams import BLUE, RED, TeamGameWorld, TwoTeamWorld, two_team_world
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import UnknownName, Unsupported, did_you_mean
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray

_SELF, _CURRENT, _LIVE = 0, 1, 2  # places of live teams before those of the archive


class DeepFXP:
    """Fictitious cross-play with learned teams; one step is one update of every team in training.

    Args:
        game: A two-team world, or a symmetric team game (played one-shot with sampled actions).
        settings: See ``DeepFXPSettings``.
        seeds: Source of all randomness.
        budget: Updates of the run, for learning rates that fall; 0 when unknown.
        name: Registry name, for reports.

    Attributes:
        main: Learner of the main team.
        counter: Learner of the counter team, ``None`` without one.
        archive: Frozen teams, the initial ones first, and their cross-play matrix.

    Raises:
        UnsupportedGame: If the game is no symmetric game between two teams.
    """

    table_names: ClassVar[tuple[str, ...]] = ("cross_play", "elo", "team_policy")

    def __init__(
        self, game: Any, settings: DeepFXPSettings, *, seeds: SeedTree, budget: int = 0, name: str = "fxp_deep"
    ) -> None:
        self.world: TwoTeamWorld = two_team_world(game, name)
        self.settings, self.seeds, self.name, self._budget = settings, seeds, name, budget
        self._iteration, self._generation = 0, 0
        self._sampler = OpponentSampler(
            settings.p_self, settings.p_past_main, settings.p_past_counter, settings.p_current_counter
        )
        self.archive = TeamArchive(self.world, settings.match_episodes, seeds.child("cross-play"))
        self._players: dict[int, PopulationPlayer] = {}
        self.main = self._learner(MAIN, 0)
        self.counter = self._learner(COUNTER, 0) if settings.counter else None
        self._freeze()
        self._choose_opponents()

    # the solver contract

    @property
    def iteration(self) -> int:
        """Updates done."""
        return self._iteration

    @property
    def generation(self) -> int:
        """Snapshots taken after the initial one."""
        return self._generation

    @property
    def latest(self) -> dict[str, float]:
        """Numbers of the last update: those of the main team, those of the counter team as ``counter_...``."""
        numbers = dict(self.main.latest)
        if self.counter is not None:
            numbers |= {f"counter_{name}": value for name, value in self.counter.latest.items()}
        return numbers

    @property
    def spaces(self) -> Any:
        """What the main team sees and does."""
        return self.main.spaces

    def meet(self, opponents: Mapping[Any, Player]) -> None:
        """Accept no opponents: the teams train against each other.

        Raises:
            Unsupported: If there are any.
        """
        if opponents:
            raise Unsupported(f"{self.name} owns both teams: give it role 'all' and name no other agents")

    def step(self, n: int = 1) -> None:
        """Do ``n`` updates."""
        for _ in range(n):
            self.main.step(1)
            if self.counter is not None:
                self.counter.step(1)
            self._iteration += 1
            if self._iteration % self.settings.snapshot_every == 0:
                self._generation += 1
                self._freeze()
                self._renew()
                self._choose_opponents()

    def policy(self) -> JointPolicy:
        """Return the main team in training (after a snapshot with ``reset_main``: the frozen one)."""
        return self.archive.teams[self._last(MAIN)] if self._restarted else self.main.policy()

    def evaluate(self, episodes: int, seeds: SeedTree, *, greedy: bool = False) -> FloatArray:
        """Return undiscounted returns [episodes, agents] of the main team against its opponents' mixture."""
        return self.main.evaluate(episodes, seeds, greedy=greedy)

    def history(self) -> dict[str, FloatArray]:
        """Return what the main team logged since the last call."""
        return self.main.history()

    # results

    @property
    def population(self) -> TeamArchive:
        """The frozen teams."""
        return self.archive

    @property
    def payoff_matrix(self) -> FloatArray:
        """[P, P] sampled mean returns between the archive's teams."""
        return self.archive.payoffs.copy()

    def meta_strategy(self) -> FloatArray:
        """Return the equilibrium [P] of the sampled cross-play matrix."""
        return meta_strategy(self.archive.payoffs, "lp")

    def elo(self) -> Ratings:
        """Return Elo ratings of the archive's teams."""
        return self.archive.elo()

    def exploitability(self) -> float | None:
        """Return what the best pure team earns against the main team, exactly; ``None`` outside team games."""
        return exact_exploitability(self.world, [self.policy()], np.ones(1))

    def meta_exploitability(self) -> float | None:
        """Return the same for the meta-strategy's mixture of teams."""
        return exact_exploitability(self.world, self.archive.teams, self.meta_strategy())

    def target(self, key: int, *, whole: bool) -> tuple[Player, JointPolicy]:
        """Return what responses are trained against, and its (most likely) team as a start for them.

        Args:
            key: Seed of the player's own random numbers.
            whole: The meta-strategy's mixture instead of the main team.
        """
        if not whole:
            return FrozenPlayer(self.policy(), key), self.policy()
        teams, weights = list(self.archive.teams), self.meta_strategy()
        mixture = PopulationPlayer(lambda: teams, key)
        mixture.use(weights)
        return mixture, teams[int(np.argmax(weights))]

    def metrics(self) -> dict[str, float]:
        """Return headline numbers by name."""
        numbers = {"population": float(len(self.archive.teams)), "generation": float(self._generation)}
        main, meta = self.exploitability(), self.meta_exploitability()
        if main is not None and meta is not None:
            numbers |= {"main_exploitability": main, "meta_exploitability": meta}
        mains = self.archive.places(MAIN)
        if len(mains) > 1:
            ratings = self.archive.elo().rating
            numbers |= {
                "main_elo": float(ratings[mains[-1]]),
                "elo_gain": float(ratings[mains[-1]] - ratings[mains[0]]),
            }
        if self.counter is not None:
            newest = self.archive.payoffs[self._last(COUNTER), self._last(MAIN)]
            numbers["counter_against_main"] = float(newest)
        return numbers

    def certificate(self) -> Certificate:
        """Return the distance from a global equilibrium: exact in team games, a trained lower bound elsewhere."""
        whole = self.settings.certify == "meta"
        subject = "meta-strategy's mixture" if whole else "main team"
        exact = self.meta_exploitability() if whole else self.exploitability()
        if exact is not None and isinstance(self.world, TeamGameWorld):
            game = self.world.game
            return Certificate(
                measure=f"exploitability of the {subject}",
                value=max(exact, 0.0),
                unit="game payoff",
                method=f"enumeration of all {game.actions**game.members} pure teams, exact multilinear payoffs",
                details={"population": len(self.archive.teams), "generation": self._generation},
            )
        seeds = self.seeds.child("certificate", self._iteration)
        target, likely = self.target(seeds.child("target").integer(), whole=whole)
        starts: list[JointPolicy | None] = [None, likely]
        if self.counter is not None:
            starts.append(self.archive.teams[self._last(COUNTER)])
        found = trained_exploitability(
            self.world, target, self.settings, updates=self.settings.certificate_updates,
            episodes=self.settings.certificate_episodes, seeds=seeds, starts=starts,
        )  # fmt: skip
        value = max(found.gain, 0.0)
        return Certificate(
            measure=f"exploitability of the {subject}",
            value=value,
            unit="return per episode",
            method=f"best of {found.responses} team responses, each trained on {found.samples} samples",
            kind="lower bound",
            low=min(max(found.low, 0.0), value),
            high=max(found.high, value),
            confidence=CONFIDENCE,
            sample_size=found.episodes,
            details={"score": found.score, "population": len(self.archive.teams), "generation": self._generation},
        )

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return rows of a table: ``cross_play`` (pairs), ``elo`` (teams) or ``team_policy`` (team games only)."""
        archive = self.archive
        kinds = np.array([KIND_NAMES[k] for k in archive.kinds])
        generations = np.array(archive.generations, np.int64)
        if name == "cross_play":
            i, j = (x.ravel() for x in np.indices(archive.payoffs.shape))
            return {
                "kind": kinds[i], "generation": generations[i], "other_kind": kinds[j],
                "other_generation": generations[j], "payoff": archive.payoffs[i, j],
                "standard_error": archive.errors[i, j], "wins": archive.wins[i, j],
            }  # fmt: skip
        if name == "elo":
            if len(archive.teams) < 2:
                rating = error = np.array([1000.0, 0.0])[: len(archive.teams)]
            else:
                ratings = archive.elo()
                rating, error = ratings.rating, ratings.standard_error
            return {
                "kind": kinds, "generation": generations, "rating": rating, "standard_error": error,
                "weight": self.meta_strategy(),
            }  # fmt: skip
        if name == "team_policy":
            tables = np.stack([team_probabilities(self.world, team) for team in archive.teams])
            team, member, action = (x.ravel() for x in np.indices(tables.shape))
            return {
                "kind": kinds[team], "generation": generations[team], "member": member, "action": action,
                "probability": tables.ravel(),
            }  # fmt: skip
        raise UnknownName(f"{self.name} offers no table {name!r}; {did_you_mean(name, self.table_names, 'table')}")

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        whole = State({}, {"iteration": self._iteration, "generation": self._generation})
        whole = whole.merged(self.archive.save().nested("archive")).merged(self.main.save().nested("main"))
        return whole if self.counter is None else whole.merged(self.counter.save().nested("counter"))

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        self._iteration, self._generation = int(str(state.meta["iteration"])), int(str(state.meta["generation"]))
        self.archive.load(state.part("archive"), lambda: self._learner(MAIN, 0).policy())
        self.main = self._learner(MAIN, self._generation if self.settings.reset_main else 0)
        if self.counter is not None:
            self.counter = self._learner(COUNTER, self._generation if self.settings.reset_counter else 0)
            self.counter.load(state.part("counter"))
        self.main.load(state.part("main"))
        self._choose_opponents()

    # populations

    @property
    def _restarted(self) -> bool:
        """Whether the main team has just been replaced by an untrained one."""
        started = self._iteration % self.settings.snapshot_every == 0
        return self.settings.reset_main and started and self._generation > 0

    def _last(self, kind: int) -> int:
        return int(self.archive.places(kind)[-1])

    def _learner(self, kind: int, generation: int) -> Learner:
        """Return a fresh learner of red whose opponents are live teams and the archive."""
        seeds = self.seeds.child(KIND_NAMES[kind], generation)
        player = PopulationPlayer(self._teams, seeds.child("opponents").integer())
        self._players[kind] = player
        return Learner(
            self.world, self.settings, seeds=seeds, roles=[RED], opponents={BLUE: player}, budget=self._budget
        )

    def _teams(self) -> Sequence[JointPolicy]:
        current = self.main if self.counter is None else self.counter
        return [self.main.policy(), current.policy(), *self.archive.teams]

    def _freeze(self) -> None:
        self.archive.add(self.main.policy(), MAIN, self._generation)
        if self.counter is not None:
            self.archive.add(self.counter.policy(), COUNTER, self._generation)

    def _renew(self) -> None:
        if self.settings.reset_main:
            self.main = self._learner(MAIN, self._generation)
        if self.settings.reset_counter and self.counter is not None:
            self.counter = self._learner(COUNTER, self._generation)

    def _choose_opponents(self) -> None:
        self._players[MAIN].use(self._main_weights())
        if self.counter is not None:
            self._players[COUNTER].use(self._counter_weights())

    def _main_weights(self) -> FloatArray:
        """Return the distribution of the main team's opponents over live teams and the archive."""
        mains, counters = self.archive.places(MAIN), self.archive.places(COUNTER)
        whole = np.zeros(_LIVE + len(self.archive.teams))
        if self.settings.meta == "nash":
            whole[_SELF] = self.settings.p_self
            whole[_LIVE:] = (1 - self.settings.p_self) * self.meta_strategy()
            return _distribution(whole)
        chances = self._sampler.probabilities(len(mains), len(counters))
        whole[_SELF], whole[_CURRENT] = chances[0], chances[3]
        for chance, places in ((chances[1], mains), (chances[2], counters)):
            if len(places):
                whole[_LIVE + places] = chance / len(places)
        return _distribution(whole)

    def _counter_weights(self) -> FloatArray:
        """Return the distribution of the counter team's opponents: past main teams."""
        mains, counters = self.archive.places(MAIN), self.archive.places(COUNTER)
        part = np.full(len(mains), 1 / len(mains))
        if self.settings.meta == "nash":
            part = meta_strategy(self.archive.payoffs[np.ix_(mains, counters)], "lp")
        return _distribution(spread(part, _LIVE + mains, _LIVE + len(self.archive.teams)))


def _distribution(weights: FloatArray) -> FloatArray:
    clipped = np.maximum(weights, 0.0)
    return np.asarray(clipped / clipped.sum())
