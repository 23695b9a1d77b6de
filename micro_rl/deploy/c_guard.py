"""What a past and a guard add to the exported C: their places in the templates."""

import numpy as np

from micro_rl.control.guard import FADING, FURTHEST, LARGEST, PARTS
from micro_rl.deploy.c_tables import number
from micro_rl.deploy.source import Source
from micro_rl.deploy.template import filled

Shared = dict[str, str | int]
WINDOW = """
/* The last {before} observations and the actions really applied after them, newest first. With the newest observation
 * they make a window: [o_t, o_(t-1), ..., a_(t-1), a_(t-2), ...]. Before an episode's first step the system is taken to
 * have rested: its first observation repeated, every action in the middle of its bounds.{guard} */"""
GUARD_ALONE = """
/* The last observation and the action really applied after it, and what the guard remembers of the steps before. */"""
ENOUGH = """{before} steps fill the past; where there are fewer,
 * the first of them began an episode."""
ENOUGH_FOR_GUARD = """{before} fill the past; the guard is
 * told what it remembers by thirty or more, and takes the first for an episode's first."""
SCORE = """    /* How unlike the log the step is; an alarm above {guard}_THRESHOLD. {p}_act leaves it as it is. */
    float score;
"""
THRESHOLD = """
/* A score above it is an alarm; on healthy steps that is so at a rate of {rate:g}. */
#define {guard}_THRESHOLD {threshold}
"""
MEMORY = """    float memory[3 * {guard}_OBSERVATIONS]; /* the guard's: stillness, drift and roughness of each column */
"""
JUDGE = """
/* How unlike the log a step is that led to this observation; nothing is remembered of it. */
int {p}_score(const {p}_past *past, const float *observation, float *score);
"""
OF_GUARD = {
    "parameter": ", const float *memory",
    "argument": ", memory",
    "room": "    float memory[3 * OBSERVATIONS];\n",
    "keep": "    unsigned i;\n    for (i = 0; i < 3 * OBSERVATIONS; i++) past->memory[i] = memory[i];\n",
    "judging": "    judged(past, observation, memory);\n",
    "scoring": "    decision->score = judged(past, observation, memory);\n",
}


def of_header(source: Source, shared: Shared) -> Shared:
    """The places of the header's template that depend on a guard or a past."""
    if source.guard is None:
        return {"threshold": "", "score": "", "functions": "isfinite and tanhf", "past": _past_header(source, shared)}
    facts = {"threshold": number(np.float32(source.guard.threshold)), "rate": source.guard.rate, **shared}
    return {
        "threshold": THRESHOLD.format(**facts),
        "score": SCORE.format(**shared),
        "functions": "isfinite, tanhf, fabsf and sqrtf",
        "past": _past_header(source, shared),
    }


def past_code(source: Source, shared: Shared) -> str:
    """The functions of the past, for a window, a guard or both; nothing where neither needs one."""
    if not source.before:
        return ""
    if source.guard is None:
        return filled("past.c", **shared, **dict.fromkeys(OF_GUARD, ""), judge="")
    numbers = {"fading": FADING, "largest": LARGEST, "furthest": FURTHEST, "parts": len(PARTS)}
    judge = filled("guard.c", **shared, **numbers, references=len(source.guard.references))
    return filled("past.c", **shared, **OF_GUARD, judge=judge)


def _past_header(source: Source, shared: Shared) -> str:
    if not source.before:
        return ""
    guarded = source.guard is not None
    remembers = " The guard remembers more." if guarded else ""
    purpose = WINDOW.format(before=source.before, guard=remembers) if source.policy.history > 1 else GUARD_ALONE
    return filled(
        "past.h",
        **shared,
        purpose=purpose.strip(),
        memory=MEMORY.format(**shared) if guarded else "",
        enough=(ENOUGH_FOR_GUARD if guarded else ENOUGH).format(before=source.before),
        judge=JUDGE.format(**shared) if guarded else "",
    )
