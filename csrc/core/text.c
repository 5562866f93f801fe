/* text.c: eight bytes of ASCII at a time, because nearly all text is that. */
#include "core/text.h"

#include <stdint.h>
#include <string.h>

static bool is_tail(const unsigned char *at, const unsigned char *end) {
  return at < end && (*at & 0xC0) == 0x80;
}

/* The length of the character above ASCII that begins here; 0: none does. */
static size_t character(const unsigned char *at, const unsigned char *end) {
  if (at[0] < 0xC2 || at[0] > 0xF4 || !is_tail(at + 1, end)) return 0;
  if (at[0] < 0xE0) return 2;
  if (!is_tail(at + 2, end)) return 0;
  if (at[0] < 0xF0) {
    bool overlong = at[0] == 0xE0 && at[1] < 0xA0;
    bool surrogate = at[0] == 0xED && at[1] > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  if (!is_tail(at + 3, end)) return 0;
  bool overlong = at[0] == 0xF0 && at[1] < 0x90;
  bool too_high = at[0] == 0xF4 && at[1] > 0x8F;
  return overlong || too_high ? 0 : 4;
}

/* Whether eight bytes are ASCII without NUL: no high bit set, and none that borrows. */
static bool is_plain(const unsigned char *at) {
  uint64_t word;
  memcpy(&word, at, 8);
  return ((word | (word - 0x0101010101010101u)) & 0x8080808080808080u) == 0;
}

static bool is_valid_slowly(const unsigned char *at, const unsigned char *end) {
  while (at < end) {
    if (*at == 0) return false;
    size_t step = *at < 0x80 ? 1 : character(at, end);
    if (step == 0) return false;
    at += step;
  }
  return true;
}

bool tuff_text_is_valid(const char *text, size_t size) {
  const unsigned char *at = (const unsigned char *)text, *end = at + size;
  if (size < 8) return is_valid_slowly(at, end);
  while (end - at >= 8 && is_plain(at)) at += 8;
  /* The rest together with what came before it, which is plain. */
  if (end - at < 8 && is_plain(end - 8)) return true;
  return is_valid_slowly(at, end);
}

void tuff_text_mend(char *text) {
  unsigned char *at = (unsigned char *)text, *end = at + strlen(text);
  while (at < end) {
    size_t step = *at < 0x80 ? 1 : character(at, end);
    if (step == 0) *at = '?';
    at += step > 0 ? step : 1;
  }
}
