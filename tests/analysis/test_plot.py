"""Terminal plots and ticks."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest

from equilibria.sim.analysis.plot import terminal_plot
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.analysis.ticks import linear_ticks, log_ticks, short
from equilibria.sim.cli.terminal import detect


def curve(name: str, values: list[float]) -> Curve:
    data = np.array(values, dtype=np.float64)
    return Curve(name=name, unit=np.arange(len(data)), mean=data, low=data, high=data, rows=len(data))


def test_every_line_fits_and_only_ascii_is_used_where_nothing_else_can_be_written() -> None:
    for width in (30, 47, 80):
        for curves in ([curve("a", [1.0, 0.1, 0.01])], [curve("a", [1.0, 2.0]), curve("b", [2.0, 1.0])]):
            lines = terminal_plot(curves, width=width, log=True, x_label="iteration", encoding="ascii")
            assert max(map(len, lines)) <= width
            "\n".join(lines).encode("ascii")


def test_braille_draws_one_series_and_marks_tell_several_apart() -> None:
    one = "".join(terminal_plot([curve("a", [1.0, 2.0, 3.0])]))
    assert re.search("[\u2801-\u28ff]", one)
    two = "".join(terminal_plot([curve("a", [1.0, 2.0]), curve("b", [2.0, 1.0])]))
    assert "●" in two
    assert "○" in two
    assert "\x1b" not in one + two


def test_colour_codes_appear_only_when_allowed() -> None:
    assert "\x1b[" in "".join(terminal_plot([curve("a", [1.0, 2.0])], colour=True))


class FakeTerminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_colour_is_off_for_pipes_dumb_terminals_and_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert detect(FakeTerminal()).colour
    assert not detect(io.StringIO()).colour
    assert detect(io.StringIO()).width == 80
    monkeypatch.setenv("TERM", "dumb")
    assert not detect(FakeTerminal()).colour
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not detect(FakeTerminal()).colour
    monkeypatch.setenv("COLUMNS", "97")
    assert detect(FakeTerminal()).width == 97


def test_log_axis_leaves_out_what_has_no_logarithm_and_says_so() -> None:
    text = "\n".join(terminal_plot([curve("a", [1.0, 0.0, 0.01])], log=True))
    assert "1 values at or below 0" in text
    falling_back = "\n".join(terminal_plot([curve("a", [0.0, 0.0])], log=True))
    assert "at or below" not in falling_back


def test_the_first_value_is_at_the_top_and_the_last_at_the_bottom_of_a_falling_curve() -> None:
    lines = terminal_plot([curve("a", [2.0, 1.0, 0.0])], height=8, encoding="ascii", width=40)
    body = [line.split("|")[-1].split("+")[-1] for line in lines[:8]]
    assert body[0].startswith("*")
    assert body[-1].endswith("*")


@pytest.mark.parametrize("values", [[], [5.0], [3.0, 3.0, 3.0], [1e-300, 1e300]])
def test_degenerate_curves_are_drawn_or_said_to_be_empty(values: list[float]) -> None:
    for log in (False, True):
        assert terminal_plot([curve("a", values)], log=log)


def test_ticks_are_round_and_inside() -> None:
    assert linear_ticks(0, 1000, 6) == [0, 200, 400, 600, 800, 1000]
    assert linear_ticks(2.0, 2.0, 5) == [2.0]
    assert log_ticks(-3, 0, 6) == pytest.approx([1e-3, 1e-2, 1e-1, 1.0])
    assert log_ticks(0.1, 0.8, 6) == pytest.approx([2.0, 5.0])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1e-5, "1e-05"),
        (0.00123456, "0.001235"),
        (0.25, "0.25"),
        (12.3456, "12.35"),
        (12500.0, "12,500"),
        (-3e-9, "-3e-09"),
        (4.2e12, "4.2e+12"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text
