"""A trained set of latent policies as a joint policy of the learning core, for one number of agents.

With it the core's tools work on MRA: frozen players, returns of mixed teams, trained best responses.
"""

from __future__ import annotations

from equilibria.agents.learning.batches import Action, Batch, Context, Evaluation
from equilibria.agents.learning.heads import discrete_head
from equilibria.agents.learning.policies import sample
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.meta_representation.information import draw
from equilibria.agents.meta_representation.model import Model
from equilibria.games.vector.particles import self_width
from equilibria.sim.errors import InvalidValue


class LatentPolicy(torch.nn.Module):
    """Networks with the latents of one population; every agent draws its latent when an episode begins.

    Satisfies ``agents.learning.policies.JointPolicy``.

    Args:
        model: The networks (shared, not copied).
        agents: N.
        log_p: [H] log-probabilities of the latents, such as ``model.latent_log_p(agents)``.
    """

    def __init__(self, model: Model, agents: int, log_p: torch.Tensor) -> None:
        super().__init__()
        self.model, self.agents = model, agents
        self.register_buffer("log_p", log_p.clone())

    def begin(self, worlds: int, generator: torch.Generator) -> Context:
        """Return fresh latents int64 [worlds, N]."""
        return {"latent": draw(self.get_buffer("log_p"), (worlds, self.agents), generator)}

    def act(
        self,
        obs: torch.Tensor,
        mask: torch.Tensor | None,
        context: Context,
        generator: torch.Generator,
        *,
        greedy: bool = False,
    ) -> Action:
        """Choose actions for full observations [B, N, D]; all actions are legal in these worlds."""
        z = context["latent"]
        logits, _ = self.model.logits(self._rows(obs), z)
        actions, log_prob = sample(logits, mask, generator, greedy=greedy)
        return Action(actions, log_prob, context, {"latent": z})

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return log-probabilities and entropies of the stored actions, with gradients."""
        logits, _ = self.model.logits(self._rows(batch.obs), batch.extras["latent"])
        head = discrete_head(logits, batch.mask)
        return Evaluation(head.log_prob(batch.actions), head.entropy(), log_probs=head.log_probs)

    def _rows(self, obs: torch.Tensor) -> torch.Tensor:
        """Return rows [B, N, F] of observations; see ``games.vector.particles.own_rows``."""
        sites, n = self.model.sites, self.agents
        width = self_width(sites) * (n - 1) + 4 + 3 * sites
        if obs.shape[1:] != (n, width):
            raise InvalidValue(
                f"these latent policies play {n} agents with {sites} sites: observations must have shape "
                f"(worlds, {n}, {width}), got {tuple(obs.shape)}"
            )
        return torch.cat([obs[..., :4], obs[..., -3 * sites :]], dim=-1)
