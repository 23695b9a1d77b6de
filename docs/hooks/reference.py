"""Pages of reference, made from the code while the site is built: nothing of them is written by hand."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from helptext import commands
from mkdocs.structure.files import File, Files
from tables import field_table, file_table, first_line, show, table

from micro_rl.algorithms import presets, registry
from micro_rl.algorithms.advice import WHEN
from micro_rl.core.metric_keys import FIT_METRICS, METRICS
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.settings import Settings
from micro_rl.data.read_options import ReadOptions
from micro_rl.reports import stats
from micro_rl.simulation.online_settings import OnlineSettings
from micro_rl.storage.contents import RUN_FOLDER

ROOT = Path(__file__).parents[2]
PUBLIC = (
    "load",
    "Dataset",
    "train",
    "sweep",
    "fit",
    "choose",
    "trust",
    "Run",
    "open_run",
    "OpenedRun",
    "Policy",
    "Controller",
    "ControlSettings",
    "Decision",
    "Guard",
    "evaluate",
    "robust",
    "curves",
    "register",
    "UserError",
    "Diverged",
)
"""The names that `micro_rl` offers, in the order in which they are needed."""
TASK = re.compile("(halfcheetah|hopper|walker2d)-")

METHODS = """# Methods

`micro-rl train LOG --method NAME` trains with any of them; MICRO is the default.

{}
## Which when

{}

Early training, one to three seeds a figure: [every method on the same logs](../results/methods.md). [From a log to a
decision](../guides/choose.md) tries several of them on yours.

How they compare: [results](../results/methods.md). [Use one of your own](../guides/own-method.md), or
[add one to the package](../development/add-a-method.md).
"""

API = """# Python

`import micro_rl` has these names, and imports nothing heavy before one of them is used.

{}
## Statistics

`from micro_rl.reports import stats`; [what to use for what](../guides/statistics.md).

{}
"""

SETTINGS = """# Settings

On the command line `--weight-decay 0 0 0`, from Python `weight_decay=(0, 0, 0)`. The defaults suit an unknown log. A
preset has its own values; a D4RL log's name chooses its preset.

The last column says where the default is from. *The authors' code* is that of the paper on the method's page: of MICRO
for what the methods share. *OfflineRL-Kit* and *CORL* are collections of re-implementations. *Ours* is chosen here,
with the reason and, where they differ, the authors' value.

## The dynamics model

{}
## Training

{}
## What a method has of its own
{}
## How an online learner learns

`micro-rl data collect` trains one to [make logs](../guides/collecting.md).

{}
## How a log is read

The same words stand in a [TOML beside a log](../guides/data.md#tables).

{}
## Presets of MICRO

{}
"""

METRIC_KEYS = """# Metric keys

Raw units are the log's own. Core units are those of the networks: observations standardised, actions in [-1, 1],
rewards divided by their root mean square (under the D4RL presets rewards and observations stay as they are). A key that
averages is the mean over the epoch's updates. The equations are on each [method's page](../methods/index.md).

## metrics.jsonl

{}
## fit.jsonl

{}
"""

FOLDER = """# Run folder

{}
Saves are atomic, arrays are checksummed, and nothing is ever unpickled. [When each is written, and what is resumed
from](../guides/runs.md).
"""

MODULES = """# Modules

Every file with its first line. What each package is for, and which may import which:
[architecture](../development/architecture.md).

