/* driver.h: all that the author of a driver reads. Values, errors, options, what the
 * core lends to a driver (tuff_host) and what a driver gives back (tuff_driver). A
 * driver includes this header and its database's own, nothing else of tuff. */
#ifndef TUFF_DRIVER_H
#define TUFF_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TUFF_ABI 1

#if defined(__GNUC__)
#define TUFF_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define TUFF_LIKELY(x) __builtin_expect(!!(x), 1)
#define TUFF_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define TUFF_PRINTF(text, first)
#define TUFF_LIKELY(x) (x)
#define TUFF_UNLIKELY(x) (x)
#endif

/* ---- errors ---- */

/* Each code is the lower-case name that a script sees in `err.code`. */
typedef enum tuff_code {
  TUFF_OK = 0,
  TUFF_SYNTAX,              /* the SQL cannot be parsed */
  TUFF_CONSTRAINT,          /* unique, not null, check, foreign key; see .constraint */
  TUFF_CONFLICT,            /* somebody else changed the row meanwhile */
  TUFF_BUSY,                /* a lock was not to be had within busy_timeout */
  TUFF_TIMEOUT,             /* the deadline of the statement or transaction passed */
  TUFF_INTERRUPTED,         /* Ctrl-C, or a progress function that said stop */
  TUFF_READONLY,            /* a write where only reading is allowed */
  TUFF_FULL,                /* no space left */
  TUFF_IO,                  /* the system refused to read or write */
  TUFF_CORRUPT,             /* the file is damaged */
  TUFF_NOTADB,              /* the file is something else */
  TUFF_AUTH,                /* the statement is not permitted here */
  TUFF_TYPE,                /* a value does not fit its declared type */
  TUFF_RANGE,               /* a number or a size is out of range */
  TUFF_CLOSED,              /* the object has been closed */
  TUFF_MISUSE,              /* a mistake in the call */
  TUFF_CONNECTION,          /* the server cannot be reached */
  TUFF_SERIALIZATION,       /* the snapshot is too old to write: run it again */
  TUFF_TRANSACTION_ABORTED, /* an earlier error ended this transaction */
  TUFF_UNSUPPORTED,         /* this engine or this build cannot do it */
  TUFF_NOT_FOUND,           /* no such file, table, column, function */
  TUFF_MEMORY,              /* an allocation failed */
  TUFF_CODES                /* how many there are */
} tuff_code;

typedef enum tuff_constraint {
  TUFF_NO_CONSTRAINT = 0,
  TUFF_UNIQUE,
  TUFF_NOT_NULL,
  TUFF_CHECK,
  TUFF_FOREIGN_KEY,
  TUFF_PRIMARY_KEY
} tuff_constraint;

/* An error lives on the caller's stack. Only `code` is meaningful until it is not
 * TUFF_OK: callers set `code = TUFF_OK` and leave the rest uninitialised; host->fail
 * initialises every other field. The first error wins. */
typedef struct tuff_error {
  tuff_code code;
  tuff_constraint constraint;
  int native;       /* the engine's extended result code, 0 where there is none */
  char sqlstate[6]; /* "" where the engine has none */
  int offset;       /* byte of the SQL text that the error points at, -1 for none */
  int parameter;    /* number, from 0, of the one whose value was refused; -1: none */
  int64_t row;      /* number, from 1, of the row where many were given; 0: none */
  bool raised;      /* by a function of the script: the binding has what it raised */
  bool retryable;   /* running the whole transaction again may succeed */
  bool unknown;     /* the commit may have happened */
  char constraint_name[128];
  char table[128];
  char columns[256]; /* names separated by '\n' */
  char hint[384];    /* what to do about it */
  char message[512];
} tuff_error;

/* ---- values ---- */

typedef enum tuff_kind {
  TUFF_NULL = 0,
  TUFF_BOOLEAN, /* .integer is 0 or 1 */
  TUFF_INTEGER,
  TUFF_REAL,
  TUFF_TEXT, /* .bytes with .size, not terminated */
  TUFF_BLOB,
  TUFF_JSON, /* text that is JSON; the binding decodes and encodes it */
  TUFF_ARRAY /* .items with .size: the list of `in ?`; only as a parameter */
} tuff_kind;

