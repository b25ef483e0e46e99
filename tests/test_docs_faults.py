"""docs/faults.md says what the tests of faults show."""

import re

import pytest

from tests.documents import ROOT, names, section, table

FAULTS = (ROOT / "docs" / "faults.md").read_text("utf-8")
TEST_FILES = sorted((ROOT / "tests").glob("test_faults_of_*.py"))


def test_every_fault_is_shown_by_a_test() -> None:
    """Both tables have the same rows, and each row of the second names one at least."""
    told = [row[0] for row in table(FAULTS, "Fault")]
    shown = table(section("Shown by", FAULTS), "Fault")
    assert [row[0] for row in shown] == told
    assert all(names([row], 1) for row in shown)


def test_every_test_that_is_named_exists_and_every_one_that_exists_is_named() -> None:
    """In the modules of faults; each stands in one row."""
    found = [
        name
        for path in TEST_FILES
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), flags=re.MULTILINE)
    ]
    assert len(found) > 15
    assert sorted(names(table(section("Shown by", FAULTS), "Fault"), 1)) == sorted(found)


@pytest.mark.parametrize(
    ("module", "constant", "words"),
    [
        ("stores", '"influxdb": 6', "at most 6 s by InfluxDB"),
        ("stores", '"cosmos": 10', "10 s by Cosmos DB"),
        ("storage", "LONGEST_S = 20", "a batch takes at most 20 s"),
        ("silent_storage", "LONGEST_CALL_S = 60", "a call ends within 60 s"),
        ("silent_storage", "STATUS_S = 1", "for about a second"),
        ("silent_storage", "HEALTH_S = 8", "health answers within 8 s"),
        ("silent_storage", "HEALTH_AGAIN_S = 2", "health waits 2 s for the next one"),
    ],
)
def test_a_bound_in_the_document_is_the_one_that_is_tested(
    module: str, constant: str, words: str
) -> None:
    """An operator may rely on it."""
    assert constant in (ROOT / "tests" / f"test_faults_of_{module}.py").read_text("utf-8")
    assert words in " ".join(FAULTS.split())


def test_no_fault_was_left_out() -> None:
    """What an operator has to expect, by a word of each."""
    told = " ".join(row[0] for row in table(FAULTS, "Fault"))
    for word in (
        "refuses connections",
        "never answers",
        "500",
        "429",
        "a part",
        "token",
        "bucket or container",
        "Disk full",
        "down at the start",
        "during a refresh",
        "while a store is",
        "Spill full",
        "Clock",
        "Duplicate",
        "Out-of-order",
    ):
        assert word in told
