"""Learning curves as figures for a paper: for each log a PNG and a PDF, the mean over seeds in its interval."""

import re
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from micro_rl.core.metric_keys import metric_label
from micro_rl.core.wording import plural
from micro_rl.errors import UserError
from micro_rl.reports.compare.comparison import Column
from micro_rl.reports.compare.metric_curves import MetricCurve, comparison_of, curves_in, left_out
from micro_rl.reports.compare.palette import Style, drawable, styles
from micro_rl.reports.compare.score_tables import over_seeds
from micro_rl.reports.run.figures import bare
from micro_rl.reports.run.record import ABSURD
from micro_rl.reports.stats import Interval
from micro_rl.storage.files import check_own, replace_file, saving

INCHES, DOTS = (6.0, 3.6), 200
FORMATS = ("png", "pdf")
MARK, HEAD = "micro-rl report --figures", 1 << 24
"""Stands in the metadata of every figure, and the bytes in which it is looked for: in a PDF it is near the end."""
FOREIGN = "no such report drew it, or an earlier version did; delete it or name another folder with --figures"
APART = "there is no epoch at which every seed has a value"


def write_figures(
    folders: Sequence[Path | str], directory: Path, key: str | None = None, note: Callable[[str], None] | None = None
) -> list[Path]:
    """Draw the learning curves of many runs, one figure for each log.

    As on the page, runs that are not finished count only where none of their method is, and the mean is drawn at the
    epochs at which every seed has a value.

    Args:
        folders: Run folders, or folders that hold some.
        directory: Where `curves-LOG.png` and `curves-LOG.pdf` go, without letters that a disk may refuse; it is made.
        key: Of the metrics; by default the score, as `curves` chooses it.
        note: Is told of each run that is left out, is not finished, or ends before others of its method.

    Returns:
        The files written.

    Raises:
        UserError: As `curves`, all seeds of no method have an epoch in common, a file that is there was not drawn by
            this, or one cannot be written.
    """
    comparison = comparison_of(folders)
    read = curves_in(comparison, key, counted=True)
    sentences = left_out(comparison, read, "the mean over seeds is not drawn")
    drawn = [whole for curve in read if len((whole := _whole(curve)).epochs)]
    apart = [curve for curve in read if not len(_whole(curve).epochs)]
    sentences += [f"{curve.method} on {curve.log} is left out: {APART}" for curve in apart]
    if not drawn:
        raise UserError(f"no figure: {APART}; name fewer runs")
    paths = _paths(directory, drawn, comparison.logs)
    for path in paths:
        check_own(path, MARK.encode(), HEAD, FOREIGN)
    if note is not None:
        for sentence in sentences:
            note(sentence)
    looks = styles(list(dict.fromkeys(curve.method for curve in drawn)))
    with saving(directory):
        directory.mkdir(parents=True, exist_ok=True)
    for path, log in paths.items():
        replace_file(path, _picture([curve for curve in drawn if curve.log == log], looks, path.suffix[1:]))
    return list(paths)


def _paths(directory: Path, drawn: Sequence[MetricCurve], logs: Sequence[Column]) -> dict[Path, str]:
    """The files to write, and the log of each."""
    names = _file_names(logs)
    shown = dict.fromkeys(curve.log for curve in drawn)
    return {directory / f"curves-{names[log]}.{form}": log for log in shown for form in FORMATS}


def _file_names(logs: Sequence[Column]) -> dict[str, str]:
    """Each log's name as a file may have it; where two come out alike, the second has a part of its digest, too."""
    names: dict[str, str] = {}
    for log in logs:
        name, digest = (re.sub(r"[^\w.-]+", "_", text) for text in (log.name, log.key[:8]))
        names[log.name] = f"{name}-{digest}" if name in names.values() else name
    return names


def band(values: Float[np.ndarray, "seed epoch"]) -> Interval:
    """Mean over seeds at each epoch and its 95 % interval, each array [epoch]; the ends are NaN below two seeds."""
    estimates = [over_seeds([value for value in column if np.isfinite(value)]) for column in values.T]
    return Interval(*(np.array(part, float) for part in zip(*estimates, strict=True)))


def _picture(drawn: list[MetricCurve], looks: dict[str, Style], form: str) -> bytes:
    with rc_context({"font.family": "sans-serif", "font.size": 9, "pdf.fonttype": 42}):
        figure = Figure(figsize=INCHES, layout="constrained")
        axes = figure.add_subplot()
        for curve in drawn:
            _draw(axes, curve, looks[curve.method])
        _label(axes, drawn)
        content = BytesIO()
        metadata: dict[str, Any] = {"CreationDate": None, "Creator": MARK} if form == "pdf" else {"Software": MARK}
        figure.savefig(content, format=form, dpi=DOTS, metadata=metadata)
    return content.getvalue()


def _whole(curve: MetricCurve) -> MetricCurve:
    """The epochs at which every seed has a value."""
    complete = (np.abs(curve.values) < ABSURD).all(0)
    return curve._replace(epochs=curve.epochs[complete], values=curve.values[:, complete])


def _draw(axes: Axes, curve: MetricCurve, look: Style) -> None:
    epochs, interval = curve.epochs, band(curve.values)
    seeds = plural(len(curve.seeds), "seed")
    marker: dict[str, Any] = {"marker": look.marker, "markersize": 3} if len(epochs) <= 25 else {}
    axes.plot(epochs, interval.point, linewidth=1.5, label=f"{drawable(curve.method)}, {seeds}", **look.line, **marker)
    axes.fill_between(epochs, interval.low, interval.high, color=look.colour, alpha=0.18, linewidth=0)


def _label(axes: Axes, drawn: list[MetricCurve]) -> None:
    several = any(len(curve.seeds) > 1 for curve in drawn)
    axes.set_title(drawable(drawn[0].log), loc="left")
    axes.set_ylabel(metric_label(drawn[0].key))
    axes.set_xlabel("epoch" + ("; the mean over seeds and its 95 % interval" if several else ""))
    bare(axes)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.legend(framealpha=0.8, edgecolor="none")
