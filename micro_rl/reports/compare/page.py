"""The comparison put into its page, or into the table of a README."""

from pathlib import Path
from typing import Any

from micro_rl._version import __version__
from micro_rl.reports.compare import aggregates, cost, listed, model_reports, models, pairs, scores, story
from micro_rl.reports.compare.aggregate_panels import point_panels, profile_panel
from micro_rl.reports.compare.comparison import Comparison, cautions
from micro_rl.reports.compare.curves import learning_curves
from micro_rl.reports.compare.palette import styles
from micro_rl.reports.compare.robust_panels import curves, grids
from micro_rl.reports.compare.robust_table import remarks, tables
from micro_rl.reports.compare.sweeps import Sweep, sweeps
from micro_rl.reports.compare.tables import Table, markdown
from micro_rl.reports.run.page import environment


def html(found: Comparison, path: Path) -> str:
    """The page as text, for a file at `path`: no script, and nothing that is loaded from elsewhere."""
    return (
        environment()
        .get_template("compare.html")
        .render(
            title=f"{len(found.runs)} runs compared" if len(found.runs) > 1 else "One run",
            headline=story.headline(found),
            paragraphs=story.paragraphs(found),
            cautions=cautions(found),
            scores=scores.table(found),
            curves=learning_curves(found),
            **_aggregates(found),
            **_robust(found),
            model_table=_shown(models.table(found)),
            fits=models.fits(found) + model_reports.panels(found),
            unreported=model_reports.unrecorded(found),
            cost=cost.table(found),
            head=listed.HEAD,
            runs=listed.listed(found, path),
            version=__version__,
        )
    )


def _aggregates(found: Comparison) -> dict[str, Any]:
    pooled, compared = aggregates.pool(found), _shown(pairs.table(found))
    if isinstance(pooled, str):
        return {"pool": pooled, "points": [], "profile": None, "aggregates": None, "pairs": compared}
    told, looks = aggregates.intervals(pooled), styles(found.methods)
    left = f" Left out, for want of seeds there: {'; '.join(pooled.left_out)}." if pooled.left_out else ""
    where = ", ".join(log.name for log in pooled.logs)
    return {
        "pool": f"Over {where}, with 95 % intervals (bootstrap over seeds within each log).{left}",
        "points": point_panels(told, looks),
        "profile": profile_panel(pooled, looks),
        "aggregates": aggregates.table(told),
        "pairs": compared,
    }


def _robust(found: Comparison) -> dict[str, Any]:
    swept, looks = sweeps(found), styles(found.methods)
    maps = [(sweep, one) for place, sweep in enumerate(swept) if (one := grids(sweep, place))]
    lines = [(sweep, one) for place, sweep in enumerate(swept) if (one := curves(sweep, place, looks))]
    return {
        "maps": [one._replace(caption=f"{_where(sweep)} {one.caption}") for sweep, one in maps],
        "sweeps": [one._replace(caption=f"{_where(sweep)} {one.caption}") for sweep, one in lines],
        "robust_tables": tables(swept),
        "robust_remarks": remarks(found),
    }


def _where(sweep: Sweep) -> str:
    return f"{sweep.log.name}, protocol {sweep.protocol}."


def _shown(told: Table | str) -> tuple[Table | None, str]:
    """A table, or the sentence in its place."""
    return (None, told) if isinstance(told, str) else (told, "")


def readme(found: Comparison) -> str:
    """The table of scores in Markdown, what it is, and what stands against it."""
    table = scores.table(found)
    parts = [" ".join(story.paragraphs(found)), markdown(table), table.caption]
    parts += ["\n".join(f"* {caution}" for caution in cautions(found))]
    return "\n\n".join(part for part in parts if part) + "\n"
