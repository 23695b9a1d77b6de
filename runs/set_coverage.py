"""What sets of next states hold on episodes that nobody fitted: `python -m runs.set_coverage DATA OUT`.

A model of every log of `runs.long_runs`, with a tenth of the episodes held out, and the table of its report: coverage
of the score of the unknown, of the calibrated set, and of the plain X(s, a). OUT takes the models; those that are
there stay. Fits end after 12 epochs: what is covered hangs little on how good the model is.
"""

from pathlib import Path

from micro_rl import api
from micro_rl.core.settings import Settings
from micro_rl.data import load
from micro_rl.dynamics.quality_report import EpisodeCoverage
from micro_rl.dynamics.saved_model import load_model
from runs.long_runs import LOGS
from runs.progress import Lines
from runs.usage import words

SETTINGS = Settings(holdout_episodes=0.1, max_fit_epochs=12)
HEADS = ["log", "episodes held out", "rows measured on", "promised", "score's limits", "calibrated sets", "X(s, a)"]


def measured(name: str, data: Path, out: Path) -> EpisodeCoverage:
    """Of the log's model, which is fitted if it is not there."""
    folder = out / f"{name}-coverage-model"
    if not folder.exists():
        log = load(LOGS[name] if name == "pendulum" else data / LOGS[name])
        api.fit(log, SETTINGS, 0, out=folder, resume=True, callback=Lines())
    report = load_model(folder).report
    assert report and report.episodes, "episodes were held out"
    return report.episodes


def line(name: str, of_log: EpisodeCoverage) -> str:
    """The log's line of the table, in per cent."""
    shares = (of_log.levels, of_log.coverage, of_log.of_sets, [of_log.inside])
    columns = [" / ".join(f"{100 * share:.1f}" for share in part) for part in shares]
    return "| " + " | ".join([name, str(of_log.episodes), f"{of_log.rows:,}", *columns]) + " |"


def main(data: Path, out: Path) -> None:
    """Print the table, log after log."""
    print("| " + " | ".join(HEADS) + " |", "|---" * len(HEADS) + "|", sep="\n", flush=True)
    for name in LOGS:
        print(line(name, measured(name, data, out)), flush=True)


if __name__ == "__main__":
    data, out = words(__doc__, 2)
    main(Path(data), Path(out))
