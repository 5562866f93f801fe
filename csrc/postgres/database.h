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

/* Appends a value to ->bytes as a parameter of this type, and says in which form. */
bool tuff_postgres_encode_value(tuff_postgres_parameters *parameters, Oid type,
                                const tuff_value *value, bool *binary, tuff_error *err);

/* Where ->size ends, with room for so many bytes; NULL: no memory. */
char *tuff_postgres_reserve(tuff_postgres_parameters *parameters, size_t size);

/* In as few digits from this number on, at most 17, as give the same float again. */
void tuff_postgres_write_real(char *out, size_t room, double real, int digits);

/* array.c: the same for a list, as an array of this type. */
bool tuff_postgres_encode_array(tuff_postgres_parameters *parameters, Oid type,
                                const tuff_value *list, bool *binary, tuff_error *err);

/* field.c: values as the parts of rows and arrays that are sent whole. */
typedef enum tuff_postgres_field {
  FIELD_WRITTEN,
  FIELD_TEXTUAL, /* only the server can read this value, from a text */
  FIELD_REFUSED  /* see err */
} tuff_postgres_field;

/* Whether values of this type have a binary form here. */
bool tuff_postgres_field_is_binary(Oid type);

/* Appends the length of the value and its binary form; nothing, if it is not written.
 */
tuff_postgres_field tuff_postgres_write_binary(tuff_postgres_parameters *out, Oid type,
                                               const tuff_value *value,
                                               tuff_error *err);

/* Appends the text of a value that is not NULL, with a backslash before each of these
 * characters. */
bool tuff_postgres_write_text(tuff_postgres_parameters *out, Oid type,
                              const tuff_value *value, const char *special,
                              tuff_error *err);

/* copy.c */
extern const tuff_bulk tuff_postgres_bulk;

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
  PG_TIMESTAMP = 1114,
  PG_TIMESTAMPTZ = 1184,
  PG_NUMERIC = 1700,
  PG_VOID = 2278,
  PG_UUID = 2950,
  PG_JSONB = 3802
};

#endif
