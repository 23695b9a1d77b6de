"""What the tables of speed say, in a sentence each: question and answer at the head of their pages."""

from collections.abc import Iterable

from benchmarks.table import Row, digits, question_and_answer

NEEDED = {
    *("update, SAC", "update, MICRO, 1 draw", "update, MICRO, 10 draws"),
    *("rollout rows", "dynamics fit, rows", "compile everything"),
}
"""Lines of the table of speed that its answer is made of."""


def of_speed(rows: Iterable[Row]) -> str:
    """What an update, a rollout and a fit take; empty where not all of that was measured."""
    of = {row.label: row.value.median for row in rows}
    if not set(of) >= NEEDED:
        return ""
    sac, one, ten = (of[f"update, {label}"] for label in ("SAC", "MICRO, 1 draw", "MICRO, 10 draws"))
    return question_and_answer(
        "What do an update, a rollout and the fit of the ensemble take on this machine?",
        f"An update of MICRO takes {digits(one)} ms with one draw of each member's next state and {digits(ten)} ms "
        f"with ten, {one / sac:.1f} and {ten / sac:.1f} times that of SAC on the model ({digits(sac)} ms). Rollouts "
        f"make {of['rollout rows']:,.0f} rows a second, the fit takes {of['dynamics fit, rows']:,.0f}; compiling takes "
        f"{digits(of['compile everything'])} s.",
    )


def of_methods(rows: Iterable[Row]) -> str:
    """What an update costs, method by method; empty where SAC on the model was not measured, or nothing else."""
    of = {row.label: row.value.median for row in rows if row.unit == "ms"}
    sac = of.pop("SAC on the model", None)
    named = {label: of[label] for label in ("MICRO, 1 draw", "MICRO, 10 draws", "RAMBO", "COMBO") if label in of}
    if sac is None or not named:
        return ""
    times = "; ".join(f"{label}: {cost / sac:.1f}" for label, cost in named.items())
    return question_and_answer(
        "What does an update cost, method by method?",
        f"SAC on the model takes {digits(sac)} ms for an update with its share of the rollouts. Times that: {times}.",
    )
