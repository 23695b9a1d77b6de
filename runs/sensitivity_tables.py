"""The tables of the page of what scores hang on."""

from typing import Any

import numpy as np

from runs.pendulum_small import QUALITIES
from runs.records import recorded
from runs.sensitivity import BETAS, MODEL_FREE, PROGRAMS, REFERENCE, SETS, SHARES, place
from runs.sensitivity_cells import Read, apart
from runs.sensitivity_choose import STUDY as CHOOSE
from runs.sensitivity_logs import HOPPER, HOPPER_FIT, QUALITY, TANKS_FIT
from runs.study_pages import difference, mean_and_interval, table

AXES = {
    "rollouts of 1 step": "length1",
    "rollouts of 10 steps": "length10",
    "rollouts of 20 steps": "length20",
    "means instead of draws": "draws0",
    "10 draws": "draws10",
    "2 elites in the set": "members2",
    "7 elites in the set": "members7",
}
SET_TITLES = {
    "linf": "L-infinity ball, radius 0.1",
    "l2": "L2 ball, radius 0.1",
    "mahalanobis": "Mahalanobis ball, radius 2",
    "calibrated": "calibrated set, 95 %",
    "second": "second smallest of five",
    "soft": "soft minimum, softness 1",
    "all": "all seven members",
}
FITS = {
    "pendulum": f"{QUALITIES[QUALITY].title}, 4 x 64, fitted out",
    "tanks": f"all rows, 4 x 64, at most {TANKS_FIT['max_fit_epochs']} passes",
    "hopper": f"all rows, 4 x 100, {HOPPER_FIT['max_fit_epochs']} passes: cut short",
}
SIMULATORS = {
    "pendulum": "Pendulum-v1, 10 episodes",
    "tanks": "`runs/two_tanks.py`, steps of 5 minutes, 10 shifts",
    "hopper": f"Hopper-v4, {HOPPER['eval_episodes']} episodes",
}


def logs_table(read: list[Read]) -> str:
    """What each log is, and how its cells are run."""
    rows = [log_line(log) for log in read]
    heads = ["log", "rows", "its mean return", "ensemble", "updates a run", "evaluated after every thousand in"]
    return table([*heads, "score: mean of the last"], rows)


def taken(log: Read) -> dict[str, Any]:
    """What the log holds, and what a choice takes on it."""
    return recorded(CHOOSE)[log.name]["figures"]


def log_line(log: Read) -> list[str]:
    """One log's."""
    about = taken(log)
    return [
        log.title,
        f"{about['rows']:,}",
        f"{about['mean_return']:,.{log.digits}f}",
        FITS[log.name],
        f"{log.studied.epochs},000",
        SIMULATORS[log.name],
        f"{log.studied.last} evaluations",
    ]


def map_table(log: Read) -> str:
    """Scores by beta and share; the flat region is bold."""
    there, flat = log.map(), log.flat()
    shares = [share for share in SHARES if any(at[1] == share for at in there)]
    rows = [
        [f"{beta:g}", *(word(log, (beta, share), flat) for share in shares)]
        for beta in BETAS
        if any(at[0] == beta and at[1] > 0 for at in there)
    ]
    if log.cell(MODEL_FREE):
        rows.append(["no rows of a model", word(log, (0.0, 0.0), flat), *[""] * (len(shares) - 1)])
    return table(["beta", *(f"model's share {share:g}" for share in shares)], rows)


def word(log: Read, at: tuple[float, float], flat: set[tuple[float, float]]) -> str:
    """The mean and its interval; bold in the flat region."""
    values = log.seeds(place(*at))
    if values is None:
        return ""
    figures = mean_and_interval(values, log.digits)
    return f"**{figures}**" if at in flat else figures


def belief_table(read: list[Read]) -> str:
    """By beta at a share of one half: f, what critics believe of an episode's start, and what came, discounted."""
    names = {**{f"beta {beta:g}": place(beta, 0.5) for beta in BETAS}, "no rows of a model": MODEL_FREE}
    rows = [[title, *(belief_words(log, name) for log in read)] for title, name in names.items()]
    return table(["", *(log.title for log in read)], rows)


