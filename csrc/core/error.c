/* error.c: errors are written into a struct of fixed size on the caller's stack,
 * because the reason may be that no memory is left. */
#include "core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cuts a text that did not fit, never in the middle of a UTF-8 character. */
static void cut(char *out, size_t room, int wanted) {
  if (wanted < 0) {
    out[0] = '\0';
  } else if ((size_t)wanted >= room) {
    size_t end = room - 4;
    while (end > 0 && ((unsigned char)out[end] & 0xC0) == 0x80) end--;
    memcpy(out + end, "...", 4);
  }
}

static void print(char *out, size_t room, const char *format, va_list args) {
  cut(out, room, vsnprintf(out, room, format, args));
}

void tuff_fail(tuff_error *err, tuff_code code, const char *format, ...) {
  if (!err || err->code != TUFF_OK) return;
  memset(err, 0, offsetof(tuff_error, message));
  err->code = code;
  err->offset = err->parameter = -1;
  va_list args;
  va_start(args, format);
  print(err->message, sizeof err->message, format, args);
  va_end(args);
}

bool tuff_fail_memory(tuff_error *err) {
  tuff_fail(err, TUFF_MEMORY, "out of memory");
  return false;
}

static tuff_code code_of_errno(int reason) {
  switch (reason) {
    case ENOENT:
    case ENOTDIR: return TUFF_NOT_FOUND;
    case ENOSPC:
    case EDQUOT: return TUFF_FULL;
    case ENAMETOOLONG: return TUFF_RANGE;
    case ENOMEM: return TUFF_MEMORY;
    default: return TUFF_IO;
  }
}

bool tuff_fail_errno(tuff_error *err, int reason) {
  tuff_fail(err, code_of_errno(reason), "%s", strerror(reason));
  if (reason == EACCES || reason == EPERM || reason == EROFS)
    tuff_error_hint(err, "this process is not permitted to do that there");
  return false;
}

void tuff_error_hint(tuff_error *err, const char *format, ...) {
  if (!err || err->code == TUFF_OK || err->hint[0]) return;
  va_list args;
  va_start(args, format);
  print(err->hint, sizeof err->hint, format, args);
  va_end(args);
}

void tuff_error_context(tuff_error *err, const char *format, ...) {
  if (!err || err->code == TUFF_OK) return;
  char text[sizeof err->message], rest[sizeof err->message];
  va_list args;
  va_start(args, format);
  print(text, sizeof text, format, args);
  va_end(args);
  memcpy(rest, err->message, sizeof rest);
  cut(err->message, sizeof err->message,
      snprintf(err->message, sizeof err->message, "%s%s", text, rest));
}

static const char *const codes[TUFF_CODES] = {
    [TUFF_OK] = "",
    [TUFF_SYNTAX] = "syntax",
    [TUFF_CONSTRAINT] = "constraint",
    [TUFF_CONFLICT] = "conflict",
    [TUFF_BUSY] = "busy",
    [TUFF_TIMEOUT] = "timeout",
    [TUFF_INTERRUPTED] = "interrupted",
    [TUFF_READONLY] = "readonly",
    [TUFF_FULL] = "full",
    [TUFF_IO] = "io",
    [TUFF_CORRUPT] = "corrupt",
    [TUFF_NOTADB] = "notadb",
    [TUFF_AUTH] = "auth",
    [TUFF_TYPE] = "type",
    [TUFF_RANGE] = "range",
    [TUFF_CLOSED] = "closed",
    [TUFF_MISUSE] = "misuse",
    [TUFF_CONNECTION] = "connection",
    [TUFF_SERIALIZATION] = "serialization",
    [TUFF_TRANSACTION_ABORTED] = "transaction_aborted",
    [TUFF_UNSUPPORTED] = "unsupported",
    [TUFF_NOT_FOUND] = "not_found",
    [TUFF_MEMORY] = "memory",
};

void tuff_error_conceal(tuff_error *err, const tuff_value *values, unsigned count) {
  for (unsigned i = 0; values && i < count; i++) {
    const tuff_value *value = &values[i];
    if (value->kind != TUFF_TEXT || value->size < 2 ||
        value->size >= sizeof err->message)
      continue;
    char *at = err->message;
    while ((at = memmem(at, strlen(at), value->bytes, value->size)) != NULL) {
      memmove(at + 1, at + value->size, strlen(at + value->size) + 1);
      *at++ = '?';
    }
  }
}

static const char *const constraints[] = {
    [TUFF_NO_CONSTRAINT] = "",          [TUFF_UNIQUE] = "unique",
    [TUFF_NOT_NULL] = "not_null",       [TUFF_CHECK] = "check",
    [TUFF_FOREIGN_KEY] = "foreign_key", [TUFF_PRIMARY_KEY] = "primary_key",
};

const char *tuff_code_name(tuff_code code) { return codes[code]; }

const char *tuff_constraint_name(tuff_constraint constraint) {
  return constraints[constraint];
}
