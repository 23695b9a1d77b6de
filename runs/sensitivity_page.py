"""The page of what scores hang on: `python -m runs.sensitivity_page` writes docs/results/sensitivity.md and a figure.

It is made of what is recorded of `runs.sensitivity`; remarks below `## Remarks` are kept.
"""

from pathlib import Path
from textwrap import fill

import numpy as np

from runs import sensitivity_choose, sensitivity_tables
from runs.kept_cells import made_by
from runs.sensitivity_cells import WITHOUT, Read, every
from runs.sensitivity_picture import draw
from runs.study_pages import save, write

PAGE = Path("docs/results/sensitivity.md")
FIGURE = PAGE.with_suffix(".svg")

TEXT = """# What MICRO's score hangs on: three logs

**Question.** How much do beta, the model's share of the batch (the paper's f), the length of rollouts, the draws and
the number of elites decide, and what would `micro-rl choose` have taken?

{answer}

## A map to choose from

![Above, scores by beta and the model's share of a batch on three logs; below, learning curves]({figure})

Above: the mean score over three seeds of each cell; darker is better, on a scale of each log's own. **The flat region**
is inside the orange line, bold in the tables: the cell with the highest mean, and all that are not shown to lack more
than a twentieth of the map's range to it, by Student's 95 % interval of the difference paired over the seeds (not
corrected for the number of comparisons). With three seeds that is a low bar: cells whose seeds disagree are inside.
Dashed: the defaults. Below: means and ranges over the seeds at a share of one half, and without the
model's rows.

{logs}

{maps}

**No rows of a model** is the paper's f = 0. `micro` refuses it, because a batch of it needs a row of each kind
(`real_ratio` is below 1); what is left of its update then is soft actor-critic on the log alone, which is `sac_n` with
two critics, and beta has nothing to act on.

### What the critics believe

At a share of one half, at the last epoch: f, the critics' estimate at the start of an episode, and the discounted
return that came of it, means over the seeds. Beta is meant to keep estimates below what comes; how far below is its
price.

{beliefs}

## What `micro-rl choose` takes

A choice varies neither beta, nor the share, nor length or elites: on every log MICRO's candidates have the generic
preset's, but for the members' means in place of a draw, which they take since this study. They differ in how closely
they are held to the log, and in how many observations they see.

{choose}

{lacking}

Found by the functions that a choice begins with (`runs/sensitivity_choose.py`), for its default of 60 minutes. No cell
here is a candidate itself: those train networks of 256-256 in batches of 256 on two thirds of the log, with an ensemble
of 4 x 200 of their own, and two of the three are anchored. On hopper they see two observations, the cells here one.
What real choices of half an hour took is on the page of [choices](choose.md).

## One setting at a time

Around beta 0.5, a share of one half, rollouts of five steps, one draw, five elites of seven members: what each change
adds to the defaults' score. Bold: the interval excludes 0.

{axes}

## Other sets and other terms

On the pendulum, at beta 0.5. Radii were not tuned. f: the term at the last epoch, raw reward; with three pairs p cannot
be below 0.25.

{sets}

## How it was run

Small runs (`runs/pendulum_small.py`, `runs/sensitivity_logs.py`): networks of 64-64, batches of 128, learning rates of
1e-3, else the generic preset, an ensemble for each seed, which all cells of a log share; scores in brackets are
Student's 95 % intervals over three seeds.

* **Pendulum**: the ensembles were fitted on 2,000 rows of the embedded log, because on the whole log nothing that is
  varied here changes anything ([pendulum.md](pendulum.md), [missed-truth.md](missed-truth.md)); policies learn from the
  whole log beside them.
* **Two tanks**: the log of [the study of trust](trust.md), with policies that see six observations, as a choice has
  it. A score is the return of a shift, minus the metres that the level is off its set-point, summed over 96 steps.
* **Hopper**: re-created, not D4RL's own file. **This is early training**: 40,000 updates of the 3,000,000 of the
  authors, small networks, an ensemble whose fit was cut short. What a policy scores here says nothing of what it would
  come to; [beta.md](beta.md) has 380,000 updates, of beta alone.

{made}

Not run of what the program lists: {missing}. Beta beside length, and ensembles fitted with more or fewer members, are
open.
"""
ANSWER = """On all three logs the mean score falls with beta where half of a batch is the model's, and beta 1 is the
worst of that column; no beta with any share has a higher mean than leaving the model's rows out on {free}. One
draw, the default, scores less than the members' means and than ten draws on all three. `micro-rl choose` takes the
means at beta 0.5 and one half: {lacks} than the best of the map, and shown to be worse than the flat region on
{outside}."""


def answer(read: list[Read]) -> str:
    """The sentence for all logs."""
    means = [(float(np.mean(log.lacking())), log) for log in read]
    lacks = [f"{abs(mean):,.{log.digits}f} {'less' if mean >= 0 else 'more'} on {log.title}" for mean, log in means]
    free = [log.title for log in read if log.best() == WITHOUT]
    outside = [log.title for log in read if not log.is_flat(log.choice())]
    words = {"free": free, "outside": outside}
    text = ANSWER.format(
        lacks=", ".join(lacks), **{name: " and ".join(logs) or "none of them" for name, logs in words.items()}
    )
    return fill(f"**Answer.** {text}", 120)


def main() -> None:
    """Write the page and its figure."""
    read = every()
    save(draw(read), FIGURE)
    studies = [log.studied.study for log in read]
    text = TEXT.format(
        answer=answer(read),
        figure=FIGURE.name,
        logs=sensitivity_tables.logs_table(read),
        maps="\n\n".join(f"**{log.title}**\n\n{sensitivity_tables.map_table(log)}" for log in read),
        beliefs=sensitivity_tables.belief_table(read),
        choose=sensitivity_tables.choose_table(read),
        lacking=sensitivity_tables.lacking_table(read),
        axes=sensitivity_tables.axes_table(read),
        sets=sensitivity_tables.set_table(next(log for log in read if log.name == "pendulum")),
        made=made_by(studies[0], "python -m runs.sensitivity DATA", *studies[1:], sensitivity_choose.STUDY),
        missing=sensitivity_tables.missing(read),
    )
    write(PAGE, text)


if __name__ == "__main__":
    main()
