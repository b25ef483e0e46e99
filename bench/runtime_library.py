"""Measures the invocation in Microsoft's own runtime library, as the worker calls the app."""

import importlib.metadata
import subprocess
import sys

from bench.deployment import ROOT, Deployment
from bench.invocations import N_EVENTS
from tests.deployed_files import deploy

_PACKAGES = {"azure-functions-runtime", "azure-functions-runtime-v1"}


def is_installed() -> bool:
    """Tell whether the library is there; `make bench` installs it."""
    return {distribution.name for distribution in importlib.metadata.distributions()} >= _PACKAGES


def measure_runtime_library(deployment: Deployment, seconds: float) -> float | None:
    """Return events a second of exactly the files that are deployed; None without the library."""
    if not is_installed():
        return None
    folder = deploy(deployment.data_dir / "app")
    command = [sys.executable, "-m", "bench.runtime_process", str(folder), str(seconds)]
    ended = subprocess.run(  # noqa: S603  # ours
        command, cwd=ROOT, env=dict(deployment.environ), capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise RuntimeError(f"the app failed in Microsoft's runtime library:\n{ended.stderr}")
    return N_EVENTS / float(ended.stdout.splitlines()[-1])
