/* wait.c: waiting for a lock that another connection holds.
 *
 * SQLite's own timeout sleeps longer and longer, so that whoever waits longest is
 * served last. Here, those who wait for the write lock form a queue: one byte of the
 * file `<database>-queue` is the baton. Whoever holds it polls SQLite's lock, and gives
 * the baton on as soon as it has the lock. Whoever lets the lock go and wants it again
 * would take it before it is polled; so it looks, after its turn, whether there is a
 * queue, and joins it. The file is made by the first one who waits, and never deleted:
 * deleting it would split the queue in two. */
#include <fcntl.h>
#include <stdio.h>

#include "sqlite/database.h"
#include "sqlite/path.h"

enum {
  POLL_QUEUE_US = 2000, /* for the baton, at first */
  POLL_LOCK_US = 250,   /* for SQLite's lock, with the baton in hand */
  POLL_ALONE_US = 1000, /* for SQLite's lock, where there is no queue */
  TURN_US = 5000        /* for writing without a look at the queue */
};

static void begin_wait(tuff_sqlite_database *database) {
  database->waiting_since = tuff_sqlite_host->now_us();
  database->counted = database->gave_up = false;
}

static void count_wait(tuff_sqlite_database *database) {
  if (!database->counted) database->watch->waits++;
  database->counted = true;
}

static bool give_up(tuff_sqlite_database *database) {
  const tuff_watch *watch = database->watch;
  int64_t waited = tuff_sqlite_host->now_us() - database->waiting_since;
  database->gave_up =
      waited >= watch->busy_us || tuff_sqlite_host->stop(database->watch, NULL);
  return database->gave_up;
}

/* Where no file can be made beside the database, everybody polls for himself. */
static bool join_queue(tuff_sqlite_database *database, int flags) {
  char path[TUFF_PATH + 8];
  int size = snprintf(path, sizeof path, "%s-queue", database->main.path);
  if (size < 0 || (size_t)size >= sizeof path) return false;
  database->queue = tuff_sqlite_host->files->open(path, O_RDWR | flags, 0600);
  return database->queue >= 0;
}

/* Waits for the baton; false: gave up. Without a queue there is nothing to wait for. */
static bool take_baton(tuff_sqlite_database *database, int flags) {
  if (!database->main.on_disk || !join_queue(database, flags)) return true;
  const tuff_files *files = tuff_sqlite_host->files;
  int got;
  while ((got = files->lock(database->queue)) == 0) {
    count_wait(database);
    if (give_up(database)) return false;
    /* Whoever has waited longer looks more often, and so comes first. */
    int64_t waited = tuff_sqlite_host->now_us() - database->waiting_since;
    int64_t pause = POLL_QUEUE_US - waited / 50;
    tuff_sqlite_host->sleep_us(pause > POLL_LOCK_US ? pause : POLL_LOCK_US);
  }
  database->baton = got == 1;
  return true;
}

/* SQLite calls this each time that a lock is not to be had. Whoever is writing already
 * waits for readers to leave, not for the write lock: it must not queue behind those
 * who wait for it. Nor does whoever only reads, and makes no file beside the database.
 */
static int on_busy(void *context, int tries) {
  tuff_sqlite_database *database = context;
  if (database->never_wait || database->watch->busy_us == 0) return 0;
  if (tries == 0) {
    bool queued = database->queue >= 0;
    if (!queued) begin_wait(database);
    count_wait(database);
    bool writing = sqlite3_txn_state(database->handle, NULL) == SQLITE_TXN_WRITE;
    if (!writing && !queued && !database->readonly)
      return take_baton(database, O_CREAT);
  }
  if (give_up(database)) return 0;
  tuff_sqlite_host->sleep_us(database->baton ? POLL_LOCK_US : POLL_ALONE_US);
  return 1;
}

void tuff_sqlite_wait_turn(tuff_sqlite_database *database) {
  int64_t now = tuff_sqlite_host->now_us();
  if (now - database->turn_since < TURN_US || database->watch->busy_us == 0) return;
  database->turn_since = now;
  begin_wait(database);
  take_baton(database, 0); /* whoever gives up here does so again at the lock */
}

void tuff_sqlite_wait_install(tuff_sqlite_database *database) {
  database->queue = -1;
  sqlite3_busy_handler(database->handle, on_busy, database);
}

void tuff_sqlite_wait_done(tuff_sqlite_database *database) {
  if (database->queue < 0) return;
  tuff_sqlite_host->files->close(database->queue); /* which releases the baton */
  database->queue = -1;
  database->baton = false;
}
