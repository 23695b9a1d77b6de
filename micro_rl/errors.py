"""Errors a person can act on, each with the exit code the command line returns."""

import difflib
import re
import signal
from collections.abc import Iterable, Sequence
from importlib import import_module
from types import ModuleType

NEAREST = 4
"""Choices that are offered at once, at the most."""
LONGEST = 100
"""Characters of a choice that is offered."""


OF_TRAINING = (
    "equinox filelock gymnasium h5py imageio jax jaxtyping jinja2 matplotlib mujoco optax pydantic rich scipy "
    "tensorboardX typing_extensions tyro"
)
"""The modules that micro-rl needs and micro-rl-runtime, which acts alone, does not."""
WHOLE, RUNTIME = "micro-rl", "micro-rl-runtime"
"""The distributions in which this package comes; an environment has one of them."""


class UserError(Exception):
    """Something the user can mend: one line that names the file, key or row and the remedy."""

    exit_code = 2


class TooLittle(UserError):
    """The log has too little of what it would take: nothing was mistyped, and nothing else can be typed."""


class Diverged(Exception):
    """Training produced values that are not finite; the message says what was kept and what to try."""

    exit_code = 3


class Interrupted(Exception):
    """SIGINT or SIGTERM stopped a run; the message says what was saved, `whole` whether that is all it had reached."""

    def __init__(self, number: int, saved: str, whole: bool = True):
        super().__init__(f"stopped by {signal.Signals(number).name}; {saved}")
        self.exit_code = 128 + number
        self.whole = whole


def in_words(error: BaseException) -> str:
    """An exception's kind and the first line of its text, where a stranger's gives one."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {next(iter(text.splitlines()), '')}"


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """The nearest choices as a clause to put into a message, " (did you mean 'beta'?)"; empty where none is near.

    A choice that is spelled nearly so comes first; then those that have its words as wholes, or are made of some of
    them; and only then whatever looks alike.

    Args:
        name: What was typed.
        choices: What could have been meant.
    """
    choices = [choice for choice in choices if len(choice) <= LONGEST]
    names = {choice.lstrip("-"): choice for choice in choices}  # or the dashes of all options would look alike
    name, spelled = name.lstrip("-"), difflib.get_close_matches
    near = spelled(name, names, n=1, cutoff=0.85) or _of_its_words(name, list(names)) or spelled(name, names, n=1)
    shown = [repr(names[choice]) for choice in near]
    listed = " or ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
    return f" (did you mean {listed}?)" if shown else ""


def _of_its_words(name: str, choices: Sequence[str]) -> list[str]:
    """The choices that have all words of a name and the fewest others, else those made of most of them."""
    words = _words(name)
    having = [choice for choice in choices if words and words <= _words(choice)]
    if having:
        fewest = min(len(_words(choice)) for choice in having)
        return [choice for choice in having if len(_words(choice)) == fewest][:NEAREST]
    within = [choice for choice in choices if set() < _words(choice) <= words]
    most = max((len(_words(choice)) for choice in within), default=0)
    return [choice for choice in within if len(_words(choice)) == most][:NEAREST]


def _words(name: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", name.lower()))


def require_extra(module: str, extra: str, purpose: str) -> ModuleType:
    """The module of an optional dependency; `UserError` with the command that installs it where it is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise UserError(f"{purpose} needs {error.name}, which is not installed: {_remedy(extra)}") from None


def without_training(error: ModuleNotFoundError, what: str) -> str | None:
    """Say in one line what to install where only the part that acts is installed; None where something else is missing.

    Args:
        error: what an import raised.
        what: what needs it, to begin the line with.
    """
    module = (error.name or "").split(".")[0]
    if module not in OF_TRAINING.split():
        return None
    return f"{what} needs {module}, which is not installed: {_remedy()}"


def _remedy(extra: str = "") -> str:
    """The command that installs an extra, or all that trains, in words for the distribution that is installed."""
    extras = _extras_of_runtime()
    if extras is not None and extra in extras:
        return f"pip install '{RUNTIME}[{extra}]'"
    command = f"pip install '{WHOLE}[{extra}]'" if extra else f"pip install {WHOLE}"
    if extras is None:
        return command
    return f"pip uninstall {RUNTIME}, then {command} (both bring the package micro_rl)"


def _extras_of_runtime() -> list[str] | None:
    """The runtime's extras where it alone is installed; None elsewhere, as in a checkout."""
    from importlib import metadata  # takes as long to import as the policy, and is asked where something is missing

    installed = {name for name in (WHOLE, RUNTIME) if any(metadata.distributions(name=name))}
    return metadata.metadata(RUNTIME).get_all("Provides-Extra") or [] if installed == {RUNTIME} else None
