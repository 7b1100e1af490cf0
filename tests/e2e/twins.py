"""Golden output of operators, computed by DuckDB from the closed form of the source: independent of the code under test.

usage: twins.py check|write FOLDER

`check` compares each file of the folder with what it has to be, `write` writes them anew. The source and the operators are those of
tests/e2e/twins.rs, in other words.
"""

import json
import os
import sys

import duckdb

ROWS = 9_000
GAP_MS = 9_000
STRETCH_MS = 600_000
SILENT_MS = 15_000
DEVIATIONS = 3
READINGS_MIN = 20
RECENT_MS = 3_600_000

SOURCE = f"""
    select n as id, n % 7 as key, n * 1000 + n // 100 * 20000 as at_ms,
        case when n % 11 = 0 then null else cast(n * 7919 % 1000 - 500 as double) end as amount,
        case when n % 13 = 5 then null else cast(n * 31 % 251 as double) / 2e0 end as fahrenheit,
        cast(50 + n * 37 % 11 + case when n % 97 = 3 then 500 else 0 end as double) as reading,
        'item ' || (n * n % 13) as item, case when n % 17 = 4 then null else 'step ' || (n * 7 % 31 % 5) end as step
    from range({ROWS}) t(n)"""

# A time as JSON Lines have it: of a window, with its zone, and of a column without one. All of them are whole seconds.
TIME = "strftime(make_timestamp(({}) * 1000), '%Y-%m-%dT%H:%M:%SZ')"
LOCAL = TIME.replace("Z'", "'")
START = f"at_ms // {STRETCH_MS} * {STRETCH_MS}"
CELSIUS = "((fahrenheit - 32e0) * 5e0 / 9e0)"

QUERIES = {
    "sum-avg": f"""
        select key, {TIME.format("start")} as window_start, sum(amount) as sum, avg(amount) as avg
        from (select *, {START} as start from source) group by key, start""",
    "sessions": f"""
        select key, min(at_ms) as session_start, max(at_ms) as session_end, count(*) as rows
        from (select *, sum(begins) over (partition by key order by at_ms) as session
              from (select *, case when at_ms - lag(at_ms) over (partition by key order by at_ms) <= {GAP_MS} then 0 else 1 end
                    as begins from source))
        group by key, session""",
    "journeys": f"""
        with steps as (
            select *, sum(begins) over (partition by key order by at_ms) as journey
            from (select *, case when at_ms - lag(at_ms) over (partition by key order by at_ms) <= {GAP_MS} then 0 else 1 end
                  as begins from source where step is not null)),
        counted as (select key, journey, step, count(*) as n from steps group by all)
        select key, min(at_ms) as journey_start, max(at_ms) as journey_end, count(*) as steps,
            (select step from counted c where c.key = s.key and c.journey = s.journey order by n desc, step limit 1) as favourite,
            string_agg(step, ' > ' order by at_ms) as way
        from steps s group by key, journey""",
    "celsius": f"""
        select id, {CELSIUS} as c, {CELSIUS} + cast(key as double) as d, coalesce({CELSIUS}, -1e0) as e
        from source where id % 20 = 0 and ({CELSIUS} > 10 or fahrenheit is null)""",
    "top-k": f"""
        select key, {LOCAL.format(f"start + {STRETCH_MS}")} as at, rank, item, count
        from (select *, row_number() over (partition by key, start order by count desc, item) as rank
              from (select key, start, item, count(*) as count from (select *, {START} as start from source) group by all))
        where rank <= 3""",
    "anomalies": f"""
        with judged as (
            select key, at_ms, reading, n, s / n as mean, sqrt(q / n - s / n * (s / n)) as deviation
            from (select *, count(*) over before as n, sum(reading) over before as s, sum(reading * reading) over before as q
                  from source window before as (partition by key order by id rows between unbounded preceding and 1 preceding))),
        told as (
            select *, abs(reading - mean) / deviation as deviations from judged
            where n >= {READINGS_MIN} and deviation > 0 and abs(reading - mean) / deviation > {DEVIATIONS})
        select key, {LOCAL.format("at_ms")} as at, reading, mean, deviations,
            count(*) over (partition by key order by at_ms range between {RECENT_MS - 1} preceding and current row) as recent
        from told""",
    "silences": f"""
        select key, at_ms as since_ms
        from (select key, at_ms, lead(at_ms) over (partition by key order by at_ms) as next_ms from source)
        where next_ms is null or next_ms - at_ms >= {SILENT_MS}""",
    "ticks": """
        select n * 250 as ts, substr('SYMBOLS', 1, n % 8) as symbol, cast(n as double) / 4e0 as price from range(900) t(n)""",
}


def lines(database, query):
    cursor = database.execute(query)
    names = [column[0] for column in cursor.description]
    rows = (dict(sorted(zip(names, row))) for row in cursor.fetchall())
    return sorted(json.dumps(row, separators=(",", ":")) for row in rows)


def main():
    _, what, folder = sys.argv
    database = duckdb.connect()
    database.execute(f"create table source as {SOURCE}")
    for name, query in QUERIES.items():
        path, due = os.path.join(folder, f"{name}.jsonl"), lines(database, query)
        if what == "write":
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in due)
            continue
        with open(path, encoding="utf-8") as file:
            found = file.read().splitlines()
        if found != due:
            differs = next(((f, d) for f, d in zip(found, due) if f != d), None)
            sys.exit(f"{path}: {len(found)} lines, {len(due)} due; first that differs (found, due): {differs}")
    known = {f"{name}.jsonl" for name in QUERIES}
    if set(os.listdir(folder)) != known:
        sys.exit(f"{folder}: {sorted(set(os.listdir(folder)) ^ known)} are too many or missing")


main()
