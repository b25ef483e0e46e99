"""Reads numbers from command lines."""

import argparse
import math

DEFAULT_PORT = 7071  # as the Functions host
_LAST_PORT = 65_535


def port_number(text: str) -> int:
    """Read a port; 0 takes a free one, and no text is the usual one."""
    if not text:
        return DEFAULT_PORT
    if not (text.isascii() and text.isdigit() and int(text) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give one from 0 to {_LAST_PORT}")
    return int(text)


def duration_s(text: str) -> float | None:
    """Read a number of seconds; no text is no end."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(
            f"RUN_SECONDS is {text!r}; give a number of seconds above 0, such as 20"
        )
    return seconds