typedef struct tuff_value {
  tuff_kind kind;
  bool assigned; /* an array of what many rows store in one column, NULLs too */
  union {
    int64_t integer;
    double real;
    const char *bytes;
    const struct tuff_value *items;
  };
  size_t size;
} tuff_value;

static inline bool tuff_value_has_bytes(const tuff_value *value) {
  return value->kind == TUFF_TEXT || value->kind == TUFF_BLOB ||
         value->kind == TUFF_JSON;
}

/* What a column was declared to hold, beyond what the engine itself enforces. */
typedef enum tuff_declared {
  TUFF_AS_STORED = 0,
  TUFF_AS_BOOLEAN,
  TUFF_AS_BLOB,
  TUFF_AS_TIMESTAMP,
  TUFF_AS_DATE,
  TUFF_AS_UUID,
  TUFF_AS_JSON,
  TUFF_AS_REAL,
  TUFF_AS_TEXT,
  TUFF_AS_DECIMAL /* an integer scaled by 10^scale */
} tuff_declared;

typedef struct tuff_type {
  tuff_declared declared;
  bool strict; /* a value of another kind is refused, not stored as it is */
  uint8_t precision, scale;
} tuff_type;

/* ---- SQL as a driver receives it ---- */

/* A name as it stands in SQL, quotes included; a view. size 0: none. */
typedef struct tuff_name {
  const char *start;
  size_t size;
} tuff_name;

/* The column that a parameter is assigned to or compared with at one of its places in
 * the text, as far as the text itself tells. A driver whose server infers parameter
 * types ignores it. */
typedef struct tuff_target {
  unsigned parameter; /* its number, from 0 */
  tuff_name table;    /* none: one of the candidates, or none at all: not known */
  tuff_name column;   /* none: the ordinal-th column of the table, from 0 */
  unsigned ordinal;
  uint32_t candidates; /* bit i: the column may be of the i-th of tuff_sql.tables */
  bool compared;       /* not assigned: a value that does not fit is no mistake */
  bool embedded;       /* only a part of what is assigned, as in `set a = a + ?` */
} tuff_target;

/* One statement whose placeholders are already the driver's own. What it points to,
 * but for the text, outlives the statement. */
typedef struct tuff_sql {
  const char *text; /* terminated */
  size_t size;
  unsigned parameters;
  unsigned uses;              /* a parameter with a name may stand at several places */
  const tuff_target *targets; /* one for each use, in the order of the text */
  unsigned table_count;
  const tuff_name *tables; /* that candidates speak of; one without a name is none */
  /* What its words tell, for an engine that does not tell it by itself. */
  bool reads;   /* it changes nothing, though a function that it calls may */
  bool commits; /* it ends a transaction whose work is kept */
} tuff_sql;

/* How a driver wants placeholders and lists to be written. */
typedef struct tuff_dialect {
  char placeholder;         /* '?' makes ?1 ?2, '$' makes $1 $2 */
  const char *in_array;     /* for `in ?`; a '%' stands for the placeholder */
  const char *not_in_array; /* for `not in ?` */
  bool brackets;            /* [name] is an identifier */
  bool backticks;           /* `name` is an identifier */
  bool dollar_quotes;       /* $tag$ … $tag$ is a string */
  bool nested_comments;
  bool atomic_bodies; /* a routine may be BEGIN ATOMIC … END, and a trigger is not BEGIN
                       * … END */
} tuff_dialect;

/* What the result of a statement looks like. Valid until its next step; `generation`
 * changes whenever names or their count do, and is unique within a connection. */
typedef struct tuff_shape {
  uint64_t generation;
  unsigned columns;
  const char *const *names;
  unsigned parameters;
  bool readonly; /* running it changes nothing */
} tuff_shape;

/* ---- what the core lends ---- */

/* Who may stop a running statement, and when. The core owns it; a driver passes it to
 * host->stop from its progress callback and from every wait. Times are microseconds of
 * host->now_us; 0 means none. */
