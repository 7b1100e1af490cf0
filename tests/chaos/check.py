"""Checks what a chaos job has put out, with DuckDB: independent of the code under test.

Reads questions from standard input, a line of JSON each, and answers each with a line: {"wrong": [sentence, ...]}. What the
rows must be follows from the options of the generator alone (closed forms in SQL below), not from anything that Volley wrote.
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
GAP_MS = 20


class Checker:
    def __init__(self, folder, rows, users, splits):
        self.folder = folder
        self.wrong = []
        self.splits = splits
        self.db = duckdb.connect()
        self.db.execute("set threads to 2")
        text = ROWS.replace("$rows", str(int(rows))).replace("$users", str(int(users)))
        self.db.execute(f"create table source as {text}")

    def load(self, name, kind, columns):
        """The rows of a sink as a table of its name, with the numbers that the names of its files bear."""
        files = sorted(glob.glob(os.path.join(self.folder, name, f"part-*.{kind}")))
        if not files:
            self.db.execute(f"create table {name} ({columns}, inc bigint, writer bigint, epoch bigint, part bigint)")
            return
        types = {column: of.upper() for column, of in (column.split() for column in columns.split(", "))}
        read = {"parquet": "read_parquet(?, filename = true)",
                "csv": "read_csv(?, filename = true, header = true)",
                # Types are given, not guessed from the first rows.
                "jsonl": f"read_json(?, filename = true, format = 'newline_delimited', columns = {types})"}[kind]
        pattern = r"@(\d+)-(\d+)-(\d+)(?:-(\d+))?\.[a-z]+$"
        number = lambda group: f"try_cast(regexp_extract(filename, '{pattern}', {group}) as bigint)"
        self.db.execute(
            f"create table {name} as select * exclude (filename), {number(1)} as inc, {number(2)} as writer, "
            f"{number(3)} as epoch, coalesce({number(4)}, 0) as part from {read}", [files])
        if self.one(f"select count(*) from {name} where inc is null or epoch is null"):
            self.wrong.append(f"{name}: a file's name does not say its run and epoch")

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
        self.load("raw", "parquet", "id bigint, usr bigint, at bigint")
        self.load("sums", "parquet", "usr bigint, window_start timestamptz, n bigint, s bigint")
        self.load("late", "jsonl", "event_data varchar")
        self.load("visits", "csv", "usr bigint, window_start timestamptz, window_end timestamptz, n bigint, s bigint")
        self.load("firsts", "jsonl", "id bigint, grp bigint")
        # Stateless: each row once, and those of a split in order.
        self.same("raw", "select id, usr from raw", "select id, usr from source where id % 2 = 1")
        self.db.execute(f"create view raw_split as select id % {self.splits} as split, id, epoch from raw")
        self.ascends("raw_split", "split", "id")
        # A window has one result for a key; what is in windows and what was late are all rows, to the last digit.
        start = "epoch_ms(window_start)"
        self.none("sums: twice", f"select usr, {start} from sums group by all having count(*) > 1")
        self.db.execute("create view late_rows as select cast(json_extract(event_data, '$.id') as bigint) as id from late")
        self.none("late: twice", "select id from late_rows group by id having count(*) > 1")
        self.none("late: not late at all", "select id from late_rows semi join source using (id) where id not in "
                  "(select id from source where is_late)")
        window = f"cast(floor(at_ms / {WINDOW_MS}.0) as bigint) * {WINDOW_MS}"
        self.same("sums",
                  f"select usr, {start} as start_ms, cast(n as bigint) as n, cast(s as bigint) as s from sums",
                  f"select usr, {window} as start_ms, count(*) as n, cast(sum(id) as bigint) as s from source "
                  "where id not in (select id from late_rows) group by all")
        total = self.db.execute("select (select coalesce(sum(s), 0) from sums) + (select coalesce(sum(id), 0) from late_rows), "
                                "(select sum(id) from source), (select coalesce(sum(n), 0) from sums) + "
                                "(select count(*) from late_rows), (select count(*) from source)").fetchone()
        if total[0] != total[1] or total[2] != total[3]:
            self.wrong.append(f"sums and late: {total[2]} rows of {total[3]}, and {total[0]} of {total[1]} in sum")
        self.db.execute(f"create view sums_at as select usr, {start} as start_ms, epoch from sums")
        self.ascends("sums_at", "usr", "start_ms")
        # Sessions of the rows that are not late.
        self.same("visits",
                  f"select usr, {start} as start_ms, epoch_ms(window_end) as until, cast(n as bigint) as n, "
                  "cast(s as bigint) as s from visits",
                  f"""select usr, min(at_ms) as start_ms, max(at_ms) + {GAP_MS} as until, count(*) as n, cast(sum(id) as bigint) as s
                      from (select *, sum(starts) over (partition by usr order by at_ms, id) as session from
                        (select *, case when at_ms - lag(at_ms) over (partition by usr order by at_ms, id) < {GAP_MS}
                                   then 0 else 1 end as starts from source where not is_late and usr < 5
                                   and at_ms % 100 < 50))
                      group by usr, session""")
        # One row of each group, and one that was there.
        self.same("firsts", "select grp from firsts", "select distinct grp from source where not is_late and usr % 2 = 0")
        self.none("firsts: made up", "select id, grp from firsts except select id, grp from source")
        # Readers of the folders see files and nothing else.
        left = [name for sink in ("raw", "sums", "late", "visits", "firsts")
                for name in glob.glob(os.path.join(self.folder, sink, ".*"))]
        if left:
            self.wrong.append(f"{len(left)} staged files were left behind, for example {os.path.basename(left[0])}")
        return self.wrong


def answer(question):
    try:
        return Checker(**question).check()
    except Exception as error:  # A file that cannot be read is as wrong as one that says something else.
        return [f"cannot be read: {type(error).__name__}: {error}"]


for line in sys.stdin:
    print(json.dumps({"wrong": answer(json.loads(line))}), flush=True)
