"""From the words of a command line to values: options from dataclasses, and a wrong one answered in one line."""

import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import asdict, make_dataclass
from io import StringIO
from typing import Annotated, Any, TypeVar

import tyro

from micro_rl.algorithms import presets
from micro_rl.core.renamed import new_name
from micro_rl.data.log_paths import locate, log_name
from micro_rl.errors import UserError, did_you_mean

Parsed = TypeVar("Parsed")

_FRAME = "│╭╮╰╯─|+- \t"  # what tyro draws its boxes with, in UTF-8 and in ASCII


def shape(name: str, explanation: str, *places: tuple[str, Any], **parts: Any) -> Any:
    """A dataclass to parse into: positional arguments, and the options of several dataclasses side by side."""
    fields = [(place, tyro.conf.Positional[kind]) for place, kind in places]
    fields += [(part, Annotated[kind, tyro.conf.arg(name="")]) for part, kind in parts.items()]
    made = make_dataclass(name, fields, frozen=True)
    made.__doc__ = explanation
    return made


FORMULAS = ("--reward", "--termination")
"""Options whose values may begin with a minus sign, as '-abs(level - 2)' does."""


def parse(verb: str, arguments: list[str], kind: type[Parsed], default: Parsed | None = None) -> Parsed:
    """The values; `UserError` for a mistake, `SystemExit` after --help has been printed."""
    said, arguments = StringIO(), list(_with_formulas(arguments))
    known: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with redirect_stderr(said):
            parsed: Any
            parsed, left = tyro.cli(kind, args=arguments, prog=f"micro-rl {verb}", return_unknown_args=True, **known)
    except SystemExit as ended:
        if not ended.code:
            raise
        raise UserError(f"{_first_words(said.getvalue())}; `micro-rl {verb} --help` shows every option") from None
    if left:
        raise UserError(_unknown(left[0], list(_options(asdict(parsed))), verb))
    return parsed


def parse_with_preset(verb: str, arguments: list[str], default: Callable[[str, Any], Parsed]) -> Parsed:
    """The same where a preset's values are the defaults and the log's name chooses the preset, unless one is named.

    `default(preset, log)` holds the values of that preset; it is first asked to learn which log is meant.
    """
    named = value_of(arguments, "--preset")
    start = default(named or "generic", tyro.MISSING)
    parsed: Any = parse(verb, arguments, type(start), start)
    if named is not None:
        return parsed
    own = default(presets.name_for(log_name(locate(parsed.log))), tyro.MISSING)
    return parse(verb, arguments, type(own), own)


def value_of(arguments: list[str], option: str) -> str | None:
    """What an option is set to, before the rest can be understood."""
    for place, word in enumerate(arguments):
        if word == option:
            return arguments[place + 1] if place + 1 < len(arguments) else None
        if word.startswith(option + "="):
            return word.partition("=")[2]
    return None


def _with_formulas(arguments: list[str]) -> Iterator[str]:
    """The same words, formulas tied to their option: one that begins with a minus sign would be taken for another."""
    words = iter(arguments)
    for word in words:
        value = next(words, None) if word in FORMULAS else None
        if value is None:
            yield word
        elif value.startswith("--"):
            yield from (word, value)
        else:
            yield f"{word}={value}"


def _options(values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _options(value)
        else:
            yield "--" + name.replace("_", "-")


def _unknown(word: str, options: list[str], verb: str) -> str:
    if not word.startswith("-"):
        return f"{word!r} is one word too many; `micro-rl {verb} --help` shows what the verb takes"
    option = word.partition("=")[0]
    if new := new_name(option[2:].replace("-", "_"), {other[2:].replace("-", "_") for other in options}):
        return f"{option} is called --{new.replace('_', '-')} now"
    near = did_you_mean(option, options)
    return f"there is no option {option}{near}; `micro-rl {verb} --help` shows every option"


def _first_words(boxed: str) -> str:
    """The sentence in tyro's framed explanation: what stands between the title and the first rule."""
    words: list[str] = []
    for line in boxed.splitlines()[1:]:
        inner = line.strip(_FRAME)
        if not inner and words:
            break
        words.append(inner)
    return re.sub(r"\[/?bold\]", "", " ".join(words)).strip(" .")
