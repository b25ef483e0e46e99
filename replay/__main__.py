"""Commands that make readings, send them, replay those that were rejected, and check an app."""

import argparse
import os
import sys
from collections.abc import Sequence

from replay import dead_letters_command, send_command, simulate_command
from replay.smoke import command as smoke_command
from replay.stopping import ENDED_AT_ONCE
from scoring.errors import ScoringError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m replay", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    simulate = commands.add_parser("simulate", help="simulate a fleet of stations")
    simulate_command.add_arguments(simulate)
    simulate.set_defaults(run=simulate_command.run)
    send = commands.add_parser("send", help="send a recording or a simulation")
    send_command.add_arguments(send)
    send.set_defaults(run=lambda chosen: send_command.run(chosen, os.environ))
    letters = commands.add_parser("dead-letters", help="list, show or replay rejected readings")
    dead_letters_command.add_arguments(letters)
    letters.set_defaults(run=lambda chosen: dead_letters_command.run(chosen, os.environ))
    smoke = commands.add_parser("smoke", help="check a deployed app with 100 known events")
    smoke_command.add_arguments(smoke)
    smoke.set_defaults(run=lambda chosen: smoke_command.run(chosen, os.environ))
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except argparse.ArgumentTypeError as error:
        commands.choices[chosen.command].error(str(error))
    except ScoringError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ended by Ctrl-C", file=sys.stderr)
        return ENDED_AT_ONCE


if __name__ == "__main__":
    sys.exit(main())
