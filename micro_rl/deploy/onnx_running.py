"""An exported ONNX file run by onnxruntime, step by step."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from micro_rl.deploy.equality import Decisions
from micro_rl.deploy.source import Source
from micro_rl.deploy.trial import BEGIN, PRIME, Trial
from micro_rl.errors import UserError, in_words, require_extra


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
    """What the caller of a model with a past holds: what the last step gave, and the action applied after it."""

    def __init__(self, model: Any):
        """Begin an episode of a session."""
        self._model = model
        self._names = [output.name for output in model.get_outputs()]
        self._blank = {
            each.name: np.zeros((1, each.shape[1]), np.float32)
            for each in model.get_inputs()
            if each.name in ("window", "applied", "memory")
        }
        self.begin()

    def begin(self) -> None:
        """Forget everything: an episode begins."""
        self._held = self._blank | {"begin": np.array([[True]])}

    def step(self, observation: np.ndarray) -> Decisions:
        """Decide [1, act] on an observation [obs], and remember it and the action; `applied` corrects the latter.

        Of an observation that is not finite nothing is remembered, as the guide tells callers to do it.
        """
        inputs = {"observation": observation[None].astype(np.float32), **self._held}
        outputs = dict(zip(self._names, self._model.run(None, inputs), strict=True))
        action, mean, log_std = (outputs[name] for name in ("action", "mean", "log_std"))
        if np.isfinite(observation).all():
            self._held = {"window": outputs["next_window"], "applied": action, "begin": np.array([[False]])}
            self._held |= {"memory": outputs["next_memory"]} if "score" in outputs else {}
        return Decisions(action, mean, log_std, outputs["score"][:, 0] if "score" in outputs else None)

    def applied(self, action: np.ndarray) -> None:
        """Take over the action [act] that was really applied at the last step."""
        self._held["applied"] = action[None].astype(np.float32)


def run_onnx(content: bytes, source: Source, trial: Trial) -> Decisions:
    """Run a model over a trial, a row at a time.

    Args:
        content: of the file.
        source: what the file is of; its past says how a step is asked for.
        trial: the steps; values must be ones of single precision.

    Raises:
        UserError: onnxruntime cannot run it.
    """
    try:
        model = session(content)
        if source.before:
            each = _with_a_past(OnnxPast(model), trial)
        else:
            rows = trial.observations.astype(np.float32)[:, None]
            each = [Decisions(*model.run(None, {"observation": row})) for row in rows]
    except Exception as error:  # onnxruntime has exceptions of many kinds
        words = in_words(error)
        raise UserError(
            f"export: onnxruntime cannot run the exported file ({words:.300}); nothing was written"
        ) from error
    *parts, scores = zip(*each, strict=True)
    return Decisions(*map(np.concatenate, parts), score=None if scores[0] is None else np.concatenate(scores))


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
                past.applied(trial.applied[earlier])
        decisions.append(past.step(trial.observations[step]))
        past.applied(trial.applied[step])
    return decisions


def _library() -> Any:
    return require_extra("onnxruntime", "onnx", "running an ONNX file")
