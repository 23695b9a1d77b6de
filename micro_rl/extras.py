"""Libraries that come with an extra of the package, imported when something needs them."""

from importlib import import_module
from types import ModuleType

from micro_rl.errors import UserError


def required(module: str, extra: str, purpose: str) -> ModuleType:
    """The module; `UserError` with the command that installs it where it is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise UserError(
            f"{purpose} needs {error.name}, which is not installed: pip install 'micro-rl[{extra}]'"
        ) from None
