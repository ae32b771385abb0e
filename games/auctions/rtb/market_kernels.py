"""Compiled markets: N bidders with budgets in every request.

Order of events for each request: every bidder with budget b_i sees its theta and bids a_i <= min(b_i, P);
the highest bid wins if it reaches the residual price and the reserve (ties: the bidder whose number
follows the request's number modulo N); the winner pays the largest of the second bid, the residual
price and the reserve (second price) or its own bid (first price) before the next request comes.
A single bidder facing recorded prices is the market with N = 1.

Auctions depend on each other through budgets, so they run one by one; everything else is done ahead
for a chunk of requests in loops that the compiler turns into vectors:

1. random words, and the request that each bidder sees: a division, done by multiplication and a correction;
2. its click probability, gathered (the stream is larger than the inner caches, the loads overlap);
3. bids of linear bidders whose scale moves seldom, and the best two of them.  Bids are ranked as the
   integer a 2^s + priority, so that ties need no branch.  Money that runs out makes a bid stale; the two that
   count are checked, and the rest of the chunk is written anew when one is.

Then, one by one: linear bidders steered after every request, and table bidders.  A table is asked whether its bid
exceeds the second one, then the best one; the bid itself is searched only if it is paid or compared with another one.
The two entries it will be asked for are fetched a few requests ahead, because they are nowhere near each other.

Cost per auction, about: 17 ns for random numbers and look-ups of 8 bidders, 20 ns to settle it, 1 ns per steady and
6 ns per steered linear bidder, 15 to 35 ns per table bidder, 50 ns when two of them compete.  The
floor is the chain of budgets: 10 bytes of the stream and two cache lines per table.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.rtb.rules import ADAPTIVE, LINEAR, NO_MAPPING, PID
from equilibria.games.auctions.rtb.table_kernels import mapped_bid
from equilibria.sim.jit import kernel
from equilibria.sim.philox import words_of_steps
from equilibria.sim.prefetch import prefetch

IMPRESSIONS, CLICKS, COST, VALUE, PREDICTED = range(5)
CHUNK = 128
AHEAD = 3
"""Requests by which table entries are fetched before they are needed."""
"""Requests whose random words and click probabilities are fetched ahead."""


@kernel
def play(  # type: ignore[no-untyped-def]
    theta, price, click, truth, length, budgets, integers, reals, parameters, tables, control, first, second_price,
    reserve, correlation, key, seen, out, start, stop,
):  # fmt: skip
    """Play episodes of a market of N bidders.

    A bidder's theta is the shared one with probability ``correlation``, else that of a request drawn
    uniformly from the whole stream: every bidder keeps the stream's distribution, and any two have the
    correlation ``correlation`` squared (a price to beat counts as met by an equal bid in ``seen``).

    Args:
        theta: float64 [n] stream; episode e uses requests start + e T .. start + e T + T - 1 before ``stop``.
        price: uint16 [n] residual prices.
        click: uint8 [n].
        truth: float64 [n].
        length: T.
        budgets: int64 [N] per episode.
        integers: See ``PackedRules``.
        reals: See ``PackedRules``.
        parameters: float64 [N, 8]; PID: interval, kp, ki, kd, lowest, highest; adaptive: step, money unit, highest mu.
        tables: See ``PackedRules``.
        control: float64 [N, 4] multiplier (1 / (1 + mu) for adaptive), integral, last error, spent in
            the interval; updated in place.
        first: Number of the first episode, from 0, for random numbers and the ring of ``seen``.
        second_price: True, or False for first price.
        reserve: Least price.
        correlation: 0 .. 1.
        key: uint64 key.
        seen: float64 [N, W, 3] ring of (theta, price to beat, truth); empty W = 0 keeps nothing.
        out: float64 [E, N, 5] impressions, clicks, cost, expected and predicted clicks; overwritten.
        start: First request played; draws are from all n, so that a run may be cut anywhere.
        stop: First request not played, at most n.
    """
    bidders, window, episodes = budgets.shape[0], seen.shape[1], out.shape[0]
    shaded = np.flatnonzero(integers[:, 2] == ADAPTIVE)
    paced = np.flatnonzero(integers[:, 2] == PID)
    steady = np.flatnonzero((integers[:, 0] == LINEAR) & (integers[:, 2] != ADAPTIVE))
    # Tables that cover every state, budget by budget, are read in line; other table bidders are called.
    plain = (integers[:, 0] != LINEAR) & (integers[:, 1] == NO_MAPPING) & (integers[:, 6] == 1)
    plain = plain & (integers[:, 7] >= length - 1) & (integers[:, 8] >= budgets)
    near = np.flatnonzero(plain)
    others = np.flatnonzero((integers[:, 0] != LINEAR) & ~plain)
    place, down, across = integers[near, 3], integers[near, 4], integers[near, 10]
    highest, fixed = integers[near, 9], reals[near, 1]
    steep = np.zeros(near.shape[0])  # value lost per unit of money at the last searched bid: only a first guess
    v1, v0, gamma = reals[near, 2], reals[near, 3], reals[near, 4]
    shift = 1
    while 1 << shift < bidders:
        shift += 1
    mask = (1 << shift) - 1
    levels = np.float64(1 << shift)
    # Entry i of ``turns`` is the priority of bidder 0 when the winner of ties is bidder i modulo N.
    turns = np.empty(CHUNK + 2 * bidders, np.int64)
    for i in range(turns.shape[0]):
        turns[i] = mask - (bidders - i % bidders) % bidders
    left, cap = np.empty(bidders, np.int64), np.empty(bidders)
    factor, rate = np.empty(bidders), np.empty(bidders)
    begun, due = np.zeros(bidders, np.int64), np.zeros(bidders, np.int64)
    parts = np.zeros((bidders, 2), np.int64)
    source, own = np.empty((bidders, CHUNK), np.int64), np.empty((bidders, CHUNK))
    ranked = np.empty((bidders, CHUNK), np.int64)
    floors, firsts, seconds = np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64)
    linear, guesses = np.flatnonzero(integers[:, 0] == LINEAR), np.empty((2, CHUNK), np.int64)
    likely, runners = firsts, seconds
    drawn = np.empty((4 * (-(-bidders // 4)), CHUNK), np.uint64)
    threshold = np.uint64(min(correlation, 1.0) * 4294967296.0)
    out[:] = 0.0
    for e in range(episodes):
        begin, end = start + e * length, min(stop, start + (e + 1) * length)
        recorded = window > 0 and stop - end < window  # later requests overwrite earlier ones
        exact = recorded or not second_price
        parts[:] = 0
        for k in range(bidders):
            left[k] = budgets[k]
            cap[k] = min(left[k], integers[k, 9])
            factor[k] = reals[k, 0] * control[k, 0]
            rate[k] = budgets[k] / length / parameters[k, 1] if integers[k, 2] == ADAPTIVE else 0.0
        next_due = length + 1
        for s in paced:
            begun[s], due[s] = 0, min(length, np.int64(parameters[s, 0]))
            next_due = min(next_due, due[s])
        turn = (first + e) * length % bidders  # the bidder who wins ties in the next request
        for from_ in range(begin, end, CHUNK):
            size = min(CHUNK, end - from_)
            number = (np.int64(first) + e) * length + from_ - begin
            base = turn
            _look_up(theta, from_, size, key, number, threshold, drawn, source, own)
            for c in range(size):
                floors[c] = max(np.int64(price[from_ + c]), reserve)
            for s in steady:
                order = turns[(base - s) % bidders :]
                _rank(own[s], factor[s], reals[s, 5], cap[s], shift, order, 0, size, ranked[s])
            _lead(ranked, steady, floors, shift, 0, size, firsts, seconds)
            if near.shape[0]:
                # What tables will be asked: scales that move per request are taken as they are now.
                likely, runners = firsts, seconds
                if shaded.shape[0]:
                    for s in shaded:
                        order = turns[(base - s) % bidders :]
                        _rank(own[s], factor[s], reals[s, 5], cap[s], shift, order, 0, size, ranked[s])
                    likely, runners = guesses[0], guesses[1]
                    _lead(ranked, linear, floors, shift, 0, size, likely, runners)
            poor = False  # somebody's ranked bids may exceed the money left since they were written
            for c in range(size):
                j = from_ + c - begin
                if poor and not _affordable(firsts[c], seconds[c], floors[c], cap, base + c, shift):
                    for s in steady:
                        order = turns[(base - s) % bidders :]
                        _rank(own[s], factor[s], reals[s, 5], cap[s], shift, order, c, size, ranked[s])
                    _lead(ranked, steady, floors, shift, c, size, firsts, seconds)
                    poor = False
                best, second = firsts[c], seconds[c]
                if c + AHEAD < size:
                    soon = c + AHEAD
                    ahead = likely[soon]
                    if ahead >> shift >= floors[soon]:
                        k = base + soon + mask - (ahead & mask)
                        at = source[k % bidders, soon]
                        prefetch(click, at)
                        prefetch(truth, at)
                    for i in range(near.shape[0]):
                        b = left[near[i]]
                        row = place[i] + (length - j - AHEAD - 1) * down[i]
                        prefetch(tables, row + b * across[i])
                        prefetch(tables, row + max(0, b - 1 - (runners[soon] >> shift)) * across[i])
                        prefetch(tables, row + max(0, b - 1 - (ahead >> shift)) * across[i])
                if shaded.shape[0]:  # in float64, whose maximum needs no branch; ranked bids are small integers
                    high, next_ = np.float64(best), np.float64(second)
                    for s in shaded:
                        rank = s - turn if s >= turn else s - turn + bidders
                        offer = np.floor(min(factor[s] * own[s, c], cap[s])) * levels + (mask - rank)
                        next_ = max(next_, min(high, offer))
                        high = max(high, offer)
                    best, second = np.int64(high), np.int64(next_)
                if others.shape[0]:
                    best, second = _ask_others(
                        tables, integers, reals, others, length - j, left, own[:, c], parts, turn, shift, best, second
                    )
                leader = -1  # the table bidder whose bid is known to be at least the best one, but not searched
                for i in range(near.shape[0]):
                    s = near[i]
                    b = left[s]
                    row = place[i] + (length - j - 1) * down[i]
                    low = mask - (s - turn if s >= turn else s - turn + bidders)
                    level = (second >> shift) + 1  # the least bid that matters
                    if best >> shift == second >> shift and low > (second & mask):
                        level -= 1  # a tie at the top goes to it
                    if level > min(b, highest[i]):
                        continue
                    x = own[s, c] if np.isnan(fixed[i]) else fixed[i]
                    reward = v1[i] * x - gamma[i] * tables[np.uint64(row + b * across[i])]
                    if level > 0:
                        after = tables[np.uint64(row + (b - level) * across[i])]
                        if reward - v0[i] * level + gamma[i] * after < 0.0:
                            continue
                    if leader >= 0:  # whoever leads has company: its bid is needed
                        best = _exact(
                            tables, place, down, across, highest, fixed, v1, v0, gamma, leader, length - j,
                            left[near[leader]], own[near[leader], c], best, shift, steep,
                        )  # fmt: skip
                        leader = -1
                    over = (best >> shift) + (0 if low > (best & mask) else 1)  # the least bid that wins
                    if over > level:
                        won = over <= min(b, highest[i])
                        if won:
                            after = tables[np.uint64(row + (b - over) * across[i])]
                            won = reward - v0[i] * over + gamma[i] * after >= 0.0
                        if not won:
                            bid = _search(
                                tables, row + b * across[i], across[i], v0[i], gamma[i], reward, level,
                                min(over - 1, b, highest[i]), steep, i,
                            )  # fmt: skip
                            second = max(second, (bid << shift) | low)
                            continue
                    second = best
                    best = (max(over, level) << shift) | low
                    leader = i
                if leader >= 0 and exact:
                    best = _exact(
                        tables, place, down, across, highest, fixed, v1, v0, gamma, leader, length - j,
                        left[near[leader]], own[near[leader], c], best, shift, steep,
                    )  # fmt: skip
                floor = floors[c]
                winner, paid = -1, 0
                if best >> shift >= floor:
                    winner = turn + mask - (best & mask)
                    winner = winner if winner < bidders else winner - bidders
                    paid = max(second >> shift, floor) if second_price else best >> shift
                    left[winner] -= paid
                    if left[winner] < cap[winner]:
                        cap[winner] = left[winner]
                        poor = True
                    parts[winner, 0] -= paid
                    control[winner, 3] += paid if integers[winner, 2] == PID else 0
                    at = source[winner, c]
                    row = out[e, winner]
                    row[IMPRESSIONS] += 1
                    row[CLICKS] += click[at]
                    row[COST] += paid
                    row[VALUE] += truth[at]
                    row[PREDICTED] += own[winner, c]
                if recorded:
                    spot = (number + c) % window
                    for k in range(bidders):
                        rival = second if k == winner else best
                        seen[k, spot, 0] = own[k, c]
                        seen[k, spot, 1] = max(floor, rival >> shift)
                        seen[k, spot, 2] = truth[source[k, c]]
                for s in shaded:
                    spent = paid / parameters[s, 1] if s == winner else 0.0
                    mu = min(max(control[s, 1] - parameters[s, 0] * (rate[s] - spent), 0.0), parameters[s, 2])
                    if left[s] >= integers[s, 9]:  # it rests once money runs out
                        control[s, 1] = mu
                        control[s, 0] = 1.0 / (1.0 + mu)
                        factor[s] = reals[s, 0] * control[s, 0]
                if j + 1 >= next_due:
                    next_due = length + 1
                    for s in paced:
                        if j + 1 >= due[s]:
                            _pace(control, parameters, s, left[s], integers[s, 9], begun[s], due[s], length)
                            begun[s], due[s] = due[s], min(length, due[s] + np.int64(parameters[s, 0]))
                            factor[s] = reals[s, 0] * control[s, 0]
                            order = turns[(base - s) % bidders :]
                            _rank(own[s], factor[s], reals[s, 5], cap[s], shift, order, c + 1, size, ranked[s])
                        next_due = min(next_due, due[s] if due[s] > j + 1 else length + 1)
                    _lead(ranked, steady, floors, shift, c + 1, size, firsts, seconds)
                turn = turn + 1 if turn + 1 < bidders else 0


@kernel
def _rank(theta, factor, curve, cap, shift, turns, low, high, ranked):  # type: ignore[no-untyped-def]
    """Write the ranked bids of a linear bidder with the present scale and money for requests low .. high - 1."""
    if curve > 0.0:
        for c in range(low, high):
            wish = np.sqrt(factor * theta[c] + curve * curve) - curve
            ranked[c] = (np.int64(min(wish, cap)) << shift) | turns[c]
        return
    for c in range(low, high):
        ranked[c] = (np.int64(min(factor * theta[c], cap)) << shift) | turns[c]


@kernel
def _lead(ranked, steady, floors, shift, low, high, firsts, seconds):  # type: ignore[no-untyped-def]
    """Write the best and the second ranked bid of the steady bidders, at least just below the floor."""
    mask = (1 << shift) - 1
    for c in range(low, high):
        firsts[c] = seconds[c] = ((floors[c] - 1) << shift) | mask
    for s in steady:
        row = ranked[s]
        for c in range(low, high):
            seconds[c] = max(seconds[c], min(firsts[c], row[c]))
            firsts[c] = max(firsts[c], row[c])


@kernel(forceinline=True)
def _affordable(first, second, floor, cap, turn, shift):  # type: ignore[no-untyped-def]
    """Say whether both ranked bids are within the money of those who made them.

    Money only shrinks within a chunk, so bids written earlier are upper bounds, and right if the two that count are.
    """
    mask, bidders = (1 << shift) - 1, cap.shape[0]
    if first >> shift < floor:
        return True
    if first >> shift > cap[(turn + mask - (first & mask)) % bidders]:
        return False
    return second >> shift < floor or second >> shift <= cap[(turn + mask - (second & mask)) % bidders]


@kernel
def _look_up(theta, from_, size, key, number, threshold, drawn, source, own):  # type: ignore[no-untyped-def]
    """Choose the request each bidder sees, the shared one or one of its own, and fetch its click probability.

    A 32-bit word below ``threshold`` means the shared one; the rest of the word chooses the request:
    floor((w - threshold) n / span).
    """
    n, bidders = np.uint64(theta.shape[0]), source.shape[0]
    span = np.uint64(4294967296) - threshold
    if span == np.uint64(0):
        for k in range(bidders):
            for c in range(size):
                source[k, c] = from_ + c
                own[k, c] = theta[from_ + c]
        return
    for block in range(0, bidders, 4):
        words_of_steps(key, number, block, 0, drawn[block], drawn[block + 1], drawn[block + 2], drawn[block + 3])
    reciprocal = 1.0 / np.float64(span)
    for k in range(bidders):
        word, chosen, found = drawn[k], source[k], own[k]
        for c in range(CHUNK):
            w = word[c]
            product = (w - threshold) * n  # meaningless below the threshold, and not used there
            quotient = np.uint64(np.int64(np.float64(np.int64(product)) * reciprocal))
            rest = np.int64(product - quotient * span)  # the float quotient is off by one at most
            quotient += np.uint64(rest >= np.int64(span))
            quotient -= np.uint64(rest < 0)
            chosen[c] = np.int64(quotient) if w >= threshold else from_ + c
        for c in range(size):
            found[c] = theta[np.uint64(chosen[c])]


@kernel
def _ask_others(  # type: ignore[no-untyped-def]
    tables, integers, reals, others, t, left, x, parts, turn, shift, best, second
):
    """Return the (best, second) ranked bids with those of bidders whose tables have strides or mappings."""
    bidders, mask = left.shape[0], (1 << shift) - 1
    for k in others:
        least = max((second >> shift) + (1 if best >> shift > second >> shift else 0), 0)
        bid = mapped_bid(tables, integers, reals, k, t, left[k], x[k], parts, least)
        if bid >= least:
            bid = (bid << shift) | (mask - (k - turn if k >= turn else k - turn + bidders))
            second = max(second, min(best, bid))
            best = max(best, bid)
    return best, second


@kernel
def _search(tables, at_budget, across, v0, gamma, reward, low, high, steep, i):  # type: ignore[no-untyped-def]
    """Return the bid, known to lie in low .. high, of a table bidder.

    The surplus of a win at price d is nearly a straight line in d: its zero is guessed three times, first with the
    slope of the last search, and what is left, one or two prices as a rule, is bisected.

    Args:
        tables: Packed tables.
        at_budget: Place of V(t-1, b).
        across: Step from one budget to the next.
        v0: Value of a unit of money.
        gamma: Discount.
        reward: Value of a win before its price, without what the money could earn.
        low: A price that is worth paying, or 0.
        high: Largest price in question, at most b.
        steep: float64 [K] slopes, updated.
        i: The bidder's entry in ``steep``.
    """
    low = max(low, 0)
    if low >= high:
        return low
    at_low = reward - v0 * low + gamma * tables[np.uint64(at_budget - low * across)]
    fall = steep[i]
    guesses = 3 if fall > 0.0 else 0
    while low < high:
        d = (low + high + 1) >> 1
        if guesses > 0:
            guesses -= 1
            d = min(max(low + np.int64(min(max(at_low / fall, 0.0), 1e6)), low + 1), high)
        value = reward - v0 * d + gamma * tables[np.uint64(at_budget - d * across)]
        fall = (at_low - value) / (d - low)
        if value >= 0.0:
            low, at_low = d, value
        else:
            high = d - 1
        if not fall > 0.0:
            guesses = 0
    if fall > 0.0:
        steep[i] = fall
    return low


@kernel
def _exact(  # type: ignore[no-untyped-def]
    tables, place, down, across, highest, fixed, v1, v0, gamma, i, t, b, theta, ranked, shift, steep
):
    """Return the ranked bid of the leader, known to be at least ``ranked``."""
    at_budget = place[i] + (t - 1) * down[i] + b * across[i]
    x = theta if np.isnan(fixed[i]) else fixed[i]
    reward = v1[i] * x - gamma[i] * tables[np.uint64(at_budget)]
    bid = _search(tables, at_budget, across[i], v0[i], gamma[i], reward, ranked >> shift, min(b, highest[i]), steep, i)
    return (bid << shift) | (ranked & ((1 << shift) - 1))


@kernel
def _pace(state, gains, k, left, top, begun, due, length):  # type: ignore[no-untyped-def]
    """Steer the multiplier of a PID bidder at the end of its control interval, requests begun .. due - 1."""
    spent = state[k, 3]
    state[k, 3] = 0.0
    if left + spent < top:
        return
    # What was left is planned evenly over what was to come, so that an exhausted budget plans nothing.
    planned = (left + spent) * (due - begun) / (length - begun)
    if planned > 0.0:
        error = (planned - spent) / planned
        total = state[k, 1] + error
        wanted = state[k, 0] * np.exp(gains[k, 1] * error + gains[k, 2] * total + gains[k, 3] * (error - state[k, 2]))
        state[k, 0] = min(max(wanted, gains[k, 4]), gains[k, 5])
        if state[k, 0] == wanted:  # anti-windup: the integral rests while the multiplier is at a limit
            state[k, 1] = total
        state[k, 2] = error
