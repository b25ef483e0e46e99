"""Prints what is wrong with the Bicep files: `python -m bicep_checks`."""

import argparse
import sys
from pathlib import Path

from bicep_checks.checkov_gate import checkov_findings
from bicep_checks.checks import all_findings
from bicep_checks.schemas import SchemaCache

CACHE = Path(".local") / "bicep-schemas"


def main(arguments: list[str] | None = None) -> int:
    """Check a project; return 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m bicep_checks", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="the project's folder")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where schemas are kept")
    parser.add_argument("--checkov", type=Path, help="the program; without it checkov is not run")
    options = parser.parse_args(arguments)
    found = all_findings(options.root, SchemaCache(options.cache))
    if options.checkov is not None:
        found += checkov_findings(options.root, options.checkov)
    for one in found:
        print(one)
    print(f"{len(found)} findings" if found else "Bicep: nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
