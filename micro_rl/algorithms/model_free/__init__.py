"""The table of model-free methods: each a module with its `Options` and `build`, and what is said of it.

`USES` names the general settings that it takes, `DEFAULTS` those of them that it has otherwise than the rest.
"""

from types import ModuleType

from micro_rl.algorithms.model_free import bc, cql, edac, iql, rebrac, sac_n, td3_bc

BASELINES: dict[str, ModuleType] = {
    "td3_bc": td3_bc,
    "iql": iql,
    "cql": cql,
    "edac": edac,
    "sac_n": sac_n,
    "rebrac": rebrac,
    "bc": bc,
}
