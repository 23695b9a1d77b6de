"""Pages of reference, made from the code while the site is built: nothing of them is written by hand."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from inspect import getsource, unwrap
from pathlib import Path
from textwrap import dedent
from typing import Any

from helptext import commands
from mkdocs.structure.files import File, Files

import micro_rl
from micro_rl.algorithms import presets, registry
from micro_rl.core.settings import ModelSettings, Settings
from micro_rl.data.reading import Reading
from micro_rl.reports import stats
from micro_rl.storage.contents import FIT_METRICS, METRICS, RUN_FOLDER

ROOT = Path(__file__).parents[2]
MODEL, LOG = "with a learned model", "from the log alone"


def on_files(files: Files, config: Any) -> None:
    """Add the pages to those that are written."""
    for path, content in pages().items():
        files.append(File.generated(config, path, content=content))


def pages() -> dict[str, str]:
    """Every generated page by its path below docs/."""
    return {
        "methods/index.md": methods(),
        "reference/api.md": api(),
        "reference/command-line.md": commands(),
        "reference/settings.md": settings(),
        "reference/metrics.md": metrics(),
        "reference/run-folder.md": run_folder(),
        "reference/modules.md": modules(),
    }


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(head), ["---"] * len(list(head)), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def methods() -> str:
    """The table of methods."""
    text = "# Methods\n\n`micro-rl train LOG --method NAME` trains with any of them; MICRO is the default.\n"
    for title, learns in ((MODEL, True), (LOG, False)):
        names = [name for name in registry.ALL if registry.learns_model(name) is learns]
        rows = [
            (f"[`{name}`]({name}.md)", registry.find(name).SUMMARY, arxiv(registry.find(name).PAPER)) for name in names
        ]
        text += f"\n## {title.capitalize()}\n\n" + table(("method", "what it is", "paper"), rows)
    return text + "\nHow they compare: [results](../results/methods.md). [Add one of your own](../development/add-a-method.md).\n"


def arxiv(paper: str) -> str:
    """A paper's number as a link to it."""
    number = paper.removeprefix("arXiv ")
    return f"[{paper}](https://arxiv.org/abs/{number})" if number != paper else paper


# Python


def api() -> str:
    """The public names with their signatures, by mkdocstrings."""
    text = "# Python\n\nAll of it is imported from `micro_rl`; `import micro_rl` alone imports nothing heavy.\n"
    for name in ("load", "Dataset", "train", "sweep", "Run", "Policy", "evaluate", "UserError", "Diverged"):
        text += f"\n::: {unwrap(getattr(micro_rl, name)).__module__}.{name}\n"
    assert set(micro_rl.__all__) == {"load", "Dataset", "train", "sweep", "Run", "Policy", "evaluate", "UserError", "Diverged"}
    text += "\n## Statistics\n\n`from micro_rl.reports import stats`; [what to use for what](../guides/statistics.md).\n"
    for name in stats.__all__:
        text += f"\n::: {getattr(stats, name).__module__}.{name}\n    options: {{heading_level: 3}}\n"
    return text


# Settings


def settings() -> str:
    """Every setting and option with its default and meaning."""
    text = dedent("""
        # Settings

        On the command line `--batch-size 64`, from Python `batch_size=64`; a tuple is several numbers: `--hidden 64 64`.
        The defaults suit an unknown log; a preset, which a D4RL log's name chooses, has its own values.
        """)
    text += "\n## The dynamics model\n\n" + setting_table(ModelSettings)
    own = {field.name for field in fields(Settings)} - {field.name for field in fields(ModelSettings)}
    text += "\n## Training\n\n" + setting_table(Settings, own)
    text += "\n## What a method has of its own\n"
    for name in registry.ALL:
        method = registry.find(name)
        text += f"\n### [{name}](../methods/{name}.md)\n\n"
        text += setting_table(method.Options) if fields(method.Options) else "It has no options.\n"
        if not registry.learns_model(name):
            text += "\nSettings that it uses: " + ", ".join(f"`{key}`" for key in sorted(registry.accepted(name)[0]))
            usual = "; otherwise by default: " + ", ".join(f"`{key}` {show(v)}" for key, v in method.DEFAULTS.items())
            text += (usual if method.DEFAULTS else "") + ".\n"
    text += "\n## How a log is read\n\nThe same words stand in a [TOML beside a log](../guides/data.md#tables).\n\n"
    return text + setting_table(Reading) + "\n## Presets of MICRO\n\n" + preset_table()


