"""Ways to make inputs: by coverage with Atheris, or by plain mutation where there is none."""

import importlib.util
import random
import time
from collections.abc import Callable
from pathlib import Path

from fuzz.guard import LONGEST_INPUT, MOST_MEMORY_MB, MOST_SECONDS, Guard, peak_memory_mb

_INSTRUMENTED = ["scoring", "replay", "local"]
_MOST_MUTATIONS = 5
_LONGEST_PIECE = 64


def has_atheris() -> bool:
    """Tell whether Atheris is installed; it has no wheels for every system."""
    return importlib.util.find_spec("atheris") is not None


def run_by_coverage(make: Callable[[], Guard], seeds: Path, seconds: int, seed: int) -> None:
    """Mutate what reaches new code; ends the process when the time is up.

    Parameters
    ----------
    make : callable
        Imports the code under test, which is instrumented meanwhile.
    seeds : Path
        Folder of the inputs to begin with, beside a dictionary; new ones are added.
    seconds, seed : int
    """
    import atheris  # noqa: PLC0415  # not everywhere

    with atheris.instrument_imports(include=_INSTRUMENTED, enable_loader_override=False):
        guard = make()
    flags: dict[str, object] = {
        "max_total_time": seconds,
        "max_len": LONGEST_INPUT,
        "timeout": MOST_SECONDS,
        "rss_limit_mb": MOST_MEMORY_MB,
        "print_final_stats": 1,
        "seed": seed,
        "artifact_prefix": f"{seeds.parent / 'findings'}/",
    }
    if guard.tokens:
        flags["dict"] = seeds.with_suffix(".dict")
    arguments = ["fuzz", *(f"-{name}={value}" for name, value in flags.items()), str(seeds)]
    atheris.Setup(arguments, guard.run)
    atheris.Fuzz()


def run_plainly(
    guard: Guard, seeds: Path, tokens: tuple[bytes, ...], seconds: float, seed: int
) -> None:
    """Mutate the inputs in a folder at random; the input in work lies in a file of its own."""
    corpus = [path.read_bytes() for path in sorted(seeds.iterdir())]
    chance, n, current = random.Random(seed), 0, seeds.with_suffix(".current")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # every seed comes once as it is
        data = corpus[n] if n < len(corpus) else mutated(chance, corpus, tokens)
        current.write_bytes(data)
        started = time.monotonic()
        guard.run(data)
        n += 1
        if time.monotonic() - started > MOST_SECONDS:
            guard.keep(data, "slow", f"took more than {MOST_SECONDS} s")
        if peak_memory_mb() > MOST_MEMORY_MB:
            guard.keep(data, "memory", f"took more than {MOST_MEMORY_MB} MB")
            break
    current.unlink(missing_ok=True)
    print(f"corp: {len(corpus)}/plain")
    print(f"stat::number_of_executed_units: {n}")
    print(f"stat::peak_rss_mb: {peak_memory_mb()}")


def mutated(chance: random.Random, corpus: list[bytes], tokens: tuple[bytes, ...]) -> bytes:
    """Change one of the inputs in a few places."""
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.randint(1, _MOST_MUTATIONS)):
        place = chance.randint(0, len(data))
        length = chance.randint(0, min(_LONGEST_PIECE, len(data) - place))
        data[place : place + length] = _piece(chance, data, place, length, corpus, tokens)
    return bytes(data[:LONGEST_INPUT])


def _piece(
    chance: random.Random,
    data: bytearray,
    place: int,
    length: int,
    corpus: list[bytes],
    tokens: tuple[bytes, ...],
) -> bytes:
    """Make what takes the place of a piece: nothing, noise, a token, itself often, another's."""
    piece, other = bytes(data[place : place + length]), chance.choice(corpus)
    start = chance.randint(0, len(other))
    ways: tuple[bytes, ...] = (
        b"",
        chance.randbytes(max(length, 1)),
        bytes([piece[0] ^ 1 << chance.randrange(8)]) + piece[1:] if piece else b"\x00",
        chance.choice(tokens) if tokens else bytes([chance.randrange(256)]),
        piece * chance.randint(2, 40),
        other[start : start + _LONGEST_PIECE],
    )
    return chance.choice(ways)
