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

import math

from equilibria.agents.learning.torch_import import torch
from equilibria.agents.meta_representation.attention import Pairs, attention, pool
from equilibria.sim.errors import InvalidValue

HIDDEN, KEY, EMBEDDING = 32, 16, 64
"""Units of hidden layers, of a key, of an attended embedding."""


def _xavier(module: torch.nn.Module, generator: torch.Generator) -> None:
    """Draw Xavier-normal weights, zero biases."""
    for name, parameter in module.named_parameters():
        with torch.no_grad():
            if parameter.dim() < 2 or name.endswith("bias"):
                parameter.zero_()
            else:
                fan = parameter.shape[-1] + parameter.shape[-2]
                parameter.normal_(0.0, math.sqrt(2.0 / fan), generator=generator)


def check_rows(rows: torch.Tensor, width: int) -> None:
    """Refuse rows that are not [M, N >= 2, F].

    Raises:
        InvalidValue: If the shape differs, or there is no other agent to attend to.
    """
    if rows.dim() != 3 or rows.shape[2] != width:
        raise InvalidValue(f"rows must have shape (samples, agents, {width}), got {tuple(rows.shape)}")
    if rows.shape[1] < 2:
        raise InvalidValue("agents attend to others: at least 2 agents are needed, got 1")


class RelationNet(torch.nn.Module):
    """Game-specific selector: which others an agent attends to, one pattern per latent.

    key(s_i): F-32-16H, query(o_ij): the same; latent z_i picks the head.

    Args:
        width: F.
        latents: H.
        generator: Source of the first weights.
    """

    def __init__(self, width: int, latents: int, generator: torch.Generator) -> None:
        super().__init__()
        self.width, self.latents = width, latents
        self.key_in = torch.nn.Linear(width, HIDDEN)
        self.key_out = torch.nn.Linear(HIDDEN, KEY * latents)
        self.query_in = Pairs(width, HIDDEN)
        self.query_out = torch.nn.Linear(HIDDEN, KEY * latents)
        _xavier(self, generator)

    def forward(self, rows: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Return g [M, N, N], rows in the simplex over the others.

        Args:
            rows: [M, N, F].
            z: int64 [M, N] latents, or float [M, N, H] one-hot ones that carry gradients.
        """
        check_rows(rows, self.width)
        if z.dtype == torch.int64:
            u = self._chosen(torch.relu(self.key_in(rows)), z)
        else:
            # soft latents mix keys and queries, so the square of z appears where z is not one-hot
            u = torch.einsum("mnhgd,mnh,mng->mnd", self._crossed(rows), z, z)
        return attention(self.query_in(rows), u.unsqueeze(2)).squeeze(2)

    def heads(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the patterns of all latents, [M, N, H, N]."""
        check_rows(rows, self.width)
        weight, bias = self._products()
        hidden = torch.relu(self.key_in(rows))
        u = (hidden @ weight.reshape(-1, HIDDEN).T).view(*rows.shape[:2], self.latents, HIDDEN) + bias
        return attention(self.query_in(rows), u)

    def _products(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return W_query,h^T W_key,h [H, 32, 32] and W_query,h^T b_key,h [H, 32].

        They turn the second layers of key and query into one vector u_i per agent with score u_i . hidden_ij; the
        bias of the query adds the same number to all scores of an agent, which the softmax ignores.
        """
        query = self.query_out.weight.view(self.latents, KEY, HIDDEN).transpose(1, 2)
        weight = query @ self.key_out.weight.view(self.latents, KEY, HIDDEN)
        return weight, (query @ self.key_out.bias.view(self.latents, KEY, 1)).squeeze(-1)

    def _chosen(self, hidden: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Return u [M, N, 32] of chosen latents: agents are sorted by latent, one multiplication each."""
        weight, bias = self._products()
        flat = hidden.reshape(-1, HIDDEN)
        if self.latents == 1:
            return torch.addmm(bias[0], flat, weight[0].T).view_as(hidden)
        order = z.reshape(-1).argsort()
        counts = torch.bincount(z.reshape(-1), minlength=self.latents).tolist()
        parts = flat[order].split(counts)
        u = torch.cat([torch.addmm(bias[h], part, weight[h].T) for h, part in enumerate(parts)])
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        return u[back].view_as(hidden)

    def _crossed(self, rows: torch.Tensor) -> torch.Tensor:
        """Return W_query,g^T key_h(s_i) for all pairs of heads, [M, N, H, H, 32]."""
        keys = self.key_out(torch.relu(self.key_in(rows))).view(*rows.shape[:2], self.latents, KEY)
        return torch.einsum("mnhk,gkd->mnhgd", keys, self.query_out.weight.view(self.latents, KEY, HIDDEN))


class PolicyNet(torch.nn.Module):
    """Game-common knowledge: actions from attended others, and (optionally) from the own state.

    value(o_ij): F-32-64, e_i = sum_j g_ij value(o_ij), logits: 64(+32)-32-A.

    Args:
        width: F.
        actions: A.
        embed_self: Append an embedding (F-32) of the own row; without it s_i enters through attention alone.
        generator: Source of the first weights.
    """

    def __init__(self, width: int, actions: int, *, embed_self: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.width, self.actions = width, actions
        self.value_in = Pairs(width, HIDDEN)
        self.value_out = torch.nn.Linear(HIDDEN, EMBEDDING)
        self.own = torch.nn.Linear(width, HIDDEN) if embed_self else None
        self.head_in = torch.nn.Linear(EMBEDDING + (HIDDEN if embed_self else 0), HIDDEN)
        self.head_out = torch.nn.Linear(HIDDEN, actions)
        _xavier(self, generator)
        with torch.no_grad():
            self.head_out.weight.mul_(0.1)  # first policies are close to uniform

    def embed(self, rows: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """Return e [M, N, 64] of relations g [M, N, N]."""
        return self.value_out(pool(self.value_in(rows), g.unsqueeze(2)).squeeze(2))  # type: ignore[no-any-return]

    def forward(self, rows: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """Return logits [M, N, A] of rows [M, N, F] under relations g [M, N, N]."""
        return self.heads(rows, g.unsqueeze(2)).squeeze(2)

    def heads(self, rows: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """Return logits [M, N, K, A] under K relations per agent, g [M, N, K, N]."""
        check_rows(rows, self.width)
        if g.shape[:2] != rows.shape[:2] or g.shape[3] != rows.shape[1]:
            raise InvalidValue(f"relations {tuple(g.shape)} do not fit rows {tuple(rows.shape)}")
        e = self.value_out(pool(self.value_in(rows), g))
        if self.own is not None:
            mine = torch.relu(self.own(rows)).unsqueeze(2)
            e = torch.cat([e, mine.expand(-1, -1, g.shape[2], -1)], dim=-1)
        return self.head_out(torch.relu(self.head_in(e)))  # type: ignore[no-any-return]


class CriticNet(torch.nn.Module):
    """Values of agents from all agents: own attention, then messages along the policy's relations.

    e_i as in the policy, with its own key and query (F-16-32); c_i: 64-32-16; m_i = c_i + sum_j g_ij c_j;
    own_i: 64-32-16; V_i = linear([m_i, own_i]).  The published critic takes actions too and returns Q.

    Args:
        width: F.
        generator: Source of the first weights.
    """

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.width = width
        self.key = torch.nn.Sequential(torch.nn.Linear(width, 16), torch.nn.ReLU(), torch.nn.Linear(16, 32))
        self.query_in = Pairs(width, 16)
        self.query_out = torch.nn.Linear(16, 32)
        self.value_in = Pairs(width, HIDDEN)
        self.value_out = torch.nn.Linear(HIDDEN, EMBEDDING)
        self.self_in = torch.nn.Linear(width, HIDDEN)
        self.message = torch.nn.Sequential(
            torch.nn.Linear(EMBEDDING + HIDDEN, 32), torch.nn.ReLU(), torch.nn.Linear(32, 16)
        )
        self.own = torch.nn.Sequential(
            torch.nn.Linear(EMBEDDING + HIDDEN, 32), torch.nn.ReLU(), torch.nn.Linear(32, 16)
        )
        self.out = torch.nn.Linear(32, 1)
        _xavier(self, generator)

    def forward(self, rows: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """Return values [M, N]."""
        check_rows(rows, self.width)
        u = self.key(rows) @ self.query_out.weight
        weights = attention(self.query_in(rows), u.unsqueeze(2))
        e = self.value_out(pool(self.value_in(rows), weights).squeeze(2))
        e = torch.cat([e, torch.relu(self.self_in(rows))], dim=-1)
        c = self.message(e)
        return self.out(torch.cat([c + g @ c, self.own(e)], dim=-1)).squeeze(-1)  # type: ignore[no-any-return]


class TaskEncoder(torch.nn.Module):
    """p(z|N): softmax(f(N / 10) / 4), f: 1-3-H; a function of the number of agents only."""

    def __init__(self, latents: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(1, 3), torch.nn.ReLU(), torch.nn.Linear(3, latents))
        _xavier(self, generator)

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
        _xavier(self, generator)

    def forward(self, embedding: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Return logits [M, games] of embeddings [M, N, 64] and latents [M, N, H]."""
        return self.layers(torch.cat([embedding, z], dim=-1)).sum(dim=1)  # type: ignore[no-any-return]
