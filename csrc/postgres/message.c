/* message.c: what the server says by itself. Notices come in the middle of the protocol
 * and are kept until the core asks for them, as far as they fit; notifications are kept
 * by libpq, and here once they are counted, however many there are. */
#include <stdio.h>
#include <string.h>

#include "postgres/database.h"

/* ---- notices ---- */

enum { MOST_BYTES = 4 << 20 /* of notices that are kept */ };

static bool is_warning(const char *severity) {
  static const char *const harmless[] = {"NOTICE", "INFO", "LOG", "DEBUG"};
  for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
    if (strcmp(severity, harmless[i]) == 0) return false;
  return true;
}

static bool is_heard(const tuff_postgres_messages *messages, const char *severity) {
  return messages->hearing == TUFF_HEAR_ALL ||
         (messages->hearing == TUFF_HEAR_WARNINGS && is_warning(severity));
}

static const char *field(const PGresult *result, int code) {
  const char *text = PQresultErrorField(result, code);
  return text ? text : "";
}

/* A copy of the text, behind the others. */
static const char *put(char **at, const char *text) {
  size_t size = strlen(text) + 1;
  const char *copy = memcpy(*at, text, size);
  *at += size;
  return copy;
}

static tuff_postgres_notice *copy(const tuff_notice *notice, size_t room) {
  size_t size = sizeof(tuff_postgres_notice) + strlen(notice->severity) +
                strlen(notice->sqlstate) + strlen(notice->message) +
                strlen(notice->detail) + strlen(notice->hint) + 5;
  tuff_postgres_notice *kept =
      size <= room ? tuff_postgres_host->alloc(NULL, size) : NULL;
  if (!kept) return NULL;
  char *at = kept->texts;
  kept->next = NULL;
  kept->size = size;
  kept->notice = (tuff_notice){.severity = put(&at, notice->severity),
                               .sqlstate = put(&at, notice->sqlstate),
                               .message = put(&at, notice->message),
                               .detail = put(&at, notice->detail),
                               .hint = put(&at, notice->hint)};
  return kept;
}

/* After the first that does not fit none is kept: there is no gap between them. */
static void keep(tuff_postgres_messages *messages, const tuff_notice *notice) {
  tuff_postgres_notice *kept =
      messages->unkept ? NULL : copy(notice, MOST_BYTES - messages->bytes);
  if (!kept) {
    messages->unkept++;
    return;
  }
  *(messages->last ? &messages->last->next : &messages->first) = kept;
  messages->last = kept;
  messages->bytes += kept->size;
}

/* libpq calls it while it reads: nothing may be sent from here. On an idle socket the
 * server's last word comes this way, too. What libpq says itself has no severity that
 * is not translated. */
static void on_notice(void *context, const PGresult *result) {
  tuff_postgres_database *database = context;
  tuff_notice notice = {.severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED),
                        .sqlstate = field(result, PG_DIAG_SQLSTATE),
                        .message = field(result, PG_DIAG_MESSAGE_PRIMARY),
                        .detail = field(result, PG_DIAG_MESSAGE_DETAIL),
                        .hint = field(result, PG_DIAG_MESSAGE_HINT)};
  if (tuff_postgres_ends_session(result)) database->lost = true;
  if (!notice.severity[0]) notice.severity = "NOTICE";
  if (is_heard(&database->messages, notice.severity))
    keep(&database->messages, &notice);
}

void tuff_postgres_hear(tuff_postgres_database *database) {
  PQsetNoticeReceiver(database->handle, on_notice, database);
}

static void hear(void *context, tuff_hearing hearing) {
  ((tuff_postgres_database *)context)->messages.hearing = hearing;
}

static void forget_notice(tuff_postgres_messages *messages) {
  tuff_postgres_host->alloc(messages->told, 0);
  messages->told = NULL;
}

static tuff_notice say_unkept(tuff_postgres_messages *messages) {
  snprintf(messages->last_words, sizeof messages->last_words,
           "%lu more notices came than could be kept", messages->unkept);
  messages->unkept = 0;
  return (tuff_notice){"WARNING", "", messages->last_words, "", ""};
}

static bool next_notice(void *context, tuff_notice *notice) {
  tuff_postgres_database *database = context;
  tuff_postgres_messages *messages = &database->messages;
  if (PQtransactionStatus(database->handle) == PQTRANS_ACTIVE) return false;
  forget_notice(messages);
  tuff_postgres_notice *kept = messages->first;
  if (kept) {
    messages->first = kept->next;
    if (!kept->next) messages->last = NULL;
    messages->bytes -= kept->size;
    messages->told = kept;
    *notice = kept->notice;
    return true;
  }
  if (!messages->unkept) return false;
  *notice = say_unkept(messages);
  return true;
}

/* ---- channels ---- */

/* Runs LISTEN or UNLISTEN, with the channel as an identifier. */
static bool run(tuff_postgres_database *database, const char *command,
                const char *channel, tuff_error *err) {
  size_t size = strlen(command) + 2 * strlen(channel) + 4;
  char *sql = tuff_postgres_host->alloc(NULL, size);
  if (!sql) return tuff_postgres_fail_memory(err);
  char *at = stpcpy(stpcpy(sql, command), " \"");
  for (const char *from = channel; *from; from++) {
    if (*from == '"') *at++ = '"';
    *at++ = *from;
  }
  *at++ = '"';
  *at = '\0';
  bool done = tuff_postgres_exec(database, sql, err);
  tuff_postgres_host->alloc(sql, 0);
  return done;
}

