"""The table of model-based methods: each a module with its `Options` and `build`."""

from types import ModuleType

from micro_rl.errors import UserError
from micro_rl.methods import micro, sac

METHODS: dict[str, ModuleType] = {"micro": micro, "sac": sac}


def find(name: str) -> ModuleType:
    """The method's module; `UserError` lists the names there are."""
    if name not in METHODS:
        raise UserError(f"method: there is no {name!r}; choose one of {', '.join(METHODS)}")
    return METHODS[name]
