"""What was measured of a run's ensemble: its error by the steps ahead, and what its intervals hold."""

from micro_rl.core.wording import number, plural, with_verb
from micro_rl.dynamics.quality_report import (
    NO_EPISODES,
    NOT_MEASURED,
    Calibration,
    EpisodeCoverage,
    Horizon,
    ModelReport,
)
from micro_rl.reports.run.figures import BLUE, DASHED, DOTTED, GREEN, GREY, INK, NARROW, ROW, VERMILION, Chart, Line
from micro_rl.reports.run.panels import Missing, Panel, drawn
from micro_rl.reports.run.record import Record, Series

AHEAD, CALIBRATED = "Error by steps ahead", "Do its intervals hold?"
COVERAGE = "What the log can vouch for, on episodes held out"
UNRECORDED = "its fit kept no report: it was made before fits did, or had no rows to measure"
FLATTERS = (
    "Each stretch begins at a row held out of the fit and goes on over rows most of which were fitted, "
    "which may flatter."
)


def of(record: Record) -> list[Panel | Missing]:
    """The figures, where a model was fitted or given and its report is there; else why they are not."""
    if not (record.fit or record.config.get("model") or record.report):
        return []  # the figure of its holdout error says why
    shown: list[Panel | Missing] = (
        _measured(record.report, record.held_out) if record.report else [Missing(AHEAD, UNRECORDED)]
    )
    shown = [_of_others(panel, record) if isinstance(panel, Panel) else panel for panel in shown]
    if record.scored_by_model:
        titles = (panel.title[0].lower() + panel.title[1:] for panel in shown)
        return [
            panel._replace(title=f"The model that scores it: {title}")
            for panel, title in zip(shown, titles, strict=True)
        ]
    return shown


def _of_others(panel: Panel, record: Record) -> Panel:
    """The panel with a word where it was measured of more or fewer members than the run uses."""
    used, report = record.settings.get("num_elites"), record.report
    if report is None or type(used) is not int or used == report.elites:
        return panel
    measured = f" It was measured of {plural(report.elites, 'elite')}, and the run uses {used}."
    return panel._replace(caption=panel.caption + measured)


def _measured(report: ModelReport, held_out: int) -> list[Panel | Missing]:
    ahead, calibrated, uncovered = report.horizon, report.calibration, NOT_MEASURED if held_out else NO_EPISODES
    return [
        steps_ahead(ahead, report.elites) if ahead else Missing(AHEAD, "the log has nothing to follow"),
        calibration(calibrated) if calibrated else Missing(CALIBRATED, "nothing varies in the held-out rows"),
        episodes(report.episodes) if report.episodes else Missing(COVERAGE, uncovered),
    ]


def steps_ahead(horizon: Horizon, elites: int) -> Panel:
    """The elites' error beside what they disagree by and what staying in place would be worth."""
    lines = [
        Line("error of an elite", over(horizon.error), BLUE),
        *(
            [Line("the elites disagree by", over(horizon.disagreement), VERMILION, DASHED)]
            if horizon.disagreement
            else []
        ),
        Line("if nothing changed", over(horizon.unchanged), GREY, DOTTED),
    ]
    last = len(horizon.error)
    knows = (
        f" After {plural(last, 'step')} the elites disagree by {number(horizon.disagreement[-1])} where they err by "
        f"{number(horizon.error[-1])}: the smaller the first beside the second, the less their disagreement warns of."
        if horizon.disagreement
        else ""
    )
    caption = (
        f"From {plural(horizon.starts, 'row')} of the log {plural(elites, 'elite')} followed its actions, each by its "
        "own mean predictions. Root mean square over all columns, in standard deviations of the log’s observations."
        f"{knows} {FLATTERS}"
    )
    chart = Chart("standard deviations of the log", lines, logarithmic=True, along="steps ahead")
    return drawn("ahead", AHEAD, caption, chart, (ROW, NARROW))


def calibration(measured: Calibration) -> Panel:
    """Promised against observed shares, one step ahead."""
    lines = [
        Line(name, shares(measured, part), colour, dash)
        for name, part, colour, dash in (
            ("next observation", measured.observation, BLUE, ""),
            ("reward", measured.reward, GREEN, DASHED),
        )
        if part
    ]
    lines.append(Line("as promised", shares(measured, measured.expected), INK, DOTTED, weight=1.2))
    caption = (
        "How many per cent of the true outcomes lay within the central intervals of the elites’ Gaussians, one step "
        f"ahead, on {plural(measured.rows, 'row')} held out of the fit. Below the dotted line the model is too sure of "
        "itself, above it too little."
    )
    chart = Chart("per cent inside", lines, along="per cent promised")
    return drawn("calibration", CALIBRATED, caption, chart, (ROW, NARROW))


def episodes(measured: EpisodeCoverage) -> Panel | Missing:
    """Promised against observed shares of the calibrated score, on episodes that nobody fitted."""
    if not measured.levels:
        return Missing(COVERAGE, "the held-out episodes have too few rows for a limit: hold out more")
    promised = [100 * level for level in measured.levels]
    lines = [
        Line("within the limits", Series(promised, [100 * share for share in measured.coverage]), BLUE),
        Line("as promised", Series(promised, promised), INK, DOTTED, weight=1.2),
    ]
    off = (
        f" One step is off by {number(measured.error)} of the log’s spread there; if nothing changed it would be "
        f"{number(measured.unchanged)}."
        if measured.error is not None and measured.unchanged is not None
        else ""
    )
    sets = " The calibrated sets of --candidates calibrated are drawn beside them." if measured.of_sets else ""
    if measured.of_sets:
        inside = Series(promised, [100 * share for share in measured.of_sets])
        lines.insert(1, Line("calibrated sets", inside, GREEN))
    caption = (
        f"{with_verb(measured.episodes, 'episode', 'was', 'were')} held out of the fit. The limits of the score of "
        "the unknown (distance to the log, range, disagreement) were set on half of them and counted on "
        f"{plural(measured.rows, 'row')} of the others.{off} X(s, a), between the elites’ own draws, holds "
        f"{100 * measured.inside:.0f} % of the true next states, {100 * measured.inside_columns:.0f} % of each "
        f"column’s values.{sets}"
    )
    chart = Chart("per cent within", lines, along="per cent promised")
    return drawn("coverage", COVERAGE, caption, chart, (ROW, NARROW))


def over(values: list[float]) -> Series:
    """A curve over the steps ahead."""
    return Series([float(step) for step in range(1, len(values) + 1)], values)


def shares(measured: Calibration, part: list[float]) -> Series:
    """A curve over the promised shares, in per cent."""
    return Series([100 * share for share in measured.expected], [100 * share for share in part])