def setting_table(kind: type, names: set[str] | None = None) -> str:
    """The fields of a dataclass with the sentences that stand below them."""
    meaning = {name: text for base in reversed(kind.__mro__[:-1]) for name, text in sentences(base)}
    chosen = [field for field in fields(kind) if names is None or field.name in names]
    rows = [(f"`{field.name}`", show(field.default), meaning[field.name]) for field in chosen]
    return table(("name", "default", "meaning"), rows)


def sentences(kind: type) -> Iterator[tuple[str, str]]:
    """The names of a class's fields, each with the string that stands below it."""
    body = ast.parse(dedent(getsource(kind))).body[0].body
    for field, below in zip(body, body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            yield field.target.id, " ".join(below.value.value.split())


def show(value: Any) -> str:
    """A value as the command line takes it."""
    if isinstance(value, tuple):
        return " ".join(map(show, value))
    if value is None or isinstance(value, bool):
        return "" if value is None else "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def preset_table() -> str:
    """What the presets set: first what all tasks share, then a line for each task."""
    values = {name: registry.values("micro", name) for name in presets.PRESETS if re.match("[a-z0-9]+-(m|r)", name)}
    keys = sorted({key for chosen in values.values() for key in chosen})
    same = [key for key in keys if len({repr(chosen.get(key)) for chosen in values.values()}) == 1]
    shared = ", ".join(f"`{key}` {show(next(iter(values.values()))[key])}" for key in same)
    others = [key for key in keys if key not in same]
    rows = [(name, *(show(chosen.get(key)) for key in others)) for name, chosen in values.items()]
    text = f"All tasks: {shared}. An empty cell below is the default.\n\n"
    return text + table(("task", *(f"`{key}`" for key in others)), rows)


# Files


def metrics() -> str:
    """The keys of the JSON lines."""
    head = ("key", "what", "unit")
    rows, fit = ([(f"`{key}`", *words) for key, words in keys.items()] for keys in (METRICS, FIT_METRICS))
    return (
        "# Metric keys\n\nRaw units are the log's own. Core units are those of the networks: observations standardised, "
        "actions in [-1, 1], rewards divided by their root mean square (under the D4RL presets rewards and observations "
        "stay as they are). A key that averages is the mean over the epoch's updates. The equations are on each "
        "[method's page](../methods/index.md).\n\n## metrics.jsonl\n\n"
        + table(head, rows)
        + "\n## fit.jsonl\n\nThe fit's targets are standardised, or raw under the D4RL presets.\n\n"
        + table(head, fit)
    )


def run_folder() -> str:
    """The files of a run."""
    return (
        "# Run folder\n\n"
        + table(("", ""), [(f"`{name}`", text) for name, text in RUN_FOLDER.items()])
        + "\nSaves are atomic, arrays are checksummed, and nothing is ever unpickled. "
        "[When each is written, and what is resumed from](../guides/runs.md).\n"
    )


def modules() -> str:
    """The map of files: the first line of every module's docstring."""
    text = "# Modules\n\nEvery file with its first line. What each package is for, and which may import which: "
    text += "[architecture](../development/architecture.md).\n"
    packages = sorted(path.parent for path in (ROOT / "micro_rl").glob("*/__init__.py"))
    text += "\n## micro_rl\n\n" + file_table(sorted((ROOT / "micro_rl").glob("*.py")))
    for package in [*packages, ROOT / "benchmarks", ROOT / "runs"]:
        inside = sorted(path for path in package.rglob("*.py") if path.name != "__init__.py" or path.parent != package)
        text += f"\n## {package.relative_to(ROOT)}\n\n{first_line(package / '__init__.py')}\n\n" + file_table(inside)
    return text


def file_table(paths: Iterable[Path]) -> str:
    """Files with their first lines."""
    return table(("file", "what it holds"), [(f"`{path.relative_to(ROOT)}`", first_line(path)) for path in paths])


def first_line(path: Path) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
