"""What both models of rewards demand of their data."""

from __future__ import annotations

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray


def checked_rows(features: FloatArray, issuer: IntArray, action: IntArray, reward: FloatArray) -> None:
    """Refuse data that cannot be fitted to.

    Raises:
        InvalidValue: If there are no rows, numbers of rows differ or a feature is not finite.
    """
    n = len(reward)
    if n < 1 or not len(features) == len(issuer) == len(action) == n:
        raise InvalidValue(f"a fit needs equally many features, issuers, actions and rewards, got {n} rewards")
    if not np.isfinite(features).all():
        i, j = (int(k) for k in np.argwhere(~np.isfinite(features))[0])
        raise InvalidValue(f"features[{i}, {j}] must be finite, got {float(features[i, j])!r}")
