"""Reads a page of metrics with the parser of Prometheus' own client and compares it with the summary of the same job.

usage: metrics.py PAGE.prom SUMMARY.json THRESHOLD.wasm ENRICH-FLIGHT.wasm
"""

import hashlib
import json
import math
import sys

from prometheus_client.parser import text_string_to_metric_families

NODE = "volley_records_{}_total"
PLUGIN = "volley_plugin_{}"


def read(path):
    """Each sample by its name and labels; the families' kinds by name."""
    samples, kinds = {}, {}
    with open(path, encoding="utf-8", newline="") as file:
        families = list(text_string_to_metric_families(file.read()))
    for family in families:
        assert family.documentation, family.name
        assert family.name not in kinds, f"{family.name} stands twice"
        kinds[family.name] = family.type
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples, f"{key} stands twice"
            samples[key] = sample.value
    return samples, kinds


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:12]


def main(page, summary, threshold, enrich):
    samples, kinds = read(page)
    with open(summary, encoding="utf-8") as file:
        nodes = {node["name"]: node for node in json.load(file)["nodes"]}

    def value(name, **labels):
        return samples[(name, tuple(sorted(labels.items())))]

    assert kinds["volley_records_processed"] == "counter", kinds
    assert kinds["volley_plugin_call_duration_seconds"] == "histogram", kinds
    assert kinds["volley_plugin_memory_bytes"] == "gauge", kinds
    assert "unknown" not in kinds.values(), kinds

    for name, node in nodes.items():
        labels = {"node": name, "role": node["role"]}
        came = node["rows_out"] if node["role"] == "source" else node["rows_in"]
        assert value(NODE.format("processed"), **labels) == came, node
        assert value(NODE.format("rejected"), **labels) == node["rows_rejected"], node
        if node["role"] != "sink":
            assert value(NODE.format("emitted"), **labels) == node["rows_out"], node

    for name, component, plugin in [("far", threshold, "threshold"), ("enriched", enrich, "enrich-flight")]:
        labels = {"operator": name, "plugin": plugin, "digest": digest(component)}
        node = nodes[name]

        def number(what, **more):
            return value(PLUGIN.format(what), **labels, **more)

        assert number("rows_in_total") == node["rows_in"], node
        assert number("rows_out_total") == node["rows_out"], node
        assert number("rows_rejected_total") == node["rows_rejected"], node
        calls = number("calls_total")
        assert 1 <= calls <= node["rows_in"], calls
        assert number("call_duration_seconds_count") == calls
        assert number("call_duration_seconds_bucket", le="+Inf") == calls
        buckets = sorted(
            (float(dict(key[1])["le"]), count)
            for key, count in samples.items()
            if key[0] == PLUGIN.format("call_duration_seconds_bucket") and dict(key[1])["operator"] == name
        )
        assert len(buckets) == 23 and buckets[-1][0] == math.inf, buckets
        assert all(before[1] <= after[1] for before, after in zip(buckets, buckets[1:])), buckets
        assert number("call_duration_seconds_sum") > 0
        assert number("cpu_seconds_total") > 0
        # The threshold reads one column of 8 bytes per row and answers with a bit, and every batch has a header.
        assert number("bytes_copied_total", direction="in") >= 8 * node["rows_in"], node
        assert number("bytes_copied_total", direction="out") >= node["rows_in"] / 8, node
        memory = number("memory_bytes")
        assert memory > 0 and memory % 65536 == 0, memory
        assert number("restarts_total") == 0
        assert number("quarantined") == 0
        reasons = {
            dict(key[1])["reason"]: count
            for key, count in samples.items()
            if key[0] == PLUGIN.format("violations_total") and dict(key[1])["operator"] == name
        }
        assert {"unreachable", "deadline", "bad_batch", "log_lines"} <= set(reasons), reasons
        assert not any(reasons.values()), reasons

    # Chains without an exchange begin at the source; the page's own unit is milliseconds.
    assert kinds["volley_stage_latency_ms"] == "histogram", kinds
    messages = value("volley_stage_latency_ms_count", node="flights")
    assert messages >= 1 and value("volley_stage_latency_ms_bucket", node="flights", le="+Inf") == messages
    assert value("volley_stage_latency_ms_sum", node="flights") > 0
    assert value("volley_stage_latency_ms_bucket", node="flights", le="10") <= messages
    assert "volley_window_pending_size" not in kinds, "there are no windows in this job"

    assert value("volley_metrics_requests_total", status="200") >= 1
    assert value("volley_metrics_series_overflowed_total") == 0


if __name__ == "__main__":
    main(*sys.argv[1:])
