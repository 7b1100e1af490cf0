"""Checks what a chaos job has put out, with DuckDB: independent of the code under test.

Reads questions from standard input, a line of JSON each, and answers each with a line: {"wrong": [sentence, ...],
"unreadable": [sentence, ...]}. What the rows must be follows from the options of the generator alone (closed forms in SQL
below), not from anything that Volley wrote. "wrong" is about rows and files that are there or not. "unreadable" is about what
cannot be judged: a file that is broken, one with other columns, and this program where it fails itself.
"""

import glob
import json
import os
import sys

import duckdb

# The shape of the rows: tests/chaos/src/pipeline.rs writes the same expressions into the pipeline.
ROWS = """
    select n as id, n % $users as usr, n // 10 - case when n % 50 = 7 then 3000 else 0 end as at_ms, n % 50 = 7 as is_late,
           n // 8 as grp
    from range($rows) t(n)
"""
WINDOW_MS = 500
# The rows that sessions and plugins see.
FEW = "id % 50 <> 7 and usr < 5 and at_ms % 100 < 50"
GAP_MS = 20


# What the sinks write: the kind of their files, and columns in order. Text stands for what is not looked into.
SINKS = {
    "raw": ("parquet", "id bigint, usr bigint, at bigint, grp bigint"),
    "sums": ("parquet", "usr bigint, window_start timestamptz, window_end timestamptz, n bigint, s bigint"),
    "late": ("jsonl", "event_data varchar, event_time timestamptz, watermark timestamptz, window_start timestamptz, "
                      "window_end timestamptz, lateness_ms bigint"),
    "visits": ("csv", "usr bigint, window_start timestamptz, window_end timestamptz, n bigint, s bigint"),
    "firsts": ("jsonl", "id bigint, usr bigint, at bigint, grp bigint"),
    "tops": ("jsonl", "usr bigint, at bigint, rank bigint, item varchar, count bigint"),
    "means": ("parquet", "usr bigint, window_start timestamptz, window_end timestamptz, sum double, avg double"),
    "kept": ("csv", "usr bigint, at bigint, count bigint, sum bigint"),
}
# How Parquet spells these types.
PARQUET = {"bigint": ("INT64", None), "timestamptz": ("INT64", "TIMESTAMP_MILLIS"), "double": ("DOUBLE", None)}


class Unreadable(Exception):
    """A file of the output is not what a reader expects; the message says which and why."""


