"""How often Ray begins a task again, and what a person reads where it does so no more."""

import re

TRIES = 5
"""Times that work is begun again which a signal stopped on its node, or for which its node had not the memory."""
LOST = 20
"""Times that work is begun again whose process or node was gone: nodes come and go, but what kills its process each
time has to come to an end."""
NODE = re.compile(r"\(IP: ([^,\s]+)")
"""In what Ray says of a node without memory."""


def why_no_more(error: Exception) -> str:
    """What an error of Ray's says of a task that came to nothing, and what helps, in a line."""
    kind = type(error).__name__
    if kind == "OutOfMemoryError":
        found = NODE.search(str(error))
        node = f"the node at {found[1]}" if found else "its node"
        return (
            f"{node} had no memory left, and Ray ended it there {TRIES + 1} times; let fewer tasks run there at once "
            "(ray start --num-cpus, --memory) or make them smaller (batch_size, rollout_batch_size, rollout_length); "
            "then --resume goes on"
        )
    if kind in ("WorkerCrashedError", "NodeDiedError"):
        return (
            f"its process or its node was gone {LOST + 1} times ({last_line(error)}); dmesg on the nodes may tell why, "
            "as where memory is short; --resume goes on"
        )
    return f"{last_line(error)}; --resume goes on"


def last_line(error: Exception) -> str:
    """What an error of Ray's says last, which is what happened; its kind where it says nothing."""
    return " ".join(str(error).strip().splitlines()[-1:])[:300] or type(error).__name__
