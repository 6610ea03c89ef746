"""How every command behaves: groups of commands, how they end, and the options that several share.

What the user can put right ends in one line on stderr and exit code 2; an interruption, SIGTERM and
SIGHUP too, in one line and 130; a reader that is gone in 141, as a pipe ends other programs; a
fault of ours in its traceback.
"""

import errno
import functools
import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import click

from qagrel import process
from qagrel.errors import InputError, say

json_option = click.option("--json", "as_json", is_flag=True, help="print one JSON object")
force_option = click.option("--force", is_flag=True, help="replace files that are there already")
COMPILING = "compiling, which takes up to half a minute the first time"


class Interrupted(click.ClickException):
    """Stopped by the user: the message says what is kept and how to go on."""

    exit_code = 130


class Group(click.Group):
    """Commands by name: none gives the help, a wrong one a hint at the nearest."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments of the group."""
        return super().parse_args(ctx, args or ["--help"])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name."""
        names = self.list_commands(ctx)
        if args[0] not in names:
            raise click.UsageError(f"no command {args[0]!r}{_hint(args[0], names)}", ctx)
        return super().resolve_command(ctx, args)


class MainGroup(Group):
    """The command `qagrel` itself, which answers for all errors."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the command line, which prints the help."""
        with process.while_read():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with process.while_read():
            return super().invoke(ctx)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command and end the process with its exit code."""
        process.take_all_characters()
        process.stop_on_signals()
        try:
            process.leave(super().main(*args, **{**options, "standalone_mode": False}) or 0)
        except process.NoReaderError:
            process.leave(process.NO_READER)
        except InputError as error:
            _exit(str(error), 2)
        except click.ClickException as error:
            _exit(_sentence(error), error.exit_code)
        except MemoryError as error:
            _exit(f"not enough memory ({error}): choose smaller layers or batches", 2)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # met outside `qagrel.store`: by what is compiled, or in a temporary folder
            _exit(f"no space is left ({error.filename or 'on a disk'}): make room", 2)
        except click.Abort:
            _exit(
                "stopped; what was written before is whole and kept: "
                "give the same command again to go on",
                Interrupted.exit_code,
            )


def _exit(sentence: str, code: int) -> NoReturn:
    with suppress(OSError):  # where nobody reads stderr, the exit code still tells
        click.echo(f"qagrel: {' '.join(sentence.split())}", err=True)
    process.leave(code)


def _sentence(error: click.ClickException) -> str:
    """What is wrong with a command line, and where to look."""
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        sentence = f"no option {name!r}{_hint(name, error.possibilities or [])}"
    else:
        message = error.format_message().rstrip(".")
        sentence = message[:1].lower() + message[1:]
    if isinstance(error, click.UsageError) and error.ctx and not sentence.endswith("?"):
        sentence += f": see '{error.ctx.command_path} --help'"
    return sentence


def _hint(name: str, names: Sequence[str]) -> str:
    from qagrel.spec import nearest

    return nearest(name, names)


# --- while a command runs -------------------------------------------------------------------


def compiles(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command say, once, that it compiles: where nothing is in Numba's cache, it is long."""

    @functools.wraps(command)
    def wrapper(**options: Any) -> None:
        from numba.core import event

        class Notice(event.Listener):
            """Hears only of what is really compiled."""

            is_told = False

            def on_start(self, _: Any) -> None:
                if not self.is_told:
                    self.is_told = True
                    say(COMPILING)

            def on_end(self, _: Any) -> None:
                pass

        with event.install_listener("numba:compile", Notice()):
            command(**options)

    return wrapper


def to_json(content: Any) -> str:
    """One line of JSON; a number that is not finite becomes null."""
    return json.dumps(_finite(content), allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
