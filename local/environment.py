"""The environment of this process: the only place of `local` that reads it."""

import importlib
import os
import re
from collections.abc import Callable, Mapping

from scoring.errors import SettingsError

_SETTING_IN_TEXT = re.compile(r"%([^%\s]+)%")


class Environment:
    """App settings as the Functions host would resolve them.

    Parameters
    ----------
    variables : mapping
        The environment variables; an empty one counts as not set.
    defaults : callable
        Gives the default of each setting; called when a variable is not set.
    """

    def __init__(
        self, variables: Mapping[str, str], defaults: Callable[[], Mapping[str, str | None]]
    ) -> None:
        self._variables = variables
        self._defaults = defaults

    def get(self, name: str) -> str | None:
        """Return the variable `name`, else the default of that setting, else None."""
        return self._variables.get(name, "").strip() or self._defaults().get(name)

    def resolve(self, text: str, *, used_by: str) -> str:
        """Replace each ``%NAME%`` in a binding by its setting.

        Raises
        ------
        SettingsError
            If a setting has neither a value nor a default.
        """
        missing = [n for n in _SETTING_IN_TEXT.findall(text) if self.get(n) is None]
        if missing:
            raise SettingsError(
                [f"set {name}: the function {used_by} needs it" for name in missing]
            )
        return _SETTING_IN_TEXT.sub(lambda found: self.get(found[1]) or "", text)

    def is_disabled(self, function: str) -> bool:
        """Tell whether ``AzureWebJobs.<function>.Disabled`` switches a function off."""
        value = self._variables.get(f"AzureWebJobs.{function}.Disabled", "")
        return value.strip().lower() in {"true", "1"}

    def variables(self) -> dict[str, str]:
        """Return a copy of all variables, to start another process with."""
        return dict(self._variables)


def process_environment() -> Environment:
    """Return the environment of this process over the defaults of the project's settings."""
    return Environment(os.environ, project_defaults)


def project_defaults() -> Mapping[str, str | None]:
    """Return the default of each setting in `scoring.settings`."""
    settings = importlib.import_module("scoring.settings").SETTINGS
    return {name: setting.default for name, setting in settings.items()}