typedef struct tuff_watch {
  bool (*interrupted)(void *context); /* Ctrl-C, another thread; may be NULL */
  void *context;
  int64_t deadline_us; /* absolute: the transaction's */
  int64_t timeout_us;  /* how long this step may take */
  int64_t started_us;  /* when this step was first looked at; the core clears it */
  int64_t busy_us;     /* how long to wait for a lock */
  uint64_t waits;      /* counted by the driver: how often a lock was waited for */
} tuff_watch;

/* Operations on files that a driver does itself. One table, so that tests can make any
 * of them fail. All return -1 and set errno on failure unless said otherwise. */
typedef struct tuff_files {
  /* Makes an empty file, without ever having a descriptor of it. */
  int (*create)(const char *path, unsigned mode);
  int (*open)(const char *path, int flags, unsigned mode);
  int (*close)(int file);
  /* For itself alone, until it is closed, and without waiting: 1 got it, 0 somebody has
   * it. */
  int (*lock)(int file);
  /* Whether the path still leads to this file: 1, 0. */
  int (*same)(int file, const char *path);
  int (*sync)(int file); /* or a directory: its names */
  /* Without `replace`, EEXIST where the new name is taken. */
  int (*rename)(const char *from, const char *to, bool replace);
  int (*remove)(const char *path);
} tuff_files;

enum { TUFF_PATH = 4096 }; /* bytes of a path that was resolved, its NUL among them */

struct tuff_options;

typedef struct tuff_host {
  uint32_t abi, size;
  void *(*alloc)(void *old, size_t size); /* realloc; size 0 frees. NULL: none left */
  const tuff_files *files;
  int64_t (*now_us)(void); /* monotonic */
  void (*sleep_us)(int64_t us);
  unsigned (*forks)(void); /* how often this process or an ancestor has forked */
  /* Whether to stop now. Fills err, which may be NULL, with the reason. */
  bool (*stop)(tuff_watch *watch, tuff_error *err);
  /* Whether it is UTF-8 without NUL: text that both engines store exactly. */
  bool (*valid_text)(const char *text, size_t size);
  /* Whether it is JSON that can be read back without loss. Fills err if not. */
  bool (*valid_json)(const char *text, size_t size, tuff_error *err);
  /* Writes the shortest text, of so many digits at least (15 are always exact), that
   * reads back as the same float and as a float, into 32 bytes, in no locale; its size.
   */
  size_t (*write_real)(char *out, double real, int digits);
  /* Reads a float, of 4 bytes if `single`. *end: behind it; may be NULL. */
  double (*read_real)(const char *text, const char **end, bool single);
  /* Sets code and message unless err already holds an error. err may be NULL. */
  void (*fail)(tuff_error *err, tuff_code code, const char *format, ...)
      TUFF_PRINTF(3, 4);
  /* Sets the hint of an error, unless it has one. */
  void (*hint)(tuff_error *err, const char *format, ...) TUFF_PRINTF(2, 3);
  /* Fails with a reason of the system, an errno. Always false. */
  bool (*fail_errno)(tuff_error *err, int reason);
  /* Puts a text, such as "cannot open x: ", in front of an error's message. */
  void (*context)(tuff_error *err, const char *format, ...) TUFF_PRINTF(2, 3);
  /* The path of the options as an absolute one, which no directory that is a link leads
   * astray and which is not outside of the root. Its last part stays as it is. */
  bool (*resolve)(const struct tuff_options *options, char out[TUFF_PATH],
                  tuff_error *err);
  /* Takes the texts among these values, which may be NULL, out of an error's message.
   */
  void (*conceal)(tuff_error *err, const tuff_value *values, unsigned count);
} tuff_host;

/* ---- what a driver gives ---- */

/* What `tuff.open` was asked for. Strings are borrowed for the call. */
typedef struct tuff_options {
  const char *path; /* terminated; may hold no NUL */
  size_t path_size;
  const char *root;    /* a directory that the path may not leave; NULL: anywhere */
  bool readonly;       /* the file must exist */
  bool create;         /* a file that is missing */
  bool follow;         /* open a symbolic link */
  bool untouched;      /* by verify: nothing is made beside a file that is at rest */
  bool legacy_quotes;  /* "text" may be a string */
  bool normal;         /* durability = "normal" */
  bool delete_journal; /* journal = "delete" */
  bool pooler;         /* sessions of the server are shared: nothing is left in one */
  int64_t connect_us;  /* most time to reach a server; 0: no limit */
  int64_t page_size;   /* bytes, of a new database; 0: the engine's own */
  int64_t cache_bytes; /* for pages in memory; 0: the driver's own */
  int64_t value_bytes; /* most of one value; 0: no limit. The core keeps it for values
                        * that go in and come out, a driver bounds what SQL makes */
} tuff_options;

