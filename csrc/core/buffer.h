/* buffer.h: bytes that grow. A failed allocation makes the buffer `failed`; later calls
 * do nothing, so that a caller checks once, at the end. */
#ifndef TUFF_BUFFER_H
#define TUFF_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tuff_buffer {
  char *bytes; /* terminated after every append that succeeded; NULL while empty */
  size_t size, room;
  bool failed;
} tuff_buffer;

void tuff_buffer_append(tuff_buffer *buffer, const void *bytes, size_t size);
void tuff_buffer_append_text(tuff_buffer *buffer, const char *text);
void tuff_buffer_append_number(tuff_buffer *buffer, unsigned long number);
void tuff_buffer_free(tuff_buffer *buffer);

#endif
