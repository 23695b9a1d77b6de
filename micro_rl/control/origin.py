"""Where a policy comes from, in words: a run's method, epoch and log, or a choice's decision, candidate and log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.control.export_facts import OWN
from micro_rl.control.making import CONFIG, DECISION, ORIGIN, PARTS
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.storage.json_files import read_json

if TYPE_CHECKING:
    from micro_rl.storage.run_folder import RunFolder

OWN_LOG = "log's SHA-256"
"""What the digest of the policy's log is called among what is known."""
OF_CHOICE = {"decision": "decision", "candidate": "chosen", OWN_LOG: "sha256"}
"""What is told of a choice, by the keys of its decision.json."""
NAMES = ("method", "epoch", *OF_CHOICE)
"""All that is told."""
Known = tuple[tuple[str, str], ...]
"""What is known, in words by what they are about ("log's SHA-256")."""


def of_path(path: Path, policy: Policy) -> Known:
    """Read what a run's, a choice's or a controller's folder tells of its policy; nothing of a file.

    Raises:
        UserError: the folder's own file of it is damaged.
    """
    if (path / PARTS).exists():
        return of_controller(path, policy)
    if (path / DECISION).exists():
        return of_choice(read_json(path / DECISION))
    if not (path / CONFIG).exists():
        return ()
    from micro_rl.storage.run_folder import RunFolder

    return of_run(RunFolder.open(path))


def of_run(folder: RunFolder, epoch: int | None = None) -> Known:
    """Tell of a run's policy; `epoch` is its own where it is not the last."""
    config = folder.config()
    last = folder.scores().get("epochs") if epoch is None and folder.sealed else epoch
    known = [("method", config.get("method")), ("epoch", last), (OWN_LOG, config.get("log", {}).get("sha256"))]
    return tuple((name, str(word)) for name, word in known if word)


def of_choice(record: Mapping[str, Any]) -> Known:
    """Tell of a choice's policy, from what its decision.json holds."""
    return tuple((name, str(record[key])) for name, key in OF_CHOICE.items() if record.get(key))


def of_controller(folder: Path, policy: Policy) -> Known:
    """Read what a controller's folder tells of its policy; nothing where it does not, or tells of another policy."""
    facts = read_json(folder / PARTS).get(ORIGIN, {}) if (folder / PARTS).exists() else {}
    if not isinstance(facts, dict) or not all(isinstance(word, str) for word in facts.values()):
        raise UserError(f"{folder / PARTS}: tells no origin of a policy; make the folder anew with micro-rl controller")
    return tuple((name, facts[name]) for name in NAMES if name in facts and facts.get(OWN) == policy.sha256)
