/* message.c: when a server is listened to. A driver keeps what was said until here it
 * is sound to tell the script. */
#include "core/message.h"

#include "core/error.h"
#include "core/function.h"
#include "core/host.h"

/* ---- notices ---- */

/* What is said to whoever is being told would never come to an end. */
void tuff_message_hear(tuff_connection *connection, tuff_hearing hearing) {
  const tuff_messages *messages = connection->driver->messages;
  connection->hearing = hearing;
  if (messages && !connection->telling) messages->hear(connection->native, hearing);
}

void tuff_message_tell_all(tuff_connection *connection) {
  const tuff_messages *messages = connection->driver->messages;
  tuff_notice notice;
  if (!connection->notice || connection->reporting ||
      !messages->notice(connection->native, &notice))
    return;
  connection->reporting = connection->telling = true;
  connection->stepping++;
  messages->hear(connection->native, TUFF_HEAR_NONE);
  do connection->notice(connection->notice_context, &notice);
  while (messages->notice(connection->native, &notice));
  connection->stepping--;
  connection->reporting = connection->telling = false;
  tuff_message_hear(connection, connection->hearing);
}

/* ---- notifications ---- */

static const char no_listening[] =
    "a channel cannot be listened to inside a transaction, whose rollback would end "
    "that";
static const char no_waiting[] =
    "notifications cannot be waited for inside a transaction: the server holds them "
    "back until it has ended";

/* `forbidden` says why it cannot be done inside a transaction. */
static bool prepare(tuff_connection *connection, const char *forbidden,
                    tuff_error *err) {
  const tuff_transaction *transaction = &connection->transaction;
  if (!connection->driver->messages) {
    tuff_fail(err, TUFF_UNSUPPORTED, "%s sends no notifications",
              connection->driver->name);
    return false;
  }
  if (!tuff_function_admits(connection, err) ||
      !tuff_transaction_clear(connection, err))
    return false;
  if (transaction->depth > 0 || transaction->manual) {
    tuff_fail(err, TUFF_MISUSE, "%s", forbidden);
    return false;
  }
  connection->watch.started_us = 0;
  return tuff_connection_settle(connection, err);
}

bool tuff_message_listen(tuff_connection *connection, const char *channel, bool on,
                         tuff_error *err) {
  if (!prepare(connection, no_listening, err)) return false;
  bool done =
      connection->driver->messages->listen(connection->native, channel, on, err);
  tuff_message_tell(connection);
  return done;
}

/* It has a limit of its own: that of statements does not count. */
bool tuff_message_wait(tuff_connection *connection, int64_t us, size_t *count,
                       tuff_error *err) {
  if (!prepare(connection, no_waiting, err)) return false;
  connection->watch.timeout_us = 0;
  bool done = connection->driver->messages->wait(connection->native, tuff_now_us() + us,
                                                 count, err);
  tuff_message_tell(connection);
  return done;
}

bool tuff_message_next(tuff_connection *connection, tuff_notification *notification) {
  const tuff_messages *messages = connection->driver->messages;
  return messages && messages->notification(connection->native, notification);
}
