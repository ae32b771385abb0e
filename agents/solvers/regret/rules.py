"""The rule table: every method as a kernel family and a vector of numbers.

REGRET   R <- max(floor, d R + w r), d by the sign of R: D(t-1, alpha) or D(t-1, beta), D(s, e) = s^e / (s^e + offset)
AVERAGE  S <- S ((t-1)/t)^gamma + x sigma_t, from iteration ``warm`` on
POLICY   sigma_{t+1} ~ max(0, y)^exponent, y = R or D(t, alpha) R (``project``) plus optimism * r

=============  ========  =====  ==  =====  ===========  ========  =====
method         alpha     beta   w   floor  y            exponent  gamma
=============  ========  =====  ==  =====  ===========  ========  =====
CFR            -         -      1   none   R            1         0
CFR+           -         -      1   0      R            1         1
Linear CFR     -         -      t   none   R            1         1
DCFR           1.5       0      1   none   R            1         2
DCFR+          1.5 (a)   -      1   0      R            1         4
PCFR+          -         -      1   0      R + r        1         2
PDCFR+         2.3       -      1   0      D R + r      1         5
HS-DCFR        1+3t/K    (b)    1   none   R            1         g-5t/K
HS-PCFR+       -         -      1   0      R + r        1         g-5t/K
WOP-CFR        -         -      1   0      R + r        1.5       2
=============  ========  =====  ==  =====  ===========  ========  =====

(a) offset 1.5 in the denominator, as in the authors' code.  (b) -1 - 2t/K.  K is the budget.
VAD-CFR and AOD-CFR have kernels of their own.  Sources: Zinkevich et al. (2007); Tammelin (2014); Brown and
Sandholm (2019); Farina, Kroer, Sandholm (2021); Xu et al. (2024); Zhang, McAleer, Sandholm (2026);
Li, Schultz, Hennes, Lanctot (2026).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equilibria.agents.solvers.regret import kernels as k
from equilibria.agents.solvers.regret.settings import (
    DEFAULT_WARM_START,
    SETTINGS,
    AODCFRSettings,
    CFRPlusSettings,
    DCFRPlusSettings,
    DCFRSettings,
    HSSettings,
    PCFRPlusSettings,
    PDCFRPlusSettings,
    RegretSettings,
    VADCFRSettings,
    WarmSettings,
    WOPCFRSettings,
)
from equilibria.sim.errors import InvalidValue, unknown_name
from equilibria.sim.types import FloatArray


@dataclass(frozen=True, slots=True)
class Family:
    """A compiled rule family.

    Attributes:
        run: Iteration loop over all players.
        update: Local rules of one player and iteration.
        zero_tol: Index of the dead zone in the parameter vector.
    """

    run: Callable[..., None]
    update: Callable[..., None]
    zero_tol: int


DISCOUNTED = Family(k.run_discounted, k.update_discounted, k.ZERO_TOL)
VAD = Family(k.run_vad, k.update_vad, k.V_ZERO_TOL)
AOD = Family(k.run_aod, k.update_aod, k.A_ZERO_TOL)


@dataclass(frozen=True, slots=True)
class Rule:
    """A method with its numbers.

    Attributes:
        family: Kernels.
        params: float64 parameter vector of the family; the dead zone is filled in by the solver.
        extra: Extra state: ``"sequence"`` [S], ``"infoset"`` [I], ``"one"`` [1] or ``"none"`` [0].
        warm_start: First iteration (0-based) that enters the average.
        limit: Largest number of iterations the schedule covers, ``None`` without one.
    """

    family: Family
    params: FloatArray
    extra: str = "none"
    warm_start: int = 0
    limit: int | None = None


def make_rule(method: str, settings: RegretSettings, budget: int | None) -> Rule:
    """Return the rule of a method.

    Args:
        method: Registry name.
        settings: The method's settings.
        budget: Planned number of iterations, ``None`` when unknown.

    Raises:
        UnknownName: If there is no such method.
        InvalidValue: If a schedule needs a budget, or the warm start lies beyond it.
    """
    if method not in _MAKERS:
        raise unknown_name("regret minimiser", method, list(_MAKERS))
    if not isinstance(settings, SETTINGS[method]):
        raise InvalidValue(f"{method} needs {SETTINGS[method].__name__}, got {type(settings).__name__}")
    if budget is not None and budget < 1:
        raise InvalidValue(f"budget must be at least 1 iteration, got {budget!r}")
    return _MAKERS[method](settings, budget)


def _discounted(**values: float) -> FloatArray:
    params = np.zeros(k.DISCOUNTED_SIZE)
    defaults = {"OFFSET": 1.0, "FLOOR": -math.inf, "EXPONENT": 1.0, "BUDGET": math.inf, "BOOST": 1.0}
    for name, value in {**defaults, **values}.items():
        params[getattr(k, name)] = value
    return params


def _cfr(settings: RegretSettings, budget: int | None) -> Rule:
    return Rule(DISCOUNTED, _discounted())


def _cfr_plus(settings: RegretSettings, budget: int | None) -> Rule:
    assert isinstance(settings, CFRPlusSettings)
    return Rule(DISCOUNTED, _discounted(FLOOR=0.0, GAMMA=settings.gamma))


def _linear_cfr(settings: RegretSettings, budget: int | None) -> Rule:
    return Rule(DISCOUNTED, _discounted(LINEAR=1.0, GAMMA=1.0))


def _dcfr(settings: RegretSettings, budget: int | None) -> Rule:
    assert isinstance(settings, DCFRSettings)
    shape = {"ALPHA_ON": 1.0, "ALPHA": settings.alpha, "BETA_ON": 1.0, "BETA": settings.beta}
    return Rule(DISCOUNTED, _discounted(**shape, GAMMA=settings.gamma, SHIFT=float(settings.index_shift)))


def _dcfr_plus(settings: RegretSettings, budget: int | None) -> Rule:
    assert isinstance(settings, DCFRPlusSettings)
    shape = {"ALPHA_ON": 1.0, "ALPHA": settings.alpha, "OFFSET": 1.5}
    return Rule(DISCOUNTED, _discounted(**shape, FLOOR=0.0, GAMMA=settings.gamma))


def _pcfr_plus(settings: RegretSettings, budget: int | None) -> Rule:
    assert isinstance(settings, PCFRPlusSettings)
    return Rule(DISCOUNTED, _discounted(FLOOR=0.0, OPTIMISM=1.0, GAMMA=settings.gamma))


def _pdcfr_plus(settings: RegretSettings, budget: int | None) -> Rule:
    assert isinstance(settings, PDCFRPlusSettings)
    shape = {"ALPHA_ON": 1.0, "ALPHA": settings.alpha, "PROJECT": 1.0}
    return Rule(DISCOUNTED, _discounted(**shape, FLOOR=0.0, OPTIMISM=1.0, GAMMA=settings.gamma))


def _hs(settings: RegretSettings, budget: int | None, **shape: float) -> Rule:
    assert isinstance(settings, HSSettings)
    if budget is None:
        raise InvalidValue("hyperparameter schedules need the planned number of iterations: pass budget=...")
    params = _discounted(**shape, GAMMA=settings.gamma, GAMMA_SLOPE=-5.0, BUDGET=float(budget))
    return Rule(DISCOUNTED, params, limit=budget if settings.beyond_budget == "error" else None)


def _hs_dcfr(settings: RegretSettings, budget: int | None) -> Rule:
    alpha = {"ALPHA_ON": 1.0, "ALPHA": 1.0, "ALPHA_SLOPE": 3.0}
    return _hs(settings, budget, **alpha, BETA_ON=1.0, BETA=-1.0, BETA_SLOPE=-2.0)


def _hs_pcfr_plus(settings: RegretSettings, budget: int | None) -> Rule:
    return _hs(settings, budget, FLOOR=0.0, OPTIMISM=1.0)


def _vad_cfr(settings: RegretSettings, budget: int | None) -> Rule:
    assert isinstance(settings, VADCFRSettings)
    warm = _warm_start(settings, budget)
    floor = -math.inf if settings.regret_floor is None else settings.regret_floor
    values = {
        k.V_ALPHA: settings.alpha,
        k.V_BETA: settings.beta,
        k.V_SENS: settings.sensitivity,
        k.V_RMAX: settings.volatility_range,
        k.V_BOOST: settings.boost,
        k.V_EWMA: settings.ewma_weight,
        k.V_FLOOR: floor,
        k.V_OPT: settings.optimism,
        k.V_OPT_DECAY: settings.optimism_decay,
        k.V_EXPONENT: settings.exponent,
        k.V_GAMMA: settings.gamma,
        k.V_GAMMA_MAX: settings.gamma_max,
        k.V_GAMMA_SENS: settings.gamma_sensitivity,
        k.V_WARM: float(warm),
        k.V_STAB: settings.stability_exponent,
        k.V_MAG: settings.magnitude_exponent,
        k.V_ADAPTIVE: float(settings.weighting == "adaptive"),
        k.V_GLOBAL: float(settings.ewma_scope == "global"),
    }
    params = np.zeros(k.VAD_SIZE)
    for index, value in values.items():
        params[index] = value
    return Rule(VAD, params, "one" if settings.ewma_scope == "global" else "infoset", warm)


def _wop_cfr(settings: RegretSettings, budget: int | None) -> Rule:
    assert isinstance(settings, WOPCFRSettings)
    warm = _warm_start(settings, budget)
    shape: dict[str, float] = {"FLOOR": 0.0} if settings.clip else {}
    if settings.alpha is not None:
        shape |= {"ALPHA_ON": 1.0, "ALPHA": settings.alpha}
    if settings.beta is not None:
        shape |= {"BETA_ON": 1.0, "BETA": settings.beta}
    params = _discounted(
        **shape,
        GAMMA=settings.gamma,
        OPTIMISM=settings.optimism,
        OPTIMISM_DECAY=settings.optimism_decay or 0.0,
        EXPONENT=settings.exponent,
        BOOST=settings.boost,
        PROJECT=float(settings.project_discount),
        WARM=float(warm),
    )
    return Rule(DISCOUNTED, params, warm_start=warm)


def _aod_cfr(settings: RegretSettings, budget: int | None) -> Rule:
    assert isinstance(settings, AODCFRSettings)
    return Rule(AOD, np.array([settings.ramp, 0.0]), "sequence")


def _warm_start(settings: WarmSettings, budget: int | None) -> int:
    warm = settings.warm_start
    if warm is None:
        warm = DEFAULT_WARM_START if budget is None else budget // 2
    if budget is not None and warm >= budget and not settings.allow_uniform_average:
        raise InvalidValue(
            f"warm_start must be below the budget of {budget} iterations, got {warm}: the average policy would stay "
            "uniform; lower it or set allow_uniform_average"
        )
    return warm


_MAKERS: dict[str, Callable[[RegretSettings, int | None], Rule]] = {
    "cfr": _cfr,
    "cfr_plus": _cfr_plus,
    "linear_cfr": _linear_cfr,
    "dcfr": _dcfr,
    "dcfr_plus": _dcfr_plus,
    "pcfr_plus": _pcfr_plus,
    "pdcfr_plus": _pdcfr_plus,
    "hs_dcfr": _hs_dcfr,
    "hs_pcfr_plus": _hs_pcfr_plus,
    "vad_cfr": _vad_cfr,
    "wop_cfr": _wop_cfr,
    "aod_cfr": _aod_cfr,
}
