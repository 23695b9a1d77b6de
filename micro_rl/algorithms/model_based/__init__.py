"""The table of model-based methods: each a module with `SUMMARY`, `PAPER`, its `Options` and `build`."""

from types import ModuleType

from micro_rl.algorithms.model_based import combo, micro, mobile, mopo, morel, rambo, sac_on_model

METHODS: dict[str, ModuleType] = {
    "micro": micro,
    "mobile": mobile,
    "sac": sac_on_model,
    "mopo": mopo,
    "rambo": rambo,
    "combo": combo,
    "morel": morel,
}