{}
"""


def on_files(files: Files, config: Any) -> None:
    """Add the pages to those that are written."""
    for path, content in pages().items():
        files.append(File.generated(config, path, content=content))


def pages() -> dict[str, str]:
    """Every generated page by its path below docs/."""
    metric_tables = (
        table(("key", "what", "unit"), [(f"`{metric.key}`", metric.meaning, metric.unit) for metric in keys.values()])
        for keys in (METRICS, FIT_METRICS)
    )
    return {
        "methods/index.md": METHODS.format(
            methods(), "\n".join(f"* {situation}: {advice}." for situation, advice in WHEN)
        ),
        "reference/api.md": API.format(*public_names()),
        "reference/command-line.md": commands(),
        "reference/settings.md": SETTINGS.format(*settings()),
        "reference/metrics.md": METRIC_KEYS.format(*metric_tables),
        "reference/run-folder.md": FOLDER.format(
            table(("file or folder", "what it is"), [(f"`{k}`", v) for k, v in RUN_FOLDER.items()])
        ),
        "reference/modules.md": MODULES.format(modules()),
    }


def methods() -> str:
    """Two tables of methods: with and without a model."""
    text = ""
    for title, learns in (("With a learned model", True), ("From the log alone", False)):
        names = [name for name in registry.ALL if registry.learns_model(name) is learns]
        rows = [
            (f"[`{name}`]({name}.md)", registry.find(name).SUMMARY, paper(registry.find(name).PAPER)) for name in names
        ]
        text += f"## {title}\n\n" + table(("method", "what it is", "paper"), rows) + "\n"
    return text


def paper(source: str) -> str:
    """A paper's number as a link to it."""
    return re.sub(r"arXiv (\d+\.\d+)", r"[\g<0>](https://arxiv.org/abs/\1)", source)


def public_names() -> tuple[str, str]:
    """The front door and the statistics, for mkdocstrings."""
    import micro_rl

    front = [
        f"::: {micro_rl._HOMES[name]}.{name}\n" for name in PUBLIC
    ]  # `trust` is also a package, which can be called
    front.append("::: micro_rl.training.plan.Choices\n")  # the keywords of train and sweep
    names = [
        f"::: {getattr(stats, name).__module__}.{name}\n    options: {{heading_level: 3}}\n" for name in stats.__all__
    ]
    return "\n".join(front), "\n".join(names)


def settings() -> tuple[str, ...]:
    """Tables of the settings, of each method's options, of a log's words and of the presets."""
    own = {field.name for field in fields(Settings)} - {field.name for field in fields(ModelSettings)}
    options = "".join(f"\n### [{name}](../methods/{name}.md)\n\n{method_settings(name)}" for name in registry.ALL)
    learner, reading = field_table(OnlineSettings), field_table(ReadOptions)
    return field_table(ModelSettings), field_table(Settings, own), options, learner, reading, preset_table()


def method_settings(name: str) -> str:
    """A method's options, and the settings that one without a model uses."""
    method = registry.find(name)
    text = field_table(method.Options) if fields(method.Options) else "It has no options.\n"
    if registry.learns_model(name):
        return text
    usual = ", ".join(f"`{key}` {show(value)}" for key, value in method.DEFAULTS.items())
    used = ", ".join(f"`{key}`" for key in sorted(registry.accepted(name)[0]))
    return f"{text}\nIt uses {used}{f'; its own defaults: {usual}' if usual else ''}.\n"


def preset_table() -> str:
    """What the presets set: first what all tasks share, then a line for each task."""
    values = {name: registry.values("micro", name) for name in presets.PRESETS if TASK.match(name)}
    keys = sorted({key for chosen in values.values() for key in chosen})
    same = [key for key in keys if len({repr(chosen.get(key)) for chosen in values.values()}) == 1]
    shared = ", ".join(f"`{key}` {show(next(iter(values.values()))[key])}" for key in same)
    others = [key for key in keys if key not in same]
    rows = [(name, *(show(chosen.get(key)) for key in others)) for name, chosen in values.items()]
    text = f"All tasks: {shared}. An empty cell below is the default.\n\n"
    return text + table(("task", *(f"`{key}`" for key in others)), rows)


def modules() -> str:
    """The map of files: the first line of every module's docstring."""
    packages = sorted(path.parent for path in (ROOT / "micro_rl").glob("*/__init__.py"))
    text = "## micro_rl\n\n" + file_table(ROOT / "micro_rl", sorted((ROOT / "micro_rl").glob("*.py")))
    for package in [*packages, ROOT / "benchmarks", ROOT / "runs"]:
        start = package / "__init__.py"
        files = sorted(path for path in package.rglob("*.py") if path != start)
        text += f"\n## {package.relative_to(ROOT)}\n\n{first_line(start)}\n\n{file_table(package, files)}"
    return text
