"""micro-rl data check: what is wrong with a log."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.arguments import parse, shape
    from micro_rl.data.reading import Reading
    from micro_rl.plan import read_log

    kind = shape("DataCheck", "Find what is wrong with a log before training on it.", ("log", str), reading=Reading)
    given = parse("data check", arguments, kind)
    dataset = read_log(given.log, given.reading)
    print(f"{dataset.name}: {len(dataset)} rows, {len(dataset.starts)} episodes")
    for note in dataset.notes:
        print(f"note: {note}")
