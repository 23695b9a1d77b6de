"""A choice in sentences."""

import shlex

from micro_rl.core.wording import duration, number, plural
from micro_rl.reports.choice.record import TRY, Choice
from micro_rl.reports.trust import words as trust_words
from micro_rl.reports.trust.record import PolicyJudgement

SHARED = (
    "No rows could be kept from the candidates: the judge has seen what they learned from, and its word is worth less "
    "than on a longer log."
)
LIMITS = (
    "No log can tell of a reward that none of its rows ever triggered, nor of a world that has changed since. What a "
    "limit of yours forbids can be said with --limits."
)
REMEDIES = {
    "the log vouches for too few of its steps": "log what it does there",
    "its worst windows are worse than the log's": "log more of where those windows begin",
}
"""Of gates whose own remedy is an option that a choice does not have."""


def summary(choice: Choice) -> list[tuple[str, str]]:
    """The outcome, a line each, with a word in front."""
    lines = [("decision", f"{headline(choice)} {choice.reason}")]
    if choice.best is not None and choice.decision != TRY:
        lines.append(("best", f"{choice.best.name}: {gain(choice.best)}"))
        lines += [("trial", line) for line in [short_trial(choice)] if line]
    if choice.runner_up is not None:
        lines.append(("runner-up", f"{choice.runner_up.name}: {gain(choice.runner_up)}"))
    lines += [("change", remedy) for remedy in remedies(choice)]
    lines.append(("cost", f"{duration(choice.seconds)} on {plural(choice.workers, 'core')}"))
    return lines


def headline(choice: Choice) -> str:
    """The decision as a sentence."""
    if choice.decision == TRY and choice.chosen is not None:
        return f"Try {choice.chosen}, under watch."
    return "Keep what you have."


def gain(policy: PolicyJudgement) -> str:
    """What a policy is expected to bring, with its interval."""
    own = policy.difference
    return f"{'+' if own.mean > 0 else ''}{number(own.mean)} a window, between {number(own.low)} and {number(own.high)}"


def short_trial(choice: Choice) -> str:
    """What could show more than the log does, in a line; empty where no trial can."""
    own = choice.on_trial
    if own is None or own.trial is None:
        return ""
    windows = plural(own.trial.most_windows, "window")
    return f"of {own.name} would tell, in at most {windows} under watch: decision.html says how"


def trial(choice: Choice) -> str:
    """How to try a policy, and where it is; empty where no trial can show anything."""
    own, judgement = choice.on_trial or choice.best, choice.judgement
    if own is None or judgement is None or not (how := trust_words.trial(judgement, own)):
        return ""
    return how if choice.decision == TRY else f"{how} The policy is policies/{own.name}.safetensors in this folder."


def remedies(choice: Choice) -> list[str]:
    """What would change the decision, by the gates that the best policy failed."""
    if choice.best is None or choice.decision == TRY:
        return []
    gates = [gate for gate in choice.best.gates if gate.passed is False]
    failed = [f"{gate.name}: {REMEDIES.get(gate.name, gate.remedy)}" for gate in gates]
    rising = [own.name for own in choice.candidates if own.best == choice.best.name and own.rising]
    return failed + [f"{name} was still rising when its time was up: more --minutes" for name in rising]


def paragraphs(choice: Choice) -> list[str]:
    """How far the decision can be believed."""
    judgement = choice.judgement
    if judgement is None:
        return []
    shared = [] if choice.apart else [SHARED]
    several = (
        f" The best of many is likely to have been lucky, so all intervals are {judgement.widening:.2f} times as wide "
        "as one policy alone would need: they hold for all policies that were looked at, and so for the chosen one."
        if judgement.widening > 1 and judgement.explained > 0
        else ""
    )
    return [
        *shared,
        trust_words.yardstick(judgement),
        f"{trust_words.tested(judgement._replace(widening=1.0))}{several}",
        trust_words.NEVER_KNOWN if choice.decision == TRY else LIMITS,
    ]


def anew(choice: Choice) -> str:
    """The command that makes the choice again, to the same epochs; empty where there is no plan or no command."""
    if not choice.command or choice.judgement is None:
        return ""
    words = _without(shlex.split(choice.command), ("--out", "--plan"), ("--resume",))
    return shlex.join([*words, "--plan", f"{choice.folder}/plan.json", "--out", f"{choice.folder}-again"])


def _without(words: list[str], valued: tuple[str, ...], switches: tuple[str, ...]) -> list[str]:
    """The words without these options, each with its value behind it or behind an equals sign."""
    kept, value = [], False
    for word in words:
        if not value and word not in valued + switches and not word.startswith(tuple(f"{name}=" for name in valued)):
            kept.append(word)
        value = not value and word in valued
    return kept
