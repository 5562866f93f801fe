/* load.c: a driver's library has one export, and knows nothing of ours: it gets what it
 * needs as a table. */
#include "core/load.h"

#include <dlfcn.h>

#include "core/error.h"
#include "core/host.h"

typedef const tuff_driver *entry(const tuff_host *host);

static const tuff_driver *refuse(const char *path, const char *reason,
                                 tuff_error *err) {
  tuff_fail(err, TUFF_UNSUPPORTED, "the driver \"%.200s\" cannot be used: %.200s", path,
            reason);
  return NULL;
}

const tuff_driver *tuff_driver_load(const char *path, tuff_error *err) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return refuse(path, dlerror(), err);
  entry *begin;
  *(void **)&begin = dlsym(library, "tuff_driver_v1");
  const tuff_driver *driver = begin ? begin(tuff_host_get()) : NULL;
  if (driver && driver->abi == TUFF_ABI && driver->size >= sizeof *driver)
    return driver;
  dlclose(library);
  return refuse(path, "it was built for another version of tuff", err);
}
