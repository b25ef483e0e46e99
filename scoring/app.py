"""Builds every object once from the settings: the one place that knows how they fit together."""

import gc
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from scoring import dead_letters, status
from scoring.breaker import Breaker
from scoring.cache import ModelCache
from scoring.collisions import CollisionCounter
from scoring.decoding import event_batch
from scoring.delivery import Delivery
from scoring.depths import Depths
from scoring.events import ReadingKeys
from scoring.health import SystemHealth
from scoring.http_api import HttpApi, Response
from scoring.ledger import Ledger
from scoring.outlets import Outlet
from scoring.pipeline import Policy
from scoring.registry import BareFile, LoadOptions, ModelSource, Registry
from scoring.routing import Routes
from scoring.scored import Sink
from scoring.settings import Settings, load_settings
from scoring.sinks.cosmos import CosmosSink
from scoring.sinks.influxdb import InfluxSink
from scoring.sinks.sqlite import SqliteSink
from scoring.spill import CONTAINER as SPILL
from scoring.spill import Spill
from scoring.stages import StageClock
from scoring.storage import Storage, open_storage
from scoring.telemetry_process import Telemetry
from scoring.telemetry_values import Sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    import azure.functions as func

_log = logging.getLogger(__name__)
SCORES_FILE = "scores.sqlite"
# Ten large batches' worth; what may pile up meanwhile is some megabytes.
_COLLECT_AFTER_OBJECTS = 50_000
# Of one run of the timer at each store; the next run goes on.
_DRAIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class ScoringApp:
    """What the functions call; one a process, safe to use from any thread.

    Each takes the context of its invocation, which tells telemetry whose child it is.
    """

    settings: Settings
    delivery: Delivery
    http: HttpApi
    telemetry: Telemetry
    depths: Depths
    spill: Spill

    def score_events(
        self, events: "Sequence[func.EventHubEvent]", context: "func.Context | None" = None
    ) -> None:
        """Score one batch of the trigger; raises where it has to come again."""
        if not events:
            return
        _spare_the_collector()
        with self.telemetry.invocation("score_events", context) as known:
            stages = StageClock()
            batch = event_batch(events, self.settings.event_hub_name, _now())
            stages.ended("decode")
            known["scoring.partition"] = batch.partition
            known.update(self.delivery.deliver(batch, stages).attributes())

    def score(
        self, body: bytes, query: Mapping[str, str], context: "func.Context | None" = None
    ) -> Response:
        """Score the readings in a request."""
        with self.telemetry.invocation("score", context) as known:
            response = self.http.score(body, query)
            known["scoring.status"] = response.status
            return response

    def reload_models(self, context: "func.Context | None" = None) -> None:
        """Refresh this process's models, and report any current version that is unusable.

        Other processes refresh on their own data path; this one finds a bad publication before
        a batch meets it. The status records of processes that ended long ago go, too.
        """
        with self._timer("reload_models", context):
            snapshot = self.delivery.cache.verify()
            for name, state in snapshot.states.items():
                if state.state == "ready":
                    _log.info("model %s: version %s verified", name, state.found_version)
                else:
                    _log.error("model %s is %s: %s", name, state.state, state.problem)
            self.delivery.status.sweep()
            self._tell_of_strangers()
            if self.telemetry.is_on:
                self.depths.letters_measured(self.delivery.dead_letters.summary(_now()))

    def drain_spill(self, context: "func.Context | None" = None) -> None:
        """Write back what waits for stores that were down, in bounded steps."""
        with self._timer("drain_spill", context):
            drained = self.delivery.drain_spill(_DRAIN_SECONDS)
            if drained:
                _log.info("%d spilled readings are written back", drained)
            if self.telemetry.is_on:
                sinks = [sink.name for sink in self.http.sinks]
                depths = {name: self.spill.depth_of(name) for name in sinks}
                self.depths.spill_measured(depths, _now())

    def _tell_of_strangers(self) -> None:
        """Tell of what waits for stores that are switched off: nobody writes it back."""
        for name, n in self.spill.of_others({sink.name for sink in self.http.sinks}).items():
            _log.warning(
                "%d spilled batches wait for %s, which is not set any more: set that store again,"
                " or delete %s/%s/; until then they count against SPILL_MAX_MB",
                n,
                name,
                SPILL,
                name,
            )

    @contextmanager
    def _timer(self, timer: str, context: "func.Context | None") -> Iterator[None]:
        """Watch one run of a timer, and count how it ended."""
        with self.telemetry.invocation(timer, context):
            try:
                yield
            except BaseException:
                self.delivery.ledger.count("timer_runs", timer, "failed")
                raise
            self.delivery.ledger.count("timer_runs", timer, "ok")


