"""Runs the Nexmark queries beside this file and tells what each took.

    python benches/nexmark/run.py --host target/release/volley-host [--parallelism 1] [--rounds 3] [--only q5]

A line is `nexmark_QUERY_PARALLELISM ROWS_PER_SECOND_AND_CORE rows/s per core, peak MIB MiB`: rows that the sources gave, over
the CPU seconds of the whole process, in the round that took the fewest; and the most memory that any round had.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

QUERIES = pathlib.Path(__file__).parent / "queries"


def run(host, query, parallelism):
    """One run: rows read, CPU seconds, wall seconds, peak memory in MiB."""
    command = [host, "run", str(query), "--parallelism", str(parallelism), "--json"]
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    if status != 0:
        sys.exit(f"{query.name}: {errors.decode()}")
    nodes = json.loads(output)["nodes"]
    rows = sum(node["rows_out"] for node in nodes if node["role"] == "source")
    return rows, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", required=True, help="volley-host, built in release")
    parser.add_argument("--parallelism", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="only the queries whose name begins with this")
    arguments = parser.parse_args()
    queries = sorted(QUERIES.glob("*.yaml"), key=lambda path: int(path.stem[1:]))
    for query in queries:
        if not query.stem.startswith(arguments.only):
            continue
        runs = [run(arguments.host, query, arguments.parallelism) for _ in range(arguments.rounds)]
        rows, cpu, _, _ = min(runs, key=lambda one: one[1])
        wall = min(one[2] for one in runs)
        memory = max(one[3] for one in runs)
        name = f"nexmark_{query.stem}_{arguments.parallelism}"
        print(f"{name} {rows / cpu:.0f} rows/s per core, {rows / wall:.0f} rows/s, peak {memory:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
