"""The table of model-based methods: each a module with `SUMMARY`, `PAPER`, its `Options` and `build`."""

from types import ModuleType

from micro_rl.errors import UserError, did_you_mean
from micro_rl.methods import combo, micro, mobile, mopo, morel, rambo, sac

METHODS: dict[str, ModuleType] = {
    "micro": micro,
    "mobile": mobile,
    "sac": sac,
    "mopo": mopo,
    "rambo": rambo,
    "combo": combo,
    "morel": morel,
}


def find(name: str) -> ModuleType:
    """The method's module; `UserError` lists the names there are."""
    if name not in METHODS:
        raise UserError(
            f"method: there is no {name!r}{did_you_mean(name, METHODS)}; choose one of {', '.join(METHODS)}"
        )
    return METHODS[name]
