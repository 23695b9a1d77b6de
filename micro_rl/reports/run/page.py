"""Put a run's story, figures and facts into the page's template."""

from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from micro_rl._version import __version__
from micro_rl.core.metric_keys import EVAL_RETURN
from micro_rl.core.wording import duration, plural
from micro_rl.reports.own_page import HEAD, MARK
from micro_rl.reports.run import channels, model_panels, panels, record, story
from micro_rl.reports.run.panels import Missing, Panel
from micro_rl.reports.run.record import Record, sane
from micro_rl.storage.files import check_own, replace_file
from micro_rl.storage.run_folder import RunFolder


class Fact(NamedTuple):
    """A line of a table; `exact` is set in the type of code."""

    name: str
    value: str
    exact: bool = False


class Setting(NamedTuple):
    """A setting as the run had it, and whether the defaults have it otherwise."""

    name: str
    value: str
    changed: bool


def write(folder: Path) -> Path:
    """Write report.html into the run folder; see `write_report`."""
    RunFolder.open(folder)
    path = folder / "report.html"
    check_own(path, MARK, HEAD, "micro-rl report did not write it; move it away")
    replace_file(path, render(record.read(folder)).encode())
    return path


def render(run: Record) -> str:
    """The page as text: no script, and nothing that is loaded from elsewhere."""
    shown = [panel(run) for panel in panels.MAIN] + model_panels.of(run)
    return (
        environment()
        .get_template("report.html")
        .render(
            title=f"{_method(run)} on {_log_name(run)}",
            story=story.tell(run),
            main=[panel for panel in shown if isinstance(panel, Panel)],
            missing=[panel for panel in shown if isinstance(panel, Missing)],
            details=panels.details(run),
            notes=run.config.get("notes") or [],
            trained=trained(run),
            channels=channels.of(run),
            mapping=run.config.get("mapping"),
            settings=_settings(run),
            provenance=provenance(run),
            command=run.config.get("command"),
            policy=run.policy,
            measured=EVAL_RETURN in run.scores,
            run=run.name,
            version=__version__,
        )
    )


def environment() -> Environment:
    """Where the templates are, and how they are filled."""
    environment = Environment(
        loader=PackageLoader("micro_rl.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = Markup  # matplotlib has escaped the little text that is in it
    return environment


def trained(run: Record) -> list[Fact]:
    """What was trained on what."""
    config, log, settings, task = run.config, run.log, run.settings, run.config.get("task", {})
    done = int(max((row["epoch"] for row in run.metrics if sane(row["epoch"])), default=0))
    sizes = [plural(log[key], thing) for key, thing in (("rows", "row"), ("episodes", "episode")) if key in log]
    facts = [
        Fact("Log", ", ".join([_log_name(run), *sizes])),
        Fact("Method", ", ".join([_method(run), *_pairs(config.get("options", {}))])),
        Fact("Preset", str(config.get("preset", "unknown"))),
        Fact("Simulator", task.get("env") or "none"),
        Fact("Time limit", plural(task["horizon"], "step") if task.get("horizon") else "the simulator’s own, if any"),
        Fact("Episodes end", run.episodes_end),
        *_learned_end(run),
        Fact("Seed", str(settings.get("seed", "unknown"))),
        Fact(
            "Epochs",
            f"{done:,} of {settings['epochs']:,}" if "epochs" in settings else str(done),
        ),
    ]
    if "updates_per_epoch" in settings:
        facts.append(
            Fact(
                "Updates",
                f"{done * settings['updates_per_epoch']:,}, {settings['updates_per_epoch']:,} an epoch",
            )
        )
    seconds = run.series("time/seconds").values
    if seconds:
        fitted = run.learns_model or run.scored_by_model
        facts.append(Fact("Time", duration(sum(seconds)) + ", without the model’s fit" * fitted))
    model = "Model that scores it" if run.scored_by_model else "Model"
    if run.config.get("model"):
        facts.append(Fact(model, f"fitted before: {run.config['model']}"))
    elif run.fit:
        members = plural(len(record.kept_errors(run.fit)), "member")
        facts.append(Fact(model, f"{members}, fitted in {plural(len(run.fit), 'epoch')}"))
    return facts


def _learned_end(run: Record) -> list[Fact]:
    """How good a learned termination is, on episodes that took no part in its learning."""
    head, name = run.head, "Learned end" + " in the model that scores it" * run.scored_by_model
    if not head:
        return []
    if head["precision"] is None or head["recall"] is None:
        return [Fact(name, f"from {plural(head['terminals'], 'terminal')}: too few to measure it")]
    ends = (
        f"on {plural(head['held_out_episodes'], 'held-out episode')}: precision {_percent(head['precision'])}, recall "
        f"{_percent(head['recall'])}; {head['expected_terminals']:.1f} ends expected, {head['held_out_terminals']} came"
    )
    bins = (
        f"{_percent(entry['predicted'])} said, {_percent(entry['ended'])} ended ({plural(entry['rows'], 'row')})"
        for entry in head["reliability"]
    )
    return [Fact(name, ends), Fact("Its calibration", "; ".join(bins))]


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def provenance(run: Record) -> list[Fact]:
    """What the result can be traced to, byte for byte."""
    log = run.config.get("log", {})
    facts = [Fact("SHA-256 of the log", log["sha256"], True)] if "sha256" in log else []
    facts += [Fact("Format of the log", log["format"])] if "format" in log else []
    if run.policy:
        facts.append(Fact("SHA-256 of policy.safetensors", run.policy.sha256, True))
    versions = run.config.get("versions", {})
    facts.append(Fact("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    if isinstance(branch := run.config.get("branched_off"), dict):
        facts.append(Fact("Branched off", f"{_short(branch.get('run'))} after epoch {_short(branch.get('epoch'))}"))
    return facts + [fact for process in run.processes for fact in _process(process)]


def _process(process: dict[str, Any]) -> list[Fact]:
    """One that trained the run: when, from what code, on what."""
    fingerprint = process.get("fingerprint")
    machine = {str(name): _short(value) for name, value in fingerprint.items()} if isinstance(fingerprint, dict) else {}
    named = [machine[name] for name in ("processor", "device") if name in machine]
    named += [f"{machine['cores']} cores"] if "cores" in machine else []
    named += [f"{name}={value}" for name, value in machine.items() if name.startswith(("XLA_", "JAX_"))]
    when = f"Trained from epoch {_short(process.get('after_epoch'))}, {_short(process.get('began'))}"
    commit = f"commit {_short(process['commit'])}" if process.get("commit") else "an installed package"
    return [
        Fact(when, ", ".join([commit, *named])),
        Fact("Command", _short(process.get("command")) or "from Python", True),
    ]


def _short(value: Any) -> str:
    return str(value)[:1000]


def _log_name(run: Record) -> str:
    return str(run.config.get("log", {}).get("name", "an unnamed log"))


def _method(run: Record) -> str:
    return str(run.config.get("method", "unknown")).upper()


def _pairs(options: dict[str, Any]) -> list[str]:
    return [f"{name} {_text(value)}" for name, value in options.items()]


def _settings(run: Record) -> list[Setting]:
    changed = record.settings_changed(run.settings)
    return [Setting(name, _text(value), name in changed) for name, value in run.settings.items()]


def _text(value: Any) -> str:
    """A setting's value as one would type it."""
    if isinstance(value, list):
        return " ".join(_text(item) for item in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
