"""Compiled parts of gradient steps and of ancestral sampling on graphs; see ``joint_step``.

A slot of ``seen`` is what children see of one agent: its observation (or nothing), its one-hot action, and a 1
that carries the bias.  Slots stand in the order in which agents act.

Axes: S samples, N agents, D observation entries, A actions, H units, W = entries of all slots.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.jit import kernel

_MASKED = np.float32(-1e10)
_NIL = np.float32(0.0)
_ONE = np.float32(1.0)


@kernel
def gather(  # type: ignore[no-untyped-def]
    source, center, actions, index, first, count, everyone, columns, place, slot, observed, own, seen
):
    """Write own observations [N, >= count, >= D] and slots [>= count, W] of samples ``index[first]`` and on.

    ``source`` and ``center`` are those of ``perceptron_step.Rows``; negative ``actions`` [S, N] are none yet.
    """
    width = source.shape[1]
    offset = width if observed else 0
    choices = slot - 1 - offset
    normalise = center.shape[0] > 0
    for s in range(count):
        sample = index[first + s]
        for i in range(len(columns)):
            where = sample * everyone + columns[i]
            row, into, base = source[where], own[i, s], place[i] * slot
            mean, scale = (center[where, 0], center[where, 1]) if normalise else (_NIL, _ONE)
            for j in range(width):
                into[j] = (row[j] - mean) * scale
            for j in range(offset):
                seen[s, base + j] = row[j]
            for a in range(choices):
                seen[s, base + offset + a] = _ONE if a == actions[sample, i] else _NIL


@kernel
def thin(seen, edges, first, count, agent, allowed, slot, out):  # type: ignore[no-untyped-def]
    """Write out [>= count, 1 + W]: slots of allowed parents times their edges to ``agent``, behind the first column.

    edges: float32 [S, N, N] of samples, of which those from ``first`` on are looked at; allowed: bool [N, N].
    """
    for s in range(count):
        for j in range(len(allowed)):
            if allowed[j, agent]:
                edge = edges[first + s, j, agent]
                for k in range(j * slot, (j + 1) * slot):
                    out[s, 1 + k] = seen[s, k] * edge


@kernel
def pull(up, seen, first, count, agent, allowed, slot, slopes):  # type: ignore[no-untyped-def]
    """Write the gradient of the edges to slopes [S, N, N] from that of what ``thin`` wrote, up [1 + W, >= count]."""
    for s in range(count):
        for j in range(len(allowed)):
            if allowed[j, agent]:
                total = 0.0
                for k in range(j * slot, (j + 1) * slot):
                    total += up[1 + k, s] * seen[s, k]
                slopes[first + s, j, agent] = total


@kernel
def collect(weight, bias, first, edges, place, lead, ones, out):  # type: ignore[no-untyped-def]
    """Write what agents do with the slots, out [N, H, W]; entries of slots that are no parent's stay as they are.

    weight [N, H, slot - 1] and bias [N, H] make messages, first [H] is added to their sum at the column ``ones``.
    Slots begin at the column ``lead``.
    """
    agents, width, entries = weight.shape
    for i in range(agents):
        out[i, :, ones[i]] = _NIL
        for j in range(agents):
            if edges[j, i]:
                base = lead + place[j] * (entries + 1)
                for h in range(width):
                    for k in range(entries):
                        out[i, h, base + k] = weight[j, h, k]
                    out[i, h, base + entries] = bias[j, h]
        for h in range(width):
            out[i, h, ones[i]] += first[h]


@kernel
def scatter(found, edges, place, lead, ones, g_weight, g_bias, g_first):  # type: ignore[no-untyped-def]
    """Write the gradients of what ``collect`` was given from the gradient ``found`` of what it wrote."""
    agents, width, entries = g_weight.shape
    g_weight[:] = _NIL
    g_bias[:] = _NIL
    g_first[:] = _NIL
    for i in range(agents):
        for h in range(width):
            g_first[h] += found[i, h, ones[i]]
        for j in range(agents):
            if edges[j, i]:
                base = lead + place[j] * (entries + 1)
                for h in range(width):
                    for k in range(entries):
                        g_weight[j, h, k] += found[i, h, base + k]
                    g_bias[j, h] += found[i, h, base + entries]


@kernel
def choose(logits, shift, mask, first, count, agent, column, actions, log_prob, seen):  # type: ignore[no-untyped-def]
    """Choose agent's actions in ``count`` samples from the first on, and write them to its slot.

    Args:
        logits: float32 [A, >= count].
        shift: float32 [S, N, A] Gumbel noise, [0, 0, 0] for the most likely actions.
        mask: bool [S, N, A] available actions, [0, 0, 0] for all.
        first: First sample.
        count: Samples.
        agent: Agent.
        column: Where its one-hot action begins in seen [>= count, W].
        actions: int64 [S, N], output.
        log_prob: float32 [S, N], output.
        seen: float32, output.
    """
    choices = logits.shape[0]
    masked, greedy = mask.shape[0] > 0, shift.shape[0] == 0
    for s in range(count):
        top, best, chosen = -math.inf, -math.inf, 0
        for a in range(choices):
            if masked and not mask[first + s, agent, a]:
                logits[a, s] = _MASKED
            here = np.float64(logits[a, s])
            top = max(top, here)
            value = here if greedy else here + shift[first + s, agent, a]
            if value > best:
                best, chosen = value, a
        total = 0.0
        for a in range(choices):
            total += math.exp(logits[a, s] - top)
            seen[s, column + a] = _ONE if a == chosen else _NIL
        actions[first + s, agent] = chosen
        log_prob[first + s, agent] = (logits[chosen, s] - top) - math.log(total)
