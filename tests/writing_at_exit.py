"""Writes to Cosmos DB while the interpreter ends: python -m tests.writing_at_exit URL CONTAINER."""

import sys
import threading

ENDING = threading.Event()
# Those that register later are called before: the pools of threads are closed by then.
threading._register_atexit(ENDING.set)  # type: ignore[attr-defined]


def main(url: str, container: str) -> None:
    """Write readings of two sensors once no thread may begin, and print what is raised."""
    from scoring.cosmos_settings import CosmosSettings  # after the hook above, as are the next
    from scoring.sinks.cosmos import CosmosSink
    from tests.cosmos_server import connection_string
    from tests.scored_batches import scored_batch

    settings = CosmosSettings(None, connection_string(url), "plant", container, "all")
    sink = CosmosSink(settings, ("sensor_id",))

    def write() -> None:
        ENDING.wait()
        try:
            sink.write([scored_batch(2, sensor_ids=["pump-1", "pump-2"])])
        except Exception as error:  # noqa: BLE001  # the test reads its type
            print(f"{type(error).__name__}: {error}", flush=True)  # noqa: T201  # its output

    threading.Thread(target=write).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
