"""What agents attend to, one pattern per latent: other agents (as published) and sites (ours).

Axes: M joint samples, N agents, H latents, K relations per agent, L sites, F = 4 + 3 L entries of a row.

Second layers of key and query are multiplied once per head, W_query,h^T W_key,h, so that an agent's key becomes one
vector u_i with score u_i . hidden_ij; the bias of the query adds the same number to all scores of an agent, which
the softmax ignores.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

from equilibria.agents.learning.torch_import import torch
from equilibria.agents.meta_representation.attention import SCALE, Pairs, attention
from equilibria.sim.errors import InvalidValue

HIDDEN, KEY = 32, 16
"""Units of hidden layers, of a key."""


@dataclass(frozen=True, slots=True)
class Relations:
    """Whom and what agents attend to; K relations per agent, or none of that axis where each has one.

    Attributes:
        others: [M, N, (K,) N] weights in the simplex over the others, 0 on the diagonal.
        sites: [M, N, (K,) L] weights in the simplex over the sites, ``None`` where only others are attended to.
    """

    others: torch.Tensor
    sites: torch.Tensor | None = None

    def detach(self) -> Relations:
        """Return the same weights without gradients."""
        return Relations(self.others.detach(), None if self.sites is None else self.sites.detach())

    def stacked(self) -> Relations:
        """Return one relation per agent as K = 1."""
        return Relations(self.others.unsqueeze(2), None if self.sites is None else self.sites.unsqueeze(2))


def xavier(module: torch.nn.Module, generator: torch.Generator) -> None:
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


def sites_of(rows: torch.Tensor) -> torch.Tensor:
    """Return what agents see of the sites, relative place and size, [M, N, L, 3], of rows [M, N, F]."""
    return rows[..., 4:].unflatten(-1, (-1, 3))  # type: ignore[no-any-return]


class Selector(torch.nn.Module, abc.ABC):
    """Attention with one head per latent: softmax(<key_h(s_i), query_h(x)> / 8) over what is attended to.

    key: F-32-16H, query: the same on what is seen of x; latent z_i picks the head.

    Args:
        width: F.
        latents: H.
        generator: Source of the first weights.
    """

    def __init__(self, width: int, latents: int, generator: torch.Generator) -> None:
        super().__init__()
        self.latents = latents
        self.key_in = torch.nn.Linear(width, HIDDEN)
        self.key_out = torch.nn.Linear(HIDDEN, KEY * latents)
        self.query_in = self._first_layer(width)
        self.query_out = torch.nn.Linear(HIDDEN, KEY * latents)
        xavier(self, generator)

    @abc.abstractmethod
    def _first_layer(self, width: int) -> torch.nn.Module:
        """Return the first layer of the query."""

    @abc.abstractmethod
    def _weights(self, rows: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """Return softmax(u_ik . hidden / 8), [M, N, K, N or L], of u [M, N, K, 32]."""

    def forward(self, rows: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Return weights [M, N, N or L] of rows [M, N, F] and latents, int64 [M, N] or one-hot float [M, N, H]."""
        if z.dtype == torch.int64:
            u = self._chosen(torch.relu(self.key_in(rows)), z)
        else:
            # soft latents mix keys and queries, so the square of z appears where z is not one-hot
            u = torch.einsum("mnhgd,mnh,mng->mnd", self._crossed(rows), z, z)
        return self._weights(rows, u.unsqueeze(2)).squeeze(2)

    def heads(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the patterns of all latents, [M, N, H, N or L]."""
        weight, bias = self._products()
        hidden = torch.relu(self.key_in(rows))
        u = (hidden @ weight.reshape(-1, HIDDEN).T).view(*rows.shape[:2], self.latents, HIDDEN) + bias
        return self._weights(rows, u)

    def _products(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return W_query,h^T W_key,h [H, 32, 32] and W_query,h^T b_key,h [H, 32]."""
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


class OtherSelector(Selector):
    """Attention over the other agents, query(o_ij), as published."""

    query_in: Pairs

    def _first_layer(self, width: int) -> torch.nn.Module:
        return Pairs(width, HIDDEN)

    def _weights(self, rows: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        return attention(self.query_in(rows), u)


class SiteSelector(Selector):
    """Attention over the sites, query(place of the site relative to i, its size): the part that is ours."""

    query_in: torch.nn.Linear

    def _first_layer(self, width: int) -> torch.nn.Module:
        return torch.nn.Linear(3, HIDDEN)

    def _weights(self, rows: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.query_in(sites_of(rows)))  # [M, N, L, 32]
        return torch.softmax(u @ hidden.transpose(2, 3) / SCALE, dim=-1)
