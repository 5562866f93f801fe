/* file.h: the core's operations on files, behind one table of functions, so that tests
 * can make any of them fail. */
#ifndef TUFF_FILE_H
#define TUFF_FILE_H

#include "core/driver.h"

/* The table in force: the system's own, unless a test has put another in its place. */
extern const tuff_files *tuff_files_current;

/* The system's own operations. */
extern const tuff_files tuff_files_system;

#endif
