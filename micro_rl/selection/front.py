"""The front door: a log in, a decision out, and a folder that holds what is behind it."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from micro_rl.core import arguments
from micro_rl.data import Dataset
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.reports.choice import page
from micro_rl.reports.choice.record import Choice
from micro_rl.reports.own_page import HEAD, MARK
from micro_rl.reports.run import write_report
from micro_rl.reports.trust import page as trust_page
from micro_rl.reports.trust.record import plain
from micro_rl.selection.choosing import choose_policy, folder_of
from micro_rl.selection.question import Question, refuse_file
from micro_rl.selection.watching import Watcher
from micro_rl.storage.files import check_own, remove, replace_file
from micro_rl.training.log_reading import read_log
from micro_rl.trust.current import with_columns_read
from micro_rl.trust.options import Groups

DECISION, TRUST = PAGES = ("decision.html", "trust.html")


def choose(
    log: str | Path | Dataset,
    *,
    minutes: int | float = 60,
    out: str | Path | None = None,
    resume: bool = False,
    window: str | int | None = None,
    groups: Groups | None = None,
    limits: Sequence[str] = (),
    current: Callable[[Any], Any] | Any | None = None,
    termination: str | None = None,
    known_reward: str | None = None,
    seed: int = 0,
    plan: str | Path | None = None,
    on: str | None = None,
    watcher: Watcher | None = None,
    command: str = "",
) -> Choice:
    """Choose a policy from a log: train a portfolio, judge it on episodes that none of it saw, and decide.

    Args:
        log: a path, a name, or a log that is loaded.
        minutes: that it may take, about.
        out: the folder; by default `trained/LOG-choice`.
        resume: go on in that folder.
        window: steps that policies are compared over, or a time such as "8h"; by default as the log allows.
        groups: parts of the log that the judge is tested on, as of `micro_rl.trust`.
        limits: conditions on the raw observations that should hold, such as "o8 <= 3.2".
        current: what acts today, to be beaten, as of `micro_rl.trust`.
        termination: when episodes end, as for training.
        known_reward: the formula of what a step pays, as for training, for the judge and those that learn in a model.
        seed: of everything random.
        plan: the plan.json of another choice of the same log, to make it anew to its epochs.
        on: a cluster that trains, as of `micro-rl sweep --on`; every node must see the folder.
        watcher: is told how it goes.
        command: what was typed, for the record.

    Returns:
        The decision. The folder holds `decision.html`, `trust.html`, `decision.json`, `policy.safetensors` of the
        policy that is handed over, and every run.

    Raises:
        UserError: a mistake, in one line with its remedy.
    """
    began = time.monotonic()
    question = _question(minutes, window, groups, limits, seed, plan)
    formula = arguments.optional_formula("known_reward", known_reward)
    question = question._replace(termination=termination, known_reward=formula)
    place, go_on = arguments.optional_path("out", out), arguments.flag("resume", resume)
    _check_helpers(on, watcher)
    dataset = log if isinstance(log, Dataset) else read_log(log)
    question = question._replace(current=with_columns_read(current, dataset))
    folder = (place or folder_of(dataset)) if on is None else (place or folder_of(dataset)).absolute()
    refuse_file(folder)
    if go_on:  # before the work; a folder that is new has no pages
        _refuse_foreign_pages(folder)
    watcher = watcher or Watcher()
    choice = choose_policy(dataset, question, folder, go_on, watcher, command, on, began)
    hand_over(choice, folder, watcher.note)
    return choice


def _refuse_foreign_pages(folder: Path) -> None:
    """`UserError` where a page would replace what somebody else wrote."""
    for name in PAGES:
        check_own(folder / name, MARK, HEAD, "micro-rl choose did not write it; move it away")


def _question(minutes: Any, window: Any, groups: Any, limits: Sequence[str], seed: Any, plan: Any) -> Question:
    """What is asked, of the kinds that it must be; not yet what is to be beaten, nor what the model is told."""
    length, number = arguments.number("minutes", minutes), arguments.whole("seed", seed, 0)
    asked_plan = arguments.optional_path("plan", plan)
    conditions = arguments.names("limits", limits, "['level <= 3']", "conditions")
    return Question(length, window, groups, conditions, seed=number, plan=asked_plan)


def _check_helpers(on: Any, watcher: Any) -> None:
    """Refuse what trains, or is told, and is of another kind than it must be."""
    if on is not None:
        arguments.text("on", on, "give ray, auto or ray://HOST:PORT")
    if watcher is not None and not isinstance(watcher, Watcher):
        raise UserError(
            f"watcher: {arguments.brief(watcher)} is no Watcher of micro_rl.selection.watching: leave it out"
        )


def hand_over(choice: Choice, folder: Path, note: Callable[[str], None]) -> None:
    """Write the pages, the record, and the policy that is handed over; `note` is told why its run has no page."""
    _refuse_foreign_pages(folder)
    run_page, handed = None, folder / "policy.safetensors"
    remove(handed)
    if choice.chosen is not None:
        Policy.load(folder / "policies" / f"{choice.chosen}.safetensors").save(handed)
        run_page = _page_of(run_of(choice.chosen), folder, note)
    if choice.judgement is not None:
        trust_page.write(choice.judgement, folder / TRUST)
    replace_file(folder / "decision.json", json.dumps(plain(choice), indent=1, ensure_ascii=False).encode())
    page.write(choice, folder / DECISION, run_page)


def _page_of(run: Path, folder: Path, note: Callable[[str], None]) -> str | None:
    """Write the page of a run, and where it lies from `folder`; None where there can be none."""
    try:
        write_report(folder / run)
    except UserError as error:
        note(f"no page: {error}")
        return None
    return f"{run.as_posix()}/report.html"


def run_of(policy: str) -> Path:
    """Where the run of a policy lies in the choice's folder: NAME-seedS-epochN is of runs/NAME/seedS."""
    candidate, seed, _ = policy.rsplit("-", 2)
    return Path("runs", candidate, seed)
