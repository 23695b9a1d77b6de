"""What a guard adds to the exported Python file: its numbers, its score in a decision, and its part of the past."""

import numpy as np

from micro_rl.control.guard import FADING, FURTHEST, LARGEST, Guard
from micro_rl.deploy.python_arrays import call, literal
from micro_rl.deploy.template import filled

WINDOW = """
    It fills a window: [o_t, o_(t-1), ..., a_(t-1), a_(t-2), ...], newest first. Before an episode's first step the
    system is taken to have rested: its first observation repeated, every action in the middle of its bounds."""
SCORE = """
    The guard's score compares where a step led with where the log's steps led, and remembers how they differed."""
FIELD = '''    score: Array | None = None
    """How unlike the log the step is, [] or [rows], of `Past.step` alone; more than THRESHOLD is an alarm."""
'''
CONSTANTS = '''THRESHOLD = {threshold!r}
"""A score above it is an alarm; on healthy steps that is so at a rate of {rate:g}."""
FADING, LARGEST, GUARD_FURTHEST = {fading}, {largest}, {furthest}
"""The newest step's weight in a running mean, the most that it counts there, and that a value may lie off."""
'''
STEP = """        decision = act(self.window(observation))
        self.remember(observation, decision.action)
"""
STEP_AND_SCORE = """        raw = _numbers(observation, OBSERVATION_NAMES, OBSERVATIONS, "observation")
        score, memory = self._judged(raw)
        decision = act(self.window(raw))._replace(score=score)
        self._push(raw, decision.action.astype(np.float64), memory)
"""
MEMORY = '''        self.memory: Array = np.zeros(3 * OBSERVATIONS)
        """The guard's: steps that each column stood still, running means of its surprise and of the square less one."""
'''
SQUARES = "GUARD_SQUARES = (GUARD_REFERENCES**2).sum(-1)\n"
METHOD = '''
    def score(self, observation: Named) -> Array:
        """How unlike the log a step is that led to this observation [] or [rows]; nothing is remembered of it."""
        return self._judged(_numbers(observation, OBSERVATION_NAMES, OBSERVATIONS, "observation"))[0]
'''
ENOUGH = """{before} steps fill the past; where there are fewer, the
                first of them began an episode."""
ENOUGH_FOR_GUARD = """{before} fill the past; the guard is told
                what it remembers by thirty or more, and takes the first for an episode's first."""
VECTORS = ("center", "scale", "action_center", "action_scale", "low", "high", "residual_scale", "still_cost", "usual")
MATRICES = ("references", "weights", "whitening")


def of_file(guard: Guard | None) -> dict[str, str]:
    """The places of a guard in the file's template."""
    if guard is None:
        return {"score": "", "threshold": "", "guard_numbers": ""}
    facts = {"threshold": guard.threshold, "rate": guard.rate}
    constants = CONSTANTS.format(**facts, fading=FADING, largest=LARGEST, furthest=FURTHEST)
    vectors = [f"GUARD_{name.upper()} = np.array({literal(getattr(guard, name))})\n" for name in VECTORS]
    matrices = [f"GUARD_{name.upper()} = {call(np.asarray(getattr(guard, name)), '<f8')}\n" for name in MATRICES]
    return {"score": FIELD, "threshold": constants, "guard_numbers": "".join([*vectors, *matrices, SQUARES])}


def past(before: int, history: int, guard: Guard | None) -> str:
    """The class of the past, for a window, a guard or both; nothing where neither needs one."""
    if not before:
        return ""
    purpose = (WINDOW if history > 1 else "") + (SCORE if guard is not None else "")
    shared = {"before": before, "purpose": purpose}
    if guard is None:
        parts = dict.fromkeys(("memory", "score", "judged", "parameter", "keeping", "judge"), "")
        return filled("past.py", **shared, **parts, stepping=STEP, enough=ENOUGH.format(before=before))
    return filled(
        "past.py",
        **shared,
        memory=MEMORY,
        stepping=STEP_AND_SCORE,
        score=METHOD,
        judged=", self._judged(raw)[1]",
        parameter=", memory: Array",
        keeping="        self.memory = memory\n",
        judge=filled("guard.py"),
        enough=ENOUGH_FOR_GUARD.format(before=before),
    )
