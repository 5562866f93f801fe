/* artefact.h: a file that is there whole or not at all. It is made under another name,
 * and gets its own when all of it is on the disk. Of several who make the same one at a
 * time, only the first may. A process that dies leaves what it had made so far; whoever
 * makes the artefact next takes that away. */
#ifndef TUFF_ARTEFACT_H
#define TUFF_ARTEFACT_H

#include "core/driver.h"

typedef struct tuff_artefact {
  char *path;      /* absolute; what follows is in the same block */
  char *temporary; /* where it is made: path.tmp */
  char *guard;     /* path.tmp-lock: whoever has locked it makes the artefact */
  char *directory;
  bool replace; /* what has the path already */
  bool made;    /* there is a temporary file, which is ours */
  int file; /* of the temporary; open since it was empty, so that a sync hears of every
             * error */
  int lock, folder; /* of the guard and of the directory */
} tuff_artefact;

/* Finds out where it will be, and whether it may: of the options, the path and the root
 * count. Links are not followed. `misuse`: there is a file, and it is not to be
 * replaced. In zeroed memory; nothing is made yet. */
bool tuff_artefact_begin(tuff_artefact *artefact, const tuff_options *where,
                         bool replace, tuff_error *err);

/* Makes an empty temporary file, with mode 0600. `busy`: somebody else is making this
 * artefact. */
bool tuff_artefact_create(tuff_artefact *artefact, tuff_error *err);

/* Gives it its name. On an error the file that had the name is still there, unless the
 * error has `unknown`: then it is this one, but a power failure may take it back. */
bool tuff_artefact_publish(tuff_artefact *artefact, tuff_error *err);

/* Releases all, and takes away what was not published. May be called twice. */
void tuff_artefact_end(tuff_artefact *artefact);

#endif
