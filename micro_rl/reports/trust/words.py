"""A judgement in sentences that a plant manager reads in a minute."""

from micro_rl.core.wording import number, plural
from micro_rl.reports.trust.record import BETTER, NOT_SHOWN, WORSE, Judgement, PolicyJudgement, Trial

NEVER_KNOWN = (
    "No log can tell of a reward that none of its rows ever triggered, nor of a world that has changed since. What a "
    "limit of yours forbids can be said with --limits; the rest is what the trial is for."
)
UNTESTED = (
    "That is no test that the judge has passed: no interval can promise anything, and for a policy that acts unlike "
    "the log nothing supports it."
)

SPREADLESS = (
    "No trial can be planned: all windows of the log bring the same, so that nothing tells how spread windows are. "
    "Choose a longer --window, in which rewards differ."
)


def headline(judgement: Judgement) -> str:
    """The page's large sentence."""
    policies = judgement.policies
    better = [policy for policy in policies if policy.verdict == BETTER]
    if len(policies) == 1:
        return _of_one(policies[0], judgement.opponent)
    if better:
        surest = judgement.ranking[0]
        return f"{len(better)} of {len(policies)} are better than {judgement.opponent}; the surest is {surest}."
    if all(policy.verdict == WORSE for policy in policies):
        return "Keep what you have: all of them are worse."
    return "Keep what you have: none is shown to be better."


def _of_one(policy: PolicyJudgement, opponent: str) -> str:
    return {
        BETTER: f"Better than {opponent}, as far as the log can tell.",
        NOT_SHOWN: "Not shown to be better. Keep what you have.",
        WORSE: f"Worse than {opponent}. Keep what you have.",
    }[policy.verdict]


def yardstick(judgement: Judgement) -> str:
    """What everything is measured by."""
    return (
        f"Everything is compared over windows of {plural(judgement.window, 'step')} ({judgement.window_reason}). What "
        f"made the log collected {number(judgement.measured)} in such a window, or "
        f"{number(judgement.measured / judgement.window)} a step: that was measured, with a standard error of "
        f"{number(judgement.measured_deviation)}."
    )


def tested(judgement: Judgement) -> str:
    """How the judge fared on parts of the log that it did not see."""
    folds = len(judgement.folds)
    promise = (
        f"With {folds} parts the interval can promise {100 * judgement.level:.0f} %, and its half width is "
        f"{judgement.width:.2g} deviations."
    )
    return (
        f"The judge was tested on this log: {plural(folds, 'part')} ({judgement.folds_made}) were left out one by one, "
        f"and what they returned was predicted. The predictions explain {100 * max(0.0, judgement.explained):.0f} % of "
        f"what the parts differ by. {promise if judgement.explained > 0 else UNTESTED} {_deciding(judgement)}"
        f"{_together(judgement)}"
    )


def _deciding(judgement: Judgement) -> str:
    """Whose interval decides."""
    share = f"{100 * max(0.0, judgement.fqe_explained):.0f} %"
    if judgement.alone:
        return f"Fitted Q evaluation explains {share}: the model’s interval decides."
    return f"Fitted Q evaluation explains {share}: the interval that decides spans the model’s and its own."


def _together(judgement: Judgement) -> str:
    """That the intervals hold for the best of all policies."""
    if judgement.widening == 1.0:
        return ""
    return (
        f" The best of {plural(len(judgement.policies), 'policy', 'policies')} is likely to have been lucky, so all "
        f"intervals are {judgement.widening:.2f} times as wide: they hold for all at once, and so for the chosen one."
    )


def against_measured(judgement: Judgement) -> str:
    """What the judge says of the log itself, where it can be compared with what was measured."""
    error, imitation = judgement.baseline_error, judgement.imitation_error
    if error is None:
        known = "What your current policy collects was not measured: both sides of the difference are estimates."
        return known if imitation is None else f"{known} {_imitated(imitation)}"
    model, fqe = judgement.measured + error.model, judgement.measured + error.fqe
    return (
        f"Clones of what made the log, part by part, collect {number(model)} a window by the model and {number(fqe)} "
        f"by fitted Q evaluation, where {number(judgement.measured)} was measured. Whether a policy is misjudged by as "
        "much cannot be known: the interval holds its difference from their estimate and from what was measured."
    )


def _imitated(beyond: float) -> str:
    """What it is worth that a network stands for the current policy."""
    more = "more" if beyond > 0 else "less"
    return (
        f"By fitted Q evaluation the network that imitates it collects {number(abs(beyond))} a window {more} than your "
        "policy’s own actions in the log’s rows do: the interval holds the difference from both."
    )


def vouched(judgement: Judgement) -> str:
    """What the log can vouch for."""
    return (
        f"Of true transitions that the judge had not seen, {100 * judgement.coverage:.1f} % count as known (99 % were "
        f"meant to). A step that is not counts as one of the log’s worst window, "
        f"{number(judgement.window_rewards[0])}, in the lower end of the interval and as one of its best, "
        f"{number(judgement.window_rewards[1])}, in the upper end."
    )


def trial(judgement: Judgement, policy: PolicyJudgement) -> str:
    """How to try it, or what a trial could show that the log does not; empty where none is planned."""
    if policy.trial is None:
        return SPREADLESS if policy.verdict == BETTER else ""
    plan, gain = policy.trial, policy.evidence.gain
    estimated = judgement.baseline_error is None
    known = " (an estimate of what your current policy collects: better measure it beside)" if estimated else ""
    marks = "; ".join(f"after {windows:,} by {number(margin)}" for windows, margin in plan.decide)
    return (
        f"{_why_tried(judgement, policy)} at most {plural(plan.most_windows, 'window')} under watch. Look after each: "
        f"once the mean of its windows lies above {number(plan.baseline)}{known} by the margin, it is shown to be "
        f"better ({marks}); once it lies below by as much, stop. However often one looks, at most "
        f"{100 * plan.alpha:.0f} of 100 such trials decide wrongly, if windows are as spread as the log’s, and no more "
        "alike one after another"
        f"{', and the estimate is true' if estimated else ''}.{_too_small(plan, gain)}"
    )


def _why_tried(judgement: Judgement, policy: PolicyJudgement) -> str:
    """The words before the number of windows: a trial is advised, or is what could decide."""
    if policy.verdict == BETTER:
        return "Try it for"
    untested = (
        " The judge passed no test on this log, so even the estimate is worth little."
        if judgement.explained <= 0
        else ""
    )
    shown = f"The log does not show {policy.name} to be better; a trial can, where a few bad windows can be borne."
    return f"{shown}{untested} It takes"


def _too_small(plan: Trial, gain: float) -> str:
    """What is said of a gain that the longest trial does not show."""
    if plan.shows(gain):
        return ""
    more = f"; the log's own mean has a standard error of {number(plan.baseline_deviation)}"
    more = more if plan.baseline_deviation else ""
    return f" A gain of {number(gain)}, for which it is planned, is too small for so many windows{more}."
