"""The page that a server shows of itself: every operation with its keys, its answer and its refusals."""

from html import escape

from pydantic import BaseModel

from micro_rl._version import __version__
from micro_rl.serve.answers import Refusal, ServedPolicy
from micro_rl.serve.operations import OPERATIONS, Operation, refusals

STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f4f4f4;padding:1rem;white-space:pre-wrap;overflow-wrap:anywhere}"
    "h2{font-size:1rem;margin:2rem 0 .5rem}p,pre{margin:.5rem 0}"
    "dl{display:grid;grid-template-columns:3rem 1fr}dd{margin:0}"
)


def page(policy: ServedPolicy, secured: bool) -> str:
    """The description as one page, which loads nothing.

    Args:
        policy: what is served.
        secured: whether the server has a token.
    """
    operations = "".join(_operation(operation, secured) for operation in OPERATIONS)
    why = {status: words for each in OPERATIONS for status, words in refusals(each, secured).items()}
    meanings = "".join(f"<dt>{status}</dt><dd>{escape(why[status])}</dd>" for status in sorted(why))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>micro-rl serve</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><h1>micro-rl serve {__version__}</h1>{operations}"
        f"<h2>Refusals</h2>{_model('Each', Refusal)}<dl>{meanings}</dl>"
        f"<h2>The policy</h2><pre>{escape(policy.model_dump_json(indent=1))}</pre></body></html>"
    )


def _operation(operation: Operation, secured: bool) -> str:
    """What an operation does, reads and answers, and the statuses of its refusals."""
    read = "" if operation.body is None else _model("Send", operation.body)
    answer = operation.answer
    sent = f"<p>{operation.status}: {answer}</p>" if isinstance(answer, str) else _model(str(operation.status), answer)
    statuses = ", ".join(map(str, refusals(operation, secured)))
    return (
        f"<h2><code>{operation.method} {escape(operation.path)}</code></h2><p>{escape(operation.does)}</p>"
        f"{read}{sent}<p>Refused with {statuses}.</p>"
    )


def _model(what: str, model: type[BaseModel]) -> str:
    """What a body is, and its keys, a line each."""
    lines = [
        name + (f": {field.description}" if field.description else "") + ("" if field.is_required() else " (optional)")
        for name, field in model.model_fields.items()
    ]
    return f"<p>{what}: {escape(str(model.__doc__))}</p><pre>{escape(chr(10).join(lines) or '{}')}</pre>"
