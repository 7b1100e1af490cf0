"""Computes the demo's result from the raw file, with DuckDB and with pandas, and compares a written output with both.

usage: month.py RAW.csv.gz OUTPUT REJECTED.jsonl
"""

import json
import sys

import avro_file
import duckdb
import numpy
import pandas
import pyarrow
import pyarrow.parquet

TEXTS = ["carrier", "tailnum", "origin", "dest"]
COMPUTED = ["route", "speed_kmh", "delay_band", "made_up_minutes"]
FLOATS = ["speed_kmh", "made_up_minutes"]
KM_PER_MILE = 1.609344
SPEED_KMH = (160, 850)
FLOAT_DIFFERENCE_MAX = 1e-9


def raw(path):
    """The month as pandas reads it, with the line that each row stands on."""
    frame = pandas.read_csv(path, dtype={name: "string" for name in TEXTS}, parse_dates=["time_hour"])
    frame["time_hour"] = frame["time_hour"].dt.tz_convert(None)
    frame["line"] = numpy.arange(len(frame)) + 2
    return frame


def with_duckdb(path):
    """Kept rows and lines of refused rows, by SQL over the file itself."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.execute(
        f"""
        CREATE TABLE flown AS
        SELECT * EXCLUDE (time_hour), CAST(time_hour AS TIMESTAMP) AS time_hour, origin || '-' || dest AS route,
            distance * {KM_PER_MILE} / air_time * 60 AS speed_kmh,
            CASE WHEN arr_delay < 0 THEN 'early' WHEN arr_delay < 15 THEN 'on-time'
                 WHEN arr_delay < 60 THEN 'late' WHEN arr_delay >= 60 THEN 'very-late' END AS delay_band,
            CAST(dep_delay - arr_delay AS DOUBLE) AS made_up_minutes
        FROM (SELECT *, row_number() OVER () + 1 AS line FROM read_csv('{path}', parallel = false))
        WHERE dep_delay IS NOT NULL AND distance >= 500
        """
    )
    low, high = SPEED_KMH
    kept = database.execute(
        f"SELECT * FROM flown WHERE speed_kmh IS NULL OR speed_kmh BETWEEN {low} AND {high} ORDER BY line"
    ).df()
    lines = database.execute(f"SELECT line FROM flown WHERE speed_kmh NOT BETWEEN {low} AND {high}").fetchall()
    return kept, sorted(line for (line,) in lines)


def with_pandas(frame):
    """The same by pandas."""
    frame = frame[frame.dep_delay.notna() & (frame.distance >= 500)].copy()
    frame["route"] = frame.origin + "-" + frame.dest
    frame["speed_kmh"] = frame.distance * KM_PER_MILE / frame.air_time * 60
    edges = [-numpy.inf, 0, 15, 60, numpy.inf]
    bands = pandas.cut(frame.arr_delay, edges, right=False, labels=["early", "on-time", "late", "very-late"])
    frame["delay_band"] = bands.astype("string")
    frame["made_up_minutes"] = frame.dep_delay - frame.arr_delay
    refused = frame.speed_kmh.notna() & ~frame.speed_kmh.between(*SPEED_KMH)
    return frame[~refused], sorted(frame.line[refused])


def written(path):
    """An output file, read by somebody else's code; types that its format has must be the right ones."""
    if path.endswith(".csv"):
        return pandas.read_csv(path, parse_dates=["time_hour"])
    if ".jsonl" in path:
        frame = pandas.read_json(path, lines=True, convert_dates=["time_hour"], precise_float=True)
        return frame.assign(tailnum=frame.tailnum.astype("string"))
    if path.endswith(".avro"):
        schema, records = avro_file.read(path)
        types = {field["name"]: field["type"] for field in schema["fields"]}
        logical = next(kind for kind in types["time_hour"] if kind != "null")
        unit = {"local-timestamp-millis": "ms", "timestamp-millis": "ms", "timestamp-micros": "us"}
        frame = pandas.DataFrame(records)
        return frame.assign(time_hour=pandas.to_datetime(frame.time_hour, unit=unit[logical["logicalType"]]))
    table = pyarrow.parquet.read_table(path) if path.endswith(".parquet") else arrow_file(path)
    assert pyarrow.types.is_timestamp(table.schema.field("time_hour").type), table.schema
    assert pyarrow.types.is_int64(table.schema.field("distance").type), table.schema
    return table.to_pandas()


def arrow_file(path):
    with pyarrow.memory_map(path) as file:
        return pyarrow.ipc.open_file(file).read_all()


def plain(frame, columns):
    """The given columns in one form: floats for numbers, objects for texts, rows in one order."""
    out = {}
    for name in columns:
        column = frame[name]
        if name in TEXTS + ["route", "delay_band"]:
            out[name] = column.astype(object).where(column.notna(), None)
        elif name == "time_hour":
            out[name] = pandas.to_datetime(column, utc=True).astype("datetime64[ns, UTC]")
        else:
            out[name] = column.astype("float64")
    table = pandas.DataFrame(out)
    exact = [name for name in columns if name not in FLOATS]
    return table.sort_values(exact, na_position="first").reset_index(drop=True)


def same(found, wanted, columns, by):
    found, wanted = plain(found, columns), plain(wanted, columns)
    assert len(found) == len(wanted), f"{len(found)} rows, {by} has {len(wanted)}"
    for name in columns:
        if name in FLOATS:
            equal = numpy.isclose(found[name], wanted[name], rtol=0, atol=FLOAT_DIFFERENCE_MAX, equal_nan=True)
        else:
            equal = (found[name] == wanted[name]) | (found[name].isna() & wanted[name].isna())
        rows = numpy.flatnonzero(~numpy.asarray(equal))
        assert len(rows) == 0, f"{name}, {len(rows)} rows, first:\n{found.loc[rows[0]]}\n{by}:\n{wanted.loc[rows[0]]}"


def refused(path, frame, lines):
    """Each refused row with its line, its reason and the row itself."""
    with open(path) as file:
        rejects = [json.loads(line) for line in file]
    assert sorted(reject["position"] for reject in rejects) == lines, (rejects, lines)
    by_line = frame.set_index("line")
    for reject in rejects:
        assert reject["operator"] == "enriched" and reject["source"] == "flights", reject
        assert reject["code"] == "implausible-speed" and "km/h" in reject["message"], reject
        assert reject["split"].endswith("flights-2013-01.csv.gz") and len(reject["digest"]) == 64, reject
        row, wanted = json.loads(reject["row"]), by_line.loc[reject["position"]]
        assert list(row) == [name for name in frame.columns if name != "line"], row
        for name in ["flight", "tailnum", "origin", "dest", "air_time", "distance", "dep_delay", "arr_delay"]:
            assert row[name] == wanted[name], (name, row, wanted)


def main():
    path, output, rejected = sys.argv[1:]
    frame = raw(path)
    columns = [name for name in frame.columns if name != "line"] + COMPUTED
    found = written(output)
    assert list(found.columns) == columns, list(found.columns)
    for by, (kept, lines) in {"DuckDB": with_duckdb(path), "pandas": with_pandas(frame)}.items():
        same(found, kept, columns, by)
        refused(rejected, frame, lines)


main()
