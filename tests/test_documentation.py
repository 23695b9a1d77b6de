"""README and site: their size, their links, and that the pages of reference leave nothing out."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from pkgutil import resolve_name

import pytest
import reference
from helptext import section

import micro_rl
from micro_rl.algorithms import registry
from micro_rl.cli import main
from micro_rl.cli.commands import data
from micro_rl.core.metric_keys import METRICS
from micro_rl.core.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)")
BLOCKS = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
KEY = re.compile(r"(loss|q|value|rows|rollout|buffer|time|eval|window_estimate|model_estimate|critic_estimate)/[a-z_]+")


@cache
def generated() -> dict[str, str]:
    return {f"docs/{path}": text for path, text in reference.pages().items()}


def written() -> Iterator[tuple[str, str]]:
    """The pages that people read, with the generated ones."""
    for path in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "runs" / "README.md",
        *(ROOT / "docs").rglob("*.md"),
    ]:
        yield str(path.relative_to(ROOT)), path.read_text()
    yield from generated().items()


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", BLOCKS.sub("", text), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", words).strip().lower()) for words in plain}


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150 and len(README.encode()) <= 8 * 1024


def test_every_link_leads_somewhere():
    pages, broken = dict(written()), []
    for name, text in pages.items():
        for target, anchor in LINK.findall(BLOCKS.sub("", text)):
            if "://" in target:
                continue
            path = (ROOT / name).parent.joinpath(target).resolve().relative_to(ROOT) if target else Path(name)
            page = pages.get(str(path))
            if (page is None and not (ROOT / path).exists()) or (anchor and page and anchor not in anchors(page)):
                broken.append(f"{name}: {target}#{anchor}")
    assert broken == []


def test_every_file_and_name_of_the_code_that_a_page_mentions_is_there():
    """Files by their path, names of modules and what is in them by dots; the page that adds a file names that too."""
    missing = []
    for name, text in written():
        for path in re.findall(r"`((?:micro_rl|tests|runs|benchmarks)/[\w/.]+)`", text):
            if not (ROOT / path).exists() and "nearest" not in path:
                missing.append(f"{name}: {path}")
        for dotted in re.findall(r"`(micro_rl(?:\.\w+)+)", text):
            try:
                resolve_name(dotted)
            except (ImportError, AttributeError):
                missing.append(f"{name}: {dotted}")
    assert missing == []


def test_every_option_in_a_command_of_the_pages_is_one():
    page = generated()["docs/reference/command-line.md"]
    known = set(re.findall(r"(--[a-z][a-z-]+)", page)) | {"--help", "--version"}
    known |= {
        "--" + field.name.replace("_", "-") for method in registry.ALL.values() for field in fields(method.Options)
    }
    unknown = [
        f"{name}: {option}"
        for name, text in written()
        for command in re.findall(r"(?:^|`)micro-rl (?:[^\n`#]|\\\n)+", text, re.MULTILINE)
        for option in re.findall(r"(?<!\S)(--[a-z][a-z-]+)", command)
        if option not in known
    ]
    assert unknown == []


def test_readme_and_site_name_every_method():
    assert [name for name in registry.ALL if f"[`{name}`](docs/methods/{name}.md)" not in README] == []
    assert [name for name in registry.ALL if f"[`{name}`]({name}.md)" not in generated()["docs/methods/index.md"]] == []


def test_the_reference_names_every_setting_with_its_meaning():
    page = generated()["docs/reference/settings.md"]
    kinds = [Settings, *(method.Options for method in registry.ALL.values())]
    names = {field.name for kind in kinds for field in fields(kind)}
    assert [name for name in names if not re.search(rf"^\| `{name}` \| [^|]*\| \S", page, re.MULTILINE)] == []


def test_the_reference_names_every_public_name():
    assert set(reference.PUBLIC) == set(micro_rl.__all__)


def test_the_reference_names_every_verb_and_option():
    page = generated()["docs/reference/command-line.md"]
    verbs = [verb for verb in main.VERBS if verb != "data"] + [f"data {verb}" for verb in data.VERBS]
    assert re.findall(r"^## micro-rl (.+)$", page, re.MULTILINE) == verbs
    options = re.findall(r"^\| `--([a-z-]+)", section(["train"]), re.MULTILINE)
    assert {field.name.replace("_", "-") for field in fields(Settings)} <= set(options)


def test_the_reference_names_every_key_that_the_code_logs():
    logged = {
        node.value
        for path in (ROOT / "micro_rl").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and KEY.fullmatch(node.value)
    }
    assert logged <= set(METRICS)


@pytest.mark.parametrize("folder", ["micro_rl", "benchmarks", "runs"])
def test_every_file_is_on_the_page_of_modules_with_what_it_holds(folder: str):
    sections = generated()["docs/reference/modules.md"].split("\n## ")
    listed = {
        f"{section.partition(chr(10))[0]}/{name}"
        for section in sections
        for name in re.findall(r"^\| `([\w/.]+)` \| \S", section, re.MULTILINE)
    }
    files = [path for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py"]
    assert {str(path.relative_to(ROOT)) for path in files} <= listed


def test_every_page_of_results_begins_with_its_question_and_its_answer():
    pages = {path.name: path.read_text() for path in (ROOT / "docs/results").glob("*.md")}
    for name in sorted(set(pages) - {"index.md", "what-we-know.md"}):
        title, question, *rest = pages[name].split("\n\n")
        assert title.startswith("# "), name
        assert question.startswith("**Question.** "), name
        assert rest[0].startswith("**Answer.** "), name
