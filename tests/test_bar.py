"""The progress bar: only on a terminal, and names keep their brackets."""

from io import StringIO

import pytest
from rich.console import Console

from micro_rl.cli.bar import Bar


@pytest.mark.parametrize(
    ("terminal", "silent", "shown"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_is_shown_on_a_terminal_alone(terminal: bool, silent: bool, shown: bool):
    output = StringIO()
    screen = Console(file=output, force_terminal=terminal, width=100)
    with Bar(screen, silent) as bar:
        assert bar.move(0.3, "judging [red]pump") == shown
    text = output.getvalue()
    assert ("30 %  judging [red]pump" in text) == shown
    assert shown or not text
