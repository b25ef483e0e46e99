"""What a check found, where, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """Every rule there is; its value is what a finding prints."""

    SYNTAX = "syntax"
    SUBSET = "subset"
    NOT_DESCRIBED = "not-described"
    NOT_USED = "not-used"
    UNDEFINED_NAME = "undefined-name"
    UNKNOWN_FUNCTION = "unknown-function"
    UNKNOWN_MEMBER = "unknown-member"
    MODULE_FILE = "module-file"
    MODULE_PARAMETER = "module-parameter"
    MODULE_SCOPE = "module-scope"
    SAME_PARAMETER = "same-parameter"
    PARAMETERS_FILE = "parameters-file"
    AZD = "azd"
    LOADED_FILE = "loaded-file"
    UNKNOWN_TYPE = "unknown-type"
    API_VERSION = "api-version"
    UNKNOWN_PROPERTY = "unknown-property"
    READ_ONLY_PROPERTY = "read-only-property"
    MISSING_PROPERTY = "missing-property"
    WRONG_VALUE = "wrong-value"
    KEY_IN_USE = "key-in-use"
    SECRET_NOT_SECURE = "secret-not-secure"  # noqa: S105  # a rule's name
    SECRET_DEFAULT = "secret-default"  # noqa: S105  # a rule's name
    SECRET_OUTPUT = "secret-output"  # noqa: S105  # a rule's name
    LOCAL_AUTH = "local-auth"
    ROLE_GUID = "role-guid"
    ROLE_LIST = "role-list"
    ROLE_ASSIGNMENT = "role-assignment"
    ROLES_FIRST = "roles-first"
    APP_SETTING = "app-setting"
    BINDING = "binding"
    CHECKOV = "checkov"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault of one line.

    Parameters
    ----------
    path : str
        The file, relative to the project's folder.
    line : int
        Counted from 1.
    rule : Rule
        Which rule it breaks.
    remedy : str
        What to do.
    """

    path: str
    line: int
    rule: Rule
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.remedy}"
