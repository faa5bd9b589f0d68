"""Run the commands with `python -m agnez`."""

from agnez.cli import main

main()
