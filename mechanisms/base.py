"""What rules share: a name, settings, and the direct view that the conformance suite uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from equilibria.mechanisms.settings import RuleSettings

CLAIMS: Final = (
    "truthful",
    "individually_rational",
    "budget_balanced",
    "weakly_budget_balanced",
    "efficient",
    "monotone",
    "anonymous",
    "homogeneous",
    "payment_identity",
)
"""Properties a rule says yes or no to; ``mechanisms.conformance`` has a probe for each.

``truthful``: dominant-strategy incentive compatible.  ``individually_rational``: nobody pays more than the
reported value of what they get.  ``homogeneous``: multiplying bids and money parameters by c > 0 multiplies
payments by c.  ``payment_identity``: p(b) = b x(b) - integral of x from 0 to b.
"""


@dataclass(frozen=True)
class Rule:
    """Base of all rules: immutable, pure."""

    name: str
    settings: RuleSettings

    def properties(self) -> Mapping[str, bool]:
        """Return the claims that the conformance suite tests."""
        held = self.claims()
        return {claim: claim in held for claim in CLAIMS}

    def claims(self) -> frozenset[str]:
        """Return the names of the properties that hold for the present settings."""
        raise NotImplementedError
