"""Python's sqlite3, called and answering as the contenders in Lua do (see ../contender.lua).

Rows to be written are tuples and rows read by name are sqlite3.Row: the quickest that it offers.
It caches statements by their text, so that "prepared" and "by text" are the same to it.
"""

import gc
import sys
import time

try:
    import sqlite3
except ImportError as reason:
    print("absent", reason)
    sys.exit()

TABLE_ROWS, INSERTS, READS, UPDATES = 1000000, 200000, 200000, 100000
STREAMED, STREAM_MARK = 10000000, 1000000
CACHE_KIB = 65536

INSERT = "INSERT INTO t(id, name, score, tag, n) VALUES(?, ?, ?, ?, ?)"
SCAN = "SELECT id, name, score, tag, n FROM t"
GET = "SELECT id, name, score, tag, n FROM t WHERE id = ?"
UPDATE = "UPDATE t SET n = ?, score = ? WHERE id = ?"
WARM = "SELECT sum(length(name)), sum(score) FROM t"
STREAM = f"""
    WITH RECURSIVE counter(i) AS (
      SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < {STREAMED})
    SELECT i AS id, 'user_name_' || i AS name, i * 0.5 + 0.25 AS score,
      'tag' || (i % 16) AS tag, (i * 7919) % 1000003 AS n FROM counter"""


def rows(count):
    return [
        (i, f"user_name_{i}", i * 0.5 + 0.25, f"tag{i % 16}", i * 7919 % 1000003)
        for i in range(1, count + 1)
    ]


def keys(count):
    return [i * 7919 % TABLE_ROWS + 1 for i in range(1, count + 1)]


def peak_memory():
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


class Stopwatch:
    def start(self):
        gc.collect()
        self.memory = peak_memory()
        self.elapsed = time.perf_counter()
        self.cpu = time.process_time()

    def settled(self):
        self.memory = peak_memory()

    def stop(self):
        self.cpu = time.process_time() - self.cpu
        self.elapsed = time.perf_counter() - self.elapsed
        self.memory = peak_memory() - self.memory


def connect(path):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    db.row_factory = sqlite3.Row
    return db


def total(found):
    integers, reals = 0, 0.0
    for row in found:
        integers += row["id"] + len(row["name"]) + len(row["tag"]) + row["n"]
        reals += row["score"]
    return integers, reals


# ---- works: the time of the call is what counts; one that reads returns its checksum, or what
# ---- it has kept


def insert(db, batch):
    db.execute("BEGIN")
    execute = db.cursor().execute
    for row in batch:
        execute(INSERT, row)
    db.execute("COMMIT")


def insert_many(db, batch):
    db.execute("BEGIN")
    db.executemany(INSERT, batch)
    db.execute("COMMIT")


def tuples(db, _):
    db.row_factory = None
    integers, reals = 0, 0.0
    for id, name, score, tag, n in db.execute(SCAN):
        integers += id + len(name) + len(tag) + n
        reals += score
    return integers, reals


def named_rows(db, _):
    return total(db.execute(SCAN))


def point(db, wanted):
    integers, reals = 0, 0.0
    execute = db.cursor().execute
    for key in wanted:
        row = execute(GET, (key,)).fetchone()
        integers += row["id"] + len(row["name"]) + len(row["tag"]) + row["n"]
        reals += row["score"]
    return integers, reals


def point_transaction(db, wanted):
    db.execute("BEGIN")
    sums = point(db, wanted)
    db.execute("COMMIT")
    return sums


def update(db, wanted):
    db.execute("BEGIN")
    execute = db.cursor().execute
    for i, key in enumerate(wanted, 1):
        execute(UPDATE, (i, i * 0.5, key))
    db.execute("COMMIT")


def kept(db, _):
    return db.execute(SCAN).fetchall()


def stream(db, watch):
    integers, reals = 0, 0.0
    for count, row in enumerate(db.execute(STREAM), 1):
        integers += row["id"] + len(row["name"]) + len(row["tag"]) + row["n"]
        reals += row["score"]
        if count == STREAM_MARK:
            watch.settled()
    return integers, reals


class Work:
    """`given` makes what the work is called with. What has been read before is not `cold`.
    Who writes closes the database within the time, so that a checkpoint put off is counted."""

    def __init__(self, body, given=lambda watch: None, cold=False, writes=False, sums=None):
        self.body, self.given, self.cold = body, given, cold
        self.writes, self.sums = writes, sums

    def perform(self, path, watch):
        db = connect(path)
        if not self.cold:
            db.execute(WARM).fetchall()
        given = self.given(watch)
        watch.start()
        result = self.body(db, given)
        if self.writes:
            db.close()
        watch.stop()
        return self.sums(result) if self.sums else result


def rows_to_insert(_):
    return rows(INSERTS)


def keys_to_read(_):
    return keys(READS)


WORKS = {
    "insert": Work(insert, rows_to_insert, cold=True, writes=True),
    "insert_many": Work(insert_many, rows_to_insert, cold=True, writes=True),
    "tuples": Work(tuples),
    "rows": Work(named_rows),
    "point_prepared": Work(point, keys_to_read),
    "point_text": Work(point, keys_to_read),
    "point_transaction": Work(point_transaction, keys_to_read),
    "update": Work(update, lambda watch: keys(UPDATES), writes=True),
    "all": Work(kept, sums=total),
    "stream": Work(stream, lambda watch: watch, cold=True),
}


def main(name="", path=None):
    if name == "describe":
        print("title", "Python", sys.version.split()[0])
        print("sqlite", sqlite3.sqlite_version)
        for work in WORKS:
            print("work", work)
        return
    if name not in WORKS or path is None:
        sys.exit("usage: python3.py describe | WORK DATABASE")
    watch = Stopwatch()
    sums = WORKS[name].perform(path, watch)
    print(f"seconds {watch.cpu:.6f}")
    print(f"elapsed {watch.elapsed:.6f}")
    print(f"memory {watch.memory}")
    if sums:
        print(f"checksum {sums[0]} {sums[1]:.2f}")


main(*sys.argv[1:3])
