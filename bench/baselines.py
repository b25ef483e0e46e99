"""Scores as an app does that is written without a thought for speed: what we are held against."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import azure.functions as func
import numpy as np
import pandas as pd
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import SYNCHRONOUS

from bench.deployment import BUCKET, ORG, TOKEN, environment
from bench.workload import FEATURES, Workload
from scoring.decoding import DecodedEvents


class StraightforwardApp:
    """What the tutorials of the three libraries come to, put together.

    Parameters
    ----------
    estimator : fitted sklearn.ensemble.IsolationForest
    url : str
        Of the server that takes the writes.
    """

    def __init__(self, estimator: Any, url: str) -> None:
        self._estimator = estimator
        client = InfluxDBClient(url=url, token=TOKEN, org=ORG)
        self._write_api = client.write_api(write_options=SYNCHRONOUS)

    def score_events(self, events: Sequence[func.EventHubEvent]) -> None:
        """Score a batch: one call of the estimator, one write."""
        readings = [json.loads(event.get_body()) for event in events]
        X = np.array([[reading[name] for name in FEATURES] for reading in readings])
        scores = self._estimator.decision_function(X).tolist()
        points = [_point(*pair) for pair in zip(readings, scores, strict=True)]
        self._write_api.write(bucket=BUCKET, record=points)

    def score_one_by_one(self, events: Sequence[func.EventHubEvent]) -> None:
        """Score event by event: a frame, a call of the estimator and a write for each."""
        for event in events:
            reading = json.loads(event.get_body())
            X = pd.DataFrame([reading])[list(FEATURES)]
            score = float(self._estimator.decision_function(X.to_numpy())[0])
            self._write_api.write(bucket=BUCKET, record=_point(reading, score))


def _point(reading: dict[str, Any], score: float) -> Any:
    point: Any = Point("anomaly_score")  # type: ignore[no-untyped-call]  # the library's
    return (
        point.tag("sensor_id", reading["sensor_id"])
        .tag("model", "default")
        .field("score", score)
        .field("is_anomaly", score < 0)
        .time(datetime.fromisoformat(reading["timestamp"]))
    )


def stock_decoded(workload: Workload) -> Sequence[func.EventHubEvent]:
    """Decode as azure-functions does where nobody interferes."""
    with environment({"FAST_DECODING": "false"}):
        events: Sequence[func.EventHubEvent] = workload.decoded()
    if isinstance(events, DecodedEvents):
        raise TypeError("FAST_DECODING=false did not bring the stock decoding back")
    return events
