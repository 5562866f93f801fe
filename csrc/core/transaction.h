/* transaction.h: transactions of one connection, nested by savepoints. When an error
 * has ended the engine's transaction, the whole nest is `failed`: nothing runs in it
 * any more, and its end raises the error that was the cause. */
#ifndef TUFF_TRANSACTION_H
#define TUFF_TRANSACTION_H

#include "core/driver.h"

struct tuff_connection;

typedef struct tuff_level {
  uint64_t serial; /* names the level to the outside; never used again */
  bool engine;     /* it has a transaction or a savepoint of the engine */
  bool readonly_before;
  int64_t deadline_before;
} tuff_level;

typedef struct tuff_transaction {
  unsigned depth, room;
  tuff_level *levels;
  uint64_t serial;
  bool readonly; /* inside db:read */
  bool manual;   /* the script wrote BEGIN itself */
  bool failed;
  bool stuck;        /* failed, but the engine still takes a rollback to the innermost
                        savepoint */
  bool lingering;    /* all levels have ended, but the engine could not roll back */
  bool changing;     /* its mode is TUFF_CHANGE */
  uint64_t failures; /* how many transactions have failed so far */
  tuff_error cause;  /* of the failure */
} tuff_transaction;

/* Begins a transaction, or inside of one a nested part. timeout_us covers it whole,
 * from now, waiting included; 0: none. The serial of the level, or 0 and an error. */
uint64_t tuff_transaction_begin(struct tuff_connection *connection, tuff_mode mode,
                                int64_t timeout_us, tuff_error *err);

/* Commits the innermost level, which must be this one. On failure the level has been
 * rolled back all the same. A failed transaction raises its cause. */
bool tuff_transaction_commit(struct tuff_connection *connection, uint64_t serial,
                             tuff_error *err);

/* Rolls this level and all inside it back. A level that has ended is no error. */
bool tuff_transaction_rollback(struct tuff_connection *connection, uint64_t serial,
                               tuff_error *err);

/* Rolls back what could not be rolled back before, for want of memory. Nothing may run
 * before that: it would be lost with it. */
bool tuff_transaction_clear(struct tuff_connection *connection, tuff_error *err);

/* Refuses what cannot run because the transaction has failed. Always false. */
bool tuff_transaction_refuse(const tuff_transaction *transaction, tuff_error *err);

/* The serial of the innermost level, 0 outside of transactions. */
uint64_t tuff_transaction_current(const struct tuff_connection *connection);

/* Whether this level is still open. */
bool tuff_transaction_is_open(const struct tuff_connection *connection,
                              uint64_t serial);

/* To be told of every error: finds out whether the engine's transaction survived it. */
void tuff_transaction_note_error(struct tuff_connection *connection, bool readonly,
                                 const tuff_error *err);

/* Notices where the engine has ended the transaction by itself, as SQLite does when
 * memory runs out in any statement, even one of its own. False, once, and an error. */
bool tuff_transaction_notice_end(struct tuff_connection *connection, tuff_error *err);

/* To be told after every BEGIN, COMMIT, … that a script wrote itself. */
void tuff_transaction_note_control(struct tuff_connection *connection);

#endif
