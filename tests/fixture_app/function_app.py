"""A Function App that writes down what it is given, for the tests of `local`.

Files in ``RECORD_DIR`` steer it: while ``fail`` exists the Event Hubs functions raise, while
``block`` exists they wait.
"""

import json
import os
import time
from pathlib import Path
from typing import List  # noqa: UP035  the Functions worker refuses list[...]

import azure.functions as func

RECORD_DIR = Path(os.environ["RECORD_DIR"])
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


def _write(name: str, record: object) -> None:
    line = json.dumps(record) + "\n"
    with (RECORD_DIR / name).open("a") as file:
        file.write(line)


def _take(function: str, events: List[func.EventHubEvent], context: func.Context) -> None:  # noqa: UP006  see above
    _write(
        "batches",
        {
            "function": function,
            "partition": events[0].metadata["PartitionContext"]["PartitionId"],
            "sequence_numbers": [event.sequence_number for event in events],
            "bodies": [event.get_body().decode("latin-1") for event in events],
            "properties": events[0].metadata["PropertiesArray"],
            "retry_count": context.retry_context.retry_count,
        },
    )
    while (RECORD_DIR / "block").exists():
        time.sleep(0.01)
    if (RECORD_DIR / "fail").exists():
        raise RuntimeError("the file `fail` says so")
    _write("done", [function, events[0].sequence_number])


@app.event_hub_message_trigger(
    arg_name="events",
    event_hub_name="%KEPT_HUB%",
    connection="EventHubConnection",
    cardinality=func.Cardinality.MANY,
    data_type=func.DataType.BINARY,
)
@app.retry(strategy="fixed_delay", max_retry_count="-1", delay_interval="00:00:00.05")
def keep(events: List[func.EventHubEvent], context: func.Context) -> None:  # noqa: UP006  see above
    """Take events and keep a batch until it works."""
    _take("keep", events, context)


@app.event_hub_message_trigger(
    arg_name="events",
    event_hub_name="lost",
    connection="EventHubConnection",
    cardinality=func.Cardinality.MANY,
    data_type=func.DataType.BINARY,
)
async def lose(events: List[func.EventHubEvent], context: func.Context) -> None:  # noqa: UP006  see above
    """Take events, without a retry policy."""
    _take("lose", events, context)


@app.event_hub_message_trigger(
    arg_name="events",
    event_hub_name="muted",
    connection="EventHubConnection",
    cardinality=func.Cardinality.MANY,
)
def mute(events: List[func.EventHubEvent], context: func.Context) -> None:  # noqa: UP006  see above
    """Take events unless disabled."""
    _take("mute", events, context)


@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
def tick(timer: func.TimerRequest) -> None:
    """Count the seconds."""
    _write("ticks", {"past_due": timer.past_due})


@app.queue_trigger(arg_name="message", queue_name="jobs", connection="AzureWebJobsStorage")
def work(message: func.QueueMessage) -> None:
    """Need a trigger that `local` does not have."""
    _write("jobs", message.id)


@app.route("echo/{name}/{number:int?}", methods=["GET", "POST"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    """Answer with the request."""
    body = {
        "method": req.method,
        "url": req.url,
        "route": dict(req.route_params),
        "query": dict(req.params),
        "agent": req.headers.get("user-agent"),
        "body": req.get_body().decode(),
    }
    headers = {"X-Fixture": "yes", "Set-Cookie": "a=1; Path=/"}
    return func.HttpResponse(
        json.dumps(body), status_code=202, headers=headers, mimetype="application/json"
    )


@app.route("broken")
def broken(req: func.HttpRequest) -> func.HttpResponse:
    """Raise, whatever is asked."""
    raise RuntimeError("always")
