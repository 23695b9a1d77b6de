"""What an estimate that lies outside the log's own returns says of itself; on the terminal and on the page."""

from collections.abc import Mapping


def beyond_the_log(log: Mapping[str, float | int], estimate: float | int) -> str:
    """A sentence for an estimated return above the log's best episode or below its mean; else "".

    `log` has `return_mean` and `return_best`, undiscounted, raw units, as the estimate.
    """
    if estimate > log["return_best"]:
        return "No episode of the log returned as much: nothing that was measured supports the estimate."
    if estimate < log["return_mean"]:
        return (
            "Even by the opinion of its own model the policy does worse than what made the log, or else the model has "
            "left what it knows of the system: do not put the policy in its place."
        )
    return ""
