/* database.h: what the files of the SQLite driver share. */
#ifndef TUFF_SQLITE_DATABASE_H
#define TUFF_SQLITE_DATABASE_H

#include <sqlite3.h>

#include "core/driver.h"

/* What the core lends; the same for all connections. */
extern const tuff_host *tuff_sqlite_host;

/* A database file of a connection: the main one, and those that are attached. */
typedef struct tuff_sqlite_file {
  const char *schema; /* its name in SQL, a plain word; one block with the path */
  char *path;         /* absolute and without links, or ":memory:" */
  bool on_disk;       /* not in memory */
  bool wal;
  int page_size;
  int64_t wal_bytes;                       /* after the last commit; 0: nothing to do */
  sqlite3 *checkpointer;                   /* see checkpoint.c */
  struct tuff_sqlite_open_file *open_file; /* its entry in inherited.c */
  struct tuff_sqlite_file *next;
} tuff_sqlite_file;

/* The change of the schema that goes on. */
typedef struct tuff_sqlite_change {
  bool open;
  bool unknown;         /* some table could not be noted */
  int enforced, legacy; /* foreign keys, and the old ALTER TABLE, before it */
  char *touched;        /* names of tables, each terminated */
  size_t size;
} tuff_sqlite_change;

typedef struct tuff_sqlite_database {
  sqlite3 *handle;
  tuff_watch *watch;
  tuff_sqlite_file main;
  char *root; /* see tuff_options; NULL: none */
  bool readonly, normal, delete_journal;
  bool at_rest; /* it is read as a file that nobody changes */

  /* waiting (wait.c) */
  int queue;       /* descriptor of the file of the queue while we are in it, or -1 */
  bool baton;      /* we are the first in the queue */
  bool counted;    /* this wait has been */
  bool gave_up;    /* the last wait ended without the lock */
  bool never_wait; /* for the checkpoint */
  int64_t waiting_since;
  int64_t turn_since; /* when we last looked whether others wait */

  bool wal_grown; /* the last commit has written to a log */

  bool raised;    /* a function of the script failed: the statement must fail too */
  bool untold;    /* it was a collation, which cannot tell SQLite so */
  bool giving_up; /* a statement is reset: what its functions say is dropped */

  bool internal;    /* our own statement is being prepared or run: all is allowed */
  char denied[160]; /* what the authorizer refused last */

  int64_t total_changes;
  uint64_t generation; /* of shapes, the last that was given */
  sqlite3_stmt *control[5];
  tuff_sqlite_change change;
} tuff_sqlite_database;

/* How a value becomes what its column holds. */
typedef enum tuff_sqlite_conversion {
  TUFF_SQLITE_AS_IT_IS,
  TUFF_SQLITE_REAL,     /* an integer must have an exact form as a float */
  TUFF_SQLITE_TEXT,     /* a float becomes text */
  TUFF_SQLITE_CONVERT,  /* by its type */
  TUFF_SQLITE_EMBEDDED, /* a part of what a column of decimals is set to: no text */
  TUFF_SQLITE_SEVERAL   /* it has several uses, which begin at `next` */
} tuff_sqlite_conversion;

/* What is known of the columns of one parameter, or of one of its uses. */
typedef struct tuff_sqlite_target {
  tuff_sqlite_conversion conversion;
  bool known;
  tuff_type type;
  unsigned next; /* 0: none */
} tuff_sqlite_target;

typedef struct tuff_sqlite_statement {
  tuff_sqlite_database *database;
  sqlite3_stmt *handle;
  tuff_sql sql; /* its text is a copy: a change of the schema prepares it again */
  tuff_shape shape;
  const char **names;
  unsigned names_room;
  tuff_type *types;            /* of the columns; NULL: all as stored */
  char *scratch;               /* decimals of one row as text */
  tuff_sqlite_target *targets; /* of the parameters, and behind them the uses of those
                                * that have several; NULL: all as they are */
  char *texts;                 /* converted arguments of one run */
  const tuff_value *values;    /* of this run, borrowed */
  bool running;                /* stepped since it was reset */
  bool bound;                  /* holds views of the caller's values */
  bool renewed;                /* it is being prepared again */
  int64_t changed;
} tuff_sqlite_statement;

