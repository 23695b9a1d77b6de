"""Judging apart: by the part of the log that policies did not learn from, where that is enough to judge by."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from micro_rl.data import Dataset
from micro_rl.data.parts import Parts, judging_rows, part
from micro_rl.trust.grouping import folds_of
from micro_rl.trust.options import Options
from micro_rl.trust.window_length import FEWEST, LENGTHS, longest, within

AS_LONG = "as long as the whole log leaves enough of them"
SHARED = (
    "{names} learned from the rows that judge it, and a policy does best where it learned: train with --part training, "
    "and one of every three episodes is kept for the judge"
)
TOO_FEW = "the episodes that the policies did not see are too few to judge by ({reason}): the judge saw the whole log"
STRANGER = "{name} was trained on another log, {log}: what it is judged by may be of another system"


class Judging(NamedTuple):
    """What policies are judged by: rows, options that go with them, and why windows are so long where that is new."""

    dataset: Dataset
    options: Options
    reason: str | None = None


def labelled(dataset: Dataset, options: Options) -> tuple[Dataset, Options]:
    """The log with a label in every row for the groups that were asked for: parts of the log then have them, too.

    Raises:
        UserError: there is no such column, or too few episodes for the way.
    """
    if options.groups is None or (isinstance(options.groups, str) and options.groups == "time"):
        return dataset, options
    folds = folds_of(dataset, options.groups)
    named = replace(dataset, groups=np.array(folds.names)[folds.of_row])
    return named, options._replace(groups=None, made=folds.made)


def of_the_part(dataset: Dataset, options: Options) -> Options:
    """The options with a current policy's actions, where it is given by them, in the judge's part alone.

    Args:
        dataset: the whole log, single observations.
        options: for it.
    """
    if options.current is None or callable(options.current):
        return options
    return options._replace(current=np.asarray(options.current)[judging_rows(dataset)])


def with_length(judging: Dataset, whole: Dataset, options: Options) -> tuple[Options, str | None]:
    """Windows of the part as long as the whole log's would be, while it holds enough of them, and why; else its own."""
    if options.window is not None or not len(judging):
        return options, None
    windows = longest(whole, folds_of(whole, options.groups))
    own = within(judging, windows.length, folds_of(judging, options.groups))
    enough = min(windows.disjoint, own.disjoint) >= FEWEST
    if windows.length not in LENGTHS or not enough:
        return options, None
    return options._replace(window=windows.length), AS_LONG


def apart(dataset: Dataset, parts: Parts, options: Options) -> Judging:
    """The part of the log that is the judge's alone.

    Args:
        dataset: the log, single observations.
        parts: of it.
        options: for the whole log.
    """
    labels, options = labelled(dataset, options)
    judging = parts.judging if labels is dataset else part(labels).judging
    options, reason = with_length(judging, dataset, of_the_part(dataset, options))
    return Judging(replace(judging, name=dataset.name, notes=(*dataset.notes, parts.made)), options, reason)


def learned_apart(parts: Parts, logs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether there are runs, and all of them learned from the training part alone.

    Args:
        parts: of the log.
        logs: what each run's record says of its log.
    """
    return bool(logs) and all(log.get("sha256") == parts.training.sha256 for log in logs.values())


def notes(dataset: Dataset, parts: Parts, logs: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """What must be said of runs that saw what judges them, the whole log, or of another log."""
    own = (None, dataset.sha256, parts.training.sha256)
    strangers = [
        STRANGER.format(name=name, log=log.get("name"))
        for name, log in logs.items()
        if log.get("sha256") not in own and not _other_part(dataset, log)
    ]
    digests = own[1:2] if learned_apart(parts, logs) else own[1:]
    shared = [name for name, log in logs.items() if log.get("sha256") in digests]
    return [*strangers, *([SHARED.format(names=" and ".join(shared))] if shared else [])]


def _other_part(dataset: Dataset, log: Mapping[str, Any]) -> bool:
    """Whether a run learned from the one part of the log, and the other one was asked for to judge by."""
    asked = {dataset.reading.part, log.get("reading", {}).get("part")}
    return asked == {"training", "judging"} and log.get("name") == dataset.name
