"""How often Ray begins a task again, and what a person reads where it does so no more."""

import re

NO_MEMORY = 5
"""Times that work is begun again for which its node had not the memory."""
TRIES = 20
"""Times that work is begun again which a signal stopped on its node, or whose process or node was gone: nodes come and
go, but what stops it each time has to come to an end."""
NODE = re.compile(r"\(IP: ([^,\s]+)")
"""In what Ray says of a node without memory."""


class Stopped(Exception):
    """A signal stopped a task on its node; Ray begins it again, but where it was cancelled.

    Args:
        line: what was stopped, and what is saved.
        whole: all that it had reached is saved.
    """

    def __init__(self, line: str, whole: bool = True):
        super().__init__(line, whole)  # both, since an exception is packed as its arguments
        self.line, self.whole = line, whole

    def __str__(self) -> str:
        return self.line


def stopped_in(error: Exception) -> Stopped | None:
    """What a task raised that a signal had stopped, as Ray brings it."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Stopped) else None


def why_no_more(error: Exception) -> str:
    """What an error of Ray's says of a task that came to nothing, and what helps, in a line."""
    kind = type(error).__name__
    if stopped := stopped_in(error):
        return f"was begun again {TRIES} times, and stopped on its node once more ({stopped.line}); --resume goes on"
    if kind == "OutOfMemoryError":
        address = NODE.search(str(error))
        node = f"the node at {address[1]}" if address else "its node"
        return (
            f"{node} had no memory left, and Ray ended it there {NO_MEMORY + 1} times; let fewer tasks run there at "
            "once (ray start --num-cpus, --memory) or make them smaller (batch_size, rollout_batch_size, "
            "rollout_length); then --resume goes on"
        )
    if kind in ("WorkerCrashedError", "NodeDiedError"):
        return (
            f"was begun again {TRIES} times, and its process or its node was gone once more ({last_line(error)}); "
            "dmesg on the nodes may tell why, as where memory is short; --resume goes on"
        )
    return f"{last_line(error)}; --resume goes on"


def last_line(error: Exception) -> str:
    """What an error of Ray's says last, which is what happened; its kind where it says nothing."""
    return " ".join(str(error).strip().splitlines()[-1:])[:300] or type(error).__name__
