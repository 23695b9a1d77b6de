"""The figures as rows of one table, on the screen and as Markdown."""

from collections.abc import Iterable
from typing import NamedTuple

from rich.table import Table

from benchmarks.cold import Cold
from benchmarks.measure import Figure, Timing
from benchmarks.workload import Case, Scale

HEADS = ("measured", "median", "range", "MFLOP", "share of matmul rate", "cores busy")
MIB = 2**20


class Row(NamedTuple):
    """A line of the table; what does not apply is None."""

    label: str
    value: Figure
    unit: str
    flops: float | None = None
    share: Figure | None = None
    cores: Figure | None = None

    def cells(self) -> tuple[str, ...]:
        """Three digits each; shares in per cent."""
        _, lowest, highest = self.value
        share = self.share and self.share.through(lambda value: 100 * value)
        return (
            self.label,
            f"{digits(self.value.median)} {self.unit}".strip(),
            "" if lowest == highest else f"{digits(lowest)}–{digits(highest)}",
            digits(self.flops / 1e6) if self.flops else "",
            f"{share.median:.0f} % ({share.lowest:.0f}–{share.highest:.0f})" if share else "",
            f"{self.cores.median:.1f}" if self.cores else "",
        )


def digits(value: float) -> str:
    """At least three significant ones, no exponent."""
    for decimals, least in enumerate((100, 10, 1)):
        if abs(value) >= least:
            return f"{value:,.{decimals}f}"
    return f"{value:.3f}"


def warm_rows(rate: Figure, cases: list[Case], timings: dict[str, Timing], scale: Scale, members: int) -> list[Row]:
    """The matmul rate, then the cases: time per update or step, and rows per second."""
    rows = [Row(f"float32 matmul, {scale.matmul}³", rate.through(lambda r: r / 1e9), "GFLOP/s", 2 * scale.matmul**3)]
    for case in cases:
        timing = timings[case.name]
        per_second = timing.seconds.through(lambda s, units=case.units: units / s)
        each = (case.flops / case.units, timing.share if case.flops else None, timing.cores)
        if case.name == "fit":
            rows.append(Row(case.label, per_second, "1/s", *each))
            rows.append(Row("dynamics fit, rows", per_second.through(lambda r: r / members), "1/s"))
        elif case.name.startswith("rollout"):
            rows.append(Row(case.label, timing.seconds, "s", *each))
            many = timing.seconds.through(lambda s: scale.rollout_batch_size / s)
            rows.append(Row(case.label.replace(f"step of {scale.rollout_batch_size:,} ", ""), many, "1/s"))
        else:
            ms = timing.seconds.through(lambda s, units=case.units: 1000 * s / units)
            rows.append(Row(case.label, ms, "ms", *each))
    return rows


def cold_rows(short: list[Cold], long: Cold) -> list[Row]:
    """Seconds to compile over all processes; memory of those with the short buffer."""
    every = [*short, long]
    peak = Figure.of([cold.peak / MIB for cold in short])
    row = short[0]
    growth = (long.epoch_bytes - row.epoch_bytes) / (long.buffer - row.buffer)
    planned = {
        "held by the training epoch": row.epoch_bytes,
        "of which the buffer": row.buffer,
        "of which the log": row.log,
    }
    return [
        Row("compile the training epoch (10 draws)", Figure.of([cold.epoch for cold in every]), "s"),
        Row("compile the fitting epoch", Figure.of([cold.fit_epoch for cold in every]), "s"),
        Row("compile everything", Figure.of([cold.seconds for cold in every]), "s"),
        Row("peak memory", peak, "MiB"),
        *(Row(label, Figure.of([size / MIB]), "MiB") for label, size in planned.items()),
        Row("bytes held per byte of buffer added", Figure.of([growth]), ""),
    ]


def on_screen(rows: Iterable[Row]) -> Table:
    """For a terminal."""
    table = Table(*HEADS)
    for row in rows:
        table.add_row(*row.cells())
    return table


def markdown(
    rows: Iterable[Row], machine: dict[str, str], command: str, title: str = "Speed", answered: str = ""
) -> str:
    """A page of its own: question and answer where they are given, machine, command, table."""
    described = [f"* {name}: {text}" for name, text in machine.items()]
    lines = [
        f"# {title}",
        "",
        *([answered, ""] if answered else []),
        f"Written by `{command}`; what each line means: `docs/development/performance.md`.",
        "",
        *described,
        "",
    ]
    lines += [_line(HEADS), _line(["---"] + ["---:"] * 5)]
    return "\n".join([*lines, *(_line(row.cells()) for row in rows), ""])


def question_and_answer(question: str, answer: str) -> str:
    """As they stand at the head of a page."""
    return f"**Question.** {question}\n\n**Answer.** {answer}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
