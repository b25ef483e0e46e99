"""Binds the scorer to its triggers; each function is a few lines, all work is in `scoring`."""

from typing import TYPE_CHECKING, List  # noqa: UP035  # the Functions worker refuses list[...]

import azure.functions as func

from scoring import decoding

if TYPE_CHECKING:
    from scoring.app import ScoringApp
    from scoring.http_api import Response

decoding.install()
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


def _scorer() -> "ScoringApp":
    """Return the app, imported on first use, so that indexing is quick and cannot fail."""
    from scoring.app import get_app  # noqa: PLC0415

    return get_app()


@app.function_name("score_events")
@app.event_hub_message_trigger(
    arg_name="events",
    event_hub_name="%EVENT_HUB_NAME%",
    connection="EventHubConnection",
    consumer_group="%EVENT_HUB_CONSUMER_GROUP%",
    cardinality=func.Cardinality.MANY,
    data_type=func.DataType.BINARY,
)
@app.retry(
    strategy="exponential_backoff",
    max_retry_count="-1",
    minimum_interval="00:00:01",
    maximum_interval="00:01:00",
)
def score_events(events: List[func.EventHubEvent], context: func.Context) -> None:  # noqa: UP006  # see the import
    """Score every reading of a batch; raising keeps the batch for another try."""
    _scorer().score_events(events, context)


@app.function_name("reload_models")
@app.timer_trigger(arg_name="timer", schedule="%MODEL_RELOAD_SCHEDULE%", run_on_startup=False)
def reload_models(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001  # the binding needs it
    """Verify every routed model's current version, so that a bad one is reported early."""
    _scorer().reload_models(context)


@app.function_name("drain_spill")
@app.timer_trigger(arg_name="timer", schedule="%SPILL_DRAIN_SCHEDULE%", run_on_startup=False)
def drain_spill(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001  # the binding needs it
    """Write back what waits for stores that were down."""
    _scorer().drain_spill(context)


@app.function_name("score")
@app.route(route="score", methods=["POST"])
def score(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Score the readings in the request."""
    from scoring.errors import ScoringError  # noqa: PLC0415
    from scoring.http_api import failure_response  # noqa: PLC0415

    try:
        return _http(_scorer().score(req.get_body(), dict(req.params), context))
    except ScoringError as error:
        return _http(failure_response(error))


@app.function_name("health")
@app.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001  # the binding needs it
    """Tell how each part of the system is."""
    from scoring.errors import SettingsError  # noqa: PLC0415
    from scoring.http_api import settings_response  # noqa: PLC0415

    try:
        return _http(_scorer().http.health())
    except SettingsError as error:
        return _http(settings_response(error))


def _http(response: "Response") -> func.HttpResponse:
    return func.HttpResponse(
        response.body(), status_code=response.status, mimetype="application/json"
    )
