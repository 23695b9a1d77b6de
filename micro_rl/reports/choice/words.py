"""A choice in sentences."""

import shlex

from micro_rl.core.wording import duration, number, plural
from micro_rl.reports.choice.record import TRY, Choice
from micro_rl.reports.trust import words as trust_words
from micro_rl.reports.trust.record import PolicyJudgement


def summary(choice: Choice) -> list[tuple[str, str]]:
    """The outcome, a line each, with a word in front."""
    lines = [("decision", f"{headline(choice)} {choice.reason}")]
    if choice.best is not None and choice.decision != TRY:
        lines.append(("handed", f"{choice.best.name}, the best founded: {gain(choice.best)}; not shown to be better"))
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


def remedies(choice: Choice) -> list[str]:
    """What would change the decision, by the gates that the best policy failed."""
    if choice.best is None or choice.decision == TRY:
        return []
    return [f"{gate.name}: {gate.remedy}" for gate in choice.best.gates if gate.passed is False]


def paragraphs(choice: Choice) -> list[str]:
    """How far the decision can be believed."""
    judgement = choice.judgement
    if judgement is None:
        return []
    several = (
        f" The best of many is likely to have been lucky, so all intervals are {judgement.widening:.2f} times as wide "
        "as one policy alone would need: they hold for all policies that were looked at, and so for the chosen one."
        if judgement.widening > 1
        else ""
    )
    return [
        trust_words.yardstick(judgement),
        f"{trust_words.tested(judgement._replace(widening=1.0))}{several}",
        trust_words.NEVER_KNOWN,
    ]


def anew(choice: Choice) -> str:
    """The command that makes the choice again, to the same epochs; empty where it was asked from Python."""
    if not choice.command:
        return ""
    words = [word for word in shlex.split(choice.command) if word != "--resume"]
    out = next((words[place + 1] for place, word in enumerate(words[:-1]) if word == "--out"), None)
    own = out or f"trained/{choice.log}-choice"
    if out is not None:
        place = words.index("--out")
        del words[place : place + 2]
    if "--plan" not in words:
        words += ["--plan", f"{own}/plan.json"]
    return shlex.join([*words, "--out", f"{own}-again"])
