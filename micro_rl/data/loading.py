"""`load`: from a name or a path to a checked `Dataset`, whatever the format."""

from pathlib import Path
from types import ModuleType

from micro_rl.data import d4rl, names, neorl2
from micro_rl.data.assemble import Options, assemble
from micro_rl.data.bounds import Limit
from micro_rl.data.dataset import Dataset
from micro_rl.errors import UserError

READERS = (d4rl, neorl2)

# First bytes of files that people take for logs, for the message only.
OTHERS = (
    (b"\x1f\x8b", "gzip: decompress it first"),
    (b"\x93NUMPY", "a single .npy array"),
    (b"\x80", "a pickle"),
)


def load(
    log: str | Path,
    *,
    action_low: Limit | None = None,
    action_high: Limit | None = None,
    horizon: int | None = None,
) -> Dataset:
    """Reads and checks a log.

    `log` is a path, `pendulum-demo`, or the name of a file in `$D4RL_DATASET_DIR`. The format is known by the
    content, not by the suffix. The action bounds, one number or one per action in raw units, outrank those
    in the file. `horizon` is the episodes' time limit in steps: an episode that runs so long without an end
    is cut there, and a file that marks no timeouts needs it. Raises `UserError` for whatever is wrong.
    """
    path = names.locate(log)
    reader = _reader(path)
    raw = reader.read(path)
    return assemble(path, reader.FORMAT, raw, Options(action_low, action_high, horizon))


def _reader(path: Path) -> ModuleType:
    """The reader that recognises the first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(8192)
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror}): check its permissions") from error
    if not head:
        raise UserError(f"{path}: the file is empty: fetch or write it again")
    for reader in READERS:
        if reader.recognises(head):
            return reader
    seen = next((f" (it looks like {kind})" for magic, kind in OTHERS if head.startswith(magic)), "")
    raise UserError(f"{path}: neither HDF5 nor NPZ in spite of its name{seen}: fetch or convert the file")
