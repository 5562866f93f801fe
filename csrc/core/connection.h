/* connection.h: one connection to a database: its driver, its statements, open loops
 * and transactions. It belongs to one thread at a time. */
#ifndef TUFF_CONNECTION_H
#define TUFF_CONNECTION_H

#include "core/backup.h"
#include "core/blob.h"
#include "core/cursor.h"
#include "core/statement_cache.h"
#include "core/transaction.h"

/* What db:stats() reports. */
typedef struct tuff_counters {
  uint64_t statements, rows, changes, transactions, cache_hits;
  uint64_t samples, sampled_us; /* statements that were timed, and their time */
} tuff_counters;

/* One run of a statement, or the beginning or end of a transaction. */
typedef struct tuff_run_report {
  const char *sql; /* the script's own text: values never stand in it */
  size_t size;
  uint64_t rows;    /* that it returned */
  int64_t changes;  /* rows that it changed */
  int64_t us;       /* from its start to its end, what happened between its rows too */
  tuff_code failed; /* TUFF_OK: it did not */
  bool own;         /* tuff has written it, and not the script */
} tuff_run_report;

typedef struct tuff_connection {
  const tuff_driver *driver;
  void *native; /* the driver's; NULL: closed */
  tuff_watch watch;
  bool readonly;
  int64_t timeout_us, busy_us; /* of a statement, unless it is told otherwise */
  uint64_t result_rows;        /* most rows one statement may return */
  size_t sql_bytes;            /* most bytes of one statement or script */
  size_t value_bytes;          /* most bytes of one value */
  bool limited;                /* there is a limit to results */
  bool own;                    /* what is checked out now is tuff's own, see there */
  unsigned forks;              /* tuff_fork_generation at opening */
  uint64_t calls;              /* of functions of the script */
  unsigned stepping; /* statements that step: more than one inside of a function */
  tuff_counters counters;
  /* Told of every run, when it has ended; may be NULL. */
  void (*trace)(void *context, const tuff_run_report *report);
  void *trace_context;
  bool reporting; /* it, or ->notice, is being told: it may read, and end nothing */
  /* Told of notices that a server sends, see message.h; may be NULL. */
  void (*notice)(void *context, const tuff_notice *notice);
  void *notice_context;
  tuff_hearing hearing;
  bool telling; /* it is being told: what comes meanwhile is not heard */
  tuff_transaction transaction;
  tuff_statement_cache cache;
  tuff_statement *statements;       /* all of them */
  tuff_cursor *cursors, *settled;   /* holding a statement; holding rows in memory */
  tuff_blob *blobs;                 /* open streams */
  tuff_backup *backups;             /* copies that are being made */
  struct tuff_insertion *insertion; /* rows of it are on their way */
  unsigned *slots, free_slots, slots_issued, slots_room; /* of statements */
} tuff_connection;

/* Options of the connection itself; the driver has its own. */
typedef struct tuff_connection_options {
  int64_t timeout_us, busy_us; /* 0: none; no waiting */
  unsigned statement_cache;
  uint64_t result_rows, sql_bytes; /* 0: no limit */
  bool (*interrupted)(void *context);
  void *context;
} tuff_connection_options;

/* Opens into zeroed memory that must not move until it is closed. */
bool tuff_connection_open(tuff_connection *connection, const tuff_driver *driver,
                          const tuff_options *options,
                          const tuff_connection_options *own, tuff_error *err);

/* Closes cursors, statements and the database, in this order; may be called twice. In a
 * forked child it only forgets. collected: by a finaliser, must not wait. */
void tuff_connection_close(tuff_connection *connection, bool collected);

/* Whether it may be used: open, and in the process that opened it. */
bool tuff_connection_check(const tuff_connection *connection, tuff_error *err);

/* Before anything is written or begun: brings rows that are on their way into their
 * table, reads open loops to their end and closes streams that are in no transaction,
 * which would keep an old snapshot. */
bool tuff_connection_settle(tuff_connection *connection, tuff_error *err);

/* Tells of a run, unless it is one of whoever is being told. */
void tuff_connection_report(tuff_connection *connection, const tuff_run_report *report);

/* Opens another database beside the main one, or closes it: see tuff_driver. */
bool tuff_connection_attach(tuff_connection *connection, const tuff_options *options,
                            const char *name, tuff_error *err);
bool tuff_connection_detach(tuff_connection *connection, const char *name,
                            tuff_error *err);

/* Whether a transaction is open, by whoever began it. */
bool tuff_connection_in_transaction(tuff_connection *connection);

/* Runs a script: all of it or nothing, unless it has its own BEGIN or a statement that
 * cannot run inside a transaction. err->offset is a byte of the script, the first of
 * the statement that failed if nothing better is known; -1 where it was not a
 * statement. */
bool tuff_connection_exec(tuff_connection *connection, const char *script, size_t size,
                          tuff_error *err);

/* The time and lock limits of the next step. */
static inline void tuff_connection_limit(tuff_connection *connection,
                                         int64_t timeout_us, int64_t busy_us) {
  connection->watch.timeout_us = timeout_us;
  connection->watch.busy_us = busy_us;
}

#endif
