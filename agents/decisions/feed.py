"""Learned recommenders for the feed: actor-critic on the main reward, and two-stage constrained actor-critic (TSCAC).

**Actor-critic.** The critic has two values: V of a user who is shown the next item, by regression on lambda-returns, and
U of a user who has seen an item and may leave, whose target is 0 after a departure and V's target otherwise.  With
A = r + gamma U - V the chance of a departure enters as an expectation; its single draws, each worth a whole session,
would drown the differences between items.  Values are learned in units of their running deviation.  The actor minimises
-A log pi, A centred and scaled to unit deviation; several passes over the same sessions with clipped ratios.

**TSCAC.** Stage 1 trains one policy pi_i per auxiliary reward (likes, shares) with its own critic and discount.
Stage 2 maximises the main advantage A under KL(pi || pi_i) <= epsilon_i, whose solution is proportional to
prod_i pi_i^(lambda_i / L) exp(A / L) with L = sum lambda_i: on actions of the present policy the loss is
- prod_i (pi_i / pi)^(lambda_i / L) exp(A / L) log pi, the weight cut at a cap, divided by its mean and not
differentiated.  L to infinity gives the geometric mean of the stage-1 policies, L to 0 the greedy main policy.

The certificate compares watch time with the frontier at the same likes and shares (see ``games.decisions.feed``).

Source: Cai et al. (2023), Two-stage constrained actor-critic for short video recommendation, WWW, arXiv 2302.01680.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from equilibria.agents.decisions.feed_rules import FrontierTable, judge
from equilibria.agents.decisions.settings import FeedACSettings, TSCACSettings
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.learning.value_norm import ValueNorm
from equilibria.games.decisions.feed import REWARDS, FeedWorld, Policy
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray

Tensor = Any
NORM_DECAY = 0.95
"""Decay of the running mean and deviation of returns, per update."""
_WORLD = ("elapsed", "observation", "running_return")


class FeedLearner(FrontierTable):
    """Actor-critic for the feed; one iteration is one update on worlds times steps items.

    Args:
        world: The feed.
        settings: ``FeedACSettings`` trains on watch time, ``TSCACSettings`` in two stages.
        seeds: Source of networks, users and actions.
        budget: Planned number of updates; TSCAC spends the part ``first_stage`` on the two auxiliary policies.

    Raises:
        NumericalError: If a loss is not finite.
    """

    def __init__(self, world: FeedWorld, settings: FeedACSettings, *, seeds: SeedTree, budget: int) -> None:
        self.game, self.settings = world, settings
        self._two_stages = isinstance(settings, TSCACSettings)
        self._stage1 = round(settings.first_stage * budget) if isinstance(settings, TSCACSettings) else 0
        count = 3 if self._two_stages else 1
        self._generator = torch.Generator().manual_seed(seeds.child("actions").integer())
        start = torch.Generator().manual_seed(seeds.child("networks").integer())
        items = world.settings.items
        self.actors = [_Network(settings.hidden, items, 0.01, start) for _ in range(count)]
        self.critics = [_Network(settings.hidden, 2, 1.0, start) for _ in range(count)]
        self._norms = [ValueNorm(decay=NORM_DECAY) for _ in range(count)]
        self._steps = [torch.optim.Adam(a.parameters(), settings.rate) for a in self.actors]
        self._critic_steps = [torch.optim.Adam(c.parameters(), settings.critic_rate) for c in self.critics]
        self._key = int(seeds.child("users").key())
        self._state = world.reset(self._key, settings.worlds)
        self._iteration = 0

    @property
    def iteration(self) -> int:
        """Updates done."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Do ``n`` updates; in stage 1 likes and shares take turns."""
        for _ in range(n):
            if self._iteration < self._stage1:
                self._update(1 + self._iteration % 2)
            else:
                self._update(0)
            self._iteration += 1

    def policy(self) -> Policy:
        """Return the policy of the main actor."""
        return self.policy_of(0)

    def policy_of(self, which: int) -> Policy:
        """Return the policy of an actor: 0 main, 1 likes, 2 shares."""
        actor = self.actors[which]

        def probabilities(observation: FloatArray) -> FloatArray:
            with torch.no_grad():
                scores = actor(torch.as_tensor(observation, dtype=torch.float32))
                return np.asarray(torch.softmax(scores.double(), -1).numpy())

        return probabilities

    def returns(self) -> FloatArray:
        """Return watch time, likes and shares [3] per session of the present policy."""
        return self.game.returns(self.policy())

    def metrics(self) -> dict[str, Any]:
        """Return the returns per session by reward."""
        return {"session_return": dict(zip(REWARDS, self.returns().tolist(), strict=True))}

    def save(self) -> State:
        """Return networks, optimisers, generator and sessions."""
        arrays: dict[str, AnyArray] = {"generator": self._generator.get_state().numpy().copy()}
        for name, nets, steps in self._groups():
            for i, (net, step) in enumerate(zip(nets, steps, strict=True)):
                for k, p in enumerate(net.parameters()):
                    arrays[f"{name}{i}/{k}"] = p.detach().numpy().copy()
                    for key, value in step.state.get(p, {}).items():
                        arrays[f"{name}{i}/{k}/{key}"] = value.numpy().copy()
        arrays |= {f"norm{i}": norm.save().arrays["sums"] for i, norm in enumerate(self._norms)}
        for key in _WORLD:
            arrays[f"world/{key}"] = getattr(self._state, key).copy()
        arrays |= {f"world/own/{k}": v.copy() for k, v in self._state.own.items()}
        return State(arrays, {"iteration": self._iteration, "clock": self._state.clock})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        self._generator.set_state(torch.from_numpy(np.array(state.arrays["generator"])))
        for name, nets, steps in self._groups():
            for i, (net, step) in enumerate(zip(nets, steps, strict=True)):
                for k, p in enumerate(net.parameters()):
                    p.data.copy_(torch.from_numpy(np.array(state.arrays[f"{name}{i}/{k}"])))
                    own = state.part(f"{name}{i}/{k}").arrays
                    if own:
                        step.state[p] = {key: torch.from_numpy(np.array(v)) for key, v in own.items()}
        for i, norm in enumerate(self._norms):
            norm.load(State({"sums": state.arrays[f"norm{i}"]}, norm.save().meta))
        self._state = self.game.reset(self._key, self.settings.worlds)
        for key in _WORLD:
            getattr(self._state, key)[:] = state.arrays[f"world/{key}"]
        for key, value in state.part("world/own").arrays.items():
            self._state.own[key][:] = value
        self._state.clock = int(str(state.meta["clock"]))
        self._iteration = int(str(state.meta["iteration"]))

    def certificate(self) -> Certificate:
        """Return the distance of the watch time from the frontier at the policy's likes and shares."""
        return judge(self.game, self.returns())

    def _groups(self) -> list[tuple[str, list[Any], list[Any]]]:
        return [("actor", self.actors, self._steps), ("critic", self.critics, self._critic_steps)]

    def _update(self, which: int) -> None:
        s = self.settings
        seen, acts, pay, after, ended = self._collect(which)
        discount = s.discount if which == 0 else s.auxiliary_discount
        critic, norm = self.critics[which], self._norms[which]
        with torch.no_grad():
            mean, spread = (float(x[0]) for x in norm.scale())
            values = critic(seen)[..., 0] * spread + mean
            left = critic(after) * spread + mean
            stays = (~ended).float()
            goal = _advantages(pay, values, stays * left[..., 0], stays, discount, s.critic_trace) + values
            later = stays * left[..., 0]
            later[:-1] = stays[:-1] * goal[1:]
            advantage = _advantages(pay, values, left[..., 1], stays, discount, s.trace)
            norm.update(goal.numpy())
            mean, spread = (float(x[0]) for x in norm.scale())
            goals = (torch.stack([goal, later], -1) - mean) / spread
            scaled = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
            logs = torch.log_softmax(self.actors[which](seen), -1).gather(-1, acts[..., None]).squeeze(-1)
            two = isinstance(s, TSCACSettings) and which == 0
            weight = self._weights(seen, acts, logs, scaled, s) if isinstance(s, TSCACSettings) and two else scaled
        bonus = s.auxiliary_entropy if isinstance(s, TSCACSettings) and which else s.entropy
        for _ in range(s.passes):
            found = torch.stack([critic(seen)[..., 0], critic(after)[..., 1]], -1)
            self._descend(self._critic_steps[which], critic, 0.5 * ((found - goals) ** 2).mean())
            now = torch.log_softmax(self.actors[which](seen), -1)
            ratio = torch.exp(now.gather(-1, acts[..., None]).squeeze(-1) - logs)
            # The gradient of the first pass is that of - weight log pi; the clip keeps later passes near the data.
            gain = torch.minimum(weight * ratio, weight * ratio.clamp(1.0 - s.clip, 1.0 + s.clip))
            loss = -gain.mean() + bonus * (now.exp() * now).sum(-1).mean()
            self._descend(self._steps[which], self.actors[which], loss)

    def _weights(self, seen: Tensor, acts: Tensor, chosen: Tensor, scaled: Tensor, s: TSCACSettings) -> Tensor:
        total = sum(s.multipliers)
        power = scaled / total
        for i, multiplier in enumerate(s.multipliers):
            other = torch.log_softmax(self.actors[1 + i](seen), -1).gather(-1, acts[..., None]).squeeze(-1)
            power = power + multiplier / total * (other - chosen)
        weight = torch.exp(power.clamp(max=math.log(s.weight_cap)))
        return weight / weight.mean() - 1.0  # a baseline: it leaves the expected gradient as it is

    def _collect(self, which: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        s, state = self.settings, self._state
        seen, acts, pay, after, ended = [], [], [], [], []
        for _ in range(s.steps):
            look = torch.from_numpy(state.observation[:, 0].copy())
            with torch.no_grad():
                p = torch.softmax(self.actors[which](look), -1)
            a = torch.multinomial(p, 1, generator=self._generator)
            seen.append(look)
            acts.append(a[:, 0])
            self.game.step(state, {"recommender": a.numpy()})
            reward = state.reward[:, 0] if which == 0 else state.own["extra"][:, which - 1]
            pay.append(torch.as_tensor(np.asarray(reward, np.float32)))
            ended.append(torch.from_numpy(state.ended.copy()))
            shown = np.where(state.ended[:, None], state.final_observation[:, 0], state.observation[:, 0])
            after.append(torch.from_numpy(shown))
        return torch.stack(seen), torch.stack(acts), torch.stack(pay), torch.stack(after), torch.stack(ended)

    def _descend(self, step: Any, net: Any, loss: Tensor) -> None:
        if not bool(torch.isfinite(loss)):
            raise NumericalError("loss", float(loss.detach()), step=self._iteration)
        step.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        step.step()


class _Network(torch.nn.Module):
    """A linear map plus one hidden layer: scores of items are mostly linear in the taste."""

    def __init__(self, hidden: int, outputs: int, gain: float, generator: Any) -> None:
        super().__init__()
        self.direct = torch.nn.Linear(6, outputs)
        self.first, self.second = torch.nn.Linear(6, hidden), torch.nn.Linear(hidden, outputs)
        for layer, scale in ((self.direct, gain), (self.first, math.sqrt(2.0)), (self.second, gain)):
            torch.nn.init.orthogonal_(layer.weight, scale, generator=generator)
            torch.nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.direct(x) + self.second(torch.tanh(self.first(x)))


def _advantages(pay: Tensor, values: Tensor, left: Tensor, stays: Tensor, discount: float, trace: float) -> Tensor:
    """Return generalised advantages [T, B] from values before and what is left after each item; nothing follows an end."""
    out, ahead = torch.empty_like(pay), torch.zeros_like(pay[0])
    for t in range(pay.shape[0] - 1, -1, -1):
        ahead = pay[t] + discount * left[t] - values[t] + discount * trace * stays[t] * ahead
        out[t] = ahead
    return out


def build_ac(settings: FeedACSettings, *, game: FeedWorld, roles: Any, seeds: SeedTree, budget: int) -> FeedLearner:
    """Build an actor-critic on the main reward."""
    return FeedLearner(game, settings, seeds=seeds, budget=budget)


def build_tscac(settings: TSCACSettings, *, game: FeedWorld, roles: Any, seeds: SeedTree, budget: int) -> FeedLearner:
    """Build TSCAC."""
    return FeedLearner(game, settings, seeds=seeds, budget=budget)