typedef enum tuff_state {
  TUFF_STATE_IDLE,   /* no transaction */
  TUFF_STATE_OPEN,   /* in a transaction */
  TUFF_STATE_FAILED, /* in one that only accepts a rollback */
  TUFF_STATE_LOST    /* the connection is gone */
} tuff_state;

typedef enum tuff_result {
  TUFF_ROW,
  TUFF_DONE,
  TUFF_FAILED,
  TUFF_MORE = TUFF_ROW /* of a machine that works step by step */
} tuff_result;

typedef enum tuff_verb {
  TUFF_BEGIN,
  TUFF_COMMIT,
  TUFF_ROLLBACK,
  TUFF_SAVEPOINT,  /* level names it */
  TUFF_RELEASE,    /* keeps the work of the level */
  TUFF_ROLLBACK_TO /* undoes the work of the level and forgets the level */
} tuff_verb;

typedef enum tuff_mode {
  TUFF_WRITE, /* nobody writes between our read and our write */
  TUFF_READ_COMMITTED,
  TUFF_REPEATABLE_READ,
  TUFF_READ,  /* one snapshot, no write */
  TUFF_CHANGE /* of the schema: each statement sees what is committed; between `prepare`
               * and `restore` of tuff_changing */
} tuff_mode;

enum { TUFF_PREPARE_ONCE = 1 /* the statement will run once */ };

/* ---- functions that a script gives to SQL ---- */

/* A scalar or aggregate function, a window function where it can also be inverted, or a
 * collation. Every call says whether it went well; if not, the statement ends with an
 * error that is `raised`. Arguments are views that live for the call; the bytes of a
 * result live until the next call of any function of the connection. */
typedef struct tuff_function {
  const char *name;   /* terminated, UTF-8, at most 255 bytes */
  bool deterministic; /* equal arguments give equal results */
  bool schema;        /* may stand in triggers, views, indexes and checks */
  void *context;
  /* A scalar: the only one beside release. */
  bool (*call)(void *context, const tuff_value *arguments, unsigned count,
               tuff_value *result);
  /* An aggregate. *group is 0 at first; the callee names the group by another. */
  bool (*step)(void *context, uint64_t *group, const tuff_value *arguments,
               unsigned count);
  bool (*final)(void *context, uint64_t group, tuff_value *result);
  /* The group is no longer needed, and may never have been finished. */
  void (*forget)(void *context, uint64_t group);
  /* A window function has these too: a row leaves, and the value so far. */
  bool (*inverse)(void *context, uint64_t *group, const tuff_value *arguments,
                  unsigned count);
  bool (*value)(void *context, uint64_t group, tuff_value *result);
  /* A collation: below 0, 0, above 0. */
  bool (*compare)(void *context, const tuff_value *a, const tuff_value *b, int *order);
  /* The function is no longer known; also called where defining it fails. */
  void (*release)(void *context);
} tuff_function;

/* What a driver gives whose engine can call the script. */
typedef struct tuff_functions {
  /* Replaces what had the same name. The struct is copied. */
  bool (*define)(void *db, const tuff_function *function, tuff_error *err);
  /* Loads a library of functions. entry: where it begins, NULL: as its name says. */
  bool (*load)(void *db, const char *path, const char *entry, tuff_error *err);
} tuff_functions;

/* ---- one value as a stream ---- */

/* Where it stands. */
typedef struct tuff_place {
  const char *schema; /* NULL: the main one */
  const char *table, *column;
  int64_t row; /* its rowid */
} tuff_place;

