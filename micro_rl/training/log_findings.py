"""What the check knows of a log at next to no cost, said by whatever learns from it."""

import shlex
from dataclasses import replace

from micro_rl.core.columns import UNNAMED
from micro_rl.data import Dataset
from micro_rl.data.checks.cheap import cheap_findings


def log_findings(dataset: Dataset) -> tuple[str, ...]:
    """A line for each kind of finding, then the command that shows the rest, also of what reading the log found.

    Args:
        dataset: a log that was read; of one in windows nothing is said, as its columns are not the log's.

    Returns:
        Sentences for a person, none where there is nothing.
    """
    if dataset.history != 1:
        return ()
    if len(dataset.columns.actions) != dataset.actions.shape[1]:  # put together by hand, under another log's names
        dataset = replace(dataset, columns=UNNAMED)
    own = {"few-rows"}  # the plan says it, of its own batch
    texts = [finding.text for finding in cheap_findings(dataset) if finding.kind not in own]
    if (texts or dataset.notes) and dataset.path.exists():
        texts.append(f"`micro-rl data check {shlex.quote(str(dataset.path))}` shows all that is found in the log")
    return tuple(texts)
