/* backup.c: the order in which a copy is made: a place, a snapshot, its pages, a look
 * at what was written, and only then the name. */
#include "core/backup.h"

#include <string.h>

#include "core/connection.h"
#include "core/error.h"
#include "core/function.h"
#include "core/host.h"

/* ---- its life ---- */

static void enlist(tuff_backup *backup, tuff_connection *connection) {
  backup->connection = connection;
  backup->next = connection->backups;
  if (backup->next) backup->next->previous = backup;
  connection->backups = backup;
}

static void release(tuff_backup *backup) {
  const tuff_connection *connection = backup->connection;
  if (backup->copy) connection->driver->copying->finish(backup->copy);
  backup->copy = NULL;
  tuff_artefact_end(&backup->artefact);
}

void tuff_backup_finish(tuff_backup *backup) {
  tuff_connection *connection = backup->connection;
  if (!connection) return;
  if (backup->next) backup->next->previous = backup->previous;
  *(backup->previous ? &backup->previous->next : &connection->backups) = backup->next;
  /* In a forked child the files are the parent's. */
  if (connection->forks == tuff_fork_generation()) release(backup);
  backup->connection = NULL;
}

void tuff_backups_finish(tuff_connection *connection) {
  while (connection->backups) {
    tuff_backup *backup = connection->backups;
    tuff_fail(&backup->failure, TUFF_CLOSED, "the connection of this copy was closed");
    tuff_backup_finish(backup);
  }
}

/* ---- beginning ---- */

static bool prepare(tuff_connection *connection, tuff_error *err) {
  if (!connection->driver->copying) {
    tuff_fail(err, TUFF_UNSUPPORTED, "%s makes no copies of a database",
              connection->driver->name);
    tuff_error_hint(err, "use the tools of its server");
    return false;
  }
  if (tuff_connection_in_transaction(connection)) {
    tuff_fail(err, TUFF_MISUSE, "a database cannot be copied inside a transaction");
    tuff_error_hint(err, "commit first: a copy holds what is committed");
    return false;
  }
  return tuff_function_admits(connection, err);
}

/* None of its files may be one that a database needs. */
static bool admit(const tuff_backup *backup, tuff_error *err) {
  const tuff_copying *copying = backup->connection->driver->copying;
  const tuff_artefact *artefact = &backup->artefact;
  return copying->admits(artefact->path, err) &&
         copying->admits(artefact->temporary, err) &&
         copying->admits(artefact->guard, err);
}

static bool begin(tuff_backup *backup, const tuff_backup_plan *plan, tuff_error *err) {
  const tuff_connection *connection = backup->connection;
  if (!tuff_artefact_begin(&backup->artefact, &plan->to, plan->replace, err) ||
      !admit(backup, err) || !tuff_artefact_create(&backup->artefact, err))
    return false;
  backup->created_us = tuff_time_us();
  backup->copy = connection->driver->copying->begin(
      connection->native, backup->artefact.temporary, &backup->watch, err);
  return backup->copy != NULL;
}

bool tuff_backup_begin(tuff_backup *backup, tuff_connection *connection,
                       const tuff_backup_plan *plan, tuff_error *err) {
  if (!prepare(connection, err)) return false;
  backup->watch = (tuff_watch){.interrupted = connection->watch.interrupted,
                               .context = connection->watch.context,
                               .busy_us = connection->watch.busy_us};
  backup->verify = plan->verify;
  enlist(backup, connection);
  if (begin(backup, plan, err)) return true;
  tuff_error_context(err, "cannot copy to \"%.200s\": ", plan->to.path);
  tuff_backup_finish(backup);
  return false;
}

/* ---- its steps ---- */

static bool copy(tuff_backup *backup, tuff_error *err) {
  const tuff_copying *copying = backup->connection->driver->copying;
  tuff_result result = copying->step(backup->copy, &backup->extent, err);
  if (result == TUFF_FAILED) return false;
  backup->stage = TUFF_BACKUP_COPYING;
  if (result == TUFF_MORE) return true;
  copying->finish(backup->copy);
  backup->copy = NULL;
  backup->stage = TUFF_BACKUP_COPIED;
  return true;
}

/* What was damaged is as damaged in the copy: it is better to hear of that now. */
static bool check(tuff_backup *backup, tuff_error *err) {
  const tuff_copying *copying = backup->connection->driver->copying;
  const char *path = backup->artefact.temporary;
  tuff_options file = {.path = path, .path_size = strlen(path)};
  if (!copying->verify(&file, backup->verify, &backup->watch, &backup->found, err)) {
    if (err->code == TUFF_CORRUPT)
      tuff_error_hint(err, "the database is as damaged: keep it as it is, and keep "
                           "older copies");
    return false;
  }
  backup->stage = TUFF_BACKUP_CHECKED;
  return true;
}

/* Somebody may have opened what is to be replaced while we were at work. */
static bool publish(tuff_backup *backup, tuff_error *err) {
  if (!admit(backup, err) || !tuff_artefact_publish(&backup->artefact, err))
    return false;
  backup->stage = TUFF_BACKUP_PUBLISHED;
  return true;
}

static bool advance(tuff_backup *backup, tuff_error *err) {
  backup->watch.started_us = 0;
  if (!tuff_connection_check(backup->connection, err) ||
      tuff_watch_stop(&backup->watch, err))
    return false;
  switch (backup->stage) {
    case TUFF_BACKUP_COPIED: return check(backup, err);
    case TUFF_BACKUP_CHECKED: return publish(backup, err);
    case TUFF_BACKUP_PUBLISHED: return true;
    default: return copy(backup, err);
  }
}

tuff_result tuff_backup_step(tuff_backup *backup, tuff_error *err) {
  tuff_error *failure = &backup->failure;
  if (!backup->connection) {
    tuff_fail(failure, TUFF_CLOSED, "this copy has ended");
  } else if (failure->code == TUFF_OK && !advance(backup, failure)) {
    tuff_error_context(failure, "cannot copy to \"%.200s\": ", backup->artefact.path);
  }
  if (failure->code == TUFF_OK)
    return backup->stage == TUFF_BACKUP_PUBLISHED ? TUFF_DONE : TUFF_MORE;
  if (err && err->code == TUFF_OK) *err = *failure;
  return TUFF_FAILED;
}