typedef struct tuff_blobs {
  /* Gives a stream and the size of its value in bytes, or NULL. */
  void *(*open)(void *db, const tuff_place *place, bool writing, int64_t *size,
                tuff_error *err);
  /* Within the value. `conflict`: the row was changed by somebody else. */
  bool (*read)(void *blob, int64_t at, void *bytes, size_t size, tuff_error *err);
  bool (*write)(void *blob, int64_t at, const void *bytes, size_t size,
                tuff_error *err);
  bool (*close)(void *blob, tuff_error *err);
} tuff_blobs;

/* ---- many rows at once ---- */

/* What a driver gives whose engine takes rows in a form of their own, faster than by
 * an INSERT. From begin to finish nothing else is asked of the connection. */
typedef struct tuff_bulk {
  /* Begins it in an open transaction. insert: a prepared INSERT of one such row; copy:
   * the text that begins it, terminated. NULL and an error on failure. */
  void *(*begin)(void *insert, const char *copy, tuff_error *err);
  /* Takes a copy of a row. Where err->parameter tells a value that is refused, the rows
   * before it can still be finished. */
  bool (*add)(void *bulk, const tuff_value *row, tuff_error *err);
  /* The rows are in the table. err->row counts those of this bulk, from 1; 0: it is not
   * known which one failed. */
  bool (*finish)(void *bulk, int64_t *inserted, tuff_error *err);
  /* Frees it. What was not finished fails, and its transaction with it. */
  void (*end)(void *bulk);
} tuff_bulk;

/* ---- what a server says by itself ---- */

/* Said while a statement ran, or between two. Texts are terminated, "" where the server
 * gave none. */
typedef struct tuff_notice {
  const char *severity; /* "NOTICE", "WARNING" and the like */
  const char *sqlstate, *message, *detail, *hint;
} tuff_notice;

/* Which notices are kept until they are asked for; the others are forgotten. */
typedef enum tuff_hearing {
  TUFF_HEAR_WARNINGS, /* and what is worse; so it is at first */
  TUFF_HEAR_ALL,
  TUFF_HEAR_NONE
} tuff_hearing;

/* What some connection has sent to all that listen to a channel. */
typedef struct tuff_notification {
  const char *channel, *payload; /* terminated */
  int sender;                    /* the process of the server that sent it */
} tuff_notification;

/* What a driver gives whose engine is a server that speaks by itself. */
typedef struct tuff_messages {
  void (*hear)(void *db, tuff_hearing hearing);
  /* The oldest notice that was kept, once; none while rows of a statement still come.
   * Its texts live until the next call. */
  bool (*notice)(void *db, tuff_notice *notice);
  /* Begins to listen to a channel, a name as it is, or ends it. */
  bool (*listen)(void *db, const char *channel, bool on, tuff_error *err);
  /* Waits until there is a notification, or until this time of host->now_us; counts
   * those that there are. */
  bool (*wait)(void *db, int64_t until_us, size_t *count, tuff_error *err);
  /* The oldest notification, once. Its texts live until the next call. */
  bool (*notification)(void *db, tuff_notification *notification);
} tuff_messages;

/* ---- copying a whole database ---- */

/* How far it has come, in bytes. */
typedef struct tuff_extent {
  int64_t done, total;
} tuff_extent;

/* What a file was found to hold. */
typedef struct tuff_inspection {
  int64_t bytes; /* of the file */
  int64_t pages, page_size, tables;
  int64_t dangling; /* foreign keys that lead nowhere; -1: they were not counted */
} tuff_inspection;

/* How closely to look at a file: all of it can be read, and no page is out of place. */
enum {
  TUFF_VERIFY_INDEXES = 1,   /* and indexes hold what their tables hold */
  TUFF_VERIFY_REFERENCES = 2 /* foreign keys are counted that lead nowhere */
};

