/* database.h: what the files of the PostgreSQL driver share. */
#ifndef TUFF_POSTGRES_DATABASE_H
#define TUFF_POSTGRES_DATABASE_H

#include <libpq-fe.h>

#include "core/driver.h"

/* What the core lends; the same for all connections. */
extern const tuff_host *tuff_postgres_host;

/* A notice as it was kept, with its texts. */
typedef struct tuff_postgres_notice {
  struct tuff_postgres_notice *next;
  size_t size; /* of all of it, in bytes */
  tuff_notice notice;
  char texts[];
} tuff_postgres_notice;

typedef struct tuff_postgres_notification {
  struct tuff_postgres_notification *next;
  PGnotify *native;
} tuff_postgres_notification;

/* A channel that is listened to. */
typedef struct tuff_postgres_channel {
  struct tuff_postgres_channel *next;
  char name[];
} tuff_postgres_channel;

/* What the server has said by itself, see message.c. */
typedef struct tuff_postgres_messages {
  tuff_hearing hearing;
  tuff_postgres_notice *first, *last; /* notices that nobody has asked for yet */
  tuff_postgres_notice *told;         /* the one that was given last */
  size_t bytes;                       /* of all that are kept */
  unsigned long unkept;               /* for want of room */
  char last_words[64];                /* says how many these were */
  tuff_postgres_channel *channels;
  tuff_postgres_notification *oldest, *newest, *given;
  size_t count; /* without the one that was given last */
} tuff_postgres_messages;

typedef struct tuff_postgres_database {
  PGconn *handle;
  tuff_watch *watch;
  char *url;  /* as it was given, with its secrets */
  char *path; /* without them */
  bool readonly;
  bool pooler;        /* sessions are shared with others: nothing is left in one */
  int64_t connect_us; /* most time to reach the server; 0: no limit */
  bool lost;          /* the session is gone */
  bool inside;      /* a transaction is open, or was when something was sent or lost */
  bool wrote;       /* it may have written */
  int64_t heard_us; /* when the server answered last */
  tuff_error unheard;      /* in rows that nobody read; code TUFF_OK: none */
  uint64_t dropped;        /* rows that nobody wanted */
  bool committed;          /* a COMMIT was completed while its wait was given up */
  int64_t session_lock_ms; /* lock_timeout as the session began */
  int64_t lock_ms;         /* as it is now; -1: not known */
  uint64_t epoch;          /* of the session: names of an older one are gone */
  uint64_t schema;         /* counts what changes tables: statements are stale */
  uint64_t schema_begun;   /* as the transaction began */
  uint64_t generation;     /* of shapes, the last that was given */
  struct tuff_postgres_statement *statements; /* all of them */
  /* Names of statements that the server may forget, with a NUL behind each. */
  char *forgotten;
  size_t forgotten_size, forgotten_room;
  tuff_postgres_messages messages;
} tuff_postgres_database;

/* The values of one run, as libpq takes them. Kept from run to run. */
typedef struct tuff_postgres_parameters {
  const char **values;
  int *sizes, *formats;
  size_t *places; /* in the block of bytes, which may move while it grows */
  char *bytes;
  size_t size, room;
} tuff_postgres_parameters;

enum { TUFF_POSTGRES_NAME = 40 }; /* room for the name of a statement */

typedef struct tuff_postgres_statement {
  tuff_postgres_database *database;
  struct tuff_postgres_statement *next, *previous;
  tuff_sql sql;                  /* its text is a copy */
  char name[TUFF_POSTGRES_NAME]; /* on the server; "": it has none */
  uint64_t epoch, schema; /* that it was prepared in; epoch 0: not yet, or no more */
  bool once;              /* it has no name: it is sent with its text each time */
  bool open;              /* some types are left to the values, see prepare.c */
  bool firm;              /* they were tried: what the server infers is meant */
  tuff_shape shape;
  PGresult *description; /* holds the names */
  const char **names;
  Oid *inferred;  /* types of the parameters, 0: the server cannot tell */
  Oid *parameter; /* the same with those that values have decided */
  Oid *column;
  bool binary;              /* whether all columns can be read in binary form */
  const tuff_value *values; /* of this run, borrowed */
  tuff_postgres_parameters parameters;
  PGresult *row; /* holds the current one, */
  int at;        /* at this place */
  bool one;      /* only the first row of this run is wanted */
  bool few;      /* the last run had no more than that */
  uint64_t rows; /* of this run */
  bool ready;    /* all is prepared for this run */
  bool again;    /* it was stale, and is run for the second time */
  bool running, done;
  int64_t changed;
  char *scratch; /* values of one row that had to be written anew */
  size_t scratch_size, scratch_room;
} tuff_postgres_statement;

/* ---- wait.c ---- */

