"""The functions of a Function App, found through azure-functions' own objects."""

import importlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import azure.functions as func
from azure.functions.decorators.core import Trigger
from azure.functions.decorators.function_app import Function

from local.environment import Environment
from local.retry import RetryPolicy
from scoring.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Target:
    """The user's function and the name of its trigger parameter."""

    name: str
    call: Callable[..., Any]
    parameter: str


@dataclass(frozen=True, slots=True)
class EventHubFunction:
    """A function that takes batches of events; `data_type` is BINARY, STRING or UNDEFINED."""

    target: Target
    hub: str
    consumer_group: str
    data_type: str
    retry: RetryPolicy | None


@dataclass(frozen=True, slots=True)
class TimerFunction:
    """A function that runs on a schedule."""

    target: Target
    schedule: str
    run_on_startup: bool


@dataclass(frozen=True, slots=True)
class HttpFunction:
    """A function that answers requests; `methods` is None for all of them."""

    target: Target
    route: str
    methods: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class UnsupportedFunction:
    """A function with a binding that this machine cannot serve."""

    target: Target
    binding: str


AnyFunction = EventHubFunction | TimerFunction | HttpFunction | UnsupportedFunction
_Kind = TypeVar("_Kind", bound=AnyFunction)


@dataclass(frozen=True, slots=True)
class FoundFunctions:
    """The functions of an app by trigger; `hubs` also holds those of disabled functions."""

    event_hub: tuple[EventHubFunction, ...]
    timers: tuple[TimerFunction, ...]
    http: tuple[HttpFunction, ...]
    unsupported: tuple[UnsupportedFunction, ...]
    disabled: tuple[str, ...]
    hubs: tuple[str, ...]


def import_app(folder: Path) -> func.FunctionApp:
    """Import ``function_app`` from `folder` and return its app.

    Raises
    ------
    SettingsError
        If there is no such module, or no app in it.
    """
    if not (folder / "function_app.py").exists():
        raise SettingsError(["start this in the folder that holds function_app.py"])
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    module = importlib.import_module("function_app")
    for value in vars(module).values():
        if isinstance(value, func.FunctionApp):
            return value
    raise SettingsError(["function_app.py must hold an app = func.FunctionApp()"])


def find_functions(app: func.FunctionApp, environment: Environment) -> FoundFunctions:
    """Sort an app's functions by trigger, with every ``%NAME%`` resolved.

    Raises
    ------
    SettingsError
        If bindings cannot work; holds every problem.
    """
    functions: list[AnyFunction] = []
    problems: list[str] = []
    for function in app.get_functions():
        try:
            functions.append(_read(function, environment))
        except SettingsError as error:
            problems += error.problems
    enabled = [f for f in functions if not environment.is_disabled(f.target.name)]
    problems += _shared_groups(_of(EventHubFunction, enabled))
    if problems:
        raise SettingsError(problems)
    return FoundFunctions(
        event_hub=_of(EventHubFunction, enabled),
        timers=_of(TimerFunction, enabled),
        http=_of(HttpFunction, enabled),
        unsupported=_of(UnsupportedFunction, enabled),
        disabled=tuple(f.target.name for f in functions if f not in enabled),
        hubs=tuple(dict.fromkeys(f.hub for f in _of(EventHubFunction, functions))),
    )


def _of(kind: type[_Kind], functions: Iterable[AnyFunction]) -> tuple[_Kind, ...]:
    return tuple(f for f in functions if isinstance(f, kind))


def _read(function: Function, environment: Environment) -> AnyFunction:
    trigger = function.get_trigger()
    if trigger is None:
        raise SettingsError([f"give the function {function.get_function_name()} a trigger"])
    name = function.get_function_name() or trigger.name
    target = Target(name, function.get_user_function(), trigger.name)
    other = [b.type for b in function.get_bindings() if b is not trigger and b.type != "http"]
    if other:
        return UnsupportedFunction(target, str(other[0]))
    match trigger.type:
        case "eventHubTrigger":
            return _event_hub_function(target, function, trigger, environment)
        case "timerTrigger":
            schedule = environment.resolve(_text(trigger, "schedule"), used_by=name)
            return TimerFunction(target, schedule, bool(getattr(trigger, "run_on_startup", None)))
        case "httpTrigger":
            route = environment.resolve(_text(trigger, "route"), used_by=name)
            return HttpFunction(target, route, _methods(trigger))
        case other_type:
            return UnsupportedFunction(target, str(other_type))


def _event_hub_function(
    target: Target, function: Function, trigger: Trigger, environment: Environment
) -> EventHubFunction:
    if _enum_name(getattr(trigger, "cardinality", None)) != "MANY":
        raise SettingsError(
            [f"{target.name}: give its Event Hubs trigger cardinality=func.Cardinality.MANY"]
        )
    policy = function.get_settings_dict("retry_policy")
    return EventHubFunction(
        target,
        hub=environment.resolve(_text(trigger, "event_hub_name"), used_by=target.name),
        consumer_group=environment.resolve(
            _text(trigger, "consumer_group") or "$Default", used_by=target.name
        ),
        data_type=_enum_name(trigger._data_type) or "UNDEFINED",  # noqa: SLF001  data_type hides the name
        retry=RetryPolicy.from_settings(policy, used_by=target.name) if policy else None,
    )


def _text(trigger: Trigger, name: str) -> str:
    return str(getattr(trigger, name, None) or "")


def _enum_name(value: object) -> str:
    """Return the name of an azure-functions enum, which generic triggers hold as text."""
    return str(getattr(value, "name", value) or "").upper()


def _methods(trigger: Trigger) -> frozenset[str] | None:
    methods = getattr(trigger, "methods", None)
    return frozenset(map(_enum_name, methods)) if methods else None


def _shared_groups(functions: Iterable[EventHubFunction]) -> list[str]:
    """Return a problem for each consumer group that two functions would fight over."""
    holders: dict[tuple[str, str], str] = {}
    problems = []
    for function in functions:
        key = (function.hub, function.consumer_group)
        other = holders.setdefault(key, function.target.name)
        if other != function.target.name:
            problems.append(
                f"give {function.target.name} a consumer group of its own: {other} reads"
                f" {function.hub} as {function.consumer_group} already"
            )
    return problems
