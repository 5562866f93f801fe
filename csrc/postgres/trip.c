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

/* Takes over the next result. */
static void keep(tuff_postgres_trip *trip, PGresult *result) {
  bool run = PQresultStatus(result) != PGRES_PIPELINE_ABORTED;
  if (run && trip->answered < trip->count)
    trip->result[trip->answered] = result;
  else
    PQclear(result);
  trip->answered++;
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
    if (result) keep(trip, result); /* each is followed by none */
    if (tuff_postgres_is_lost(database, result))
      return tuff_postgres_fail(database, result, err);
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