static bool has_session(const tuff_postgres_database *database, tuff_error *err) {
  if (!database->pooler) return true;
  tuff_postgres_host->fail(err, TUFF_UNSUPPORTED,
                           "a pooler leaves no session in which to listen");
  tuff_postgres_host->hint(err,
                           "listen on a connection that goes to the server itself");
  return false;
}

/* The link to the channel, or to nothing behind the last one. */
static tuff_postgres_channel **find(tuff_postgres_messages *messages,
                                    const char *channel) {
  tuff_postgres_channel **link = &messages->channels;
  while (*link && strcmp((*link)->name, channel) != 0) link = &(*link)->next;
  return link;
}

static tuff_postgres_channel *new_channel(const char *name) {
  size_t size = strlen(name) + 1;
  tuff_postgres_channel *channel =
      tuff_postgres_host->alloc(NULL, sizeof *channel + size);
  if (!channel) return NULL;
  channel->next = NULL;
  memcpy(channel->name, name, size);
  return channel;
}

static bool unlisten(tuff_postgres_database *database, const char *channel,
                     tuff_error *err) {
  if (!run(database, "UNLISTEN", channel, err)) return false;
  tuff_postgres_channel **link = find(&database->messages, channel), *ended = *link;
  if (ended) *link = ended->next;
  tuff_postgres_host->alloc(ended, 0);
  return true;
}

static bool listen_to(void *context, const char *channel, bool on, tuff_error *err) {
  tuff_postgres_database *database = context;
  if (!has_session(database, err) || !tuff_postgres_ready(database, err)) return false;
  if (!on) return unlisten(database, channel, err);
  tuff_postgres_channel **link = find(&database->messages, channel);
  tuff_postgres_channel *added = *link ? NULL : new_channel(channel);
  if (!*link && !added) return tuff_postgres_fail_memory(err);
  if (run(database, "LISTEN", channel, err)) {
    if (added) *link = added;
    return true;
  }
  tuff_postgres_host->alloc(added, 0);
  return false;
}

bool tuff_postgres_listen_again(tuff_postgres_database *database, tuff_error *err) {
  static const tuff_notice lost = {"WARNING", "",
                                   "the connection was lost and made anew",
                                   "Temporary tables and settings of the session are "
                                   "gone, and notifications may have been missed.",
                                   ""};
  tuff_postgres_messages *messages = &database->messages;
  const tuff_postgres_channel *channel = messages->channels;
  bool first = database->epoch == 1;
  if (!first && !database->pooler && messages->hearing != TUFF_HEAR_NONE)
    keep(messages, &lost);
  while (channel && run(database, "LISTEN", channel->name, err))
    channel = channel->next;
  return !channel;
}

/* ---- notifications ---- */

/* Nothing that libpq has given can be lost for want of memory: the place comes first.
 */
bool tuff_postgres_receive(tuff_postgres_database *database, tuff_error *err) {
  tuff_postgres_messages *messages = &database->messages;
  for (;;) {
    tuff_postgres_notification *received =
        tuff_postgres_host->alloc(NULL, sizeof *received);
    if (!received) return tuff_postgres_fail_memory(err);
    *received = (tuff_postgres_notification){.native = PQnotifies(database->handle)};
    if (!received->native) {
      tuff_postgres_host->alloc(received, 0);
      return true;
    }
    *(messages->newest ? &messages->newest->next : &messages->oldest) = received;
    messages->newest = received;
    messages->count++;
  }
}

static void forget_notification(tuff_postgres_messages *messages) {
  if (messages->given) PQfreemem(messages->given->native);
  tuff_postgres_host->alloc(messages->given, 0);
  messages->given = NULL;
}

static bool next_notification(void *context, tuff_notification *notification) {
  tuff_postgres_messages *messages = &((tuff_postgres_database *)context)->messages;
  forget_notification(messages);
  tuff_postgres_notification *oldest = messages->given = messages->oldest;
  if (!oldest) return false;
  messages->oldest = oldest->next;
  if (!oldest->next) messages->newest = NULL;
  messages->count--;
  *notification = (tuff_notification){.channel = oldest->native->relname,
                                      .payload = oldest->native->extra,
                                      .sender = oldest->native->be_pid};
  return true;
}

/* What has come before the session was lost is given before a new one begins. */
static bool wait_for_one(void *context, int64_t until_us, size_t *count,
                         tuff_error *err) {
  tuff_postgres_database *database = context;
  const tuff_postgres_messages *messages = &database->messages;
  if (!has_session(database, err)) return false;
  for (;;) {
    bool alive = PQconsumeInput(database->handle);
    bool received = tuff_postgres_receive(database, err);
    *count = messages->count;
    if (*count) return true;
    if (!received) return false;
    if (!alive) database->lost = true;
    if (database->lost) return tuff_postgres_ready(database, err);
    if (tuff_postgres_host->now_us() >= until_us) return true;
    if (!tuff_postgres_await_input(database, until_us, err)) return false;
  }
}

/* ---- the end ---- */

void tuff_postgres_messages_free(tuff_postgres_database *database) {
  tuff_postgres_messages *messages = &database->messages;
  tuff_notice notice;
  tuff_notification notification;
  while (next_notice(database, &notice)) continue;
  while (next_notification(database, &notification)) continue;
  while (messages->channels) {
    tuff_postgres_channel *channel = messages->channels;
    messages->channels = channel->next;
    tuff_postgres_host->alloc(channel, 0);
  }
}

const tuff_messages tuff_postgres_message_table = {.hear = hear,
                                                   .notice = next_notice,
                                                   .listen = listen_to,
                                                   .wait = wait_for_one,
                                                   .notification = next_notification};
