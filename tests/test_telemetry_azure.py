"""Telemetry in Application Insights, read back from a server that stands in for its ingestion."""

import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import azure.identity
import pytest
from azure.core.credentials import AccessToken
from azure.monitor.opentelemetry.exporter._configuration._state import get_configuration_manager
from azure.monitor.opentelemetry.exporter.statsbeat._state import is_statsbeat_enabled
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.invocation import Context, RetryContext, TraceContext
from scoring.telemetry import METRICS
from scoring.telemetry_exporters import _BESIDES
from tests.deployments import Deployment, deployed
from tests.event_batches import body, trigger_events
from tests.small_models import publish, small_model
from tests.telemetry_doubles import KEY, Ingestion, series, wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
CONTEXT: Any = Context(
    "score_events", RetryContext(0, 0), trace_context=TraceContext(f"00-{TRACE}-{PARENT}-00")
)
CLIENT = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Take back afterwards what is preset for the exporter."""
    for name in _BESIDES:
        monkeypatch.setenv(f"APPLICATIONINSIGHTS_{name}", "")
        monkeypatch.delenv(f"APPLICATIONINSIGHTS_{name}")
    return monkeypatch


def scored(deployment: Deployment, *sizes: int) -> None:
    """Score a batch of each size, each in an export of its own."""
    for number, n in enumerate(sizes):
        first = number * 1_000
        bodies = [body(first + i) for i in range(n)]
        deployment.app.score_events(trigger_events(bodies, first=first), CONTEXT)


@pytest.fixture
def sent(tmp_path: Path) -> Iterator[Ingestion]:
    """Score 15 readings in two exports, one of them bad, and send all there is."""
    with Ingestion().running() as server:
        told = {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": server.connection_string,
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
            "OTEL_TRACES_SAMPLER_ARG": "1",
            "OTEL_SERVICE_NAME": "func-plant-7",
        }
        with deployed(tmp_path, **told) as deployment:
            publish(deployment.models, small_model())
            scored(deployment, 10)
            received = series("scoring_received_total")
            wait_until(lambda: server.sums()[received] == 10, "the first batch is not told")
            deployment.app.score_events(trigger_events([body(i) for i in range(2_000, 2_004)]))
            deployment.app.score_events(trigger_events([b"not JSON"], first=5_000))
        yield server


def test_counters_add_up_over_exports(sent: Ingestion) -> None:
    """A query sums them: each export holds what was added since the one before it."""
    sums = sent.sums()
    assert sums[series("scoring_received_total")] == 15
    assert sums[series("scoring_scored_total", model="default")] == 14
    assert sums[series("scoring_rejected_total", reason="invalid_json")] == 1
    assert sums[series("scoring_written_total", sink="sqlite")] == 14
    assert sums[series("scoring_batches_total", outcome="done")] == 3


def test_an_envelope_names_metric_app_and_process(sent: Ingestion) -> None:
    """As AppMetrics has them: name, properties, role and instance; nothing that is not ours."""
    metrics = [one for one in sent.envelopes() if one["data"]["baseType"] == "MetricData"]
    names = {one["data"]["baseData"]["metrics"][0]["name"] for one in metrics}
    assert names <= set(METRICS)
    assert {one["iKey"] for one in metrics} == {KEY}
    assert {one["tags"]["ai.cloud.role"] for one in metrics} == {"func-plant-7"}
    assert all(one["tags"]["ai.cloud.roleInstance"] for one in metrics)


def test_a_histogram_is_a_count_with_sum_and_bounds(sent: Ingestion) -> None:
    """So that a query has the mean and the worst."""
    stages = [
        one["data"]["baseData"]["metrics"][0]
        for one in sent.envelopes()
        if (one["data"]["baseData"].get("properties") or {}).get("stage") == "whole"
    ]
    assert sum(one["count"] for one in stages) == 3
    assert all(0 < one["min"] <= one["max"] <= one["value"] for one in stages)


def test_a_span_joins_the_operation_of_the_host(sent: Ingestion) -> None:
    """A dependency below the host's request: no second request of the same invocation."""
    spans = [one for one in sent.envelopes() if one["data"]["baseType"] != "MetricData"]
    assert {one["data"]["baseType"] for one in spans} == {"RemoteDependencyData"}
    (child,) = [one for one in spans if one["tags"].get("ai.operation.parentId") == PARENT]
    assert child["tags"]["ai.operation.id"] == TRACE
    data = child["data"]["baseData"]
    assert (data["name"], data["properties"]["scoring.scored"]) == ("score_events", "10")
    assert len(spans) == 3


def test_the_exporter_does_nothing_besides(sent: Ingestion) -> None:
    """No statistics about itself, no settings from a server, no other address."""
    assert not is_statsbeat_enabled()
    assert get_configuration_manager() is None
    assert {request.path for request in sent.requests} == {"/v2.1/track"}


class StubCredential:
    """An identity that has a token at once."""

    def __init__(self, **arguments: str) -> None:
        self.arguments = arguments
        ASKED.append(self)

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """Give the token."""
        self.arguments["scope"] = scopes[0]
        return AccessToken("stub-token", int(time.time()) + 3_600)


ASKED: list[StubCredential] = []


def certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate for 127.0.0.1: a token goes over TLS only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_an_identity_needs_no_key(tmp_path: Path, environ: pytest.MonkeyPatch) -> None:
    """The token of the named identity goes along with each request."""
    ASKED.clear()
    environ.setattr(azure.identity, "ManagedIdentityCredential", StubCredential)
    server = Ingestion(certificate(tmp_path))
    environ.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
    told = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": server.connection_string,
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": f"ClientId={CLIENT};Authorization=AAD",
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
    }
    with server.running(), deployed(tmp_path / "data", **told) as deployment:
        publish(deployment.models, small_model())
        scored(deployment, 1)
        wait_until(lambda: bool(server.requests), "nothing is sent")
        headers = server.requests[0].headers
    assert headers["Authorization"] == "Bearer stub-token"
    assert [one.arguments["client_id"] for one in ASKED] == [CLIENT]
    assert ASKED[0].arguments["scope"] == "https://monitor.azure.com//.default"
