"""Reads a run's exports and holds them against its report.json."""

import json
import math
import pathlib
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

run = pathlib.Path(sys.argv[1])
stages = json.loads((run / "report.json").read_text())["stages"]


class Sums(dict):
    """The histograms of a log, added up by tag."""

    def __init__(self, path):
        super().__init__()
        # The bounds of the reports' histograms, in nanoseconds.
        reader = HistogramLogReader(str(path), HdrHistogram(1_000, 3_600_000_000_000, 3))
        while (histogram := reader.get_next_interval_histogram()) is not None:
            tag = histogram.get_tag()
            if tag in self:
                self[tag].add(histogram)
            else:
                self[tag] = histogram
        reader.close()


def close(found, expected, share):
    assert abs(found / expected - 1) <= share, f"{found} for {expected}"


def check_histogram_log():
    sums = Sums(run / "latency.hlog")
    assert sorted(sums) == sorted(stage["name"] for stage in stages), sums.keys()
    for stage in stages:
        histogram = sums[stage["name"]]
        total = histogram.get_total_count()
        for name, share in [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)]:
            # This library rounds to the nearest rank, the reports up. Beyond that: three digits, and either end of a bucket.
            percentile = 100 * math.ceil(total * share) / total
            close(histogram.get_value_at_percentile(percentile) / 1e6, stage["latency_ms"][name], 0.002)
    return sum(histogram.get_total_count() for histogram in sums.values())


STATISTICS = {"unit", "avg", "min", "max", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "std"}
DISTRIBUTIONS = ["request_latency", "time_to_first_token", "inter_token_latency"]
SCALARS = ["request_throughput", "request_count", "error_request_count", "output_token_throughput", "goodput"]
METADATA = ["session_num", "x_request_id", "request_start_ns", "request_ack_ns", "request_end_ns", "benchmark_phase", "was_cancelled"]


def check_aiperf(place, stage):
    directory = run / "aiperf" / f"{place}-{stage['name']}"
    aggregates = json.loads((directory / "profile_export_aiperf.json").read_text())
    assert isinstance(aggregates["schema_version"], str) and isinstance(aggregates["input_config"], dict)
    assert all(set(aggregates[tag]) == STATISTICS for tag in DISTRIBUTIONS)
    assert all(set(aggregates[tag]) == {"unit", "avg"} for tag in SCALARS)
    assert aggregates["request_latency"]["p99"] == stage["latency_ms"]["p99"]
    records = [json.loads(line) for line in (directory / "profile_export.jsonl").open()]
    assert len(records) == stage["requests"]["sent"]
    for record in records:
        assert all(key in record["metadata"] for key in METADATA)
        assert all(set(metric) == {"value", "unit"} for metric in record["metrics"].values())
        assert record["error"] is None or set(record["error"]) == {"code", "type", "message"}
    return len(records)


samples = check_histogram_log()
records = sum(check_aiperf(place, stage) for place, stage in enumerate(stages, 1))
print(f"ok: {samples} latencies in the histogram log, {records} records for AIPerf")
