"""The policy that an export begins with: of a run folder, of a choice's folder, or of a policy's file."""

from pathlib import Path

from micro_rl.deploy.source import Source
from micro_rl.errors import UserError
from micro_rl.opened.kept_policy import kept_policy, policy_path
from micro_rl.policy import Policy
from micro_rl.storage.files import reading
from micro_rl.storage.json_files import read_json
from micro_rl.storage.run_folder import RunFolder


def source_in(path: Path, epoch: int | None = None) -> Source:
    """Read a policy and what its folder says of it.

    Args:
        path: a run's folder, a choice's folder, or the file of a policy.
        epoch: of a run, one whose state is kept; by default the last.

    Raises:
        UserError: there is none, it is damaged, or only a run has epochs.
    """
    with reading(path):
        single, choice = path.is_file(), (path / "decision.json").exists()
    if not single and not choice:
        return _of_run(RunFolder.open(path), epoch)
    if epoch is not None:
        raise UserError(f"{path}: is {'a policy' if single else 'a choice'} and has no epochs; name a run's folder")
    return Source(Policy.load(path)) if single else _of_choice(path)


def _of_run(folder: RunFolder, epoch: int | None) -> Source:
    if folder.sealed:
        folder.verify()
    policy = Policy.load(policy_path(folder)) if epoch is None else kept_policy(folder, epoch)
    config = folder.config()
    digest = config.get("log", {}).get("sha256")
    known = [("method", config.get("method")), ("epoch", None if epoch is None else str(epoch))]
    return Source(policy, tuple((name, str(word)) for name, word in [*known, ("log's SHA-256", digest)] if word))


def _of_choice(path: Path) -> Source:
    record = read_json(path / "decision.json")
    if not (path / "policy.safetensors").exists():
        reason = str(record.get("reason", "nothing was judged"))
        raise UserError(
            f"{path}: the choice left no policy ({reason}): name one of policies/*.safetensors there to export one"
        )
    words = {"decision": "decision", "candidate": "chosen", "log's SHA-256": "sha256"}
    known = tuple((name, str(record[key])) for name, key in words.items() if record.get(key))
    return Source(Policy.load(path / "policy.safetensors"), known)
