"""Runs ``python -m replay smoke``."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

from replay.columns import column_names
from replay.local_hub import LocalSender
from replay.sending import Sender, SendError
from replay.simulate_command import positive_float
from replay.smoke.app_client import LOOPBACK, AppClient
from replay.smoke.checks import Check, is_passed, table
from replay.smoke.procedure import Plan, run_smoke
from replay.smoke.reach import reach
from scoring.settings import load_settings

KEY = "SMOKE_KEY"
_WAIT_S = 180.0  # a cold start, and a scale-out from nothing
_CONNECTION = "EventHubConnection"
_NAMESPACE = f"{_CONNECTION}__fullyQualifiedNamespace"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.description = (
        "Sends 100 known events through the event hub, and compares what comes of them with what"
        f" the app gives over HTTP. The function key is read from the environment, {KEY}; the"
        " app's own settings there (INFLUXDB_URL, COSMOS_ENDPOINT, STORAGE_ACCOUNT_NAME, DATA_DIR"
        " and so on) let it look into the stores. Exit code 0: nothing is wrong."
    )
    parser.add_argument("--url", required=True, help="the app, without /api")
    parser.add_argument(
        "--namespace",
        default="",
        metavar="NAME",
        help="Event Hubs namespace, entered with your identity; or http://127.0.0.1:7071, the"
        f" local app's own hub. By default {_CONNECTION} of the environment, else the local app",
    )
    parser.add_argument("--hub", default="", help="event hub (EVENT_HUB_NAME, sensor-features)")
    parser.add_argument("--features", default="", metavar="A,B", help="asked of the app by default")
    parser.add_argument(
        "--wait",
        type=positive_float,
        default=_WAIT_S,
        metavar="S",
        help=f"longest, for the events to be stored ({_WAIT_S:g})",
    )
    parser.add_argument(
        "--influxdb-token-env",
        default="INFLUXDB_TOKEN",
        metavar="NAME",
        help="variable with a token that may read the bucket; the app's own may only write",
    )


def run(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run the checks, print them, and return the exit code."""
    settings = load_settings(environment)
    app = AppClient(arguments.url, environment.get(KEY, "").strip())
    token = environment.get(arguments.influxdb_token_env, "")
    is_write_set = bool(environment.get("COSMOS_WRITE", "").strip())
    run_id = uuid4().hex[:8]
    hub = arguments.hub or settings.event_hub_name
    plan = Plan(
        app=app,
        reach=lambda sinks: reach(
            settings, sinks, token, is_here=app.is_here, is_write_set=is_write_set
        ),
        sender=_sender(arguments.namespace, hub, app, environment),
        features=tuple(column_names(arguments.features) or ()),
        wait_s=arguments.wait,
        run_id=run_id,
    )
    sys.stderr.write(f"smoke run {run_id}: {app.url}, hub {hub}, at most {arguments.wait:g} s\n")
    checks = run_smoke(plan)
    sys.stdout.write(table(checks))
    sys.stdout.write(
        f"\nreadings of this run stay in the stores, as sensors smoke-{run_id}-*\n"
        f"smoke: {_verdict(checks)}\n"
    )
    return 0 if is_passed(checks) else 1


def _verdict(checks: Sequence[Check]) -> str:
    n_wrong = sum(one.verdict == "WRONG" for one in checks)
    if n_wrong:
        return f"{n_wrong} wrong"
    was_read = any(one.name.startswith("stored in") and one.verdict == "ok" for one in checks)
    return "ok" if was_read else "nothing wrong is seen, but no store was read from here"


def _sender(
    namespace: str, hub: str, app: AppClient, environment: Mapping[str, str]
) -> Callable[[], Sender]:
    """Choose the way to the event hub; it is opened when events are sent."""
    if namespace.startswith(("http://", "https://")):
        return lambda: LocalSender(namespace, hub)
    if namespace:
        return lambda: _event_hubs(hub, {_NAMESPACE: _full_name(namespace)})
    if environment.get(_CONNECTION) or environment.get(_NAMESPACE):
        return lambda: _event_hubs(hub, environment)
    if app.is_here:
        return lambda: LocalSender(app.url, hub)
    raise SendError(
        hub, "no event hub is named", "give NAMESPACE=<name of the Event Hubs namespace>"
    )


def _full_name(namespace: str) -> str:
    """Complete the bare name of a namespace."""
    is_bare = "." not in namespace and namespace not in LOOPBACK
    return f"{namespace}.servicebus.windows.net" if is_bare else namespace


def _event_hubs(hub: str, environment: Mapping[str, str]) -> Sender:
    # Only this needs it, and it takes a second to import.
    from replay.event_hubs import EventHubsSender  # noqa: PLC0415 - see above

    return EventHubsSender.from_environment(hub, environment)
