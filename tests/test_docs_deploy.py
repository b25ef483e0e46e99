"""docs/deploy.md says what bicep/ makes, and names commands that exist."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bicep_checks.declarations import Declaration, Resource
from bicep_checks.deployment import MAIN, PARAMETERS, ROLES, read_deployment
from bicep_checks.nodes import at_path, text
from tests.documents import ROOT, Cells, names, section, table

DEPLOY = (ROOT / "docs" / "deploy.md").read_text("utf-8")
PAGES = DEPLOY + (ROOT / "docs" / "alerts.md").read_text("utf-8")
DEPLOYMENT = read_deployment(ROOT)
PARAMETERS_FILE = json.loads((ROOT / PARAMETERS).read_text("utf-8"))["parameters"]
RBAC = DEPLOYMENT.files["bicep/modules/rbac.bicep"]
NONE = "\N{EN DASH}"
_VARIABLE = re.compile(r"\$\{(\w+)[^}]*\}")


def sources() -> str:
    """Return every Bicep file and what stands beside them: roles, azd's file, host.json."""
    beside = (ROOT / ROLES, ROOT / "azure.yaml", ROOT / "host.json")
    files = (*sorted(ROOT.glob("bicep/**/*.bicep")), *beside)
    return "\n".join(path.read_text("utf-8") for path in files)


def shell_lines() -> list[str]:
    """Return the lines of all shell examples, those that go on joined."""
    bodies = re.findall(r"^ *```sh\n(.*?)^ *```$", PAGES, re.DOTALL | re.MULTILINE)
    return [line.strip() for line in "\n".join(bodies).replace("\\\n", " ").splitlines()]


def row(parameter: Declaration) -> list[str]:
    """Return what the table has to say of a parameter."""
    given = PARAMETERS_FILE[parameter.name]["value"]
    variable = _VARIABLE.fullmatch(given) if isinstance(given, str) else None
    return [
        f"`{parameter.name}`",
        f"`{variable[1]}`" if variable else NONE,
        NONE if parameter.value is None else f"`{text(parameter.value)}`",
        parameter.description.replace("\\'", "'"),
    ]


def test_every_parameter_stands_in_the_table_with_its_variable_default_and_meaning() -> None:
    """The table and main.bicep are the same list, in the same order."""
    parameters = DEPLOYMENT.files[MAIN].parameters.values()
    assert len(parameters) > 40
    assert table(DEPLOY, "Parameter") == [row(parameter) for parameter in parameters]


def test_every_name_in_code_is_one_of_bicep_or_of_the_host() -> None:
    """A parameter, a role or a setting of host.json that was renamed is renamed here too."""
    told = set(re.findall(r"`([a-z]+[A-Z]\w*)(?:=\w+)?`", PAGES))
    known = set(re.findall(r"\w+", sources()))
    assert len(told) > 40
    assert told - known == {"monitorCondition"}  # of Azure's common alert schema


def test_every_variable_that_is_set_is_one_of_the_parameters_file() -> None:
    """One that azd does not know is ignored without a word."""
    told = re.findall(r"azd env set (\w+)", PAGES)
    known = set(_VARIABLE.findall(json.dumps(PARAMETERS_FILE)))
    assert len(told) > 3
    assert set(told) - known == set()


def test_every_parameter_of_a_command_is_one_of_the_file_that_it_deploys() -> None:
    """One that the file does not have is refused."""
    commands = [line for line in shell_lines() if "--template-file" in line]
    assert len(commands) == 2  # to a subscription, and to a group
    for command in commands:
        words = shlex.split(command.replace("$(", "'").replace(")", "'"))
        file = DEPLOYMENT.files[words[words.index("--template-file") + 1]]
        given = {word.partition("=")[0] for word in words if "=" in word}
        assert {"environmentName", "principalId"} <= given <= set(file.parameters)


def test_every_target_of_make_exists() -> None:
    """Whoever pastes a line gets what it says."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    told = re.findall(r"(?:^|`)make (\w+)", PAGES + "\n".join(shell_lines()), re.MULTILINE)
    assert {"package", "smoke", "bench"} <= set(told) <= set(targets)


def python_commands() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield module with subcommands, and options, of each `python -m` in the examples and prose."""
    inline = re.findall(r"`(python -m [^`]+)`", PAGES)
    for line in [*inline, *(line for line in shell_lines() if "python -m" in line)]:
        words = shlex.split(line.split("python -m", 1)[1])
        plain = [word for word in words[1:] if re.fullmatch(r"[a-z-]+", word) and word[0] != "-"]
        options = tuple(sorted({word for word in words if word.startswith("--")}))
        yield (words[0], *plain[: 2 if "dead-letters" in plain else 1]), options


