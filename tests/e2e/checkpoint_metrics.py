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
    sync = families["volley_checkpoint_sync_seconds"]
    assert sync.type == "histogram" and sync.documentation, sync.type
    of = {kind: [s for s in sync.samples if s.name.endswith(kind)] for kind in ("_count", "_sum", "_bucket")}
    # Every chain passed the barrier of every complete checkpoint.
    assert of["_count"] and all(set(sample.labels) == {"node"} for sample in of["_count"] + of["_sum"]), of
    assert all(sample.value >= 2 for sample in of["_count"]), of["_count"]
    assert all(0 < sample.value < 60 for sample in of["_sum"]), of["_sum"]
    assert values["volley_checkpoints_completed"] >= 2, values
    assert values["volley_checkpoints_abandoned"] == 0, values
    assert 0 < values["volley_checkpoint_duration_ms"] < 60_000, values
    assert values["volley_checkpoint_bytes"] > 0, values
    assert 0 <= values["volley_checkpoints_waiting_commits"] <= 4, values


if __name__ == "__main__":
    main(*sys.argv[1:])