/* error.c: fills err from the result code of a call on this handle. Always false. */
bool tuff_sqlite_fail(tuff_sqlite_database *database, int result, tuff_error *err);

/* The same for want of memory. */
bool tuff_sqlite_fail_memory(tuff_error *err);

/* Marks the error of a commit that may be found all the same. */
void tuff_sqlite_fail_commit(const tuff_sqlite_database *database, tuff_error *err);

/* Says of which file the error is, unless it does already. */
void tuff_sqlite_name_path(const tuff_options *options, tuff_error *err);

/* open.c */
void *tuff_sqlite_open(const tuff_options *options, tuff_watch *watch, tuff_error *err);
void tuff_sqlite_close(void *database, bool collected);

/* inherited.c: refuses a file that was open when the process forked, and remembers that
 * this one is open. */
bool tuff_sqlite_inherited_enter(tuff_sqlite_file *file, tuff_error *err);
void tuff_sqlite_inherited_leave(tuff_sqlite_file *file);

/* Whether a connection of this process has this file open, by any of its names. */
bool tuff_sqlite_is_open(const char *path);

/* file.c: runs our own statement, without parameters and result. */
bool tuff_sqlite_exec(tuff_sqlite_database *database, const char *sql, tuff_error *err);

/* A file's entry, and what is set for it once SQLite has opened it. `open` makes the
 * entry and `close` frees what it holds; `forget` closes the entry of a file that was
 * attached and frees it. */
enum { TUFF_SQLITE_PRAGMA = 160 }; /* bytes of a statement about one file */
bool tuff_sqlite_file_open(tuff_sqlite_file *file, const char *schema, const char *path,
                           tuff_error *err);
bool tuff_sqlite_file_set_up(tuff_sqlite_database *database, tuff_sqlite_file *file,
                             const tuff_options *options, tuff_error *err);
void tuff_sqlite_file_close(tuff_sqlite_file *file);
void tuff_sqlite_file_forget(tuff_sqlite_database *database, tuff_sqlite_file *file);

/* Whether the main file is marked as one with a log, and how to take the mark away, of
 * a file that nobody else has open, without making a log for that. A result code. */
bool tuff_sqlite_file_has_log(sqlite3 *handle);
int tuff_sqlite_file_unmark_log(sqlite3 *handle);

/* attach.c */
bool tuff_sqlite_attach(void *database, const tuff_options *options, const char *name,
                        tuff_error *err);
bool tuff_sqlite_detach(void *database, const char *name, tuff_error *err);

/* wait.c: installs the busy handler; must be called before the first access to the
 * file. To be called after every call that may have waited: leaves the queue. */
void tuff_sqlite_wait_install(tuff_sqlite_database *database);
void tuff_sqlite_wait_done(tuff_sqlite_database *database);

/* To be called before the write lock is taken: lets those go first who wait for it. */
void tuff_sqlite_wait_turn(tuff_sqlite_database *database);

/* checkpoint.c: called when a commit has been acknowledged. */
void tuff_sqlite_checkpoint_install(tuff_sqlite_database *database);
void tuff_sqlite_checkpoint(tuff_sqlite_database *database);
void tuff_sqlite_checkpoint_close(tuff_sqlite_file *file);

/* authorizer.c */
void tuff_sqlite_authorizer_install(tuff_sqlite_database *database);

/* array.c: the table-valued function tuff_array, for `in ?`. */
extern const char tuff_sqlite_array_type[];
int tuff_sqlite_array_install(sqlite3 *handle);

/* control.c: BEGIN, COMMIT and the like. */
bool tuff_sqlite_control(void *database, tuff_verb verb, tuff_mode mode, unsigned level,
                         tuff_error *err);
bool tuff_sqlite_control_open(tuff_sqlite_database *database, tuff_error *err);
bool tuff_sqlite_control_renew(tuff_sqlite_database *database, tuff_error *err);
void tuff_sqlite_control_close(tuff_sqlite_database *database);

