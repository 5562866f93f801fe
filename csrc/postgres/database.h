/* database.h: what the files of the PostgreSQL driver share. */
#ifndef TUFF_POSTGRES_DATABASE_H
#define TUFF_POSTGRES_DATABASE_H

#include <libpq-fe.h>

#include "core/driver.h"

/* What the core lends; the same for all connections. */
extern const tuff_host *tuff_postgres_host;

typedef struct tuff_postgres_database {
  PGconn *handle;
  tuff_watch *watch;
  char *path; /* the URL without secrets */
  bool readonly;
  bool lost;           /* the server is gone: nothing can be done with the handle */
  char xid[24];        /* of the transaction that is open, as far as it is known */
  uint64_t generation; /* of shapes, the last that was given */
  uint64_t serial;     /* of prepared statements, the last that was named */
  struct tuff_postgres_statement *streaming; /* whose rows have not all come yet */
  /* Names of statements that the server may forget, with a NUL behind each. */
  char *forgotten;
  size_t forgotten_size, forgotten_room;
} tuff_postgres_database;

typedef struct tuff_postgres_statement {
  tuff_postgres_database *database;
  char name[24]; /* on the server; "": it is not prepared there */
  tuff_sql sql;  /* its text is a copy */
  tuff_shape shape;
  PGresult *description; /* holds the names */
  const char **names;
  Oid *parameter, *column;  /* their types */
  bool binary;              /* whether all columns can be read in binary form */
  const tuff_value *values; /* of this run, borrowed */
  PGresult *row;            /* the current one */
  bool running, done;
  int64_t changed;
  char *scratch; /* values of one row that had to be written anew */
  size_t scratch_size, scratch_room;
} tuff_postgres_statement;

/* wait.c: the next result of what was sent, or NULL where there is none, or an error.
 * The wait ends by deadline or Ctrl-C: then the statement is cancelled on the server.
 */
bool tuff_postgres_result(tuff_postgres_database *database, PGresult **result,
                          tuff_error *err);

/* Sends what is left to send. */
bool tuff_postgres_flush(tuff_postgres_database *database, tuff_error *err);

/* Reads all results that are left. False and the first error. */
bool tuff_postgres_drain(tuff_postgres_database *database, tuff_error *err);

/* Waits until the socket is ready; `write`: also for writing. False: it is time to
 * stop, or the socket is gone. */
bool tuff_postgres_wait(tuff_postgres_database *database, bool write, tuff_error *err);

/* Runs a text of our own without parameters and result. */
bool tuff_postgres_exec(tuff_postgres_database *database, const char *sql,
                        tuff_error *err);

/* error.c: fills err from a result, or where it is NULL from the connection. Always
 * false. */
bool tuff_postgres_fail(tuff_postgres_database *database, const PGresult *result,
                        tuff_error *err);
bool tuff_postgres_fail_memory(tuff_error *err);

/* The byte of the statement that the error points at, or -1. */
int tuff_postgres_offset(const char *sql, const PGresult *result);

/* connect.c */
void *tuff_postgres_open(const tuff_options *options, tuff_watch *watch,
                         tuff_error *err);
void tuff_postgres_close(void *database, bool collected);
bool tuff_postgres_is_lost(tuff_postgres_database *database, const PGresult *result);

/* control.c */
tuff_state tuff_postgres_state(void *database);
bool tuff_postgres_control(void *database, tuff_verb verb, tuff_mode mode,
                           unsigned level, tuff_error *err);

/* statement.c */
void *tuff_postgres_prepare(void *database, const tuff_sql *sql, unsigned flags,
                            tuff_error *err);
const tuff_shape *tuff_postgres_shape(void *statement);
bool tuff_postgres_bind(void *statement, const tuff_value *values, unsigned count,
                        tuff_error *err);
tuff_result tuff_postgres_step(void *statement, tuff_value *row, tuff_error *err);
bool tuff_postgres_row(void *statement, tuff_value *row, tuff_error *err);
int64_t tuff_postgres_changes(void *statement);
void tuff_postgres_reset(void *statement);
void tuff_postgres_forget(void *statement);
void tuff_postgres_finish(void *statement);

/* encode.c: the parameters of one run, in one block that the caller frees. */
typedef struct tuff_postgres_parameters {
  const char **values;
  int *sizes, *formats;
  char *bytes;
  size_t size, room;
} tuff_postgres_parameters;

bool tuff_postgres_encode(tuff_postgres_statement *statement,
                          tuff_postgres_parameters *parameters, tuff_error *err);
void tuff_postgres_parameters_free(tuff_postgres_parameters *parameters);

/* Puts bytes at the end. False: no memory. */
bool tuff_postgres_append(tuff_postgres_parameters *parameters, const void *bytes,
                          size_t size);

/* json.c: writes the numbers of the JSON that stands from `start` to the end in the
 * form in which jsonb keeps them as they are. False: no memory. */
bool tuff_postgres_spell_numbers(tuff_postgres_parameters *parameters, size_t start);

/* decode.c */
bool tuff_postgres_is_binary(Oid type);
bool tuff_postgres_decode(tuff_postgres_statement *statement, const PGresult *result,
                          tuff_value *row, tuff_error *err);

/* Types by their numbers in pg_type.dat, which never change. */
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
  PG_TIMESTAMPTZ = 1184,
  PG_NUMERIC = 1700,
  PG_VOID = 2278,
  PG_UUID = 2950,
  PG_JSONB = 3802,
  PG_BYTEA_ARRAY = 1001,
  PG_INT2_ARRAY = 1005,
  PG_INT4_ARRAY = 1007,
  PG_TEXT_ARRAY = 1009,
  PG_INT8_ARRAY = 1016,
  PG_FLOAT8_ARRAY = 1022
};

#endif
