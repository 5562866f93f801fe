"""Python's psycopg2.

It prepares nothing and writes values into the SQL itself, so that "prepared" and "by text" are the
same to it. Rows to be written are tuples, rows read by name are named tuples, rows read lazily come
from a cursor of the server: the quickest and the leanest that it offers.
"""

import io
import os
import sys

sys.path.append(os.path.join(os.path.dirname(__file__), "..", ".."))

import contender
from contender import Work

try:
    import psycopg2
    from psycopg2.extras import NamedTupleCursor, execute_values
except ImportError as reason:
    print("absent", reason)
    sys.exit()

FETCHED = 2000  # rows at a time from a cursor of the server
AT_ONCE = 1000  # rows in one statement

INSERT = "INSERT INTO t(id, name, score, tag, n) VALUES(%s, %s, %s, %s, %s)"
COPY = "COPY t(id, name, score, tag, n) FROM STDIN"
UPSERT = """
    INSERT INTO t(id, name, score, tag, n) VALUES %s
    ON CONFLICT (id) DO UPDATE
    SET name = excluded.name, score = excluded.score, tag = excluded.tag, n = excluded.n"""
SCAN = "SELECT id, name, score, tag, n FROM t"
GET = "SELECT id, name, score, tag, n FROM t WHERE id = %s"
WARM = "SELECT sum(length(name)), sum(score) FROM t"


def connect(url):
    db = psycopg2.connect(url)
    db.autocommit = True
    return db


def warm(db):
    with db.cursor() as cursor:
        cursor.execute(WARM)


def total(found):
    integers, reals = 0, 0.0
    for row in found:
        integers += row.id + len(row.name) + len(row.tag) + row.n
        reals += row.score
    return integers, reals


def insert(db, batch):
    execute = db.cursor().execute
    execute("BEGIN")
    for row in batch:
        execute(INSERT, row)
    execute("COMMIT")


def insert_transaction(db, batch):
    execute = db.cursor().execute
    for row in batch:
        execute("BEGIN")
        execute(INSERT, row)
        execute("COMMIT")


def insert_many(db, batch):
    lines = "".join("%d\t%s\t%r\t%s\t%d\n" % row for row in batch)
    db.cursor().copy_expert(COPY, io.StringIO(lines))


def upsert(db, batch):
    cursor = db.cursor()
    cursor.execute("BEGIN")
    execute_values(cursor, UPSERT, batch, page_size=AT_ONCE)
    cursor.execute("COMMIT")


def lazily(db, **options):
    """A cursor of the server lives in a transaction."""
    db.autocommit = False
    cursor = db.cursor("lazily", **options)
    cursor.itersize = FETCHED
    cursor.execute(SCAN)
    return cursor


def tuples(db, _):
    integers, reals = 0, 0.0
    for id, name, score, tag, n in lazily(db):
        integers += id + len(name) + len(tag) + n
        reals += score
    return integers, reals


def named_rows(db, _):
    return total(lazily(db, cursor_factory=NamedTupleCursor))


def kept(db, _):
    cursor = db.cursor(cursor_factory=NamedTupleCursor)
    cursor.execute(SCAN)
    return cursor.fetchall()


def point(db, wanted):
    integers, reals = 0, 0.0
    cursor = db.cursor(cursor_factory=NamedTupleCursor)
    for key in wanted:
        cursor.execute(GET, (key,))
        row = cursor.fetchone()
        integers += row.id + len(row.name) + len(row.tag) + row.n
        reals += row.score
    return integers, reals


title = "psycopg2 " + psycopg2.__version__.split()[0]
library = "%d.%d" % divmod(psycopg2.extensions.libpq_version(), 10000)
works = {
    "insert": Work(insert, contender.rows, cold=True, writes=True),
    "insert_many": Work(insert_many, contender.rows, cold=True, writes=True),
    "upsert": Work(upsert, contender.rows_to_upsert, writes=True),
    "insert_transaction": Work(insert_transaction, contender.rows, cold=True, writes=True),
    "tuples": Work(tuples),
    "rows": Work(named_rows),
    "all": Work(kept, sums=total),
    "point_prepared": Work(point, contender.keys),
    "point_text": Work(point, contender.keys),
}

contender.main(sys.modules[__name__])
