"""An exported ONNX file run by onnxruntime, step by step."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from micro_rl.deploy.equality import Decisions
from micro_rl.deploy.trial import BEGIN, PRIME, Trial
from micro_rl.errors import UserError, in_words, require_extra
from micro_rl.policy import Policy


def runtime() -> str | None:
    """The name and version of onnxruntime; None where it is not installed."""
    if find_spec("onnxruntime") is None:
        return None
    return f"onnxruntime {_library().__version__}"


def session(content: bytes) -> Any:
    """What runs a model: `session(content).run(names of outputs or None, arrays by inputs)`, on one thread."""
    library = _library()
    options = library.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return library.InferenceSession(content, options, providers=["CPUExecutionProvider"])


class OnnxPast:
    """What the caller of a model with a history holds: its last window and the action applied after it."""

    def __init__(self, model: Any, policy: Policy):
        """Begin an episode.

        Args:
            model: a session.
            policy: the policy, for its sizes.
        """
        self._model, self._policy = model, policy
        self.begin()

    def begin(self) -> None:
        """Forget everything: an episode begins."""
        self.window = np.zeros((1, len(self._policy.observation_mean)), np.float32)
        self.applied = np.zeros((1, self._policy.action_size), np.float32)
        self._begins = True

    def step(self, observation: np.ndarray) -> Decisions:
        """Decide [1, act] on an observation [obs], and remember it and the action; set `applied` where it differs."""
        given = {"observation": observation[None].astype(np.float32), "window": self.window}
        given |= {"applied": self.applied, "begin": np.array([[self._begins]])}
        *decision, self.window = self._model.run(None, given)
        self.applied, self._begins = decision[0], False
        return Decisions(*decision)


def run_onnx(content: bytes, policy: Policy, trial: Trial) -> Decisions:
    """Run a model over a trial, a row at a time.

    Args:
        content: of the file.
        policy: the policy; its history says how a step is asked for.
        trial: the steps; values must be ones of single precision.

    Raises:
        UserError: onnxruntime cannot run it.
    """
    try:
        model = session(content)
        if policy.history > 1:
            each = _with_a_past(OnnxPast(model, policy), trial)
        else:
            rows = trial.observations.astype(np.float32)[:, None]
            each = [Decisions(*model.run(None, {"observation": row})) for row in rows]
    except Exception as error:  # onnxruntime has exceptions of many kinds
        words = in_words(error)
        raise UserError(
            f"export: onnxruntime cannot run the exported file ({words:.300}); nothing was written"
        ) from error
    return Decisions(*(np.concatenate(parts) for parts in zip(*each, strict=True)))


def _with_a_past(past: OnnxPast, trial: Trial) -> list[Decisions]:
    """The decisions of a trial's episodes, in which other actions are applied and the past is handed over anew."""
    decisions, start = [], 0
    for step, kind in enumerate(trial.kind):
        if kind == BEGIN:
            past.begin()
            start = step
        if kind == PRIME:
            past.begin()
            for earlier in range(start, step):
                past.step(trial.observations[earlier])
                past.applied = trial.applied[None, earlier].astype(np.float32)
        decisions.append(past.step(trial.observations[step]))
        past.applied = trial.applied[None, step].astype(np.float32)
    return decisions


def _library() -> Any:
    return require_extra("onnxruntime", "onnx", "running an ONNX file")
