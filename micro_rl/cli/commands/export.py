"""micro-rl export: the policy of an earlier epoch, from the state that the run folder keeps of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError


@dataclass(frozen=True)
class Export:
    """Which epoch, and where its policy goes."""

    epoch: int | None = None
    """An epoch whose state is kept: the newest two, and the best by score of those that were saved."""
    out: Path | None = None
    """The file; by default policy-epoch-N.safetensors in the run folder."""


EXPLANATION = """Write the policy of an epoch whose state the run folder keeps, as training would have written it then.

The run's own policy, scores and page stay what they are.
"""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.opened.kept_policy import kept_policy
    from micro_rl.storage.run_folder import RunFolder

    inputs: Any = parse("export", arguments, shape("ExportRun", EXPLANATION, ("run", Path), options=Export))
    folder, epoch = RunFolder.open(inputs.run), inputs.options.epoch
    if epoch is None:
        names = ", ".join(map(str, folder.checkpoints.epochs())) or "none"
        raise UserError(f"export: name an epoch with --epoch; {folder.path} keeps the states of: {names}")
    if folder.sealed:
        folder.verify()
    path = inputs.options.out or folder.path / f"policy-epoch-{epoch}.safetensors"
    kept_policy(folder, epoch).save(path)
    print(f"policy  {path}")
