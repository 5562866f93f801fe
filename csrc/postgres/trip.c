/* trip.c: several commands in one trip to the server, by libpq's pipeline mode. What
 * follows a command that fails is not run. */
#include "postgres/database.h"

void tuff_postgres_trip_begin(tuff_postgres_trip *trip,
                              tuff_postgres_database *database) {
  *trip = (tuff_postgres_trip){.database = database};
  trip->sent = PQenterPipelineMode(database->handle);
}

void tuff_postgres_trip_command(tuff_postgres_trip *trip, const char *sql) {
  tuff_postgres_trip_add(trip, PQsendQueryParams(trip->database->handle, sql, 0, NULL,
                                                 NULL, NULL, NULL, 0));
}

/* Takes over a result of the command that is answered. The first one may come in two
 * parts, a row and the end: libpq does not forget that the statement before was to be
 * read row by row. Then the row is kept, and of all results an error. */
static void keep(tuff_postgres_trip *trip, PGresult *result) {
  PGresult **kept = &trip->result[trip->answered];
  ExecStatusType status = PQresultStatus(result);
  bool wanted = trip->answered < trip->count && status != PGRES_PIPELINE_ABORTED &&
                (!*kept || status == PGRES_FATAL_ERROR);
  PGresult *dropped = wanted ? *kept : result;
  if (wanted) *kept = result;
  PQclear(dropped);
}

static bool read_all(tuff_postgres_trip *trip, tuff_error *err) {
  tuff_postgres_database *database = trip->database;
  for (;;) {
    PGresult *result;
    if (!tuff_postgres_result(database, &result, err)) return false;
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
      PQclear(result);
      return true;
    }
    bool lost = tuff_postgres_is_lost(database, result);
    if (lost) tuff_postgres_fail(database, result, err);
    if (result)
      keep(trip, result);
    else
      trip->answered++; /* the results of a command end by none */
    if (lost) return false;
  }
}

bool tuff_postgres_trip_end(tuff_postgres_trip *trip, tuff_error *err) {
  tuff_postgres_database *database = trip->database;
  bool done = trip->sent && PQpipelineSync(database->handle);
  done = done ? tuff_postgres_flush(database, err) && read_all(trip, err)
              : tuff_postgres_fail(database, NULL, err);
  PQexitPipelineMode(database->handle);
  tuff_postgres_note_state(database);
  return done;
}

int tuff_postgres_trip_failed(const tuff_postgres_trip *trip) {
  for (unsigned i = 0; i < trip->count; i++)
    if (!trip->result[i] || PQresultStatus(trip->result[i]) == PGRES_FATAL_ERROR)
      return (int)i;
  return -1;
}

void tuff_postgres_trip_clear(tuff_postgres_trip *trip) {
  for (unsigned i = 0; i < trip->count; i++) PQclear(trip->result[i]);
  trip->count = 0;
}
