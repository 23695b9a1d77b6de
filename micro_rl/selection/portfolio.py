"""What is tried on a log: methods that differ in what they need the log to be, each with settings for logs of any kind.

No setting is chosen for a task. What a log is decides two things: without breadth, learning far from it is not tried;
where rewards are negative, an end would be worth more than going on, so rollouts are truncated and not halted.
"""

from typing import Any, NamedTuple

SLOW_FROM = 20
"""Minutes from which the dearer of the methods without a model is tried."""
SEEDS_FROM = 30
"""Minutes from which every candidate is trained with two seeds."""
NEVER = 1_000_000
"""Epochs between evaluations: candidates are judged by one judge, from outside."""
COMMON: dict[str, Any] = {
    "preset": "generic",
    "epochs": NEVER,
    "updates_per_epoch": 500,
    "eval_every": NEVER,
    "checkpoint_every": 20,
}


MICRO: dict[str, Any] = {"num_samples": 0}
"""The members' means in place of one draw of each: better on the three logs of docs/results/sensitivity.md, and on a
fourth not told apart."""


class Candidate(NamedTuple):
    """A method with its settings, and why it is tried."""

    name: str
    method: str
    settings: dict[str, Any]
    why: str

    @property
    def choices(self) -> dict[str, Any]:
        """Everything that `make_plan` is given for it, but for log and model."""
        own = COMMON | self.settings
        return own if self.learns_model else own | {"scoring_model": False}

    @property
    def learns_model(self) -> bool:
        """Whether it needs the ensemble that all share."""
        return self.method == "micro"


def portfolio(minutes: float, history: int, narrow: bool, negative: bool) -> tuple[Candidate, ...]:
    """The candidates for a log and a time.

    Args:
        minutes: that there are for everything.
        history: observations that policies see.
        narrow: whether the log shows little but what one controller does.
        negative: whether its mean reward is below 0.
    """
    support = "truncate" if negative else "halt"
    every = [
        Candidate("bc", "bc", {}, "does what the log did: the measure of all others"),
        Candidate("td3_bc", "td3_bc", {}, "improves close to the log's actions"),
        Candidate("iql", "iql", {}, "never asks what an unseen action is worth"),
        Candidate(
            "micro-anchored",
            "micro",
            MICRO | {"bc_weight": 2.0, "support": support},
            f"learns in a model, held to the log's actions; rollouts {support} where the log cannot vouch",
        ),
        Candidate(
            "micro-near", "micro", MICRO | {"bc_weight": 0.4}, "learns in a model, loosely held to the log's actions"
        ),
    ]
    if not narrow:
        every.append(Candidate("micro", "micro", MICRO, "learns in a model, free of the log's actions"))
    if minutes >= SLOW_FROM:
        every.append(Candidate("rebrac", "rebrac", {}, "improves close to the log's actions, both in critic and actor"))
    own = {"history": history} if history > 1 else {}
    return tuple(candidate._replace(settings=candidate.settings | own) for candidate in every)