def belief_words(log: Read, name: str) -> str:
    """Means over the seeds of a cell's last epoch."""
    if (figures := log.cell(name)) is None:
        return "not run"
    f, believed, obtained = (float(np.mean(figures[key])) for key in ("f", "believed", "obtained"))
    term = "" if name == MODEL_FREE else f"f {f:.2g}: "
    return f"{term}{believed:,.{log.digits}f} believed, {obtained:,.{log.digits}f} came"


def axes_table(read: list[Read]) -> str:
    """One setting at a time, each log paired with its defaults."""
    first = ["the defaults", *(mean_and_interval(log.seeds(REFERENCE) or [], log.digits) for log in read)]
    rows = [[title, *(less_defaults(log, name) for log in read)] for title, name in AXES.items()]
    return table(["", *(log.title for log in read)], [first, *rows])


def less_defaults(log: Read, name: str) -> str:
    """The paired difference from the defaults; bold where its interval excludes 0."""
    ours, theirs = log.seeds(name), log.seeds(REFERENCE)
    if ours is None or theirs is None:
        return "not run"
    less = [a - b for a, b in zip(ours, theirs, strict=True)]
    text = signed(mean_and_interval(less, log.digits))
    return f"**{text}**" if apart(ours, theirs) else text


def signed(text: str) -> str:
    """With a plus where it is none of minus."""
    return text if text.startswith("-") else f"+{text}"


def choose_table(read: list[Read]) -> str:
    """What a choice takes for MICRO on each log, and how it learns."""
    rows = [
        [log.title, f"`{name}`", *setting_words(own)]
        for log in read
        for name, own in sorted(taken(log)["candidates"].items())
    ]
    heads = ["log", "candidate", "beta", "model's share", "draws (0: means)", "length", "elites", "observations seen"]
    return table([*heads, "held to the log's actions", "support"], rows)


def setting_words(own: dict[str, float | str]) -> list[str]:
    """A candidate's settings."""
    numbers = ("beta", "share", "num_samples", "rollout_length", "num_elites", "history")
    anchor = f"weight {own['bc_weight']:g}" if own["bc_weight"] else "no"
    return [*(f"{own[name]:g}" for name in numbers), anchor, str(own["support"])]


def lacking_table(read: list[Read]) -> str:
    """What a choice's settings lack to the best place of the map."""
    rows = []
    for log in read:
        (beta, share), there = log.best(), log.map()
        name = f"beta {beta:g}, share {share:g}" if share else "no rows of a model"
        scores = [mean_and_interval(values, log.digits) for values in (log.choice(), there[beta, share])]
        flat = "yes" if log.is_flat(log.choice()) else "no"
        rows.append([log.title, scores[0], name, scores[1], mean_and_interval(log.lacking(), log.digits), flat])
    heads = ["log", "at what a choice takes (beta 0.5, share 0.5, means)", "best of the map", "there", "difference"]
    return table([*heads, "not shown worse"], rows)


def set_table(log: Read) -> str:
    """Other sets at beta 0.5."""
    rows = [set_line(log, "X(s, a) as drawn", REFERENCE)]
    rows += [set_line(log, SET_TITLES[name], f"set-{name}") for name in SETS if log.cell(f"set-{name}")]
    return table(["set or term", "score", "less X(s, a)'s", "f"], rows)


def set_line(log: Read, title: str, name: str) -> list[str]:
    """A set's."""
    figures, ours, theirs = log.cell(name), log.seeds(name), log.seeds(REFERENCE)
    assert figures is not None and ours is not None and theirs is not None
    against = "" if name == REFERENCE else difference(ours, theirs, log.digits)
    return [title, mean_and_interval(ours, log.digits), against, f"{np.mean(figures['f']):.2g}"]


def missing(read: list[Read]) -> str:
    """What the program lists and nobody ran, by log."""
    lacks = {
        log.title: [short(name) for cells in PROGRAMS[log.name] for name in cells if log.cell(name) is None]
        for log in read
    }
    words = [f"on {title} {', '.join(dict.fromkeys(names))}" for title, names in lacks.items() if names]
    return "; ".join(words) or "nothing"


def short(name: str) -> str:
    """A cell, or the column of the map that it is in."""
    share = name.partition("-share")[2]
    return f"the map at share {share}" if share else f"`{name}`"
