"""Errors of the user's making."""


class InputError(ValueError):
    """Something given is wrong: one sentence says what, where and what to do."""
