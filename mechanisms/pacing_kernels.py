"""Compiled pacing of one bidder through a stream of auctions.  Cost: about ten operations per auction."""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform

THROTTLE, MULTIPLICATIVE, PID, DUAL = range(4)
CODES = {"throttle": THROTTLE, "multiplicative": MULTIPLICATIVE, "pid": PID, "dual_omd": DUAL}


@kernel
def replay(code, first_price, values, prices, budget, p, key, state, won, paid):  # type: ignore[no-untyped-def]
    """Play T auctions; the bidder wins where its bid exceeds the price, and never bids more than is left.

    Args:
        code: Pacing rule.
        first_price: Pay the own bid instead of the price.
        values: [T] values.
        prices: [T] highest competing bids.
        budget: Money for all auctions.
        p: [9] step, bound, top value, control interval, Kp, Ki, Kd, least and greatest multiplier of the PID rule;
            the dual rule reads its target from the last place.
        key: Key of the throttling draws.
        state: [T] out; bid multiplier (probability of taking part, when throttling) at each auction.
        won: [T] out.
        paid: [T] out.

    Returns:
        Money spent, at most ``budget`` to the last bit.
    """
    horizon = values.shape[0]
    rate = budget / horizon
    spent = 0.0
    take, mu, lam, pid = 1.0, 0.0, 2.0, 1.0  # the dual rule starts cautious, at 1.5 x target
    integral, last_error, interval_spend, since = 0.0, 0.0, 0.0, 0
    for t in range(horizon):
        v = values[t]
        left = budget - spent
        if code == THROTTLE:
            multiplier = 1.0
            state[t] = take
            active = uniform(key, t, 0, 0) < take
        else:
            active = True
            if code == MULTIPLICATIVE:
                multiplier = 1.0 / (1.0 + mu)
                active = left >= p[2]
            elif code == PID:
                multiplier = pid
            else:
                multiplier = (1.0 + lam) / (mu + lam / p[8])
            state[t] = multiplier
        bid = min(v * multiplier, left)
        cost = 0.0
        win = active and bid > prices[t]
        if win:
            cost = bid if first_price else prices[t]
        won[t] = win
        paid[t] = cost
        spent += cost
        if code == THROTTLE:
            take = min(1.0, max(0.0, take + p[0] * (rate - cost)))
        elif code == MULTIPLICATIVE:
            if active:  # a bidder that has stopped keeps its multiplier
                mu = min(p[1], max(0.0, mu - p[0] * (rate - cost)))
        elif code == DUAL:
            earned = v if win else 0.0
            lam = min(1e6, max(1e-6, lam * np.exp(-p[0] * (earned - cost / p[8]))))
            mu = max(0.0, mu - p[0] * (rate - cost))
        else:
            interval_spend += cost
            since += 1
            if since == p[3]:
                error = 1.0 - interval_spend / (rate * since)
                wanted = pid * np.exp(p[4] * error + p[5] * (integral + error) + p[6] * (error - last_error))
                pid = min(p[8], max(p[7], wanted))
                if pid == wanted:  # the integral rests while the multiplier is clipped
                    integral += error
                last_error = error
                interval_spend, since = 0.0, 0
    return spent
