"""The colour map keeps its promises on contrast and identity."""

from __future__ import annotations

import itertools

from equilibria.sim.analysis.colours import DARK_BACKGROUND, LIGHT_BACKGROUND, PALETTE, assign, colour, contrast

# Linear-light simulation of full colour blindness of two kinds (Vienot, Brettel and Mollon 1999, eq. 6 and 7).
_BLIND = {
    "protan": ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
    "deutan": ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
}


def linear(code: str) -> tuple[float, ...]:
    parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)


def seen(code: str, kind: str) -> list[float]:
    rgb = linear(code)
    mixed = [sum(w * c for w, c in zip(row, rgb, strict=True)) for row in _BLIND[kind]]
    return [max(0.0, c) ** (1 / 2.2) for c in mixed]


def test_every_colour_has_contrast_three_on_its_background() -> None:
    for entry in PALETTE:
        assert contrast(entry.light, LIGHT_BACKGROUND) >= 3, entry.name
        assert contrast(entry.dark, DARK_BACKGROUND) >= 3, entry.name


def test_black_on_white_has_contrast_21() -> None:
    assert abs(contrast("#000000", "#ffffff") - 21) < 1e-9


def test_the_first_four_colours_stay_apart_for_colour_blind_readers() -> None:
    for kind in _BLIND:
        for one, two in itertools.combinations(PALETTE[:4], 2):
            gap = sum((a - b) ** 2 for a, b in zip(seen(one.light, kind), seen(two.light, kind), strict=True)) ** 0.5
            assert gap > 0.1, (kind, one.name, two.name)


def test_series_that_share_no_colour_difference_differ_in_their_dash() -> None:
    assert len({entry.dash for entry in PALETTE}) == len(PALETTE)


def test_known_names_keep_their_colour_and_no_colour_repeats_early() -> None:
    assert assign(["x", "vad_cfr"])["vad_cfr"] == assign(["vad_cfr", "y", "z"])["vad_cfr"] == PALETTE[0]
    names = [f"n{i}" for i in range(len(PALETTE))]
    assert len({entry.name for entry in assign(names).values()}) == len(PALETTE)
    assert colour(len(PALETTE)) == colour(0)
