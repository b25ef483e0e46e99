"""Tests of scoring.ledger: counts that add up."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from scoring.ledger import BatchCounts, Ledger, ModelCounts

COUNT = st.integers(0, 1_000)


@given(COUNT, COUNT, st.dictionaries(st.sampled_from("abc"), COUNT))
def test_a_batch_is_accounted_for_when_its_parts_make_the_whole(
    scored: int, held: int, rejected: dict[str, int]
) -> None:
    """Scored, rejected and held readings are all that was received; a missing one shows."""
    received = scored + held + sum(rejected.values())
    assert BatchCounts(received, scored, held, rejected).unaccounted() == 0
    assert BatchCounts(received + 1, scored, held, rejected).unaccounted() == 1


def test_totals_are_the_sum_of_all_batches() -> None:
    """By name, and rejected ones by reason."""
    ledger = Ledger()
    ledger.add(BatchCounts(10, 7, rejected={"a": 2, "b": 1}, anomalies=3, collided=1))
    ledger.add(BatchCounts(5, held=5))
    assert ledger.totals() == {
        "batches": 2,
        "received": 15,
        "scored": 7,
        "held": 5,
        "anomalies": 3,
        "collided": 1,
        "unaccounted": 0,
    }
    assert ledger.rejected() == {"a": 2, "b": 1}


def test_no_batch_gets_lost_between_threads() -> None:
    """Partitions end their batches at the same time."""
    ledger = Ledger()

    def work() -> None:
        for _ in range(500):
            ledger.add(BatchCounts(2, 1, rejected={"a": 1}))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (ledger.totals()["received"], ledger.rejected()["a"]) == (4_000, 2_000)


def test_lag_is_that_of_the_last_batch_that_had_any() -> None:
    """Median and maximum; a held batch has none and leaves them."""
    ledger = Ledger()
    assert ledger.lag_ms() == (0.0, 0.0)
    ledger.add(BatchCounts(3, 3, lag_ms=[30.0, 10.0, 20.0]))
    ledger.add(BatchCounts(1, held=1))
    assert ledger.lag_ms() == (20.0, 30.0)


def test_what_a_caller_does_to_the_totals_stays_with_him() -> None:
    """They are copies."""
    ledger = Ledger()
    ledger.add(BatchCounts(1, 1))
    ledger.totals().clear()
    assert ledger.totals()["received"] == 1


def test_models_and_outcomes_are_counted_by_name() -> None:
    """And whatever else happened; nothing is counted that did not."""
    ledger = Ledger()
    ledger.add(BatchCounts(5, 5, models={"pump": ModelCounts("1", 5, 2)}))
    ledger.add(BatchCounts(1, held=1))
    ledger.count("drained", "sqlite", n=3)
    ledger.count("refused", "sqlite", n=0)
    assert ledger.named() == {
        ("scored", "pump"): 5,
        ("anomalies", "pump"): 2,
        ("batches", "done"): 1,
        ("batches", "held"): 1,
        ("drained", "sqlite"): 3,
    }


def test_lags_are_all_in_the_bins_however_they_came() -> None:
    """Some batches wait to be counted together."""
    ledger = Ledger()
    for number in range(1, 201):
        ledger.add(BatchCounts(number, number, lag_ms=[5.0] * number))
    assert ledger.lag_bins().sum() == sum(range(1, 201))
    assert ledger.lag_bins().max() == sum(range(1, 201))


def test_a_batch_tells_its_span_what_became_of_it() -> None:
    """Counts, and the versions that scored."""
    counts = BatchCounts(10, 7, rejected={"a": 2, "b": 1}, models={"pump": ModelCounts("v1", 7, 0)})
    assert counts.attributes()["scoring.rejected"] == 3
    assert counts.attributes()["scoring.model_versions"] == ("pump@v1",)
