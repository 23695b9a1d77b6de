"""What a run folder holds: the table that the page of reference is made from."""

RUN_FOLDER = {
    "config.json": "the log with its SHA-256, the names, units and ranges of its columns and the TOML that described "
    "it, task, method, settings, versions, and the command that trains it anew",
    "fit.jsonl": "one line per epoch of the dynamics fit (absent where `--model` gave one)",
    "metrics.jsonl": "one line per epoch of policy training",
    "metrics.csv": "the same for spreadsheets",
    "events.out.tfevents.*": "the same for TensorBoard",
    "model/": "the ensemble with its units, its report and a learned termination; `--model` takes this folder too",
    "scoring-model/": "the same of a method that learns no model, where one was fitted or given to score it",
    "checkpoints/epoch-N/": "the whole training state; the newest two and the best are kept",
    "fit/epoch-N/": "the state of a dynamics fit that is not finished",
    "inherited/": "only with `--refit`: the agent, its units and its metrics, as the run that it came from left them",
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