/* change.c: a change of the schema. Notes a table that is written, made or dropped. */
extern const tuff_changing tuff_sqlite_changing;
void tuff_sqlite_change_note(tuff_sqlite_database *database, const char *table);

/* blob.c: streams. */
extern const tuff_blobs tuff_sqlite_blobs;

/* backup.c: copies. */
extern const tuff_copying tuff_sqlite_copying;

/* verify.c: see tuff_copying. */
bool tuff_sqlite_verify(const tuff_options *options, unsigned how, tuff_watch *watch,
                        tuff_inspection *found, tuff_error *err);

/* function.c: functions of the script. */
extern const tuff_functions tuff_sqlite_functions;
void tuff_sqlite_function_install(tuff_sqlite_database *database);

/* The error of a statement that a function of the script has ended. Always false. */
bool tuff_sqlite_fail_raised(tuff_sqlite_database *database, tuff_error *err);

/* Gives a value to the engine, as the result of a function. lifetime: SQLITE_STATIC
 * where its bytes outlive the statement, SQLITE_TRANSIENT where they are to be copied.
 */
void tuff_sqlite_give(sqlite3_context *context, const tuff_value *value,
                      sqlite3_destructor_type lifetime);

/* A value of the engine. False: no memory was left to bring a text into form. */
static inline bool tuff_sqlite_read(sqlite3_value *from, tuff_value *to) {
  switch (sqlite3_value_type(from)) {
    case SQLITE_INTEGER:
      to->kind = TUFF_INTEGER;
      to->integer = sqlite3_value_int64(from);
      break;
    case SQLITE_FLOAT:
      to->kind = TUFF_REAL;
      to->real = sqlite3_value_double(from);
      break;
    case SQLITE_TEXT:
      to->kind = TUFF_TEXT;
      to->bytes = (const char *)sqlite3_value_text(from);
      to->size = (size_t)sqlite3_value_bytes(from);
      return TUFF_LIKELY(to->bytes != NULL);
    case SQLITE_BLOB:
      to->kind = TUFF_BLOB;
      to->bytes = (const char *)sqlite3_value_blob(from);
      to->size = (size_t)sqlite3_value_bytes(from);
      break;
    default: to->kind = TUFF_NULL; break;
  }
  return true;
}

/* target.c: finds out what becomes of the parameters, ->targets; in most statements
 * they stay as they are. */
bool tuff_sqlite_load_targets(tuff_sqlite_statement *statement, tuff_error *err);

/* bind.c and statement.c */
void *tuff_sqlite_prepare(void *database, const tuff_sql *sql, unsigned flags,
                          tuff_error *err);
const tuff_shape *tuff_sqlite_shape(void *statement);
/* Where the schema has changed since the statement was prepared: prepares it again, and
 * binds its values again. Nothing of it has run yet. */
bool tuff_sqlite_renew(tuff_sqlite_statement *statement, tuff_error *err);

bool tuff_sqlite_bind(void *statement, const tuff_value *values, unsigned count,
                      tuff_error *err);
tuff_result tuff_sqlite_step(void *statement, tuff_value *row, tuff_error *err);
bool tuff_sqlite_row(void *statement, tuff_value *row, tuff_error *err);
int64_t tuff_sqlite_changes(void *statement);
void tuff_sqlite_reset(void *statement);
void tuff_sqlite_forget(void *statement);
void tuff_sqlite_finish(void *statement);

/* type.c: what a declaration such as "DECIMAL INTEGER(10,2)" says; NULL: nothing. */
tuff_type tuff_sqlite_type_of(const char *declaration);

/* Bytes of text that one converted number takes. */
#define TUFF_SQLITE_SCRATCH ((size_t)32)

/* A value of the script as this type stores it. text has room for TUFF_SQLITE_SCRATCH
 * bytes that must live as long as the binding. */
bool tuff_sqlite_store(const tuff_type *type, tuff_value *value, char *text,
                       tuff_error *err);

/* A stored value as this type reads. */
void tuff_sqlite_load(const tuff_type *type, tuff_value *value, char *text);

#endif
