"""What is printed when runs are over: one run's scores beside its log's, or a table of many runs' scores."""

import shlex
from collections.abc import Mapping

import numpy as np
from rich.console import Console
from rich.table import Table

from micro_rl.cli.best_evaluation import best_evaluation
from micro_rl.cli.commands.console import say
from micro_rl.cli.display import SCORES
from micro_rl.core.metric_keys import CRITICS_RETURN, EVAL_RETURN, EVAL_SCORE, WINDOW_DIFFERENCE
from micro_rl.core.wording import figure, plural
from micro_rl.errors import Diverged
from micro_rl.reports.run.story import opinion
from micro_rl.training.job import Run


def print_run(run: Run, console: Console) -> None:
    """Print the score beside the log's own, and where to look."""
    log = run.scores["log"]
    has_score = "normalised_return_mean" in log
    table = plain_table("", "return", "score") if has_score else plain_table("", "return")

    def add(label: str, value: float, score: float | None) -> None:
        table.add_row(label, figure(value), *([] if score is None else [figure(score)]))

    add("the log's episodes, mean", log["return_mean"], log.get("normalised_return_mean"))
    add("the log's best episode", log["return_best"], log.get("normalised_return_best"))
    evaluated, score = run.scores.get(EVAL_RETURN), run.scores.get(EVAL_SCORE, {})
    remark = ""
    if evaluated:
        count = evaluated["evaluations"]
        label = f"mean of its last {count} evaluations" if count > 1 else "its only evaluation"
        add(f"the policy, {label}", evaluated["mean_of_last"], score.get("mean_of_last"))
    elif WINDOW_DIFFERENCE in run.scores:
        add(f"the log, in a window of {plural(log['window'], 'step')}", log["window_return"], None)
        row = next(row for row in reversed(run.metrics) if WINDOW_DIFFERENCE in row)
        low, high = (row[f"window_estimate/{end}"] for end in ("low", "high"))
        own = "its own model" if (run.path / "model").exists() else "the model that scores it"
        remark = (
            f"by {own} the policy collects {figure(run.scores[WINDOW_DIFFERENCE]['last'], '+')} a window "
            f"against the log, between {figure(low, '+')} and {figure(high, '+')}. {opinion(low, high)} "
            f"`micro-rl trust {shlex.quote(str(run.path))}` asks another model, and tests it"
        )
    elif CRITICS_RETURN in run.scores:
        add("the policy, discounted, by its critics' own estimate", run.scores[CRITICS_RETURN]["last"], None)
    console.print(table)
    if remark:
        say(console, remark)
    if best := best_evaluation(run):
        say(console, f"best    {best}")
    say(console, f"page    {run.path / 'report.html'}")
    say(console, f"policy  {run.path / 'policy.safetensors'}")


def print_sweep(outcomes: Mapping[str, Run | Diverged], console: Console) -> None:
    """Print each combination's scores over its seeds, and which runs diverged."""
    combinations: dict[str, list[Run]] = {}
    for name, outcome in outcomes.items():
        if isinstance(outcome, Run):
            combinations.setdefault(name.rpartition("seed")[0].rstrip("-") or "all", []).append(outcome)
    metrics: dict[str, Table] = {}
    for combination, runs in combinations.items():
        label, values = _scores(runs)
        if values:
            table = metrics.setdefault(label, plain_table("", "runs", "mean", "standard deviation", "least", "most"))
            deviation = figure(float(np.std(values, ddof=1))) if len(values) > 1 else ""
            figures = (figure(float(np.mean(values))), deviation, figure(min(values)), figure(max(values)))
            table.add_row(combination, str(len(values)), *figures)
    for label, table in metrics.items():
        say(console, f"{label}, each run's mean of its last evaluations")
        console.print(table)
    for name, outcome in outcomes.items():
        if isinstance(outcome, Diverged):
            say(console, f"diverged  {name}: {outcome}")


def plain_table(*columns: str) -> Table:
    """A table without lines: the column without a heading holds names, the others figures."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    return table


def _scores(runs: list[Run]) -> tuple[str, list[float]]:
    """The label of the first score that all runs have, and each one's value."""
    for label, key, _ in SCORES:
        if all(key in run.scores for run in runs):
            return label, [run.scores[key]["mean_of_last"] for run in runs]
    return "", []
