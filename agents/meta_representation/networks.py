"""Networks of MRA: relation, policy, critic, task encoder and task predictor.

Axes: M joint samples, N agents, H latents, F = 4 + 3 L entries of a row, A actions.

A row s_j is what agent j sees of itself: velocity, position, view of the sites.  What i sees of j, o_ij, is
that row with the place of j relative to i, so a linear layer on o_ij splits into a part of j and a part of i,

    W o_ij + b = (W r_j + b) - W_place p_i,

which costs one multiplication per agent instead of one per pair.  Second layers are linear and attention
weights sum to one, so they are applied after pooling.  Both are identities: the numbers are those of the
networks written pair by pair.

Source: Zhang, Shen, Han, Shen (2021), arXiv 2108.12988, and its code.
"""

from __future__ import annotations

from equilibria.agents.learning.torch_import import torch
from equilibria.agents.meta_representation.attention import Pairs, attention, pool
from equilibria.agents.meta_representation.selectors import (
    HIDDEN,
    OtherSelector,
    Relations,
    SiteSelector,
    check_rows,
    sites_of,
    xavier,
)
from equilibria.sim.errors import InvalidValue

EMBEDDING = 64
"""Units of an attended embedding."""


class RelationNet(torch.nn.Module):
    """Game-specific selector: what an agent attends to, one pattern per latent.

    Args:
        width: F.
        latents: H.
        generator: Source of the first weights.
        sites: Attend to sites too, beside others.
    """

    def __init__(self, width: int, latents: int, generator: torch.Generator, *, sites: bool = False) -> None:
        super().__init__()
        self.width = width
        self.others = OtherSelector(width, latents, generator)
        self.sites = SiteSelector(width, latents, generator) if sites else None

    def forward(self, rows: torch.Tensor, z: torch.Tensor) -> Relations:
        """Return relations, one per agent.

        Args:
            rows: [M, N, F].
            z: int64 [M, N] latents, or float [M, N, H] one-hot ones that carry gradients.
        """
        check_rows(rows, self.width)
        return Relations(self.others(rows, z), None if self.sites is None else self.sites(rows, z))

    def heads(self, rows: torch.Tensor) -> Relations:
        """Return the patterns of all latents, K = H."""
        check_rows(rows, self.width)
        return Relations(self.others.heads(rows), None if self.sites is None else self.sites.heads(rows))


class SiteValues(torch.nn.Module):
    """What attended sites look like: sum_l w_il ReLU(W site_il + b), 3-32.

    Args:
        generator: Source of the first weights.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, HIDDEN)
        xavier(self, generator)

    def forward(self, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return [M, N, K, 32] of rows [M, N, F] and weights [M, N, K, L]."""
        return weights @ torch.relu(self.layer(sites_of(rows)))


