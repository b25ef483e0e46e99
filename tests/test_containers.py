"""Tests of Dockerfile, compose.yaml and what they mount, as far as that goes without Docker.

Nothing here builds or starts a container.
"""

import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from local.azurite import VERSION as AZURITE_VERSION
from local.azurite import Ports, connection_string
from local.deployed_files import deployed_files
from scoring.settings import SETTINGS, load_settings
from tests.deployed_files import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text("utf-8")
# Read by the Functions host, and not by the app.
HOST_SETTINGS = {
    "AzureWebJobsStorage",
    "AzureWebJobsSecretStorageType",
    "AzureFunctionsWebHost__hostid",
}
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent))
needs_hadolint = pytest.mark.skipif(HADOLINT is None, reason="hadolint is for Linux on x86-64")


def loaded(text: str) -> Any:
    """Read YAML."""
    return YAML(typ="safe", pure=True).load(text)


SERVICES = loaded(COMPOSE)["services"]


def without_defaults(text: str) -> str:
    """Resolve variables as compose does without an `.env`."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def environment(service: str) -> dict[str, str]:
    """Return what a service finds in its environment."""
    found = SERVICES[service]["environment"].items()
    return {name: without_defaults(str(value)) for name, value in found}


def lint(text: str) -> list[str]:
    """Return the codes of what hadolint finds."""
    command = [str(HADOLINT), "--no-color", "--format", "json", "-"]
    ended = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return [one["code"] for one in json.loads(ended.stdout)]


def schema_status(path: Path) -> int:
    """Hold a file against the schema of compose files."""
    tool = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*tool, str(path)], capture_output=True, check=False).returncode


@needs_hadolint
def test_the_dockerfile_passes_the_linter() -> None:
    """Without any exception."""
    assert lint(DOCKERFILE) == []


@needs_hadolint
@pytest.mark.parametrize(
    ("was", "fault", "code"),
    [
        pytest.param("4-python3.11", "latest", "DL3007", id="moving tag"),
        pytest.param("USER 10001\n", "USER root\n", "DL3002", id="root"),
        pytest.param("WORKDIR /wheels", "WORKDIR wheels", "DL3000", id="relative folder"),
        pytest.param("install --no-cache-dir", "install", "DL3042", id="cache kept"),
        pytest.param("FROM ${BASE}\n", "FRM ${BASE}\n", "DL1000", id="no Dockerfile"),
    ],
)
def test_a_fault_in_the_dockerfile_is_found(was: str, fault: str, code: str) -> None:
    """The linter really looks."""
    assert was in DOCKERFILE
    wrong = DOCKERFILE.replace(was, fault)
    if fault == "latest":  # the linter does not look into an argument
        wrong = wrong.replace(
            "FROM ${BASE}", "FROM mcr.microsoft.com/azure-functions/python:latest"
        )
    assert code in lint(wrong)


def test_the_image_runs_as_no_root_on_a_port_that_it_may_open() -> None:
    """The last user counts; health is asked on the port that the host listens on."""
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["10001"]
    assert "useradd --system --uid 10001 " in DOCKERFILE
    ports = set(re.findall(r"(?:\+|127\.0\.0\.1):(\d+)|EXPOSE (\d+)", DOCKERFILE))
    assert {first or second for first, second in ports} == {"8080"}
    assert "/api/health" in DOCKERFILE


@pytest.mark.parametrize(
    "name", ["PYTHON_ISOLATE_WORKER_DEPENDENCIES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
)
def test_the_worker_is_set_as_on_azure(name: str) -> None:
    """Another protobuf, or threads that contend, would show there alone."""
    bicep = (ROOT / "bicep" / "modules" / "function-app.bicep").read_text("utf-8")
    on_azure = re.findall(rf"^ *{name}: '(.*)'$", bicep, re.MULTILINE)
    assert on_azure == re.findall(rf"\b{name}=(\S+)", DOCKERFILE) == ["1"]


def copied() -> list[str]:
    """Return the sources that the Dockerfile copies from this folder."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def build_context() -> set[str]:
    """List what `.dockerignore` leaves: all is ignored but what a line lets in again."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = [line[1:] for line in rules if line.startswith("!")]
    deep = [line.removeprefix("**/") for line in rules[1:] if not line.startswith("!")]
    assert len(rules) == 1 + len(allowed) + len(deep)
    found = (path for name in allowed for path in [ROOT / name, *(ROOT / name).rglob("*")])
    return {
        path.relative_to(ROOT).as_posix()
        for path in found
        if path.is_file()
        and not any(fnmatchcase(part, one) for part in path.relative_to(ROOT).parts for one in deep)
    }


def test_the_build_gets_exactly_what_is_deployed() -> None:
    """No secret, no data and no test reaches an image; nothing that the app needs is left out."""
    assert build_context() == set(deployed_files(ROOT))


def test_everything_that_is_deployed_is_copied() -> None:
    """Each source exists, and together they are the package."""
    assert all((ROOT / source).exists() for source in copied())
    assert {path.split("/")[0] for path in deployed_files(ROOT)} == set(copied())


def test_compose_has_the_form_of_a_compose_file() -> None:
    """By the schema of the specification."""
    assert schema_status(ROOT / "compose.yaml") == 0


@pytest.mark.parametrize(
    ("was", "fault"),
    [("healthcheck:", "helthcheck:"), ("condition: service_healthy", "condition: healthy")],
)
def test_a_fault_in_compose_is_found(tmp_path: Path, was: str, fault: str) -> None:
    """The schema really is looked at."""
    assert was in COMPOSE
    (tmp_path / "compose.yaml").write_text(COMPOSE.replace(was, fault))
    assert schema_status(tmp_path / "compose.yaml") != 0


def test_every_image_is_pinned() -> None:
    """To a version, and Azurite to the one that the tests run."""
    images = {name: one["image"] for name, one in SERVICES.items() if "image" in one}
    assert set(images) == set(SERVICES) - {"app"}
    for image in images.values():
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+", image), image
    assert images["azurite"].endswith(f":{AZURITE_VERSION}")


def test_every_port_is_on_loopback_and_no_two_are_the_same() -> None:
    """The secrets are public, so nothing may be reached from outside."""
    ports = [port for one in SERVICES.values() for port in one.get("ports", ())]
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_the_app_gets_settings_that_it_knows_and_that_are_right() -> None:
    """All are the app's own or the host's, and together they have no fault."""
    found = environment("app")
    assert set(found) - set(SETTINGS) == HOST_SETTINGS
    settings = load_settings(found)
    assert settings.influxdb is not None
    assert settings.storage_connection_string == found["AzureWebJobsStorage"]
    bound = re.findall(r"%(\w+)%", (ROOT / "function_app.py").read_text())
    assert set(bound) <= set(found)  # the host knows no defaults


def test_azurite_is_reached_by_its_name_with_its_public_key() -> None:
    """The connection string is that of the local Azurite but for the host."""
    local = connection_string(Ports()).replace("127.0.0.1", "azurite")
    assert environment("app")["STORAGE_CONNECTION_STRING"] == local


def test_every_service_that_is_named_exists() -> None:
    """In addresses as well as in dependencies, which wait for more than a start."""
    text = " ".join(
        str(value) for name in SERVICES for value in SERVICES[name].get("environment", {}).values()
    )
    hosts = set(re.findall(r"(?:http|sb)://([a-z-]+)", text))
    assert {"azurite", "event-hubs", "influxdb"} <= hosts <= set(SERVICES)
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for {other} for ever"


def test_every_file_that_is_mounted_exists() -> None:
    """Docker would make an empty folder in its place."""
    mounts = [one for service in SERVICES.values() for one in service.get("volumes", ())]
    sources = [one.split(":")[0] for one in mounts]
    named = {source for source in sources if not source.startswith("./")}
    assert named == set(loaded(COMPOSE)["volumes"])
    assert all((ROOT / source).exists() for source in sources if source.startswith("./"))
    assert all(one.endswith(":ro") for one in mounts if one.startswith("./"))


def test_the_emulator_has_the_hub_and_the_consumer_group_of_the_app() -> None:
    """In the form, and within the limits, that it documents."""
    config = json.loads((ROOT / "containers" / "eventhubs-emulator.json").read_text())["UserConfig"]
    assert config["LoggingConfig"]["Type"] in {"File", "Console", "Console,File"}
    (namespace,) = config["NamespaceConfig"]
    assert (namespace["Type"], namespace["Name"]) == ("EventHub", "emulatorNs1")
    (hub,) = namespace["Entities"]
    app = environment("app")
    assert hub["Name"] == app["EVENT_HUB_NAME"]
    assert [one["Name"] for one in hub["ConsumerGroups"]] == [app["EVENT_HUB_CONSUMER_GROUP"]]
    assert isinstance(hub["PartitionCount"], str)
    assert 1 <= int(hub["PartitionCount"]) <= 32


def test_influxdb_grafana_and_the_app_agree() -> None:
    """On organisation, bucket and token, also where an `.env` changes them."""
    made = SERVICES["influxdb"]["environment"]
    for name, initial in {"ORG": "ORG", "BUCKET": "BUCKET", "TOKEN": "ADMIN_TOKEN"}.items():
        value = made[f"DOCKER_INFLUXDB_INIT_{initial}"]
        assert value.startswith(f"${{INFLUXDB_{name}:-")
        for service in ("app", "grafana"):
            assert SERVICES[service]["environment"][f"INFLUXDB_{name}"] == value


def test_grafana_finds_the_bucket_and_the_folder_of_dashboards() -> None:
    """Each variable of its files is in its environment; the folder is the one that is mounted."""
    folder = ROOT / "grafana" / "provisioning"
    text = (folder / "datasources" / "influxdb.yaml").read_text()
    (source,) = loaded(text)["datasources"]
    assert (source["type"], source["jsonData"]["version"]) == ("influxdb", "Flux")
    assert set(re.findall(r"\$(\w+)", text)) <= set(environment("grafana"))
    (provider,) = loaded((folder / "dashboards" / "dashboards.yaml").read_text())["providers"]
    mount = f"./grafana/dashboards:{provider['options']['path']}:ro"
    assert mount in SERVICES["grafana"]["volumes"]


def test_secrets_are_marked_as_those_of_local_development() -> None:
    """Whoever reads one knows that it protects nothing."""
    for name in ("influxdb", "grafana"):
        for key, value in environment(name).items():
            if key.endswith(("TOKEN", "PASSWORD")):
                assert value.startswith("local-development-")
    keys = json.loads((ROOT / "containers" / "host-keys.json").read_text())
    values = [keys["masterKey"]["value"], *(one["value"] for one in keys["functionKeys"])]
    assert all(value.startswith("local-development-") for value in values)
    assert "LOCAL DEVELOPMENT ONLY" in COMPOSE
