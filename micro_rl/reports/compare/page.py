"""The comparison put into its page, or into the table of a README."""

from pathlib import Path
from typing import Any

import numpy as np

from micro_rl._version import __version__
from micro_rl.reports.compare import (
    aggregate_tables,
    cost,
    ensemble_tables,
    model_reports,
    pair_tables,
    run_list,
    score_tables,
    story,
)
from micro_rl.reports.compare.aggregate_panels import point_panels, profile_panel
from micro_rl.reports.compare.comparison import Comparison, cautions
from micro_rl.reports.compare.curve_panels import learning_curves
from micro_rl.reports.compare.palette import styles
from micro_rl.reports.compare.robust_panels import curves, grids
from micro_rl.reports.compare.robust_sweeps import sweeps
from micro_rl.reports.compare.robust_table import heading, remarks, tables
from micro_rl.reports.compare.table import Table, markdown
from micro_rl.reports.run.page import environment
from micro_rl.reports.stats.few_runs import FEW


def html(comparison: Comparison, path: Path) -> str:
    """The page as text, for a file at `path`: no script, and nothing that is loaded from elsewhere."""
    return (
        environment()
        .get_template("compare.html")
        .render(
            title=f"{len(comparison.runs)} runs compared" if len(comparison.runs) > 1 else "One run",
            headline=story.headline(comparison),
            paragraphs=story.paragraphs(comparison),
            cautions=cautions(comparison),
            scores=score_tables.table(comparison),
            curves=learning_curves(comparison),
            **_aggregates(comparison),
            **_robust(comparison),
            model_table=_shown(ensemble_tables.table(comparison)),
            fits=ensemble_tables.fits(comparison) + model_reports.panels(comparison),
            unreported=model_reports.unrecorded(comparison),
            cost=cost.table(comparison),
            head=run_list.HEAD,
            runs=run_list.run_rows(comparison, path),
            version=__version__,
        )
    )


def _aggregates(comparison: Comparison) -> dict[str, Any]:
    pooled, compared = aggregate_tables.pool(comparison), _shown(pair_tables.table(comparison))
    if isinstance(pooled, str):
        return {"pool": pooled, "points": [], "profile": None, "aggregates": None, "pairs": compared}
    intervals, looks = aggregate_tables.intervals(pooled), styles(comparison.methods)
    left = f" Left out, for want of seeds there: {'; '.join(pooled.left_out)}." if pooled.left_out else ""
    where = ", ".join(log.name for log in pooled.logs)
    return {
        "pool": f"Over {where}, with 95 % intervals (bootstrap over seeds within each log).{left}{_narrow(pooled)}",
        "points": point_panels(intervals, looks),
        "profile": profile_panel(pooled, looks),
        "aggregates": aggregate_tables.table(intervals),
        "pairs": compared,
    }


def _narrow(pooled: aggregate_tables.Pool) -> str:
    """What the bootstrap's intervals of few seeds are worth, "" where there are enough."""
    fewest = min(int((~np.isnan(scores)).sum(0).min()) for scores in pooled.scores.values())
    if fewest >= FEW:
        return ""
    return (
        f" With fewer than {FEW} seeds on a log, here {fewest}, these intervals are too narrow: those of three seeds "
        "hold the truth 82 to 87 times in 100, those of five 89 to 93 (docs/guides/statistics.md)."
    )


def _robust(comparison: Comparison) -> dict[str, Any]:
    swept, looks = sweeps(comparison), styles(comparison.methods)
    maps = [(sweep, figure) for place, sweep in enumerate(swept) if (figure := grids(sweep, place))]
    lines = [(sweep, figure) for place, sweep in enumerate(swept) if (figure := curves(sweep, place, looks))]
    return {
        "maps": [figure._replace(caption=f"{heading(sweep)}. {figure.caption}") for sweep, figure in maps],
        "sweeps": [figure._replace(caption=f"{heading(sweep)}. {figure.caption}") for sweep, figure in lines],
        "robust_tables": tables(swept),
        "robust_remarks": remarks(comparison),
    }


def _shown(table: Table | str) -> tuple[Table | None, str]:
    """A table, or the sentence in its place."""
    return (None, table) if isinstance(table, str) else (table, "")


def readme(comparison: Comparison) -> str:
    """The table of scores in Markdown, what it is, and what stands against it."""
    table = score_tables.table(comparison)
    parts = [" ".join(story.paragraphs(comparison)), markdown(table), table.caption]
    parts += ["\n".join(f"* {caution}" for caution in cautions(comparison))]
    return "\n\n".join(part for part in parts if part) + "\n"
