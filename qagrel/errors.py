"""What the user is told: errors of the user's making, and what goes on but should be known."""

import functools
import sys
from contextlib import suppress


class InputError(ValueError):
    """Something given is wrong: one sentence says what, where and what to do."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows, by IPython's protocol: the sentence, without a traceback."""
        return [f"qagrel: {self}"]


def say(sentence: str) -> None:
    """A line on standard error, above any progress display, to whoever reads that."""
    from tqdm import tqdm

    if sys.stderr:
        with suppress(OSError):
            tqdm.write(f"qagrel: {sentence}", file=sys.stderr)


say_once = functools.cache(say)
