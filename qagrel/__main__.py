"""``python -m qagrel`` is the command ``qagrel``."""

from qagrel.cli import main

main(prog_name="qagrel")