/* The next result of what was sent, or NULL where there is none, or an error. The wait
 * ends by deadline or Ctrl-C: then the statement is cancelled on the server, and what
 * it still answers is read and dropped. */
bool tuff_postgres_result(tuff_postgres_database *database, PGresult **result,
                          tuff_error *err);

/* Sends what is left to send. */
bool tuff_postgres_flush(tuff_postgres_database *database, tuff_error *err);

/* Reads all results that are left. False and the first error. */
bool tuff_postgres_drain(tuff_postgres_database *database, tuff_error *err);

/* Asks the server to stop, and drops what it still answers, for a while. */
void tuff_postgres_give_up(tuff_postgres_database *database);

/* Ends a run whose rows nobody wants any more: where many are left, the server is told
 * to stop, unless that would end a transaction. */
void tuff_postgres_abandon(tuff_postgres_database *database);

/* Waits until the socket is ready; `write`: also for writing. False: it is time to
 * stop, or the socket is gone. */
bool tuff_postgres_wait(tuff_postgres_database *database, bool write, tuff_error *err);

/* Waits until there is something to read, or until this time of host->now_us. False: it
 * is time to stop. */
bool tuff_postgres_await_input(tuff_postgres_database *database, int64_t until_us,
                               tuff_error *err);

/* Runs a text of our own without parameters and result. */
bool tuff_postgres_exec(tuff_postgres_database *database, const char *sql,
                        tuff_error *err);

/* ---- cancel.c ---- */

/* Asks the server to stop what it does for this session, and waits for so long until it
 * has heard that. */
bool tuff_postgres_cancel(tuff_postgres_database *database, int ms);

/* ---- trip.c: several commands in one trip to the server ---- */

enum { TUFF_POSTGRES_TRIP = 24 }; /* most commands of one */

typedef struct tuff_postgres_trip {
  tuff_postgres_database *database;
  bool sent; /* all so far */
  unsigned count, answered;
  PGresult *result[TUFF_POSTGRES_TRIP]; /* one for each, NULL where it was not run */
} tuff_postgres_trip;

void tuff_postgres_trip_begin(tuff_postgres_trip *trip,
                              tuff_postgres_database *database);

/* Adds a command of our own. */
void tuff_postgres_trip_command(tuff_postgres_trip *trip, const char *sql);

/* Notes a command that the caller has added himself; sent: what libpq said. */
static inline void tuff_postgres_trip_add(tuff_postgres_trip *trip, int sent) {
  trip->sent = trip->sent && sent;
  trip->count++;
}

/* Sends and reads all; to be cleared in any case. False: the trip was not finished.
 * Whether its commands were good is for the caller to see. */
bool tuff_postgres_trip_end(tuff_postgres_trip *trip, tuff_error *err);

/* The first command that failed, or -1. */
int tuff_postgres_trip_failed(const tuff_postgres_trip *trip);

void tuff_postgres_trip_clear(tuff_postgres_trip *trip);

/* ---- error.c ---- */

/* Fills err from a result, or where it is NULL from the connection. Always false. */
bool tuff_postgres_fail(tuff_postgres_database *database, const PGresult *result,
                        tuff_error *err);
/* The same for a transaction that has failed in rows which nobody read. */
bool tuff_postgres_fail_unheard(const tuff_postgres_database *database,
                                tuff_error *err);
bool tuff_postgres_fail_memory(tuff_error *err);

/* To be called where all results of what failed are read: finds out whether the unique
 * key that err speaks of is the primary key. failed: the result that err is made of. */
void tuff_postgres_tell_key(tuff_postgres_database *database, const PGresult *failed,
                            tuff_error *err);

/* The byte of the statement that the error points at, or -1. */
int tuff_postgres_offset(const char *sql, const PGresult *result);

/* The same for a connection that could not be made. password: is left out, "": none. */
bool tuff_postgres_fail_to_connect(tuff_postgres_database *database,
                                   const char *password, tuff_error *err);

/* ---- connect.c ---- */

void *tuff_postgres_open(const tuff_options *options, tuff_watch *watch,
                         tuff_error *err);
void tuff_postgres_close(void *database, bool collected);
/* Whether a result or a notice says that the session is over. */
bool tuff_postgres_ends_session(const PGresult *result);
bool tuff_postgres_is_lost(tuff_postgres_database *database, const PGresult *result);

/* Before anything is sent: finds out whether the session still stands. Where it does
 * not, and no transaction was open in it, a new one takes its place. */
bool tuff_postgres_ready(tuff_postgres_database *database, tuff_error *err);

/* A new session: the first one, or in place of the one that is lost. */
bool tuff_postgres_connect(tuff_postgres_database *database, tuff_error *err);

/* ---- message.c ---- */

extern const tuff_messages tuff_postgres_message_table;

