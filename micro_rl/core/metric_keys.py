"""Every key of metrics.jsonl and fit.jsonl: what displays call it, its unit and its meaning.

A key that averages is the mean over the epoch's updates. Raw units are the log's own; core units are those of the
networks: observations standardised, actions in [-1, 1], rewards divided by their root mean square (under the D4RL
presets rewards and observations are left as they are).
"""

from typing import NamedTuple

EVAL_RETURN = "eval/return"
EVAL_SCORE = "eval/normalised_score"
WINDOW_DIFFERENCE = "window_estimate/difference"
WINDOW_LOW, WINDOW_HIGH = "window_estimate/low", "window_estimate/high"
MODEL_RETURN = "model_estimate/return"
"""Of runs before windows: a return of episodes, which the log's cannot be compared with."""
CRITICS_RETURN = "critic_estimate/discounted_return"
SCORE_KEYS = (EVAL_RETURN, EVAL_SCORE, WINDOW_DIFFERENCE, MODEL_RETURN, CRITICS_RETURN)
"""What a run may be scored by, as scores.json has them: what was measured before what is only estimated."""
SHOWN_SCORES = (EVAL_SCORE, EVAL_RETURN, WINDOW_DIFFERENCE, MODEL_RETURN, CRITICS_RETURN)
"""The same in the order of preference where one of them is shown: a score says more than a return."""

RAW_REWARD = "raw reward"
CORE_REWARD = "core reward"


class Metric(NamedTuple):
    """A logged key; `unit` is "" for what has none."""

    key: str
    label: str
    unit: str
    meaning: str


_TRAINING = (
    Metric("epoch", "epoch", "", "epochs done"),
    Metric("updates", "updates", "", "updates done"),
    Metric("conservative_term", "conservative term f", RAW_REWARD, "MICRO: mean of f over model rows, before β and γ"),
    Metric("inconsistency", "inconsistency U", RAW_REWARD, "MOBILE: mean of U over model rows, before its penalty"),
    Metric("q/real", "Q on log rows", RAW_REWARD, "mean of Q_k(s, a) over the critics and the log's rows"),
    Metric("q/model", "Q on model rows", RAW_REWARD, "mean of Q_k(s, a) over the critics and the model's rows"),
    Metric("q/target", "target", RAW_REWARD, "mean of the target y over all rows"),
    Metric("value/real", "V on log rows", RAW_REWARD, "IQL: mean of V(s) over the log's rows"),
    Metric(
        "loss/critic",
        "critic loss",
        f"{CORE_REWARD}, squared",
        "the critics' squared error, without what a method adds",
    ),
    Metric(
        "loss/penalty",
        "penalty on the critics",
        f"{CORE_REWARD}, squared",
        "what the regularize slot of a method of one's own adds to the critics' loss; of any method where "
        "critic_diversity is above 0, that and all else that the method adds",
    ),
    Metric("loss/actor", "actor loss", CORE_REWARD, "the actor's loss; of cloning, the squared error of actions"),
    Metric("loss/value", "value loss", f"{CORE_REWARD}, squared", "IQL: the loss of V"),
    Metric("loss/temperature", "temperature loss", "nats", "the temperature's loss"),
    Metric("temperature", "temperature", f"{CORE_REWARD} per nat", "α, the weight of the entropy"),
    Metric("entropy", "entropy", "nats", "mean of -log π over all rows, for actions in [-1, 1]"),
    Metric("cloning_weight", "cloning weight", "", "IQL: mean weight of the log's rows in the actor's loss"),
    Metric("rows/continued", "continued rows", "share of rows", "ReBRAC: rows whose next action the log has"),
    Metric("rollout/reward", "reward in rollouts", RAW_REWARD, "mean reward of the valid rows made in this epoch"),
    Metric("rollout/length", "length of rollouts", "steps", "valid rows made for each start"),
    Metric("rollout/unknown", "unknown rows", "share of rows", "support: valid model rows that are unlike the log's"),
    Metric("buffer/rows", "rows in the buffer", "rows", "valid rows in the buffer of rollouts"),
    Metric(
        "time/updates_per_second",
        "updates per second",
        "1/s",
        "updates over the time of the compiled epoch with its rollouts, without compiling; on a processor the "
        "evaluation beside it takes a core meanwhile",
    ),
    Metric(
        "time/seconds",
        "seconds",
        "s",
        "from one epoch's end to the next one's: copies, compiling and the evaluation beside it included",
    ),
)
_EVALUATION = (
    Metric(EVAL_RETURN, "return", RAW_REWARD, "in the simulator: mean return over the evaluated episodes"),
    Metric("eval/return_std", "std of the return", RAW_REWARD, "their standard deviation, over n"),
    Metric("eval/discounted_return", "discounted return", RAW_REWARD, "mean discounted return of the same episodes"),
    Metric(
        "eval/critic_estimate",
        "critics' estimate",
        RAW_REWARD,
        "mean of min_k Q_k(s, mode of π) at the episodes' starts; it includes the entropy that the backup counts",
    ),
    Metric("eval/length", "length of episodes", "steps", "mean length of the evaluated episodes"),
    Metric(EVAL_SCORE, "score", "", "100 (return - min) / (max - min), where the task's range is known"),
    Metric("eval/normalised_score_std", "std of the score", "", "100 std / (max - min), of the evaluated episodes"),
    Metric(
        WINDOW_DIFFERENCE,
        "gain a window (model's own estimate)",
        RAW_REWARD,
        "without a simulator: what the policy collects in a window in its own model, or in the one that scores "
        "it, less what the log measured there",
    ),
    Metric(WINDOW_LOW, "its lower end", RAW_REWARD, "lower end of a 90 % interval over members and starts"),
    Metric(WINDOW_HIGH, "its upper end", RAW_REWARD, "upper end of a 90 % interval over members and starts"),
    Metric(
        MODEL_RETURN,
        "return (model's own estimate)",
        RAW_REWARD,
        "without a simulator: return of the policy's mode run in the model from the log's starts",
    ),
    Metric(
        CRITICS_RETURN,
        "discounted return (critics' own estimate)",
        RAW_REWARD,
        "discounted; with neither simulator nor model: what the critics expect at the log's starts",
    ),
)
METRICS = {metric.key: metric for metric in _TRAINING + _EVALUATION}
"""The keys of metrics.jsonl, in the order of the reference page."""

_TARGETS = "squared units of the fit's targets: standardised, or raw under the D4RL presets"
FIT_METRICS = {
    metric.key: metric
    for metric in (
        Metric("epoch", "epoch", "", "epochs of the dynamics fit done"),
        Metric("loss", "loss", "", "the fit's loss, summed over members, mean over the batches"),
        Metric("holdout/mean", "model's holdout error", _TARGETS, "mean over members of the holdout error"),
        Metric("holdout/best", "best holdout error", _TARGETS, "the smallest of the members' holdout errors"),
        Metric(
            "holdout/memberI",
            "holdout error of member I",
            _TARGETS,
            "mean squared error of member I's mean on the holdout rows, exogenous columns left out; members are "
            "numbered as they were drawn",
        ),
    )
}
"""The keys of fit.jsonl."""


def metric_label(key: str) -> str:
    """What displays call a key; the key itself where a method logs one of its own."""
    return METRICS[key].label if key in METRICS else key


def is_raw_reward(key: str) -> bool:
    """Whether the compiled epoch logs it in core rewards and metrics.jsonl has it in raw ones."""
    return key in METRICS and METRICS[key].unit == RAW_REWARD
