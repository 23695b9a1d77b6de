"""micro-rl trust: is a policy better than what made its log, and how sure is that?"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.cli.bar import Bar
from micro_rl.cli.commands.console import console, print_for_machines, say
from micro_rl.cli.commands.judging import Judging, current_policy
from micro_rl.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from micro_rl.reports.trust.record import Judgement


@dataclass(frozen=True)
class Trust(Judging):
    """By what to judge."""

    log: str | None = None
    """The log to judge by; by default the one that the first run was trained on."""
    keep: Path | None = None
    """Folder in which judges are kept and found again; by default trained/LOG-trust."""
    page: Path | None = None
    """The page to write; by default trained/LOG-trust.html."""
    json: bool = False
    """Print every figure as JSON, for machines, and write no page unless --page names one."""


EXPLANATION = """Say whether policies are better than what made their log, and how sure that is.

RUN is a run folder or a policy's file. No simulator is asked: the judge learns from the log alone and is tested on
parts of it that it did not see.
"""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.data.read_options import ReadOptions

    kind = shape("TrustRuns", EXPLANATION, ("runs", tuple[Path, ...]), options=Trust, reading=ReadOptions)
    inputs: Any = parse("trust", arguments, kind)
    if not inputs.runs:
        raise UserError("trust: name a run folder or a policy's file: micro-rl trust RUN --log LOG")
    _judge(inputs.runs, inputs.options, inputs.reading)


def _judge(runs: tuple[Path, ...], asked: Trust, reading: Any) -> None:
    from micro_rl.reports.own_page import check_page
    from micro_rl.reports.trust.page import write
    from micro_rl.reports.trust.record import plain
    from micro_rl.storage.files import make_parent
    from micro_rl.training.plan import read_log
    from micro_rl.trust.front import own_log, trust

    if asked.log is None and reading != type(reading)():
        raise UserError("trust: reads the run's log as the run did; name it with --log to read it otherwise")
    dataset = own_log(runs[0]) if asked.log is None else read_log(asked.log, reading)
    page = asked.page or (None if asked.json else Path("trained", f"{dataset.name}-trust.html"))
    if page:
        if page.is_dir():
            raise UserError(f"--page {page}: is a folder; name a file in it")
        check_page(page, "micro-rl trust", "--page")
        make_parent(page)  # before the work, which takes minutes
    screen = console()
    with _Progress(screen, silent=asked.json) as progress:
        judgement = trust(
            runs,
            dataset,
            window=asked.window,
            groups=asked.groups,
            limits=asked.limits,
            current=current_policy(asked.current_policy),
            termination=asked.termination,
            known_reward=asked.known_reward,
            seed=asked.seed,
            folder=asked.keep or Path("trained", f"{dataset.name}-trust"),
            progress=progress,
        )
    if asked.json:
        print_for_machines(json.dumps(plain(judgement), indent=2, ensure_ascii=False))
    else:
        _show(judgement, screen)
    if page:
        write(judgement, page)
        if not asked.json:
            say(screen, f"page      {page}")


def _show(judgement: "Judgement", screen: "Console") -> None:
    from rich.table import Table
    from rich.text import Text

    from micro_rl.core.wording import number
    from micro_rl.reports.trust import words

    say(screen, f"windows   {words.yardstick(judgement)}")
    say(screen, f"test      {words.tested(judgement)} {words.against_measured(judgement)}")
    for note in judgement.notes:
        say(screen, f"note: {note}")
    table = Table(box=None, pad_edge=False)
    for name in ("policy", "verdict", "difference a window", "interval", "by FQE", "vouched for"):
        table.add_column(name, justify="left" if name in ("policy", "verdict") else "right")
    styles = {"better": "bold green", "worse": "bold red"}
    for policy in judgement.ranked:
        own = policy.difference
        table.add_row(
            Text(policy.name),
            Text(policy.verdict, style=styles.get(policy.verdict, "yellow")),
            number(own.mean),
            f"{number(own.low)} to {number(own.high)}",
            number(policy.evidence.fqe.mean),
            f"{100 * policy.evidence.support:.0f} %",
        )
    screen.print(table)
    for policy in judgement.ranked:
        for gate in policy.gates:
            if gate.passed is False:
                say(screen, f"{policy.name}: {gate.name} ({gate.figure}; wanted: {gate.wanted}): {gate.remedy}")
        if told := words.trial(judgement, policy):
            say(screen, f"{policy.name}: {told}")
    say(screen, f"in short  {words.headline(judgement)}")


class _Progress(Bar):
    """A bar on a terminal, a line for every stage elsewhere, with the time left."""

    def __init__(self, screen: "Console", silent: bool):
        super().__init__(screen, silent)
        self._screen, self._silent, self._stage, self._began = screen, silent, "", time.monotonic()

    def __call__(self, what: str, share: float) -> None:
        from micro_rl.core.wording import clock

        spent = time.monotonic() - self._began
        left = f", about {clock(spent * (1 - share) / share)} left" if share > 0.05 else ""
        stage = what.partition(",")[0]
        if not self.move(share, f"{what}{left}") and not self._silent and stage != self._stage:
            self._stage = stage
            say(self._screen, f"{clock(spent)}  {100 * share:3.0f} %  {stage}{left}")
