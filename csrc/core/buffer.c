/* buffer.c: a buffer doubles, and keeps one byte for the terminator. */
#include "core/buffer.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"

void tuff_buffer_append(tuff_buffer *buffer, const void *bytes, size_t size) {
  if (buffer->failed) return;
  if (buffer->room - buffer->size <= size) {
    size_t room = buffer->room ? buffer->room : 64;
    while (room - buffer->size <= size) room *= 2;
    char *grown = tuff_alloc(buffer->bytes, room);
    if (!grown) {
      buffer->failed = true;
      return;
    }
    buffer->bytes = grown;
    buffer->room = room;
  }
  if (size) memcpy(buffer->bytes + buffer->size, bytes, size);
  buffer->size += size;
  buffer->bytes[buffer->size] = '\0';
}

void tuff_buffer_append_text(tuff_buffer *buffer, const char *text) {
  tuff_buffer_append(buffer, text, strlen(text));
}

void tuff_buffer_append_number(tuff_buffer *buffer, unsigned long number) {
  char digits[24];
  int size = snprintf(digits, sizeof digits, "%lu", number);
  tuff_buffer_append(buffer, digits, (size_t)size);
}

void tuff_buffer_free(tuff_buffer *buffer) {
  tuff_free(buffer->bytes);
  *buffer = (tuff_buffer){0};
}