typedef struct tuff_copying {
  /* Whether a database may come to stand at this path, which was resolved: not in place
   * of one that is in use, nor where it would be spoilt. */
  bool (*admits)(const char *path, tuff_error *err);
  /* Begins to copy what is committed now into this file, which is new and empty. The
   * connection may be used between two steps. The watch outlives the copy. NULL and an
   * error. */
  void *(*begin)(void *db, const char *to, tuff_watch *watch, tuff_error *err);
  /* Copies a piece. After the last one the file is complete, though not synced. */
  tuff_result (*step)(void *copy, tuff_extent *extent, tuff_error *err);
  void (*finish)(void *copy); /* NULL is accepted */
  /* Looks at a file: `corrupt` or `notadb` if it is no sound database. Of the options,
   * the path, root and follow count; how: see above. */
  bool (*verify)(const tuff_options *options, unsigned how, tuff_watch *watch,
                 tuff_inspection *found, tuff_error *err);
} tuff_copying;

/* ---- changing the schema ---- */

/* What a driver gives whose engine would spoil data where a table is made anew: foreign
 * keys and references that follow it. */
typedef struct tuff_changing {
  /* Before a transaction of TUFF_CHANGE: what would spoil data is off from here on. */
  bool (*prepare)(void *db, tuff_error *err);
  /* After its end, however it ended; cannot fail. */
  void (*restore)(void *db);
  /* The next table that was written, made or dropped since then, or since `forget`;
   * NULL behind the last one. *at is 0 at first. False: that is not known. */
  bool (*touched)(void *db, size_t *at, const char **table);
  void (*forget)(void *db);
} tuff_changing;

typedef struct tuff_driver {
  uint32_t abi, size;
  const char *name;            /* what `db.engine` says */
  const char *const *features; /* what `db:supports` answers to, NULL-terminated */
  /* Whether this connection has not one of them. NULL: it has them all. */
  bool (*lacks)(void *db, const char *feature);
  tuff_dialect dialect;
  bool exclusive; /* while rows of a statement come, nothing else can be done: open
                   * loops are read ahead before anything is sent */

  /* Gives a connection, or NULL and an error. The watch outlives it. */
  void *(*open)(const tuff_options *options, tuff_watch *watch, tuff_error *err);
  /* collected: called by a finaliser, must not wait. NULL is accepted. All statements
   * have been finished before. */
  void (*close)(void *db, bool collected);
  /* Where it is connected to, without secrets; lives as long as the connection. */
  const char *(*path)(void *db);
  tuff_state (*state)(void *db);
  bool (*control)(void *db, tuff_verb verb, tuff_mode mode, unsigned level,
                  tuff_error *err);

  void *(*prepare)(void *db, const tuff_sql *sql, unsigned flags, tuff_error *err);
  const tuff_shape *(*shape)(void *stmt);
  /* Values are borrowed until forget. err->parameter tells which one is at fault. */
  bool (*bind)(void *stmt, const tuff_value *values, unsigned count, tuff_error *err);
  /* Before a run: only its first row will be read. NULL: that is no help. */
  void (*expect_one)(void *stmt);
  /* Whether the next step would wait for a server, and not for a moment only. NULL: it
   * never does. */
  bool (*waits)(void *stmt);
  /* Fills `row`, which has room for shape()->columns values as they were before the
   * step, with views that live until the next call on the statement. Where the shape
   * changed on this step the row is not filled: the core asks `row` for it. */
  tuff_result (*step)(void *stmt, tuff_value *row, tuff_error *err);
  /* Fills `row` again from the row that the last step reached. */
  bool (*row)(void *stmt, tuff_value *row, tuff_error *err);
  /* How many rows the statement, now done, has changed. */
  int64_t (*changes)(void *stmt);
  void (*reset)(void *stmt);  /* ready to be bound and run again */
  void (*forget)(void *stmt); /* the values that it has borrowed are about to go */
  void (*finish)(void *stmt);

  /* NULL: the engine has no such thing. */
  /* Counts what this session has done to tables: what is known of them may be of old.
   */
  uint64_t (*schema)(void *db);
  /* Opens another file beside the main one, with the settings of the connection; of the
   * options, the path, readonly, create and follow count. name: a plain word. */
  bool (*attach)(void *db, const tuff_options *options, const char *name,
                 tuff_error *err);
  bool (*detach)(void *db, const char *name, tuff_error *err);
  const tuff_functions *functions;
  const tuff_blobs *blobs;
  const tuff_bulk *bulk;
  const tuff_messages *messages;
  const tuff_copying *copying;
  const tuff_changing *changing;
} tuff_driver;

#endif
