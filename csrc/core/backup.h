/* backup.h: a copy of a database, made while the database is used, step by step: begin,
 * step until it is done, finish. Whatever ends it before, nothing of it is left. It is
 * a child of its connection, but uses one of its own, and what others do on the
 * connection between two steps is nothing to it. */
#ifndef TUFF_BACKUP_H
#define TUFF_BACKUP_H

#include "core/artefact.h"

struct tuff_connection;

/* What is wanted. */
typedef struct tuff_backup_plan {
  tuff_options to; /* the path and the root count: see tuff_artefact_begin */
  bool replace;    /* what has the path already */
  unsigned verify; /* how closely to look at the copy, see tuff_copying */
} tuff_backup_plan;

/* What the last step has done. */
typedef enum tuff_backup_stage {
  TUFF_BACKUP_BEGUN,
  TUFF_BACKUP_COPYING,
  TUFF_BACKUP_COPIED,
  TUFF_BACKUP_CHECKED,
  TUFF_BACKUP_PUBLISHED
} tuff_backup_stage;

typedef struct tuff_backup {
  struct tuff_connection *connection; /* NULL: ended */
  tuff_backup_stage stage;
  unsigned verify;
  tuff_extent extent;
  tuff_inspection found; /* once it is checked */
  int64_t created_us;    /* since 1970: it holds all that was committed by then */
  tuff_artefact artefact;
  tuff_watch watch;
  tuff_error failure; /* the first one; later steps fail with it, too */
  void *copy;         /* the driver's, until all is copied */
  struct tuff_backup *next, *previous;
} tuff_backup;

/* Begins in zeroed memory that must not move until it is finished. `misuse` in a
 * transaction, whose work the copy would not see. */
bool tuff_backup_begin(tuff_backup *backup, struct tuff_connection *connection,
                       const tuff_backup_plan *plan, tuff_error *err);

/* Does a piece: copies some, checks the copy, or gives it its name: TUFF_MORE until
 * then. On an error nothing is left but to finish. */
tuff_result tuff_backup_step(tuff_backup *backup, tuff_error *err);

/* Releases all; what was not published is gone. May be called twice. */
void tuff_backup_finish(tuff_backup *backup);

/* Ends those of a connection that closes. */
void tuff_backups_finish(struct tuff_connection *connection);

#endif
