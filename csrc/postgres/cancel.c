/* cancel.c: asking the server to stop what it does for a session. libpq waits for the
 * answer without any limit, which a server that hangs never gives: so a thread waits,
 * and we wait for the thread, for a while. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "postgres/database.h"

/* Shared with the thread; whoever is the last to leave frees it. */
typedef struct request {
  PGcancel *canceller;
  pthread_mutex_t mutex;
  pthread_cond_t answered;
  bool done, left;
} request;

static void dispose(request *request) {
  PQfreeCancel(request->canceller);
  pthread_cond_destroy(&request->answered);
  pthread_mutex_destroy(&request->mutex);
  free(request);
}

static void *ask(void *context) {
  request *request = context;
  char reason[256];
  PQcancel(request->canceller, reason, sizeof reason);
  pthread_mutex_lock(&request->mutex);
  bool left = request->left;
  request->done = true;
  pthread_cond_signal(&request->answered);
  pthread_mutex_unlock(&request->mutex);
  if (left) dispose(request);
  return NULL;
}

/* Not by the host's allocation, which belongs to the connection's thread. */
static request *new_request(PGconn *handle) {
  request *request = calloc(1, sizeof *request);
  if (!request) return NULL;
  request->canceller = PQgetCancel(handle);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&request->mutex, NULL);
  pthread_cond_init(&request->answered, &attributes);
  pthread_condattr_destroy(&attributes);
  return request;
}

static bool start(request *request) {
  pthread_t thread;
  if (!request->canceller || pthread_create(&thread, NULL, ask, request) != 0)
    return false;
  pthread_detach(thread);
  return true;
}

static bool wait_for(request *request, int ms) {
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += ms / 1000;
  end.tv_nsec += ms % 1000 * 1000000L;
  if (end.tv_nsec >= 1000000000L) {
    end.tv_sec++;
    end.tv_nsec -= 1000000000L;
  }
  int status = 0;
  pthread_mutex_lock(&request->mutex);
  while (!request->done && status == 0)
    status = pthread_cond_timedwait(&request->answered, &request->mutex, &end);
  bool done = request->done;
  request->left = true;
  pthread_mutex_unlock(&request->mutex);
  return done;
}

bool tuff_postgres_cancel(tuff_postgres_database *database, int ms) {
  request *request = new_request(database->handle);
  if (!request) return false;
  bool started = start(request);
  bool done = started && wait_for(request, ms);
  if (done || !started) dispose(request);
  return done;
}
