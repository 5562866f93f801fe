"""The frame of the contenders in Python, which are called and answer as those in Lua do: see
contender.lua. The figures mirror workload.lua.
"""

import gc
import sys
import time

TABLE_ROWS, STREAMED, STREAM_MARK = 1000000, 10000000, 1000000


def row(i):
    return (i, f"user_name_{i}", i * 0.5 + 0.25, f"tag{i % 16}", i * 7919 % 1000003)


def rows(count):
    return [row(i) for i in range(1, count + 1)]


def keys(count):
    return [i * 7919 % TABLE_ROWS + 1 for i in range(1, count + 1)]


def rows_to_upsert(count):
    return [row(i * 20)[:4] + (i,) for i in range(1, count + 1)]


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


class Work:
    """The time of the body is what counts; one that reads returns its checksum, or what it kept.

    `given` makes what the work is called with, from the count. What has been read before is not `cold`.
    Who writes closes the database within the time, so that a checkpoint put off is counted.
    `sums`: the checksum of what was kept. `watched`: the body tells the watch when it settled."""

    def __init__(self, body, given=lambda count: None, cold=False, writes=False, sums=None,
                 watched=False):
        self.body, self.given, self.cold = body, given, cold
        self.writes, self.sums, self.watched = writes, sums, watched

    def perform(self, contender, database, count, watch):
        db = contender.connect(database)
        if not self.cold:
            contender.warm(db)
        given = self.given(count)
        watch.start()
        result = self.body(db, given, watch) if self.watched else self.body(db, given)
        if self.writes:
            db.close()
        watch.stop()
        return self.sums(result) if self.sums else result


def main(contender):
    """`contender`: a module with title, library, works, connect(database) and warm(db)."""
    name, database, count = (sys.argv[1:] + [""] * 3)[:3]
    if name == "describe":
        print("title", contender.title)
        print("library", contender.library)
        for work in contender.works:
            print("work", work)
        return
    if name not in contender.works or not database:
        sys.exit(f"usage: {sys.argv[0]} describe | WORK DATABASE [COUNT]")
    watch = Stopwatch()
    sums = contender.works[name].perform(contender, database, int(count or 0), watch)
    print(f"seconds {watch.cpu:.6f}")
    print(f"elapsed {watch.elapsed:.6f}")
    print(f"memory {watch.memory}")
    if sums:
        print(f"checksum {sums[0]} {sums[1]:.2f}")
