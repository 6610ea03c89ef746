"""What the user is told: errors of the user's making, and what goes on but should be known."""

import sys


class InputError(ValueError):
    """Something given is wrong: one sentence says what, where and what to do."""


def say(sentence: str) -> None:
    """A line on standard error, above any progress display."""
    from tqdm import tqdm

    tqdm.write(f"qagrel: {sentence}", file=sys.stderr)
