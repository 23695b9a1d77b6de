"""Is a policy better than what made the log, and how sure is that? Judged from the log alone.

`micro_rl.trust(...)` is `micro_rl.trust.front.trust`: the package can be called.
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """The package under its own name, which is the name of what it does."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from micro_rl.trust.front import trust

        return trust(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