class Checker:
    def __init__(self, folder, rows, users, splits, sinks=None):
        self.folder = folder
        self.sinks = sinks or list(SINKS)
        self.wrong = []
        self.unreadable = []
        self.splits = int(splits)
        self.db = duckdb.connect()
        self.db.execute("set threads to 2")
        text = ROWS.replace("$rows", str(int(rows))).replace("$users", str(int(users)))
        self.db.execute(f"create table source as {text}")

    def load(self, name):
        """The rows of a sink as a table of its name, with the numbers that the names of its files bear: whether they could be read."""
        kind, columns = SINKS[name]
        files = sorted(glob.glob(os.path.join(self.folder, name, f"part-*.{kind}")))
        if not files:
            self.db.execute(f"create table {name} ({columns}, inc bigint, writer bigint, epoch bigint, part bigint)")
            return True
        columns = dict(column.split() for column in columns.split(", "))
        types = {column: of.upper() for column, of in columns.items()}
        read = {"parquet": "read_parquet(?, filename = true)",
                # Types are given, not guessed from the first rows.
                "csv": f"read_csv(?, filename = true, header = true, delim = ',', quote = '\"', columns = {types})",
                "jsonl": f"read_json(?, filename = true, format = 'newline_delimited', columns = {types})"}[kind]
        pattern = r"@(\d+)-(\d+)-(\d+)(?:-(\d+))?\.[a-z]+$"
        number = lambda group: f"try_cast(regexp_extract(filename, '{pattern}', {group}) as bigint)"
        try:
            getattr(self, f"columns_of_{kind}")(files, columns)
            self.db.execute(
                f"create table {name} as select * exclude (filename), {number(1)} as inc, {number(2)} as writer, "
                f"{number(3)} as epoch, coalesce({number(4)}, 0) as part from {read}", [files])
        except (Unreadable, duckdb.Error, OSError, UnicodeDecodeError) as error:
            self.unreadable.append(f"{name} cannot be read: {type(error).__name__}: {error}")
            return False
        if self.one(f"select count(*) from {name} where inc is null or epoch is null"):
            self.wrong.append(f"{name}: a file's name does not say its run and epoch")
        return True

    def columns_of_parquet(self, files, columns):
        expected = [(name, *PARQUET[of]) for name, of in columns.items()]
        found = {}
        for file, *column in self.db.execute(
                "select file_name, name, type, converted_type from parquet_schema(?) where num_children is null", [files]).fetchall():
            found.setdefault(file, []).append(tuple(column))
        for file in files:
            if found.get(file) != expected:
                raise Unreadable(f"{os.path.basename(file)} has the columns {found.get(file)}, and not {expected}")

    def columns_of_csv(self, files, columns):
        expected = ",".join(columns)
        for file in files:
            with open(file, encoding="utf-8") as text:
                found = text.readline().rstrip("\r\n")
            if found != expected:
                raise Unreadable(f"{os.path.basename(file)} begins with {found!r}, and not {expected!r}")

    def columns_of_jsonl(self, files, columns):
        found = self.db.execute(
            "select any_value(filename), json_keys(json) as keys from read_ndjson_objects(?, filename = true) group by keys",
            [files]).fetchall()
        for file, keys in found:
            if keys != list(columns):
                raise Unreadable(f"{os.path.basename(file)} has the columns {keys}, and not {list(columns)}")

    def one(self, sql):
        return self.db.execute(sql).fetchone()[0]

    def none(self, what, sql):
        """Nothing may come out of this query."""
        rows = self.db.execute(f"select count(*) from ({sql})").fetchone()[0]
        if rows:
            shown = self.db.execute(f"select * from ({sql}) limit 3").fetchall()
            self.wrong.append(f"{what}: {rows} times, for example {shown}")

    def same(self, name, found, expected):
        """Both queries give the same rows, each as often."""
        self.none(f"{name}: lost", f"({expected}) except all ({found})")
        self.none(f"{name}: too much", f"({found}) except all ({expected})")

    def ascends(self, name, key, value):
        """Behind every epoch nothing comes that belongs before it, for each key."""
        self.none(f"{name}: out of order",
                  f"select {key}, epoch, low, high from (select {key}, epoch, min({value}) as low, lag(max({value})) over "
                  f"(partition by {key} order by epoch) as high from {name} group by {key}, epoch) where low < high")

    def check(self):
        read = {name for name in self.sinks if self.load(name)}
        for needs in ("raw", "sums", "late", "sums late", "visits", "firsts", "tops", "means", "kept"):
            if read.issuperset(needs.split()):
                getattr(self, "check_" + needs.replace(" ", "_and_"))()
        # Readers of the folders see files and nothing else.
        left = [name for sink in SINKS for name in glob.glob(os.path.join(self.folder, sink, ".*"))]
        if left:
            self.wrong.append(f"{len(left)} staged files were left behind, for example {os.path.basename(left[0])}")

    def check_raw(self):
        """Stateless: each row once, and those of a split in order."""
        self.same("raw", "select id, usr, grp from raw", "select id, usr, grp from source where id % 2 = 1")
        self.db.execute(f"create view raw_split as select id % {self.splits} as split, id, epoch from raw")
        self.ascends("raw_split", "split", "id")

    def check_sums(self):
        """A window has one result for a key."""
        self.db.execute("create view sums_at as select usr, epoch_ms(window_start) as start_ms, epoch from sums")
        self.none("sums: twice", "select usr, start_ms from sums_at group by all having count(*) > 1")
        self.ascends("sums_at", "usr", "start_ms")

    def check_late(self):
        self.db.execute("create view late_rows as select cast(json_extract(event_data, '$.id') as bigint) as id from late")
        self.none("late: twice", "select id from late_rows group by id having count(*) > 1")
        self.none("late: not late at all", "select id from late_rows semi join source using (id) where id not in "
                                           "(select id from source where is_late)")

    def check_sums_and_late(self):
        """What is in windows and what was late are all rows, to the last digit."""
        self.same("sums",
                  "select usr, epoch_ms(window_start) as start_ms, cast(n as bigint) as n, cast(s as bigint) as s from sums",
                  f"select usr, cast(floor(at_ms / {WINDOW_MS}.0) as bigint) * {WINDOW_MS} as start_ms, count(*) as n, "
                  "cast(sum(id) as bigint) as s from source "
                  "where id not in (select id from late_rows) group by all")
        total = self.db.execute("select (select coalesce(sum(s), 0) from sums) + (select coalesce(sum(id), 0) from late_rows), "
                                "(select sum(id) from source), (select coalesce(sum(n), 0) from sums) + "
                                "(select count(*) from late_rows), (select count(*) from source)").fetchone()
        if total[0] != total[1] or total[2] != total[3]:
            self.wrong.append(f"sums and late: {total[2]} rows of {total[3]}, and {total[0]} of {total[1]} in sum")

    def check_tops(self):
        """A plugin with state and timers: of each stretch the two items that came most often."""
        self.same("tops", "select usr, \"at\" as at_ms, rank, item, count from tops",
                  f"""select usr, start_ms + {WINDOW_MS} as at_ms, rank, item, count
                      from (select *, row_number() over (partition by usr, start_ms order by count desc, item) as rank
                            from (select usr, at_ms // {WINDOW_MS} * {WINDOW_MS} as start_ms, cast(grp % 5 as varchar) as item,
                                         count(*) as count from source where {FEW} group by all))
                      where rank <= 2""")
        self.ascends("tops", "usr", '"at"')

    def check_means(self):
        """A plugin that aggregates: sums of whole numbers are exact, in any order."""
        self.same("means", "select usr, epoch_ms(window_start) as start_ms, sum, avg from means",
                  f"""select usr, at_ms // {WINDOW_MS} * {WINDOW_MS} as start_ms, cast(sum(id) as double) as sum,
                             cast(sum(id) as double) / count(*) as avg
                      from source where {FEW} group by all""")

    def check_kept(self):
        """A plugin that counts the rows of a key by itself and has the host keep their sum; and its next version, which keeps on
        adding to sums that were brought over, and puts out 1 for keys that it has of the version before it, and else 0."""
        self.db.execute("""create view kept_rows as
            select usr, count, sum, row_number() over of_key as number, sum - coalesce(lag(sum) over of_key, 0) as id,
                   max(count) over (partition by usr) as counted
            from kept window of_key as (partition by usr order by sum, epoch, count)""")
        # Sums of a key grow by one row at a time, so each says which row that was.
        self.same("kept", "select usr, id from kept_rows", f"select usr, id from source where {FEW}")
        self.none("kept: miscounted", "select * from kept_rows where count <> "
                                      "case when number <= counted then number else least(counted, 1) end")
        self.ascends("kept", "usr", "sum")

    def check_visits(self):
        """Sessions of the rows that are not late."""
        self.same("visits",
                  "select usr, epoch_ms(window_start) as start_ms, epoch_ms(window_end) as until, n, s from visits",
                  f"""select usr, min(at_ms) as start_ms, max(at_ms) + {GAP_MS} as until, count(*) as n, cast(sum(id) as bigint) as s
                      from (select *, sum(starts) over (partition by usr order by at_ms, id) as session from
                        (select *, case when at_ms - lag(at_ms) over (partition by usr order by at_ms, id) < {GAP_MS}
                                   then 0 else 1 end as starts from source where not is_late and usr < 5
                                   and at_ms % 100 < 50))
                      group by usr, session""")

    def check_firsts(self):
        """One row of each group, and one that was there."""
        self.same("firsts", "select grp from firsts", "select distinct grp from source where not is_late and usr % 2 = 0")
        self.none("firsts: made up", "select id, grp from firsts except select id, grp from source")


def answer(question):
    try:
        checker = Checker(**question)
        checker.check()
        return {"wrong": checker.wrong, "unreadable": checker.unreadable}
    except Exception as error:  # Whatever it is, it says nothing about the output.
        return {"wrong": [], "unreadable": [f"the checker failed: {type(error).__name__}: {error}"]}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