/* A session begins: keeps the notices that its new handle gets. */
void tuff_postgres_hear(tuff_postgres_database *database);

/* Takes over the notifications that the handle has got: before it is given up, too. */
bool tuff_postgres_receive(tuff_postgres_database *database, tuff_error *err);

/* In a new session: listens to all channels as the one before did. What was sent
 * meanwhile is lost, of which a notice warns. */
bool tuff_postgres_listen_again(tuff_postgres_database *database, tuff_error *err);

/* After the handle is gone. */
void tuff_postgres_messages_free(tuff_postgres_database *database);

/* ---- control.c ---- */

/* After an exchange with the server: whether a transaction is open now. */
void tuff_postgres_note_state(tuff_postgres_database *database);

tuff_state tuff_postgres_state(void *database);
bool tuff_postgres_control(void *database, tuff_verb verb, tuff_mode mode,
                           unsigned level, tuff_error *err);

/* How long to wait for a lock, as the server takes it, for which 0 is no limit. */
int64_t tuff_postgres_lock_ms(int64_t busy_us);

/* Tells the session how long to wait for a lock, where that has changed. */
bool tuff_postgres_limit_locks(tuff_postgres_database *database, tuff_error *err);

/* ---- prepare.c ---- */

void *tuff_postgres_prepare(void *database, const tuff_sql *sql, unsigned flags,
                            tuff_error *err);

/* Before a run with its ->values: prepares it again where the session, the tables or
 * the types of open parameters have changed. */
bool tuff_postgres_prepare_run(tuff_postgres_statement *statement, tuff_error *err);

/* Whether a result has the columns that were described: what is sent with its text is
 * parsed anew by the server, whose tables somebody may have changed meanwhile. */
bool tuff_postgres_fits(const tuff_postgres_statement *statement,
                        const PGresult *result);

/* Takes the columns as the result has them. An error where they cannot be read in the
 * form that was asked for. */
bool tuff_postgres_adapt(tuff_postgres_statement *statement, const PGresult *result,
                         tuff_error *err);

void tuff_postgres_finish(void *statement);

/* ---- infer.c ---- */

/* Whether the value decides the type of a parameter. */
bool tuff_postgres_is_open(const tuff_postgres_statement *statement, unsigned number);

/* The type that a parameter should have for its value. */
Oid tuff_postgres_wanted_type(const tuff_postgres_statement *statement,
                              unsigned number);

/* Whether all values of the run fit the types that the server infers; or those that the
 * statement was prepared with. */
bool tuff_postgres_all_fit(const tuff_postgres_statement *statement);
bool tuff_postgres_types_fit(const tuff_postgres_statement *statement);

/* ---- statement.c ---- */

const tuff_shape *tuff_postgres_shape(void *statement);
bool tuff_postgres_bind(void *statement, const tuff_value *values, unsigned count,
                        tuff_error *err);
void tuff_postgres_expect_one(void *statement);
bool tuff_postgres_waits(void *statement);
tuff_result tuff_postgres_step(void *statement, tuff_value *row, tuff_error *err);
bool tuff_postgres_row(void *statement, tuff_value *row, tuff_error *err);
int64_t tuff_postgres_changes(void *statement);
void tuff_postgres_reset(void *statement);
void tuff_postgres_forget(void *statement);

/* ---- encode.c ---- */

/* Writes the statement's ->values into its ->parameters. */
bool tuff_postgres_encode(tuff_postgres_statement *statement, tuff_error *err);

/* Writes one value, which is not NULL, in the binary form of a type or as text.
 * assigned: it goes into a column. */
bool tuff_postgres_encode_value(tuff_postgres_parameters *parameters, Oid type,
                                bool assigned, const tuff_value *value, bool *binary,
                                tuff_error *err);

/* Whether what a parameter gives is stored in a column as it is: not a part of it, and
 * not compared. Then the column has the type that the server infers. */
bool tuff_postgres_is_assigned(const tuff_postgres_statement *statement,
                               unsigned number);

/* Whether it is only compared with columns. */
bool tuff_postgres_is_compared(const tuff_postgres_statement *statement,
                               unsigned number);

/* Room for so many values. */
bool tuff_postgres_parameters_allocate(tuff_postgres_parameters *parameters,
                                       unsigned count);
void tuff_postgres_parameters_free(tuff_postgres_parameters *parameters);

/* Where ->size ends, with room for so many bytes; NULL: no memory. */
char *tuff_postgres_reserve(tuff_postgres_parameters *parameters, size_t size);

/* Puts bytes at the end. False: no memory, which the second tells as an error. */
bool tuff_postgres_append(tuff_postgres_parameters *parameters, const void *bytes,
                          size_t size);
