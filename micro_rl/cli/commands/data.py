"""micro-rl data: what is done with logs before training; a table of verbs like the command line's own."""

from importlib import import_module

from micro_rl.errors import UserError, did_you_mean

VERBS = {
    "init": ("LOG", "write a first description of a table, with what can be guessed"),
    "check": ("LOG", "find what is wrong with a log before training on it"),
    "info": ("LOG", "tell what is in a log, here and on a page"),
    "convert": ("SRC DST", "write a log in another format, and compare"),
    "collect": ("ENV", "make logs in a simulator, as D4RL made its own"),
}
"""What each verb takes and does; its code is `micro_rl/cli/commands/data_VERB.py`."""

HELP = """micro-rl data VERB: what is done with logs

{verbs}

`micro-rl data VERB --help` shows every option.
"""


def run(arguments: list[str]) -> None:
    """Carry out one of the verbs, or list them."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        lines = (f"  micro-rl data {f'{verb} {takes}':17}{does}" for verb, (takes, does) in VERBS.items())
        print(HELP.format(verbs="\n".join(lines)), end="")
        return
    verb = arguments[0]
    if verb not in VERBS:
        raise UserError(f"there is no verb data {verb!r}{did_you_mean(verb, VERBS)}; choose one of {', '.join(VERBS)}")
    import_module(f"micro_rl.cli.commands.data_{verb}").run(arguments[1:])
