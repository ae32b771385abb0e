from __future__ import annotations

import io

import pytest

from equilibria.sim.progress import Progress, duration, progress_line


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Gone(Terminal):
    """A terminal that went away."""

    def write(self, text: str) -> int:
        raise OSError


def test_nothing_is_drawn_without_a_terminal() -> None:
    stream = io.StringIO()
    line = Progress("toy", 10, "period", stream=stream)
    line.update(5, "gini 0.5")
    line.close()
    assert stream.getvalue() == ""


def test_the_line_shows_share_rate_rest_and_headline() -> None:
    text = progress_line("toy", 250, 1000, "period", 50.0, "gini 0.5")
    assert text == "toy  [######..................]  25 %  250/1000 periods  50/s  0:15 left  gini 0.5"
    assert "--" in progress_line("toy", 0, 0, "period", 0.0, "")


def test_a_terminal_gets_one_line_that_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    line = Progress("toy", 10, "period", stream=stream)
    line.update(5)
    line.update(6)
    line.close()
    assert "\n" not in stream.getvalue()
    assert max(len(part) for part in stream.getvalue().split("\r")) <= 59
    assert stream.getvalue().endswith(" \r")


def test_a_terminal_that_went_away_does_not_end_the_run() -> None:
    line = Progress("toy", 10, "period", stream=Gone())
    line.update(5)
    assert not line.enabled


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3661, "1:01:01"), (float("inf"), "99999:59:59")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds).startswith(text[:5])
