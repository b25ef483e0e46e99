"""Runs every check over a project."""

from pathlib import Path

from bicep_checks.app_settings import check_app_settings
from bicep_checks.bindings import check_bindings
from bicep_checks.deployment import read_deployment
from bicep_checks.findings import Finding
from bicep_checks.local_auth import check_local_auth
from bicep_checks.loops import check_loops
from bicep_checks.members import check_members
from bicep_checks.modules import check_modules
from bicep_checks.names import check_names
from bicep_checks.parameters_file import check_azd, check_parameters_file
from bicep_checks.properties import check_properties, resource_schemas
from bicep_checks.references import check_loaded_files, check_references
from bicep_checks.roles import check_roles
from bicep_checks.same_parameters import check_same_parameters
from bicep_checks.schemas import SchemaCache
from bicep_checks.secrets import check_secrets
from bicep_checks.syntax import check_syntax

_FROM_FILES = (
    check_names,
    check_modules,
    check_references,
    check_loaded_files,
    check_loops,
    check_same_parameters,
    check_parameters_file,
    check_azd,
    check_secrets,
    check_roles,
    check_app_settings,
    check_bindings,
)
_FROM_SCHEMAS = (check_properties, check_members, check_local_auth)


def all_findings(root: Path, cache: SchemaCache) -> list[Finding]:
    """Return what all checks find, by file and line.

    Where a file does not parse, only that is told: everything else would follow from it.
    """
    deployment = read_deployment(root)
    found = list(check_syntax(deployment))
    if found:
        return sorted(found)
    found += [one for check in _FROM_FILES for one in check(deployment)]
    schemas = resource_schemas(deployment, cache)
    found += [one for check in _FROM_SCHEMAS for one in check(deployment, schemas)]
    return sorted(set(found))
