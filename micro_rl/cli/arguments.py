"""The words of a command line parsed into dataclasses by tyro, and its errors as one line."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import asdict, make_dataclass
from io import StringIO
from typing import Annotated, Any, TypeVar

import tyro

from micro_rl.core.renamed import in_our_words, new_name
from micro_rl.errors import UserError, did_you_mean

Parsed = TypeVar("Parsed")

_FRAME = "│╭╮╰╯─|+- \t"  # what tyro draws its boxes with, in UTF-8 and in ASCII


def shape(name: str, explanation: str, *places: tuple[str, Any], **parts: Any) -> Any:
    """Make a dataclass to parse into: positional arguments, and the options of several dataclasses side by side."""
    fields = [(place, Annotated[tyro.conf.Positional[kind], _argument(name, place)]) for place, kind in places]
    fields += [(part, Annotated[kind, tyro.conf.arg(name="")]) for part, kind in parts.items()]
    kind = make_dataclass(name, fields, frozen=True)
    kind.__doc__ = explanation
    return kind


WORDS = {
    "log": ("LOG", "a log: its path, or a name"),
    "run": ("RUN", "the folder of a run"),
    "ExportRun run": ("RUN", "a run's, a choice's or a controller's folder, or a policy's file"),
    "ControllerRun run": ("RUN", "a run's, a choice's or a controller's folder, a policy's file, or an export"),
    "runs": ("RUN ...", "folders of runs"),
    "Sweep log": ("LOG...", "logs, each a path or a name; or a TOML that names them"),
    "export": ("EXPORT", "a controller's folder, an export (.py, .onnx), a run's folder, or a policy's file"),
    "folder": ("DIR", "a folder that holds runs"),
    "env": ("ENV", "a Gymnasium id"),
    "src": ("SRC", "the log to read"),
    "record": ("RECORD", "what a controller wrote: its CSV"),
    "dst": ("DST", "the file or folder to write; its suffix says the format"),
}
"""What the help calls the positional arguments, and what it says of them; a verb may have its own words."""


def _argument(verb: str, place: str) -> Any:
    name, words = WORDS.get(f"{verb} {place}", WORDS[place])
    return tyro.conf.arg(metavar=name, help=words)


FORMULAS = ("--known-reward", "--reward", "--termination", "--where")
"""Options whose values may begin with a minus sign, as '-abs(level - 2)' does."""


def parse(verb: str, arguments: list[str], kind: type[Parsed], default: Parsed | None = None) -> Parsed:
    """Parse the words of a verb.

    Args:
        verb: as it is typed, for messages: "train", "data check".
        arguments: the words after it.
        kind: the dataclass to parse into.
        default: the values of what is not among the words, where they are not the dataclass's own.

    Returns:
        The values.

    Raises:
        UserError: a mistake, in one line that names the option and the nearest one.
        SystemExit: the help has been printed.
    """
    box, arguments = StringIO(), list(_with_formulas(arguments))
    more: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with redirect_stderr(box):
            values: Any
            values, rest = tyro.cli(kind, args=arguments, prog=f"micro-rl {verb}", return_unknown_args=True, **more)
    except SystemExit as exit_of_tyro:
        if not exit_of_tyro.code:
            raise
        raise UserError(f"{_sentence(box.getvalue())}; `micro-rl {verb} --help` shows every option") from None
    if rest:
        raise UserError(_unknown(rest[0], list(_options(asdict(values))), verb))
    _check_once(arguments, asdict(values))
    return values


def parse_with_preset(verb: str, arguments: list[str], default: Callable[[str, Any], Parsed]) -> Parsed:
    """Parse the words of a verb whose defaults are a preset's: of the one that is named, else of the log's name.

    `default(preset, log)` holds the values of a preset. The log is expected to be the first word; where options come
    before it, only parsing finds it, and the words are parsed again if its preset is another.
    """
    option = option_value(arguments, "--preset")
    first = "" if not arguments or arguments[0].startswith("-") else arguments[0]
    preset = option or _preset_for(first)
    defaults = default(preset, tyro.MISSING)
    values: Any = parse(verb, arguments, type(defaults), defaults)
    own = option or _preset_for(values.log)
    return values if own == preset else parse(verb, arguments, type(defaults), default(own, tyro.MISSING))


def _preset_for(log: str) -> str:
    """The preset that a log's name chooses; the generic one where there is no such log, as reading it will say."""
    from micro_rl.algorithms import presets
    from micro_rl.data.log_paths import locate, log_name

    try:
        return presets.name_for(log_name(locate(log))) if log else "generic"
    except UserError:
        return "generic"


def option_value(arguments: list[str], option: str) -> str | None:
    """Find what an option is set to, before the rest can be understood."""
    for index, word in enumerate(arguments):
        if word == option:
            return arguments[index + 1] if index + 1 < len(arguments) else None
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


def _check_once(arguments: list[str], values: dict[str, Any]) -> None:
    """Refuse an option of several values that is there twice: what the first one names would be left out."""
    times = Counter(word.partition("=")[0].replace("_", "-") for word in arguments if word.startswith("--"))
    for option in _options_of_several(values):
        if times[option] > 1:
            raise UserError(f"{option} is there {times[option]} times: give it once, with all its values behind it")


def _options_of_several(values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _options_of_several(value)
        elif isinstance(value, list | tuple):
            yield "--" + name.replace("_", "-")


def _unknown(word: str, options: list[str], verb: str) -> str:
    if not word.startswith("-"):
        return f"{word!r} is one word too many; `micro-rl {verb} --help` shows what the verb takes"
    option = word.partition("=")[0]
    name, known = option.lstrip("-").replace("-", "_"), {other[2:].replace("-", "_") for other in options}
    if new := new_name(name, known):
        return f"{option} is called --{new.replace('_', '-')} now"
    near = did_you_mean(f"--{in_our_words(name).replace('_', '-')}", options)
    return f"there is no option {option}{near}; `micro-rl {verb} --help` shows every option"


def _sentence(box: str) -> str:
    """The sentence in tyro's framed explanation: what stands between the title and the first rule."""
    words: list[str] = []
    for line in box.splitlines()[1:]:
        inner = line.strip(_FRAME)
        if not inner and words:
            break
        words.append(inner)
    return re.sub(r"\[/?bold\]", "", " ".join(words)).strip(" .")
