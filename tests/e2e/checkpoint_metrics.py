"""Reads a page of metrics with the parser of Prometheus' own client: what it says of checkpoints.

usage: checkpoint_metrics.py PAGE.prom
"""

import sys

from prometheus_client.parser import text_string_to_metric_families

KINDS = {
    "volley_checkpoints_completed": "counter",
    "volley_checkpoints_abandoned": "counter",
    "volley_checkpoint_duration_ms": "gauge",
    "volley_checkpoint_bytes": "gauge",
    "volley_checkpoints_waiting_commits": "gauge",
}


def main(page):
    with open(page, encoding="utf-8", newline="") as file:
        families = {family.name: family for family in text_string_to_metric_families(file.read())}
    values = {}
    for name, kind in KINDS.items():
        family = families[name]
        assert family.type == kind and family.documentation, (name, family.type)
        (sample,) = family.samples
        assert sample.labels == {}, sample
        values[name] = sample.value
    assert values["volley_checkpoints_completed"] >= 2, values
    assert values["volley_checkpoints_abandoned"] == 0, values
    assert 0 < values["volley_checkpoint_duration_ms"] < 60_000, values
    assert values["volley_checkpoint_bytes"] > 0, values
    assert 0 <= values["volley_checkpoints_waiting_commits"] <= 4, values


if __name__ == "__main__":
    main(*sys.argv[1:])