def build_app(settings: Settings) -> ScoringApp:
    """Put all parts together; touches neither the network nor the disk yet."""
    storage = open_storage(settings)
    routes = Routes(settings.model_routes, settings.model_name)
    cache = ModelCache(
        _model_source(settings, storage),
        routes.models,
        settings.model_refresh_seconds,
        time.monotonic,
    )
    policy = _policy(settings, routes)
    sinks = _sinks(settings)
    letters = dead_letters.DeadLetters(storage.container(dead_letters.CONTAINER))
    spill = Spill(storage.container(SPILL), settings.spill_max_mb, _now)
    ledger = Ledger() if settings.telemetry.is_on else Ledger(stages_kept=0)
    outlets = tuple(Outlet(sink, Breaker(time.monotonic), spill, ledger=ledger) for sink in sinks)
    board = status.StatusBoard(storage.container(status.CONTAINER), settings.instance, _now)
    delivery = Delivery(
        cache=cache,
        policy=policy,
        outlets=outlets,
        dead_letters=letters,
        ledger=ledger,
        collisions=CollisionCounter(),
        status=board,
        clock=_now,
    )
    system = SystemHealth(cache, routes.models, sinks, board, spill, letters, _now)
    depths = Depths()
    sources = Sources(ledger, cache, depths, _now)
    return ScoringApp(
        settings,
        delivery,
        HttpApi(cache, policy, sinks, system, _now),
        Telemetry(settings.telemetry, settings.instance, sources),
        depths,
        spill,
    )


def _policy(settings: Settings, routes: Routes) -> Policy:
    return Policy(
        ReadingKeys(settings.sensor_id_keys, settings.time_tie_break),
        routes,
        settings.missing_features,
        settings.attribution_max_readings,
    )


def _keep_sdks_quiet() -> None:
    """Leave out what the Azure SDKs say of each request: a dozen lines with all its headers."""
    logging.getLogger("azure").setLevel(logging.WARNING)


def _now() -> datetime:
    return datetime.now(UTC)


def _model_source(settings: Settings, storage: Storage) -> ModelSource:
    container = storage.container(settings.model_container_name)
    options = LoadOptions(
        settings.trusted_model_types,
        settings.feature_keys,
        needs_medians=settings.missing_features == "median",
    )
    if settings.model_file_path:
        return BareFile(container, settings.model_file_path, options)
    return Registry(container, options)


def _sinks(settings: Settings) -> tuple[Sink, ...]:
    sinks: list[Sink] = []
    if settings.influxdb is not None:
        sinks.append(InfluxSink(settings.influxdb))
    if settings.cosmos is not None:
        sinks.append(CosmosSink(settings.cosmos, settings.sensor_id_keys))
    return tuple(sinks) or (SqliteSink(settings.data_dir / SCORES_FILE),)


@lru_cache(maxsize=1)
def _spare_the_collector() -> None:
    """Let garbage collections be rare in a process that scores: once, before its first batch.

    A batch makes thousands of objects that go with it by their reference counts alone; at the
    usual threshold of 700 each batch of 1,000 readings is walked several times, for a fifth of
    its time. What is left to find are cycles, such as those of an error.
    """
    gc.set_threshold(_COLLECT_AFTER_OBJECTS, *gc.get_threshold()[1:])


_building = threading.Lock()
_app: ScoringApp | None = None


def get_app() -> ScoringApp:
    """Return this process's app, built on first use.

    Raises
    ------
    SettingsError
        With every problem there is; asked again, the settings are read again.
    """
    global _app  # noqa: PLW0603  # the one object a process that functions share
    with _building:
        if _app is None:
            _keep_sdks_quiet()
            _app = build_app(load_settings())
        return _app
