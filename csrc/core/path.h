/* path.h: where a file that this program opens or makes really lies, and whether it may
 * lie there. */
#ifndef TUFF_PATH_H
#define TUFF_PATH_H

#include "core/driver.h"

/* The path of the options as an absolute one, in which no directory is a link; its last
 * part stays as it is, and may be a link or not exist. Where the options name a root,
 * it must not lie outside. */
bool tuff_path_resolve(const tuff_options *options, char out[TUFF_PATH],
                       tuff_error *err);

#endif