bool tuff_postgres_write(tuff_postgres_parameters *parameters, const void *bytes,
                         size_t size, tuff_error *err);

enum { TUFF_POSTGRES_REAL = 32 }; /* bytes of a float as text */

/* ---- array.c ---- */

/* Writes a list as an array of this type. */
bool tuff_postgres_encode_array(tuff_postgres_parameters *parameters, Oid type,
                                const tuff_value *list, bool *binary, tuff_error *err);

/* ---- field.c: values as the parts of rows and arrays that are sent whole ---- */

typedef enum tuff_postgres_field {
  FIELD_WRITTEN,
  FIELD_TEXTUAL, /* only the server can read this value, from a text */
  FIELD_REFUSED  /* see err */
} tuff_postgres_field;

/* Whether values of this type have a binary form here. */
bool tuff_postgres_field_is_binary(Oid type);

/* Appends the length of a value and its binary form, or else nothing. */
tuff_postgres_field tuff_postgres_write_binary(tuff_postgres_parameters *out, Oid type,
                                               bool assigned, const tuff_value *value,
                                               tuff_error *err);

/* Appends the text of a value that is not NULL, with a backslash before each of these
 * characters. */
bool tuff_postgres_write_text(tuff_postgres_parameters *out, Oid type, bool assigned,
                              const tuff_value *value, const char *special,
                              tuff_error *err);

/* ---- copy.c ---- */

extern const tuff_bulk tuff_postgres_bulk;

/* ---- json.c ---- */

/* Writes the numbers of the JSON that stands from `start` to the end in the form in
 * which jsonb keeps them as they are. False: no memory. */
bool tuff_postgres_spell_numbers(tuff_postgres_parameters *parameters, size_t start);

/* ---- decode.c ---- */

bool tuff_postgres_is_binary(Oid type);
/* The current row. */
bool tuff_postgres_decode(tuff_postgres_statement *statement, tuff_value *row,
                          tuff_error *err);

/* ---- calendar.c: days of the Gregorian calendar, counted from 2000-01-01 ---- */

/* Year 0 is the one before year 1. */
void tuff_postgres_date_of(int64_t day, int64_t *year, int *month, int *date);
int64_t tuff_postgres_day_of(int64_t year, int month, int date);

/* How many days a month has. */
int tuff_postgres_days_of(int64_t year, int month);

/* ---- hex.c: bytes and UUIDs as texts ---- */

/* Each gives the end of what it has written; bytes in the form of bytea, which takes
 * two characters for each and two more, and may begin where they stand. */
char *tuff_postgres_print_bytes(char *out, const char *bytes, size_t size);
char *tuff_postgres_print_uuid(char *out, const char *bytes);

/* So many bytes, and the 16 of a UUID. False: some character does not belong there. */
bool tuff_postgres_read_hex(char *out, const char *digits, size_t size);
bool tuff_postgres_read_uuid(char *out, const char *text);

/* ---- types ---- */

/* By their numbers in pg_type.dat, which never change. */
enum {
  PG_BOOL = 16,
  PG_BYTEA = 17,
  PG_CHAR = 18,
  PG_NAME = 19,
  PG_INT8 = 20,
  PG_INT2 = 21,
  PG_INT4 = 23,
  PG_TEXT = 25,
  PG_OID = 26,
  PG_JSON = 114,
  PG_FLOAT4 = 700,
  PG_FLOAT8 = 701,
  PG_UNKNOWN = 705,
  PG_BPCHAR = 1042,
  PG_VARCHAR = 1043,
  PG_DATE = 1082,
  PG_TIMESTAMP = 1114,
  PG_TIMESTAMPTZ = 1184,
  PG_NUMERIC = 1700,
  PG_VOID = 2278,
  PG_UUID = 2950,
  PG_JSONB = 3802,
  PG_JSON_ARRAY = 199,
  PG_BOOL_ARRAY = 1000,
  PG_BYTEA_ARRAY = 1001,
  PG_CHAR_ARRAY = 1002,
  PG_NAME_ARRAY = 1003,
  PG_INT2_ARRAY = 1005,
  PG_INT4_ARRAY = 1007,
  PG_TEXT_ARRAY = 1009,
  PG_BPCHAR_ARRAY = 1014,
  PG_VARCHAR_ARRAY = 1015,
  PG_INT8_ARRAY = 1016,
  PG_FLOAT4_ARRAY = 1021,
  PG_FLOAT8_ARRAY = 1022,
  PG_TIMESTAMP_ARRAY = 1115,
  PG_DATE_ARRAY = 1182,
  PG_TIMESTAMPTZ_ARRAY = 1185,
  PG_NUMERIC_ARRAY = 1231,
  PG_UUID_ARRAY = 2951,
  PG_JSONB_ARRAY = 3807
};

#endif
