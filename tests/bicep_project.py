"""A small project with Bicep files in which every check has something to look at."""

import json
from collections.abc import Mapping
from pathlib import Path

from bicep_checks.app_settings import settings_of
from bicep_checks.schemas import SchemaCache
from scoring.known_settings import HOST_SETTINGS, SETTINGS

ROOT = Path(__file__).parents[1]
SCHEMAS = SchemaCache(ROOT / ".local" / "bicep-schemas")
CHECKOV = ROOT / ".venv" / "checkov" / "bin" / "checkov"
_FIXTURE = Path(__file__).parent / "fixture_deployment"
_SITE = "bicep/modules/site.bicep"


def project_files() -> Mapping[str, str]:
    """Return every file of the project by its path; the settings are those that there are."""
    files = {
        path.relative_to(_FIXTURE).as_posix(): path.read_text("utf-8")
        for path in _FIXTURE.rglob("*")
        if path.is_file()
    }
    values = dict.fromkeys(settings_of("azure"), "accountName")
    values["MODEL_RELOAD_SCHEDULE"] = "schedule"
    settings = "\n".join(f"  {name}: {value}" for name, value in values.items())
    files[_SITE] = files[_SITE].replace("  // tests write the settings here", settings)
    files["function_app.py"] = (ROOT / "function_app.py").read_text("utf-8")
    files["local.settings.json.example"] = json.dumps(
        {"Values": dict.fromkeys(settings_of("local"), "")}, indent=2
    )
    rows = (f"| `{name}` | 1 | both | |" for name in {**SETTINGS, **HOST_SETTINGS})
    files["docs/settings.md"] = "\n".join(rows)
    return files


def write_project(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a project and return its folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, "utf-8")
    return folder
