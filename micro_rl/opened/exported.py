"""The policy that an export begins with: of a run's, a choice's or a controller's folder, or of a policy's file."""

from pathlib import Path

from micro_rl.control import origin
from micro_rl.control.guard import Guard
from micro_rl.control.making import SETTINGS, in_folder, left_none
from micro_rl.deploy.source import Source
from micro_rl.errors import UserError
from micro_rl.opened.kept_policy import kept_policy, policy_path
from micro_rl.policy import Policy
from micro_rl.storage.files import reading
from micro_rl.storage.json_files import read_json
from micro_rl.storage.run_folder import RunFolder


def is_run(path: Path) -> bool:
    """Whether a path is a run's, which keeps epochs, and no policy's file nor a choice's or a controller's folder."""
    with reading(path):
        return not (path.is_file() or (path / "decision.json").exists() or (path / SETTINGS).exists())


def source_in(path: Path, epoch: int | None = None, guard: Path | None = None) -> Source:
    """Read a policy and what its folder says of it.

    Args:
        path: a run's, a choice's or a controller's folder, or the file of a policy.
        epoch: of a run, one whose state is kept; by default the last.
        guard: the file of a guard; a controller's folder has its own.

    Raises:
        UserError: there is none, it is damaged, only a run has epochs, or the guard is one of other columns.
    """
    source = _policy_in(path, epoch)
    return source if guard is None else source.guarded(Guard.load(guard))


def _policy_in(path: Path, epoch: int | None) -> Source:
    with reading(path):
        readers = {
            "policy": (path.is_file(), lambda: Source(Policy.load(path))),
            "choice": ((path / "decision.json").exists(), lambda: _of_choice(path)),
            "controller": ((path / SETTINGS).exists(), lambda: _of_controller(path)),
        }
    for kind, (present, read) in readers.items():
        if present and epoch is not None:
            raise UserError(f"{path}: is a {kind} and has no epochs; name a run's folder")
        if present:
            return read()
    return _of_run(RunFolder.open(path), epoch)


def _of_controller(path: Path) -> Source:
    policy, guard, _ = in_folder(path)
    source = Source(policy, origin.of_controller(path, policy))
    return source if guard is None else source.guarded(guard)


def _of_run(folder: RunFolder, epoch: int | None) -> Source:
    if folder.sealed:
        folder.verify()
    policy = Policy.load(policy_path(folder)) if epoch is None else kept_policy(folder, epoch)
    return Source(policy, origin.of_run(folder, epoch))


def _of_choice(path: Path) -> Source:
    record = read_json(path / "decision.json")
    if not (path / "policy.safetensors").exists():
        raise left_none(path)
    return Source(Policy.load(path / "policy.safetensors"), origin.of_choice(record))
