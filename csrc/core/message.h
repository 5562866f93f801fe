/* message.h: what a server says by itself: notices, which are told when the statement
 * has ended during which they came, and notifications, which wait for the script. */
#ifndef TUFF_MESSAGE_H
#define TUFF_MESSAGE_H

#include "core/connection.h"

/* Which notices ->notice is told of from now on. */
void tuff_message_hear(tuff_connection *connection, tuff_hearing hearing);

/* Tells of the notices that have come, unless they are of whoever is being told. To be
 * called whenever something that was sent to the server has ended. */
void tuff_message_tell_all(tuff_connection *connection);
static inline void tuff_message_tell(tuff_connection *connection) {
  if (TUFF_UNLIKELY(connection->driver->messages != NULL))
    tuff_message_tell_all(connection);
}

/* Begins to listen to a channel, or ends it. */
bool tuff_message_listen(tuff_connection *connection, const char *channel, bool on,
                         tuff_error *err);

/* Waits for a notification, at most so long, and counts those that there are. */
bool tuff_message_wait(tuff_connection *connection, int64_t us, size_t *count,
                       tuff_error *err);

/* The oldest notification, once; false: there is none. Its texts live until the next
 * call. */
bool tuff_message_next(tuff_connection *connection, tuff_notification *notification);

#endif
