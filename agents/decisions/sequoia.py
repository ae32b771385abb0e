"""SEQUOIA: a cost network inside the choice of a feasible set of arms.

Q(s, a) is a network of the joint state and the set, two ReLU layers, that predicts *cost* (minus reward).  The set is
the feasible one with the least Q: by evaluating all feasible sets (exact and fast up to 16 arms), or by an integer
program in which every hidden unit h = W x + b is split, h = h+ - h-, h+ <= M y, h- <= M (1 - y), with bounds M from
interval propagation.  Before training Q fits the one-step cost of enumerated and random states.

Training: epsilon-greedy, prioritised replay (alpha 0.6, beta 0.4), Huber loss, AdamW (amsgrad), gradient norm 5, soft
target, step size times 0.9 after each episode.  One iteration is one episode.

Source: Xu, Wilder, Khalil, Tambe (2025), ICLR, arXiv 2503.01919.  Ours: hidden layers (8, 8), rewards in units of the
largest one-step reward.  With the published target rate of 1e-6 the target stays at its pre-training, so Q learns the
cost of one step plus the least myopic cost after it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack

from equilibria.agents.decisions.restless import after, judge, one_by_one
from equilibria.agents.decisions.settings import SequoiaSettings
from equilibria.agents.learning.torch_import import torch
from equilibria.games.decisions.restless import EXACT_ARMS, STATES, RestlessGame
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import NumericalError, Unsupported
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray, FloatArray, IntArray

MOST_ARMS = 8
RANDOM_STATES = 50
ALPHA, BETA = 0.6, 0.4
Tensor = Any


class Sequoia:
    """The learner.

    Args:
        game: Instance with at most 8 arms and sets of controls that can be listed.
        settings: Parameters.
        seeds: Source of the network, of episodes and of exploration.

    Raises:
        Unsupported: If there are more than 8 arms.
    """

    def __init__(self, game: RestlessGame, settings: SequoiaSettings, *, seeds: SeedTree) -> None:
        if game.arms > MOST_ARMS:
            raise Unsupported(f"sequoia takes at most {MOST_ARMS} arms, got {game.arms}")
        self.game, self.settings = game, settings
        self._seeds = seeds
        self._members = game.members()
        self._pay = game.step_reward()
        self._unit = float(self._pay.max(axis=(0, 2)).sum())
        start = torch.Generator().manual_seed(seeds.child("network").integer())
        sizes = (game.controls + game.arms, *settings.hidden, 1)
        self._nets = [_network(sizes, start), _network(sizes, start)]
        self._optimiser = torch.optim.AdamW(self._nets[0].parameters(), settings.rate, eps=1.5e-4, amsgrad=True)
        width = game.arms + game.controls + 2  # state, set, reward, priority
        self._memory = np.zeros((settings.buffer, width), np.float32)
        self._next = np.zeros((settings.buffer, game.arms), np.float32)
        self._totals, self._counts = np.zeros(3), np.zeros(3, np.int64)  # episodes; steps, stored, position
        self._iteration = 0
        self._pretrain()
        self._nets[1].load_state_dict(self._nets[0].state_dict())
        self._fill()

    @property
    def iteration(self) -> int:
        """Episodes played."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Play and learn from ``n`` episodes."""
        for _ in range(n):
            rng = self._seeds.child("episode", self._iteration).generator()
            state = (rng.random(self.game.arms) < 0.2).astype(np.int64)
            total = 0.0
            for _ in range(self.game.horizon):
                pulled = self._explore(state, rng)
                total += self.game.expected(state, pulled)
                state = self._store(state, pulled, rng)
                self._learn(rng)
            self._totals += 1.0, total, total * total
            for group in self._optimiser.param_groups:
                group["lr"] *= self.settings.rate_decay
            self._iteration += 1

    def policy(self) -> Any:
        """Return the greedy decision function of (step, states [J], generator)."""
        return lambda t, s, rng: self.best(s)

    def best(self, state: IntArray) -> BoolArray:
        """Return the feasible set bool [J] with the least predicted cost."""
        if self.settings.decide == "milp":
            return self._by_program(state)
        if self.settings.decide == "iterative":
            return one_by_one(self.game, lambda sets: -self._set_costs(state, sets))
        return np.asarray(self._members[int(self._costs(state[None], self._nets[0])[0].argmin())])

    def metrics(self) -> dict[str, float]:
        """Return the mean expected reward per step of the episodes so far, exploration included."""
        return {"reward_per_step": float(self._totals[1] / max(self._totals[0], 1.0)) / self.game.horizon}

    def table(self) -> IntArray:
        """Return the greedy sets [H, 4^J] (at most 6 arms); the network does not see the step."""
        states, bits = self.game.joint_states(), 1 << np.arange(self.game.controls)
        if self.settings.decide == "iterative":
            chosen = np.array([self.best(s) for s in states], np.int64) @ bits
            return np.broadcast_to(chosen, (self.game.horizon, chosen.size)).copy()
        costs = self._costs(states, self._nets[0])
        chosen = (self._members.astype(np.int64) @ bits)[costs.argmin(axis=1)]
        return np.broadcast_to(chosen, (self.game.horizon, chosen.size)).copy()

    def certificate(self) -> Certificate:
        """Return the distance of the greedy policy from the optimum or the relaxed bound."""
        return judge(self.game, self.table() if self.game.arms <= EXACT_ARMS else None, self._totals)

    def save(self) -> State:
        """Return networks, optimiser, replay and totals."""
        arrays: dict[str, AnyArray] = {
            "memory": self._memory.copy(), "next": self._next.copy(), "totals": self._totals.copy(),
            "counts": self._counts.copy(), "rate": np.array([self._optimiser.param_groups[0]["lr"]]),
        }  # fmt: skip
        for i, net in enumerate(self._nets):
            arrays |= {f"net{i}/{k}": p.detach().numpy().copy() for k, p in enumerate(net.parameters())}
        for k, p in enumerate(self._nets[0].parameters()):
            arrays |= {f"adam/{k}/{key}": v.numpy().copy() for key, v in self._optimiser.state.get(p, {}).items()}
        return State(arrays, {"iteration": self._iteration})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        self._memory[:], self._next[:] = state.arrays["memory"], state.arrays["next"]
        self._totals[:], self._counts[:] = state.arrays["totals"], state.arrays["counts"]
        for i, net in enumerate(self._nets):
            for k, p in enumerate(net.parameters()):
                p.data.copy_(torch.from_numpy(np.array(state.arrays[f"net{i}/{k}"])))
        for k, p in enumerate(self._nets[0].parameters()):
            own = state.part(f"adam/{k}").arrays
            if own:
                self._optimiser.state[p] = {key: torch.from_numpy(np.array(v)) for key, v in own.items()}
        for group in self._optimiser.param_groups:
            group["lr"] = float(np.asarray(state.arrays["rate"], np.float64)[0])
        self._iteration = int(str(state.meta["iteration"]))

    # --- network ---------------------------------------------------------------------------------------

    def _features(self, states: AnyArray, sets: AnyArray) -> Tensor:
        rows = np.concatenate([np.asarray(sets, np.float32), np.asarray(states, np.float32) / (STATES - 1)], axis=-1)
        return torch.from_numpy(rows)

    def _costs(self, states: AnyArray, net: Any) -> FloatArray:
        """Return predicted costs [R, F] of all feasible sets."""
        g, shape = self.game, (len(states), len(self._members))
        with torch.no_grad():
            x = self._features(
                np.broadcast_to(states[:, None], (*shape, g.arms)), np.broadcast_to(self._members, (*shape, g.controls))
            )
            return np.asarray(net(x).squeeze(-1).numpy(), np.float64)

    def _set_costs(self, state: IntArray, sets: BoolArray) -> FloatArray:
        """Return predicted costs [M] of sets bool [M, C]."""
        with torch.no_grad():
            x = self._features(np.broadcast_to(state, (len(sets), state.size)), sets)
            return np.asarray(self._nets[0](x).squeeze(-1).numpy(), np.float64)

    def _by_program(self, state: IntArray) -> BoolArray:
        """Minimise the network over feasible sets by an integer program."""
        layers = [m for m in self._nets[0] if isinstance(m, torch.nn.Linear)]
        weights = [(m.weight.detach().double().numpy(), m.bias.detach().double().numpy()) for m in layers]
        program, controls = self.game.coupling.program(), self.game.controls
        fixed = state / (STATES - 1)
        w0, b0 = weights[0]
        weights[0] = (w0[:, :controls], b0 + w0[:, controls:] @ fixed)
        sizes = [len(b) for _, b in weights[:-1]]
        # variables: controls, the coupling's own, then per hidden layer h+, h-, y
        starts = [controls + program.upper.size]
        for size in sizes:
            starts.append(starts[-1] + 3 * size)
        count = starts[-1]
        rows: list[tuple[FloatArray, float, float]] = []
        low_x, high_x = np.zeros(controls), np.ones(controls)
        upper, integral = np.ones(count), np.zeros(count)
        integral[: starts[0]] = 1
        upper[controls : starts[0]] = program.upper
        inputs = np.arange(controls)
        for layer, size in enumerate(sizes):
            w, b = weights[layer]
            top = np.maximum(w, 0) @ high_x + np.minimum(w, 0) @ low_x + b
            bottom = np.maximum(w, 0) @ low_x + np.minimum(w, 0) @ high_x + b
            most, least = np.maximum(top, 0.0), np.maximum(-bottom, 0.0)
            at = starts[layer]
            for h in range(size):
                row = np.zeros(count)
                row[inputs] = w[h]
                row[at + h], row[at + size + h] = -1.0, 1.0
                rows.append((row, -b[h], -b[h]))
                row = np.zeros(count)
                row[at + h], row[at + 2 * size + h] = 1.0, -most[h]
                rows.append((row, -np.inf, 0.0))
                row = np.zeros(count)
                row[at + size + h], row[at + 2 * size + h] = 1.0, least[h]
                rows.append((row, -np.inf, least[h]))
            upper[at : at + size], upper[at + size : at + 2 * size] = most, least
            integral[at + 2 * size : at + 3 * size] = 1
            inputs, low_x, high_x = np.arange(at, at + size), np.zeros(size), most
        objective = np.zeros(count)
        objective[inputs] = weights[-1][0][0]
        matrix = np.array([r for r, _, _ in rows])
        own = hstack([program.matrix, csr_array((program.matrix.shape[0], count - starts[0]))]).tocsr()
        found = milp(
            objective, integrality=integral, bounds=Bounds(0.0, upper),
            constraints=[LinearConstraint(matrix, [a for _, a, _ in rows], [b for _, _, b in rows]),
                         LinearConstraint(own, program.low, program.high)],
        )  # fmt: skip
        if found.x is None:
            raise NumericalError("cost program", float("nan"), where=str(found.message))
        return np.asarray(found.x[:controls] > 0.5)

    # --- training --------------------------------------------------------------------------------------

    def _pretrain(self) -> None:
        rng = self._seeds.child("pretrain").generator()
        g = self.game
        strategic = np.concatenate(
            [np.full((1, g.arms), s) for s in range(STATES)] + [s * np.eye(g.arms) for s in (1, 2, 3)]
        )
        states = np.concatenate([strategic, rng.integers(0, STATES, (RANDOM_STATES * g.horizon, g.arms))]).astype(
            np.int64
        )
        sets = self._members[rng.integers(0, len(self._members), len(states))]
        cost = -self._pay[g.modes(sets), np.arange(g.arms), states].sum(axis=1) / self._unit
        x, y = self._features(states, sets), torch.from_numpy(cost.astype(np.float32))
        adam = torch.optim.AdamW(self._nets[0].parameters(), 1e-2)
        for _ in range(self.settings.pretrain):
            loss = torch.nn.functional.huber_loss(self._nets[0](x).squeeze(-1), y)
            adam.zero_grad()
            loss.backward()
            adam.step()

    def _fill(self) -> None:
        rng = self._seeds.child("fill").generator()
        for _ in range(self.settings.buffer // 10 // self.game.horizon + 1):
            state = (rng.random(self.game.arms) < 0.2).astype(np.int64)
            for _ in range(self.game.horizon):
                state = self._store(state, self._members[int(rng.integers(len(self._members)))], rng)

    def _explore(self, state: IntArray, rng: np.random.Generator) -> BoolArray:
        s = self.settings
        chance = s.explore_end + (s.explore - s.explore_end) * np.exp(-self._counts[0] / s.explore_decay)
        self._counts[0] += 1
        if rng.random() < chance:
            return np.asarray(self._members[int(rng.integers(len(self._members)))])
        return self.best(state)

    def _store(self, state: IntArray, pulled: BoolArray, rng: np.random.Generator) -> IntArray:
        arms, at = self.game.arms, int(self._counts[2])
        new = after(self.game, state, pulled, rng)
        row = self._memory[at]
        row[:arms], row[arms:-2], row[-2] = state, pulled, self.game.expected(state, pulled) / self._unit
        row[-1] = max(1e-3, float(self._memory[:, -1].max())) if self._counts[1] else 1.0
        self._next[at] = new
        self._counts[1] = min(self.settings.buffer, int(self._counts[1]) + 1)
        self._counts[2] = (at + 1) % self.settings.buffer
        return new

    def _learn(self, rng: np.random.Generator) -> None:
        s, arms, stored = self.settings, self.game.arms, int(self._counts[1])
        share = self._memory[:stored, -1].astype(np.float64) ** ALPHA
        share /= share.sum()
        at = rng.choice(stored, s.batch, p=share)
        weight = (stored * share[at]) ** -BETA
        rows = self._memory[at]
        ahead = self._costs(self._next[at], self._nets[1]).min(axis=1)
        goal = torch.from_numpy((-rows[:, -2] + s.discount * ahead).astype(np.float32))
        predicted = self._nets[0](self._features(rows[:, :arms], rows[:, arms:-2])).squeeze(-1)
        loss = torch.nn.functional.huber_loss(predicted, goal, reduction="none")
        total = (loss * torch.from_numpy((weight / weight.max()).astype(np.float32))).mean()
        if not bool(torch.isfinite(total)):
            raise NumericalError("loss", float(total.detach()), step=self._iteration)
        self._optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self._nets[0].parameters(), 5.0)
        self._optimiser.step()
        with torch.no_grad():
            self._memory[at, -1] = (predicted - goal).abs().numpy() + 1e-3
            for mine, slow in zip(self._nets[0].parameters(), self._nets[1].parameters(), strict=True):
                slow.lerp_(mine, s.target_rate)


def _network(sizes: tuple[int, ...], generator: Any) -> Any:
    layers: list[Any] = []
    for k, (a, b) in enumerate(pairwise(sizes)):
        layer = torch.nn.Linear(a, b)
        torch.nn.init.orthogonal_(layer.weight, 2.0**0.5 if k < len(sizes) - 2 else 1.0, generator=generator)
        torch.nn.init.zeros_(layer.bias)
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def build(settings: SequoiaSettings, *, game: RestlessGame, roles: Any, seeds: SeedTree, budget: int) -> Sequoia:
    """Build the agent."""
    return Sequoia(game, settings, seeds=seeds)