@pytest.mark.parametrize(("command", "options"), sorted(set(python_commands())), ids=str)
def test_every_python_command_exists_with_its_options(
    command: tuple[str, ...], options: tuple[str, ...]
) -> None:
    """Its own help names them."""
    run = [sys.executable, "-m", *command, "--help"]
    ended = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert [one for one in options if one not in ended.stdout] == []


def roles(assignment: Resource) -> set[str]:
    """Return the roles that an assignment may take, through the variable that chooses."""
    words = text(assignment.body)
    if re.search(r"\bmodelRole\b", words):
        words += text(RBAC.variables["modelRole"].node)
    return set(re.findall(r"\broles\.(\w+)\b", words))


def assignments() -> Cells:
    """Return the table of who may do what."""
    return table(section("Who may do what", DEPLOY), "Assignment")


def test_every_assignment_has_its_row_with_its_roles() -> None:
    """Whoever reviews the rights reads all of them."""
    made = {
        name: roles(one)
        for name, one in RBAC.resources.items()
        if one.full_type.lower().endswith("roleassignments")
    }
    told = {names([cells])[0]: set(names([cells], 1)) for cells in assignments()}
    assert len(made) > 10
    assert told == made


SCOPES = {
    "host account": "hostAccount",
    "container `models`": "modelContainer",
    "container `dead-letter`": "deadLetterContainer",
    "containers `dead-letter`, `spill`, `status`, each": "writtenContainers[index]",
    "the hub": "eventHub",
    "Application Insights": "applicationInsights",
    "the vault": "vault",
    "the container": "'${cosmosAccount.id}/dbs/${cosmosDatabaseName}/colls/${cosmosContainerName}'",
}


@pytest.mark.parametrize("cells", assignments(), ids=lambda cells: cells[0])
def test_every_assignment_is_on_what_its_row_says(cells: list[str]) -> None:
    """A wider one, such as the account for a container, would allow more than is told."""
    body = RBAC.resources[names([cells])[0]].body
    scope = at_path(body, "scope") or at_path(body, "properties", "scope")
    assert scope is not None
    assert text(scope) == SCOPES[cells[2]]


def test_every_role_of_the_list_is_in_the_walk() -> None:
    """roles.json holds no role that nobody told of."""
    listed = set(json.loads((ROOT / ROLES).read_text("utf-8")))
    assert {name for cells in assignments() for name in names([cells], 1)} == listed


def walk() -> Cells:
    """Return the table of what is made."""
    return table(section("The walk, resource by resource", DEPLOY), "File")


def own_resources(file: str) -> list[Resource]:
    """Return what a file makes itself."""
    (found,) = (one for path, one in DEPLOYMENT.files.items() if path.rsplit("/", 1)[-1] == file)
    return [one for one in found.resources.values() if not one.is_existing]


def test_every_file_that_makes_something_is_in_the_walk() -> None:
    """And no other."""
    files = [path.rsplit("/", 1)[-1] for path in DEPLOYMENT.files]
    made = {file for file in files if own_resources(file)}
    assert len(made) > 10
    assert set(names(walk())) == made


def test_every_type_of_resource_is_in_the_row_of_its_file() -> None:
    """The walk on paper leaves nothing out, and makes nothing up."""
    for cells in walk():
        (file,) = names([cells])
        assert set(names([cells], 1)) == {one.full_type for one in own_resources(file)}, file


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("maxEventBatchSize", "at most {:,} events"),
        ("targetUnprocessedEventThreshold", "each {:,} events"),
    ],
)
def test_sizing_reckons_with_the_settings_of_the_trigger(setting: str, words: str) -> None:
    """A figure that is changed in host.json is changed here."""
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    value = host["extensions"]["eventHubs"][setting]
    assert words.format(value) in " ".join(DEPLOY.split())
    assert f"`{setting}`" in DEPLOY


def test_sizing_reckons_with_the_budget_of_the_bench() -> None:
    """Not with what some machine did once."""
    results = (ROOT / "bench" / "results.md").read_text("utf-8")
    (budget,) = re.findall(r"batches of 1,000 \|[^|]+\| ≥ ([\d,]+) events/s", results)
    assert f"does {budget} readings a second" in DEPLOY


def test_whoever_closes_a_running_system_is_told_to_stop_it_before() -> None:
    """The services close before the app has its way through the network."""
    told = section("A private network", DEPLOY)
    assert "outage" in told
    steps = [
        told.rindex(f"{one}")
        for one in ("az functionapp stop", "azd provision\naz functionapp start")
    ]
    assert steps == sorted(steps)
