"""micro-rl choose: from a log to a decision."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.cli.commands.console import console, say, typed
from micro_rl.cli.commands.judging import Judging, current_policy

if TYPE_CHECKING:
    from rich.console import Console

    from micro_rl.reports.choice.record import Choice


@dataclass(frozen=True)
class Choosing(Judging):
    """What to choose by."""

    minutes: float = 60.0
    """Minutes that it may take, about; more of them train longer, from 20 on another method, from 30 on two seeds."""
    out: Path | None = None
    """The folder of everything; by default trained/LOG-choice."""
    resume: bool = False
    """Go on in that folder, where a choice was stopped."""
    plan: Path | None = None
    """The plan.json of another choice of this log: makes it anew, to the same epochs."""
    on: str | None = None
    """Train on a cluster: `ray` begins one on this machine, `auto` takes the one that runs here, `ray://HOST:PORT` one
    behind an address (needs the extra micro-rl[cluster]); every node must see --out."""


EXPLANATION = """Train several methods on a log, judge them on a part that none of them saw, and say what to do.

No simulator is asked. A choice that was stopped, or killed, goes on with --resume and ends as it would have ended.
"""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.cli.choice_display import ChoiceDisplay
    from micro_rl.data.read_options import ReadOptions
    from micro_rl.selection.choosing import folder_of
    from micro_rl.selection.front import choose
    from micro_rl.training.interrupts import leaving_on_sigterm
    from micro_rl.training.log_reading import read_log

    kind = shape("Choose", EXPLANATION, ("log", str), options=Choosing, reading=ReadOptions)
    inputs: Any = parse("choose", arguments, kind)
    asked, dataset = inputs.options, read_log(inputs.log, inputs.reading)
    folder, screen = asked.out or folder_of(dataset), console()
    with leaving_on_sigterm("the same command with --resume goes on"), ChoiceDisplay(screen) as display:
        choice = choose(
            dataset,
            minutes=asked.minutes,
            out=folder,
            resume=asked.resume,
            window=asked.window,
            groups=asked.groups,
            limits=asked.limits,
            current=current_policy(asked.current_policy),
            termination=asked.termination,
            known_reward=asked.known_reward,
            seed=asked.seed,
            plan=asked.plan,
            on=asked.on,
            watcher=display,
            command=typed(),
        )
    _show(choice, folder, screen)


def _show(choice: "Choice", folder: Path, screen: "Console") -> None:
    from micro_rl.reports.choice import words

    for word, sentence in words.summary(choice):
        say(screen, f"{word:10}{sentence}")
    say(screen, f"{'page':10}{folder / 'decision.html'}")
    if choice.chosen is not None:
        say(screen, f"{'policy':10}{folder / 'policy.safetensors'}")
