"""How a process ends, whatever its streams are like and whoever ends it.

Standard output and standard error may be without a reader, a place or a letter.  The exit code must
tell in each case, and Python's own would not: 1 means that an audit found a difference, and 120
replaces any other where the last flush fails.
"""

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

NO_READER = 128 + 13  # the exit code that a shell gives a program that SIGPIPE ended
UNHANDLED = (signal.SIG_DFL, signal.default_int_handler)


class NoReaderError(Exception):
    """Nobody reads what is printed."""


def stop_on_signals() -> None:
    """End as by Ctrl-C where a scheduler, a container or a closed terminal ends the process."""
    if threading.current_thread() is not threading.main_thread():
        return  # where Python takes no handlers
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # not every system has all
        # what is ignored stays so, as under nohup
        if number is not None and signal.getsignal(number) in UNHANDLED:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    # Whatever was half built is deleted half built: what it says of that is nobody's fault.
    sys.unraisablehook = lambda _: None
    signal.default_int_handler(number, frame)


def take_all_characters() -> None:
    """Show by its number what the encoding of a stream lacks, unless Python was told otherwise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def while_read() -> Iterator[None]:
    """A context that ends with a NoReaderError when the pipe that it prints to is closed."""
    try:
        yield
    except BrokenPipeError:
        raise NoReaderError from None


def leave(code: int) -> NoReturn:
    """End the process with this exit code, whatever the last flush of the streams comes to."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # closed by who started this process
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)
