import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from micro_rl._version import __version__
from micro_rl.algorithms import registry
from micro_rl.algorithms.registry import resolve
from micro_rl.cli import arguments
from micro_rl.cli import main as cli
from micro_rl.cli.commands.planning import planned
from micro_rl.cli.commands.train import Training
from micro_rl.data import log_paths
from micro_rl.dynamics.saved_model import load_model
from micro_rl.storage.json_files import read_json, write_json
from micro_rl.storage.run_folder import RunFolder
from tests.tiny_runs import IN_PENDULUM, OF_MODEL, SETTINGS, options, write_log


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return str(write_log(tmp_path_factory.mktemp("log") / "swing.hdf5"))


@pytest.fixture(autouse=True)
def _no_page(request, monkeypatch):
    """Its charts take longer than a tiny run; one test keeps it."""
    if "page" not in request.node.name:
        monkeypatch.setattr("micro_rl.reports.run.write_report", lambda path: None)


@pytest.fixture(scope="module")
def trained(log, tmp_path_factory):
    """A run that went through in one go."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert cli.run(["train", log, *options(**IN_PENDULUM), "--out", str(folder)]) == 0
    return folder


def losses(folder: Path) -> list[dict[str, float]]:
    rows = (json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


def same_policy(one: Path, other: Path) -> bool:
    pair = [load_file(folder / "policy.safetensors") for folder in (one, other)]
    return pair[0].keys() == pair[1].keys() and all(np.array_equal(pair[0][name], pair[1][name]) for name in pair[0])


# Help


def test_help_lists_every_verb_and_exit_code(capsys):
    assert cli.run([]) == cli.run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"micro-rl {verb}" in text for verb in cli.VERBS)
    codes = ("0 done", "2 a mistake", "3 training diverged", "130 Ctrl-C", "141 nobody reads on", "143 SIGTERM")
    assert all(code in text for code in codes)
    assert max(map(len, text.splitlines())) < 120


def test_help_imports_nothing_slow():
    slow = "{'jax', 'numpy', 'tyro', 'rich', 'gymnasium'}"
    code = f"import sys; from micro_rl.cli.main import run; run(['--help']); sys.exit(bool({slow} & set(sys.modules)))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0
    assert process.stdout.startswith(f"micro-rl {__version__}")


@pytest.mark.parametrize(
    ("verb", "option"),
    [("train", "--real-ratio"), ("fit", "--model-hidden-sizes"), ("evaluate", "--episodes"), ("demo", "--seed")],
)
def test_each_verb_explains_its_options(verb, option, capsys):
    assert cli.run([verb, "--help"]) == 0
    assert option in capsys.readouterr().out


def test_the_method_named_has_its_own_options_in_the_help(capsys):
    assert cli.run(["train", "--help"]) == cli.run(["train", "--method", "sac", "--help"]) == 0
    micro, sac = capsys.readouterr().out.split("usage:")[1:]
    assert "--beta" in micro and "--beta" not in sac


@pytest.mark.parametrize(
    ("words", "preset", "passes"),
    [
        (["pendulum-demo", "--seed", "3"], "pendulum-demo", 1),
        (["--seed", "3", "pendulum-demo"], "pendulum-demo", 2),
        (["--seed", "3", "pendulum-demo", "--preset=generic"], "generic", 1),
    ],
)
def test_the_log_chooses_the_preset_wherever_it_stands(words, preset, passes, monkeypatch):
    parsed = []
    parse = arguments.parse
    monkeypatch.setattr(arguments, "parse", lambda *parts: parsed.append(parts) or parse(*parts))
    task, plan, _ = planned("train", Training, lambda *_: "", words)
    assert (task.preset or plan.preset, len(parsed)) == (preset, passes)
    assert plan.settings == replace(resolve("micro", preset, {})[0], seed=3)


def test_without_a_log_no_folder_is_searched_for_one(monkeypatch):
    monkeypatch.setattr(log_paths, "locate", lambda log: pytest.fail(f"looked for {log!r}"))
    assert cli.run(["train", "--help"]) == 0


def test_the_help_of_a_log_shows_its_presets_values(capsys):
    assert cli.run(["train", "pendulum-demo", "--help"]) == cli.run(["train", "--help"]) == 0
    demo, generic = capsys.readouterr().out.split("usage:")[1:]
    assert "(default: 15)" in demo and "(default: 15)" not in generic


def test_version(capsys):
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"micro-rl {__version__}\n"


# Whole runs


def test_train_leaves_a_whole_run_folder(trained):
    left = {path.name.split(".17")[0] for path in trained.iterdir()}
    names = {"config.json", "fit.jsonl", "metrics.jsonl", "metrics.csv", "policy.safetensors", "scores.json"}
    assert names | {"model", "checkpoints", "manifest.json", "events.out.tfevents"} <= left
    assert read_json(trained / "scores.json")["eval/return"]["evaluations"] == 2
    assert read_json(trained / "config.json")["settings"]["seed"] == 0
    RunFolder.open(trained).verify()


def test_what_is_printed_and_the_page_of_a_run_without_a_simulator(log, tmp_path, capsys):
    assert cli.run(["train", log, *options(epochs=1), "--out", str(tmp_path / "run")]) == 0
    output = capsys.readouterr().out
    assert "micro on swing: 120 rows, 6 episodes, preset generic" in output
    assert "policy  epoch    1/1" in output and "left" in output
    assert "the log, in a window of 5 steps" in output and "by its own model the policy collects " in output
    assert "score" not in output
    assert "<html" in (tmp_path / "run" / "report.html").read_text()


def test_a_stopped_run_ends_as_one_that_was_not(log, trained, tmp_path, capsys):
    command = ["train", log, *options(**IN_PENDULUM), "--out", str(tmp_path / "run")]
    assert cli.run([*command, "--until", "1"]) == 0
    assert "its only evaluation" in capsys.readouterr().out
    assert cli.run([*command, "--resume"]) == 0
    assert "goes on after epoch 1" in capsys.readouterr().out
    assert losses(tmp_path / "run") == losses(trained)
    assert same_policy(tmp_path / "run", trained)


def test_the_recorded_command_gives_the_same_policy(trained, tmp_path):
    program, *command = read_json(trained / "config.json")["command"].split()
    assert program == "micro-rl"
    assert cli.run([*command, "--out", str(tmp_path / "run")]) == 0
    assert same_policy(tmp_path / "run", trained)


def test_fit_then_train_on_that_model(log, tmp_path, capsys):
    fit = ["fit", log, *options(only=OF_MODEL), "--out", str(tmp_path / "model")]
    assert cli.run(fit) == 0
    assert "2 epochs; holdout errors of the members" in capsys.readouterr().out
    model = ["--model", str(tmp_path / "model")]
    assert cli.run(["train", log, *options(epochs=1), *model, "--out", str(tmp_path / "run")]) == 0
    same = "ensemble.safetensors"
    assert (tmp_path / "run/model" / same).read_bytes() == (tmp_path / "model" / same).read_bytes()
    assert not (tmp_path / "run/fit.jsonl").exists()
    capsys.readouterr()
    assert cli.run(fit) == 2
    assert "exists" in capsys.readouterr().err


def test_a_shared_models_error_is_shown_and_its_settings_are_kept(log, trained, tmp_path, capsys):
    about = load_model(trained / "model").about
    assert about["settings"]["ensemble_size"] == 3 and about["settings"]["model_hidden_sizes"] == [8]
    model = ["--model", str(trained / "model")]
    assert cli.run(["train", log, *options(epochs=1), *model, "--out", str(tmp_path / "run")]) == 0
    assert f"model   holdout error {np.mean(about['holdout']):.5f}" in capsys.readouterr().out


def test_a_folder_named_like_markup_is_printed_as_it_is(log, tmp_path, capsys):
    folder = tmp_path / "[red]run[/]"
    assert cli.run(["train", log, *options(epochs=1), "--out", str(folder)]) == 0
    output = capsys.readouterr().out
    assert f"into {folder}" in output and f"policy  {folder}" in output


def test_evaluate_repeats_itself_and_knows_the_runs_simulator(trained, capsys):
    assert cli.run(["evaluate", str(trained), "--episodes", "2"]) == 0
    first = capsys.readouterr().out
    assert first.startswith("Pendulum-v1, 2 episodes") and "return  " in first and "length  20.0" in first
    assert cli.run(["evaluate", str(trained), "--episodes", "2"]) == 0
    assert capsys.readouterr().out == first


def test_demo_trains_on_the_embedded_log_and_goes_on_where_it_was(monkeypatch):
    asked = []
    monkeypatch.setattr("micro_rl.cli.commands.demo.carry_out", lambda *arguments: asked.append(arguments))
    assert cli.run(["demo", "--seed", "3"]) == 0
    plan, out, resume, *_ = asked[0]
    assert (plan.dataset.name, plan.preset, plan.method_name) == ("pendulum-demo", "pendulum-demo", "micro")
    assert (plan.settings.seed, out, resume) == (3, Path("trained/demo"), True)


# Mistakes: exit code 2, one line, nothing left behind


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--beta", "2"], "beta: 2.0 is not at most 1"),
        (["--num-samples", "-1"], "num_samples: -1 is not a whole number of at least 0"),
        (["--method", "micor"], "method: there is no 'micor'"),
        (["--preset", "hoper-medium"], "did you mean 'hopper-medium'"),
        (["--env", "Hopper-v4"], "observations have 3 columns but those of 'Hopper-v4' have 11"),
        (["--env", "Pendulum-v9"], "no simulator 'Pendulum-v9'"),
        (["--termination", "hoper"], "unknown termination rule 'hoper'"),
        (["--num-elites", "9"], "num_elites: 9 of 3 members"),
        (["--real-ratio", "1"], "real_ratio: 1.0 is not below 1"),
        (["--until", "0"], "until: 0 is too small"),
        (["--action-bounds", "-1", "1"], "action outside the bounds"),
        (["--model", "/nowhere"], "/nowhere"),
    ],
)
def test_settings_that_cannot_work(words, message, log, tmp_path, capsys):
    assert cli.run(["train", log, *options(), "--out", str(tmp_path / "run"), *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("micro-rl: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("verb", ["train", "fit"])
def test_a_log_that_is_not_there(verb, tmp_path, capsys):
    assert cli.run([verb, str(tmp_path / "swimg.hdf5")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_an_unknown_verb(capsys):
    assert cli.run(["tarin"]) == 2
    message = capsys.readouterr().err
    assert (
        "there is no verb 'tarin' (did you mean 'train'?); choose one of demo, choose, train, sweep, fit, runs"
        in message
    )


@pytest.mark.parametrize("verb", ["train", "fit", "evaluate"])
def test_a_verb_alone_says_what_it_needs(verb, capsys):
    assert cli.run([verb]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"micro-rl: Missing from micro-rl {verb}: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--betta", "1"], "there is no option --betta (did you mean '--beta'?)"),
        (["--learning-rate", "1e-4"], "'--model-lr', '--actor-lr', '--critic-lr' or '--temperature-lr'?"),
        (["--real_ration=0.1"], "there is no option --real_ration (did you mean '--real-ratio'?)"),
        (["--beta", "much"], "could not convert string to float: 'much'"),
        (["--wandb", "maybe"], "invalid choice 'maybe'"),
        (["--action-bounds", "1"], "--action-bounds"),
        (["--preset"], "--preset"),
        (["more.hdf5"], "'more.hdf5' is one word too many"),
    ],
)
def test_a_wrong_option_is_one_line(words, message, log, capsys):
    assert cli.run(["train", log, *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("micro-rl: ") and message in error and error.count("\n") == 1
    assert "micro-rl train --help" in error and "│" not in error


@pytest.mark.slow
def test_terminals_without_a_rule(tmp_path, capsys):
    log = write_log(tmp_path / "falls.hdf5", terminal=True)
    assert cli.run(["train", str(log), *options(termination_updates=20), "--out", str(tmp_path / "run")]) == 0
    assert "no rule says when episodes end: learned from 6 terminals; on 1 held-out episode " in capsys.readouterr().out


def test_a_model_of_another_width(trained, tmp_path, capsys):
    wider = write_log(tmp_path / "wider.hdf5", observations=4)
    command = ["train", str(wider), *options(), "--model", str(trained / "model"), "--out", str(tmp_path / "run")]
    assert cli.run(command) == 2
    assert "its model has 3 observations and 1 action, the log 4 and 1" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_not_written_to(log, trained, capsys):
    before = (trained / "metrics.jsonl").stat().st_mtime_ns
    assert cli.run(["train", log, *options(**IN_PENDULUM), "--out", str(trained)]) == 2
    assert "is not empty; continue the run there with --resume" in capsys.readouterr().err
    assert (trained / "metrics.jsonl").stat().st_mtime_ns == before


def test_resuming_with_other_settings_names_them(log, trained, capsys):
    changed = options(**IN_PENDULUM, actor_lr=0.5)
    assert cli.run(["train", log, *changed, "--out", str(trained), "--resume"]) == 2
    assert "other settings (actor_lr: 0.0003, now 0.5)" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made(log, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.run(["train", log, *options(), "--out", str(tmp_path / "file" / "run")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(log, tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert cli.run(["train", log, *options(), "--out", str(tmp_path / "run")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_fit_refuses_a_folder_that_cannot_be_made_before_it_begins(log, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("micro_rl.training.model_fit.fit_models", lambda *_: pytest.fail("it began"))
    (tmp_path / "file").write_text("")
    assert cli.run(["fit", log, *options(only=OF_MODEL), "--out", str(tmp_path / "file" / "model")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_resuming_with_other_bounds_is_refused(log, trained, capsys):
    other = ["--action-bounds", "-3", "3", "--out", str(trained), "--resume"]
    assert cli.run(["train", log, *options(**IN_PENDULUM), *other]) == 2
    assert "other action bounds" in capsys.readouterr().err


def test_evaluating_in_a_simulator_of_another_width(trained, capsys):
    assert cli.run(["evaluate", str(trained), "--env", "MountainCarContinuous-v0"]) == 2
    assert "MountainCarContinuous-v0" in capsys.readouterr().err


def test_evaluating_for_no_steps(trained, capsys):
    assert cli.run(["evaluate", str(trained), "--horizon", "0"]) == 2
    assert "horizon: 0 is not a whole number of at least 1" in capsys.readouterr().err


def test_evaluating_what_is_no_run(tmp_path, capsys):
    assert cli.run(["evaluate", str(tmp_path)]) == 2
    assert "is not a run folder" in capsys.readouterr().err


def test_a_run_folder_imports_no_module_on_its_own(trained, tmp_path, capsys):
    config = read_json(trained / "config.json")
    config["task"]["env"] = "antigravity:Pendulum-v1"
    for name in ("policy.safetensors", "metrics.jsonl", "scores.json"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    write_json(tmp_path / "config.json", config)
    RunFolder.open(tmp_path).seal()
    assert cli.run(["evaluate", str(tmp_path)]) == 2
    assert "name it with --env antigravity:Pendulum-v1" in capsys.readouterr().err
    assert "antigravity" not in sys.modules


# Divergence and interruption


def test_divergence_keeps_the_agent_and_names_the_cause(log, tmp_path, capsys):
    assert cli.run(["train", log, *options(critic_lr=1e30), "--out", str(tmp_path / "run")]) == 3
    error = capsys.readouterr().err
    assert "is not finite" in error and "was the first to blow up" in error and str(tmp_path / "run/diverged") in error
    assert (tmp_path / "run/diverged/state/state.safetensors").exists()
    for words in (["evaluate"], ["export", "--epoch", "1"], ["trust"]):
        assert cli.run([words[0], str(tmp_path / "run"), *words[1:]]) == 2
        error = capsys.readouterr().err
        assert "--resume" not in error and f"--out {tmp_path}/run --branch NEW" in error and error.count("\n") == 1


@pytest.mark.parametrize(("verb", "resumes"), [("train", True), ("demo", True), ("fit", True), ("evaluate", False)])
def test_interruption(verb, resumes, monkeypatch, capsys):
    def interrupted(arguments: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"micro_rl.cli.commands.{verb}.run", interrupted)
    assert cli.run([verb]) == 130
    assert ("goes on from the last checkpoint" in capsys.readouterr().err) == resumes


# Methods


def test_a_device_whose_memory_is_too_small_is_told_in_one_line(monkeypatch, capsys):
    def without_memory(verb: str, arguments: list[str]) -> None:
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 4000000000000 bytes.\nand more")

    def otherwise(verb: str, arguments: list[str]) -> None:
        raise RuntimeError("INTERNAL: a fault")

    monkeypatch.setattr(cli, "_run", without_memory)
    assert cli.run(["train"]) == 2
    error = capsys.readouterr().err
    assert "too little memory; a sweep goes on with --resume" in error and error.count("\n") == 1
    monkeypatch.setattr(cli, "_run", otherwise)
    with pytest.raises(RuntimeError, match="INTERNAL"):
        cli.run(["train"])


def test_a_right_that_is_missing_is_told_in_one_line(monkeypatch, capsys):
    def refused(verb: str, arguments: list[str]) -> None:
        raise PermissionError(13, "Permission denied", "closed/record.csv")

    monkeypatch.setattr(cli, "_run", refused)
    assert cli.run(["monitor"]) == 2
    message = "closed/record.csv: cannot be read or written (Permission denied); ask for the right to it"
    assert capsys.readouterr().err == f"micro-rl: {message}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("monitor", ""), "an empty word is among the arguments"),
        (("data", "init", ""), "an empty word is among the arguments"),
        (("runs", 300 * "x"), f"{80 * 'x'}...: cannot be opened (File name too long)"),
        (("report", 300 * "x"), f"{80 * 'x'}...: cannot be opened (File name too long)"),
    ],
)
def test_words_that_can_be_no_path_are_refused_in_one_line(words, message, capsys):
    assert cli.run(words) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_methods_are_listed_with_their_papers(capsys):
    assert cli.run(["methods"]) == 0
    output = capsys.readouterr().out
    for name, module in registry.ALL.items():
        assert f"  {name:8}{module.SUMMARY} ({module.PAPER})\n" in output
    assert (
        "--alpha 2.5" in output
        and "--policy-noise 0.2" in output
        and "[--radius]" in output
        and "--adversarial-batch-size 256" in output
    )


def test_a_method_without_a_model_shows_and_takes_no_setting_of_one(log, capsys):
    assert cli.run(["train", "--method", "td3_bc", "--help"]) == 0
    output = capsys.readouterr().out
    assert "--policy-noise" in output and "--critic-lr" in output and "--no-scoring-model" in output
    assert not [word for word in ("--num-elites", "--rollout-length", "--termination", "--beta") if word in output]
    assert cli.run(["train", log, "--method", "td3_bc", "--num-elites", "3"]) == 2
    assert "there is no option --num-elites" in capsys.readouterr().err


def test_a_run_without_a_model_and_its_page(log, tmp_path, capsys):
    chosen = {name: value for name, value in SETTINGS.items() if name in registry.accepted("td3_bc")[0]}
    words = [word for word in options(chosen) if word]
    words.append("--no-scoring-model")
    assert cli.run(["train", log, "--method", "td3_bc", *words, "--out", str(tmp_path / "run")]) == 0
    assert "by its critics' own estimate" in capsys.readouterr().out
    page = (tmp_path / "run" / "report.html").read_text()
    assert "the method td3_bc learns no model" in page
    assert read_json(tmp_path / "run" / "config.json")["command"].split()[:5] == [
        "micro-rl",
        "train",
        log,
        "--method",
        "td3_bc",
    ]


@pytest.mark.parametrize("method", registry.ALL)
def test_every_methods_options_can_be_given_beside_all_others(method: str, capsys):
    assert cli.run(["train", "--method", method, "--help"]) == 0
    assert registry.ALL[method].PAPER in capsys.readouterr().out.replace("\n", "")


@pytest.mark.parametrize("words", [["--help"], ["runs", str(Path(__file__).parent / "fixtures")]])
def test_a_reader_that_has_seen_enough_is_no_mistake(words: list[str]):
    unread, written = os.pipe()
    os.close(unread)
    command = [sys.executable, "-c", "from micro_rl.cli.main import main; main()", *words]
    process = subprocess.run(command, stdout=written, stderr=subprocess.PIPE, check=False)
    os.close(written)
    assert (process.returncode, process.stderr) == (141, b"")
