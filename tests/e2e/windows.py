"""Computes windows over the raw month with DuckDB, and compares the host's output with them row by row.

usage: windows.py hourly|delays|sliding|sessions|counted|all|deduped RAW.csv.gz OUTPUT.parquet [LATE.jsonl]
"""

import datetime
import json
import math
import sys

import duckdb

FLOAT_DIFFERENCE_MAX = 1e-9
MS = datetime.timedelta(milliseconds=1)
# What tests/e2e/windows.rs plants: rows whose flight numbers begin here, an hour from one to the next.
PLANTED = 100
PLANTED_FLIGHT = 90_000
PLANTED_FROM = datetime.datetime(2010, 1, 1, tzinfo=datetime.timezone.utc)

RESULTS = """count(*) AS flights, count(dep_delay) AS departed, avg(dep_delay) AS mean_delay, sum(dep_delay) AS total,
    min(dep_delay) AS least, max(distance) AS farthest, stddev(dep_delay) AS deviation,
    count(DISTINCT dest) AS places, count(*) FILTER (WHERE dep_delay > 15) AS late"""

QUERIES = {
    "hourly": f"""
        SELECT carrier, time_hour AS window_start, time_hour + INTERVAL 1 HOUR AS window_end, {RESULTS}
        FROM flights GROUP BY ALL""",
    "delays": """
        SELECT carrier, time_hour AS window_start, time_hour + INTERVAL 1 HOUR AS window_end,
            count(*) AS flights, avg(dep_delay) AS mean_delay
        FROM flights GROUP BY ALL""",
    # Every window that holds a row: the slides from its own half hour backwards.
    "sliding": f"""
        SELECT carrier, window_start, window_start + INTERVAL 3 HOUR AS window_end, {RESULTS}
        FROM (SELECT *, unnest(generate_series(time_hour - INTERVAL 150 MINUTE, time_hour, INTERVAL 30 MINUTE))
              AS window_start FROM flights)
        GROUP BY ALL""",
    # A row begins a session when the one before it is the gap away, or more.
    "sessions": f"""
        SELECT carrier, origin, min(time_hour) AS window_start, max(time_hour) + INTERVAL 2 HOUR AS window_end,
            {RESULTS}
        FROM (SELECT *, sum(begins) OVER (PARTITION BY carrier, origin ORDER BY time_hour) AS session
              FROM (SELECT *, CASE WHEN time_hour - lag(time_hour) OVER (PARTITION BY carrier, origin ORDER BY time_hour)
                    < INTERVAL 2 HOUR THEN 0 ELSE 1 END AS begins FROM flights))
        GROUP BY carrier, origin, session""",
    # Windows of 1,000 rows in the order of the file, and what is left.
    "counted": f"""
        SELECT carrier, {RESULTS}
        FROM (SELECT *, (row_number() OVER (PARTITION BY carrier ORDER BY line) - 1) // 1000 AS thousand FROM flights)
        GROUP BY carrier, thousand""",
    # Within a year everything of a flight number repeats its first row.
    "deduped": """
        SELECT * EXCLUDE (line) FROM flights
        QUALIFY row_number() OVER (PARTITION BY carrier, flight ORDER BY line) = 1""",
    "all": f"SELECT carrier, tailnum, {RESULTS} FROM flights GROUP BY ALL",
}


def rows(database, query):
    cursor = database.execute(f"SELECT * FROM ({query}) ORDER BY ALL")
    return [column[0] for column in cursor.description], cursor.fetchall()


def same(found, wanted):
    if isinstance(found, float) and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=FLOAT_DIFFERENCE_MAX, abs_tol=FLOAT_DIFFERENCE_MAX)
    return found == wanted


def compare(database, query, output):
    """Same columns, same rows; floats may differ in their last digits, since sums go in another order."""
    wanted_names, wanted = rows(database, query)
    found_names, found = rows(database, f"SELECT * FROM read_parquet('{output}')")
    assert found_names == wanted_names, (found_names, wanted_names)
    assert len(found) == len(wanted), f"{len(found)} rows, DuckDB has {len(wanted)}"
    for ours, theirs in zip(found, wanted):
        assert all(map(same, ours, theirs)), f"{ours}\nDuckDB:\n{theirs}"


def late(path):
    """Exactly the planted rows, each with the whole row, its window and how far the watermark was ahead."""
    with open(path) as file:
        records = [json.loads(line) for line in file]
    assert len(records) == PLANTED, f"{len(records)} late rows"
    columns = ["event_data", "event_time", "watermark", "window_start", "window_end", "lateness_ms"]
    planted = set()
    for record in records:
        assert list(record) == columns, list(record)
        row = json.loads(record["event_data"])
        number = row["flight"] - PLANTED_FLIGHT
        time, watermark, start, end = (datetime.datetime.fromisoformat(record[name]) for name in columns[1:5])
        assert time == PLANTED_FROM + datetime.timedelta(hours=number), record
        assert (start, end) == (time, time + datetime.timedelta(hours=1)), record
        assert watermark.year == 2013 and record["lateness_ms"] == (watermark - time) // MS, record
        assert row["carrier"] == "UA" and len(row) == 19, row
        planted.add(number)
    assert planted == set(range(PLANTED)), planted


def main():
    question, path, output, *planted = sys.argv[1:]
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.execute(
        f"""CREATE TABLE flights AS SELECT *, row_number() OVER () AS line
            FROM read_csv('{path}', parallel = false, types = {{'time_hour': 'TIMESTAMPTZ'}})"""
    )
    compare(database, QUERIES[question], output)
    for path in planted:
        late(path)


main()