class PolicyNet(torch.nn.Module):
    """Game-common knowledge: actions from what is attended to, and (optionally) from the own state.

    value(o_ij): F-32-64, e_i = sum_j g_ij value(o_ij), logits: 64(+32)(+32)-32-A.

    Args:
        width: F.
        actions: A.
        embed_self: Append an embedding (F-32) of the own row; without it s_i enters through attention alone.
        generator: Source of the first weights.
        sites: Append the attended sites (32).
    """

    def __init__(
        self, width: int, actions: int, *, embed_self: bool, generator: torch.Generator, sites: bool = False
    ) -> None:
        super().__init__()
        self.width, self.actions = width, actions
        self.value_in = Pairs(width, HIDDEN)
        self.value_out = torch.nn.Linear(HIDDEN, EMBEDDING)
        self.own = torch.nn.Linear(width, HIDDEN) if embed_self else None
        self.head_in = torch.nn.Linear(EMBEDDING + HIDDEN * (embed_self + sites), HIDDEN)
        self.head_out = torch.nn.Linear(HIDDEN, actions)
        xavier(self, generator)
        self.sites = SiteValues(generator) if sites else None
        with torch.no_grad():
            self.head_out.weight.mul_(0.1)  # first policies are close to uniform

    def embed(self, rows: torch.Tensor, relations: Relations) -> torch.Tensor:
        """Return e [M, N, 64], the attended others."""
        g = relations.others.unsqueeze(2)
        return self.value_out(pool(self.value_in(rows), g).squeeze(2))  # type: ignore[no-any-return]

    def forward(self, rows: torch.Tensor, relations: Relations) -> torch.Tensor:
        """Return logits [M, N, A] of rows [M, N, F] under one relation per agent."""
        return self.heads(rows, relations.stacked()).squeeze(2)

    def heads(self, rows: torch.Tensor, relations: Relations) -> torch.Tensor:
        """Return logits [M, N, K, A] under K relations per agent.

        Raises:
            InvalidValue: If the relations are of other numbers of samples, agents or sites, or lack the sites.
        """
        check_rows(rows, self.width)
        g, w = relations.others, relations.sites
        if g.shape[:2] != rows.shape[:2] or g.shape[3] != rows.shape[1]:
            raise InvalidValue(f"relations {tuple(g.shape)} do not fit rows {tuple(rows.shape)}")
        parts = [self.value_out(pool(self.value_in(rows), g))]
        if self.own is not None:
            mine = torch.relu(self.own(rows)).unsqueeze(2)
            parts.append(mine.expand(-1, -1, g.shape[2], -1))
        if self.sites is not None:
            if w is None or w.shape != (*g.shape[:3], (self.width - 4) // 3):
                found = None if w is None else tuple(w.shape)
                raise InvalidValue(f"relations to sites {found} do not fit rows {tuple(rows.shape)}")
            parts.append(self.sites(rows, w))
        return self.head_out(torch.relu(self.head_in(torch.cat(parts, dim=-1))))  # type: ignore[no-any-return]


class CriticNet(torch.nn.Module):
    """Values of agents from all agents: own attention, then messages along the policy's relations.

    e_i as in the policy, with its own key and query (F-16-32); c_i: 64(+32)-32-16; m_i = c_i + sum_j g_ij c_j;
    own_i: the same shape; V_i = linear([m_i, own_i]).  The published critic takes actions too and returns Q.

    Args:
        width: F.
        generator: Source of the first weights.
        sites: Append the sites that agents attend to.
    """

    def __init__(self, width: int, generator: torch.Generator, *, sites: bool = False) -> None:
        super().__init__()
        self.width = width
        self.key = torch.nn.Sequential(torch.nn.Linear(width, 16), torch.nn.ReLU(), torch.nn.Linear(16, 32))
        self.query_in = Pairs(width, 16)
        self.query_out = torch.nn.Linear(16, 32)
        self.value_in = Pairs(width, HIDDEN)
        self.value_out = torch.nn.Linear(HIDDEN, EMBEDDING)
        self.self_in = torch.nn.Linear(width, HIDDEN)
        seen = EMBEDDING + HIDDEN * (1 + sites)
        self.message = torch.nn.Sequential(torch.nn.Linear(seen, 32), torch.nn.ReLU(), torch.nn.Linear(32, 16))
        self.own = torch.nn.Sequential(torch.nn.Linear(seen, 32), torch.nn.ReLU(), torch.nn.Linear(32, 16))
        self.out = torch.nn.Linear(32, 1)
        xavier(self, generator)
        self.sites = SiteValues(generator) if sites else None

    def forward(self, rows: torch.Tensor, relations: Relations) -> torch.Tensor:
        """Return values [M, N]."""
        check_rows(rows, self.width)
        u = self.key(rows) @ self.query_out.weight
        weights = attention(self.query_in(rows), u.unsqueeze(2))
        parts = [self.value_out(pool(self.value_in(rows), weights).squeeze(2)), torch.relu(self.self_in(rows))]
        if self.sites is not None and relations.sites is not None:
            parts.append(self.sites(rows, relations.sites.unsqueeze(2)).squeeze(2))
        e = torch.cat(parts, dim=-1)
        c = self.message(e)
        m = c + relations.others @ c
        return self.out(torch.cat([m, self.own(e)], dim=-1)).squeeze(-1)  # type: ignore[no-any-return]


class TaskEncoder(torch.nn.Module):
    """p(z|N): softmax(f(N / 10) / 4), f: 1-3-H; a function of the number of agents only."""

    def __init__(self, latents: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(1, 3), torch.nn.ReLU(), torch.nn.Linear(3, latents))
        xavier(self, generator)

    def forward(self, agents: int) -> torch.Tensor:
        """Return logits [H] of the latents for ``agents`` agents."""
        return self.layers(torch.tensor([agents / 10.0])) / 4.0  # type: ignore[no-any-return]


class TaskPredictor(torch.nn.Module):
    """Which game is played, from attended embedding and latent: (64 + H)-35-games per agent, summed over agents."""

    def __init__(self, latents: int, games: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(EMBEDDING + latents, 35), torch.nn.ReLU(), torch.nn.Linear(35, games)
        )
        xavier(self, generator)

    def forward(self, embedding: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Return logits [M, games] of embeddings [M, N, 64] and latents [M, N, H]."""
        return self.layers(torch.cat([embedding, z], dim=-1)).sum(dim=1)  # type: ignore[no-any-return]
