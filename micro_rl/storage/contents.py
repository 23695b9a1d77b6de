"""What a run folder holds and what every logged key means: the pages of reference are made from these tables."""

RUN_FOLDER = {
    "config.json": "the log with its SHA-256, task, method, settings, versions, and the command that trains it anew",
    "fit.jsonl": "one line per epoch of the dynamics fit (absent where `--model` gave one)",
    "metrics.jsonl": "one line per epoch of policy training",
    "metrics.csv": "the same for spreadsheets",
    "events.out.tfevents.*": "the same for TensorBoard",
    "model/": "the ensemble with its units, its report and a learned termination; `--model` takes this folder too",
    "checkpoints/epoch-N/": "the whole training state; the newest two and the best are kept",
    "fit/epoch-N/": "the state of a dynamics fit that is not finished",
    "processes.jsonl": "one line per process that trained here: command, commit, versions, processor, cores, flags",
    "policy.safetensors": "the policy, for `micro_rl.Policy.load`",
    "scores.json": "the mean of the last ten evaluations; beside it the last, the best and the log's own returns",
    "report.html": "the page: one file, nothing loaded from elsewhere",
    "manifest.json": "SHA-256 of the files above that people pass on; `evaluate` and `report` check them",
    "robust/PROTOCOL/": "what `micro-rl robust` measured: every episode, a summary, a film, and what it goes on from",
    "wandb/": "only with `--wandb`: what Weights & Biases keeps on this machine",
    "lock": "held by the training that goes on here, so that no second one starts",
    "lock.pid": "the number of the process that holds it",
    "diverged/": "only after exit code 3: the state before the epoch that blew up, its key, and the diagnosis",
}
"""What each file or folder of a run is."""

METRICS = {
    "epoch": ("epochs done", ""),
    "updates": ("updates done", ""),
    "conservative_term": ("MICRO: mean of f over model rows, before β and γ", "raw reward"),
    "inconsistency": ("MOBILE: mean of the values' deviation U over model rows, before c", "raw reward"),
    "q/real": ("mean of Q_k(s, a) over critics and the log's rows", "raw reward"),
    "q/model": ("the same over the model's rows", "raw reward"),
    "q/target": ("mean of y over all rows", "raw reward"),
    "value/real": ("IQL: mean of V over the log's rows", "raw reward"),
    "cloning_weight": ("IQL: mean weight of a row in the actor's loss", ""),
    "rows/continued": ("ReBRAC: share of rows whose next action the log tells", ""),
    "loss/critic": ("the critics' squared error, without what a method adds", "core reward, squared"),
    "loss/value": ("IQL: the loss of V", "core reward, squared"),
    "loss/actor": ("the actor's loss", "core reward; for cloning, actions squared"),
    "loss/temperature": ("the temperature's loss", "nats"),
    "temperature": ("α", "core reward per nat"),
    "entropy": ("mean of -log π over all rows, for actions in [-1, 1]", "nats"),
    "rollout/reward": ("mean reward of the valid rows made in this epoch, as the method shaped it", "raw reward"),
    "rollout/length": ("valid rows per start", "steps"),
    "buffer/rows": ("valid rows in the buffer", "rows"),
    "time/updates_per_second": (
        "updates over the time of the compiled epoch with its rollouts, without compiling; on a processor the "
        "evaluation beside it takes a core meanwhile",
        "1/s",
    ),
    "time/seconds": (
        "from one epoch's end to the next one's: copies, compiling and the evaluation beside it included",
        "s",
    ),
    "eval/return": ("mean over the evaluated episodes", "raw reward"),
    "eval/return_std": ("standard deviation over the evaluated episodes", "raw reward"),
    "eval/discounted_return": ("mean discounted return of the same episodes", "raw reward"),
    "eval/critic_estimate": (
        "mean of min_k Q_k(s, mode of π) at their starts; it includes the entropy that the backup counts",
        "raw reward",
    ),
    "eval/length": ("mean length", "steps"),
    "eval/normalised_score": ("100 (return - min) / (max - min), where the task's range is known", ""),
    "eval/normalised_score_std": ("100 std / (max - min), likewise", ""),
    "model_estimate/return": (
        "without a simulator: return of the policy's mode run in the model from the log's starts",
        "raw reward",
    ),
    "critic_estimate/discounted_return": (
        "without simulator and model: mean of min_k Q_k(s, mode of π) over the log's starts",
        "raw reward",
    ),
}
"""Keys of `metrics.jsonl`: what each is, and its unit; a key that averages is the mean over the epoch's updates."""

FIT_METRICS = {
    "epoch": ("epochs done", ""),
    "loss": ("mean loss of the members", ""),
    "holdout/mean": ("mean squared error on the held-out rows, mean over the members", "the fit's targets, squared"),
    "holdout/best": ("the best member's", "the fit's targets, squared"),
    "holdout/memberI": ("member I's, numbered as drawn; a saved ensemble is in order of error", "the same"),
}
"""Keys of `fit.jsonl`, one line per epoch of the dynamics fit."""
