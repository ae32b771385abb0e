"""Position auctions in plain Python, one at a time, used to test the kernels."""

from __future__ import annotations

from collections.abc import Sequence

from equilibria.mechanisms.ties import tie_key_reference


def position_reference(
    rule: str,
    bids: Sequence[float],
    ctr: Sequence[float],
    *,
    quality: Sequence[float] | None = None,
    reserve: float = 0.0,
    per_click: bool = False,
    random_ties: bool = True,
    seed: int = 0,
    auction: int = 0,
) -> tuple[list[int], list[float]]:
    """Assign K slots to n bidders.

    Returns:
        The bidder in each slot [K] (-1 if empty), and the expected payments per impression [n].
    """
    n = len(bids)
    q = [1.0] * n if quality is None else list(quality)
    score = [q[j] * bids[j] for j in range(n)]
    entered = [j for j in range(n) if (bids[j] if per_click else score[j]) >= reserve]
    order = sorted(entered, key=lambda j: (-score[j], tie_key_reference(random_ties, seed, auction, j), j))
    pay = [0.0] * n
    for k, j in enumerate(order[: len(ctr)]):
        floor = q[j] * reserve if per_click else reserve
        if rule == "gfp":
            pay[j] = ctr[k] * q[j] * bids[j]
        elif rule == "gsp":
            following = score[order[k + 1]] if k + 1 < len(order) else 0.0
            pay[j] = ctr[k] * q[j] * (max(following, floor) / q[j])
        else:
            rates = [*ctr, 0.0]
            for below in range(k + 1, len(ctr) + 1):
                displaced = score[order[below]] if below < len(order) else 0.0
                pay[j] += (rates[below - 1] - rates[below]) * max(displaced, floor)
    slots = [order[k] if k < len(order) else -1 for k in range(len(ctr))]
    return slots, pay
