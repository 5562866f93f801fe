"""Python's sqlite3.

Rows to be written are tuples and rows read by name are sqlite3.Row: the quickest that it offers.
It caches statements by their text, so that "prepared" and "by text" are the same to it.
"""

import os
import sys

sys.path.append(os.path.join(os.path.dirname(__file__), ".."))

import contender
from contender import Work

try:
    import sqlite3
except ImportError as reason:
    print("absent", reason)
    sys.exit()

CACHE_KIB = 65536

INSERT = "INSERT INTO t(id, name, score, tag, n) VALUES(?, ?, ?, ?, ?)"
SCAN = "SELECT id, name, score, tag, n FROM t"
GET = "SELECT id, name, score, tag, n FROM t WHERE id = ?"
UPDATE = "UPDATE t SET n = ?, score = ? WHERE id = ?"
WARM = "SELECT sum(length(name)), sum(score) FROM t"
STREAM = f"""
    WITH RECURSIVE counter(i) AS (
      SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < {contender.STREAMED})
    SELECT i AS id, 'user_name_' || i AS name, i * 0.5 + 0.25 AS score,
      'tag' || (i % 16) AS tag, (i * 7919) % 1000003 AS n FROM counter"""


def connect(path):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    db.row_factory = sqlite3.Row
    return db


def warm(db):
    db.execute(WARM).fetchall()


def total(found):
    integers, reals = 0, 0.0
    for row in found:
        integers += row["id"] + len(row["name"]) + len(row["tag"]) + row["n"]
        reals += row["score"]
    return integers, reals


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


def stream(db, _, watch):
    integers, reals = 0, 0.0
    for count, row in enumerate(db.execute(STREAM), 1):
        integers += row["id"] + len(row["name"]) + len(row["tag"]) + row["n"]
        reals += row["score"]
        if count == contender.STREAM_MARK:
            watch.settled()
    return integers, reals


title = "Python " + sys.version.split()[0]
library = sqlite3.sqlite_version
works = {
    "insert": Work(insert, contender.rows, cold=True, writes=True),
    "insert_many": Work(insert_many, contender.rows, cold=True, writes=True),
    "tuples": Work(tuples),
    "rows": Work(named_rows),
    "point_prepared": Work(point, contender.keys),
    "point_text": Work(point, contender.keys),
    "point_transaction": Work(point_transaction, contender.keys),
    "update": Work(update, contender.keys, writes=True),
    "all": Work(kept, sums=total),
    "stream": Work(stream, cold=True, watched=True),
}

contender.main(sys.modules[__name__])
