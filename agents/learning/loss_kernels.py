"""Compiled losses with their derivatives: one pass over the samples instead of dozens of tensor operations.

Axes: R samples (all agents of all steps), A actions.
"""

from __future__ import annotations

import math

from equilibria.sim.jit import kernel


@kernel
def clipped_policy(  # type: ignore[no-untyped-def]
    logits, mask, actions, old_log_prob, advantage, active, clip, entropy_weight, gradient, sums
):
    """Write the gradient [R, A] of the PPO loss of softmax policies and the sums of what is reported.

    ``mask`` [R, A] and ``active`` [R] may be empty, which means all.  ``sums`` [6]: samples, surrogate, entropy,
    ratio - 1 - log ratio, clipped samples, largest |log ratio|.  The gradient is that of
    -mean min(ratio A, clip(ratio) A) - entropy_weight mean H.
    """
    rows, choices = logits.shape
    masked, everyone = mask.shape[0] > 0, active.shape[0] == 0
    count = 0
    for r in range(rows):
        if everyone or active[r]:
            count += 1
    share = 1.0 / max(count, 1)
    sums[0] = count
    for r in range(rows):
        if not (everyone or active[r]):
            for a in range(choices):
                gradient[r, a] = 0.0
            continue
        top = -math.inf
        for a in range(choices):
            if (not masked or mask[r, a]) and not logits[r, a] <= top:
                top = logits[r, a]
        total = 0.0
        for a in range(choices):
            weight = math.exp(logits[r, a] - top) if not masked or mask[r, a] else 0.0
            gradient[r, a] = weight
            total += weight
        norm = math.log(total)
        entropy = 0.0
        for a in range(choices):
            if gradient[r, a] > 0.0:
                entropy -= gradient[r, a] / total * (logits[r, a] - top - norm)
        chosen = actions[r]
        log_ratio = logits[r, chosen] - top - norm - old_log_prob[r]
        ratio = math.exp(log_ratio)
        gain = advantage[r]
        near = min(max(ratio, 1.0 - clip), 1.0 + clip)
        pull = -gain * ratio * share if ratio * gain <= near * gain else 0.0
        sums[1] += min(ratio * gain, near * gain)
        sums[2] += entropy
        sums[3] += ratio - 1.0 - log_ratio
        if abs(ratio - 1.0) > clip:
            sums[4] += 1.0
        sums[5] = max(sums[5], abs(log_ratio))
        for a in range(choices):
            p = gradient[r, a] / total
            slope = -pull * p
            if p > 0.0:
                slope += entropy_weight * share * p * (logits[r, a] - top - norm + entropy)
            gradient[r, a] = slope
        gradient[r, chosen] += pull


@kernel
def clipped_value(values, old, targets, active, clip, huber, gradient):  # type: ignore[no-untyped-def]
    """Write the gradient [R] of the mean of max(h(target - v), h(target - clipped v)); return the loss.

    ``active`` may be empty, which means all; h is the Huber loss with threshold ``huber``.
    """
    everyone = active.shape[0] == 0
    count = 0
    for r in range(len(values)):
        if everyone or active[r]:
            count += 1
    share = 1.0 / max(count, 1)
    loss = 0.0
    for r in range(len(values)):
        gradient[r] = 0.0
        if not (everyone or active[r]):
            continue
        v, o, goal = values[r], old[r], targets[r]
        kept = o + min(max(v - o, -clip), clip)
        error, other = goal - v, goal - kept
        size, far = abs(error), abs(other)
        mine = 0.5 * error * error if size <= huber else huber * (size - 0.5 * huber)
        theirs = 0.5 * other * other if far <= huber else huber * (far - 0.5 * huber)
        if theirs > mine:
            loss += theirs
            inside = abs(v - o) <= clip
            slope = -other if far <= huber else -math.copysign(huber, other)
            gradient[r] = slope * share if inside else 0.0
        else:
            loss += mine + 0.0 * theirs  # not-a-number must not get lost
            gradient[r] = (-error if size <= huber else -math.copysign(huber, error)) * share
    return loss * share
