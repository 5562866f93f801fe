/* test_text.c: what counts as text, compared with a reference that decodes character by
 * character. */
#include "core/text.h"

#include <stdint.h>

#include "test/tap.h"

/* By the definition: decodes, then looks whether the shortest form was used. */
static bool is_text(const unsigned char *at, size_t size) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  while (size > 0) {
    unsigned length = *at < 0x80             ? 1
                      : (*at & 0xE0) == 0xC0 ? 2
                      : (*at & 0xF0) == 0xE0 ? 3
                      : (*at & 0xF8) == 0xF0 ? 4
                                             : 0;
    if (length == 0 || length > size || *at == 0) return false;
    uint32_t character = length == 1 ? *at : *at & (0xFFu >> (length + 1));
    for (unsigned i = 1; i < length; i++) {
      if ((at[i] & 0xC0) != 0x80) return false;
      character = character << 6 | (at[i] & 0x3F);
    }
    if (character < least[length] || character > 0x10FFFF) return false;
    if (character >= 0xD800 && character <= 0xDFFF) return false;
    at += length;
    size -= length;
  }
  return true;
}

static long checked;

static void compare(const unsigned char *bytes, size_t size) {
  checked++;
  bool is = tuff_text_is_valid((const char *)bytes, size);
  if (is == is_text(bytes, size)) return;
  tap.wrong++;
  if (tap.wrong > 8) return;
  char shown[128];
  size_t used = 0;
  for (size_t i = 0; i < size && used + 4 < sizeof shown; i++)
    used += (size_t)snprintf(shown + used, sizeof shown - used, " %02X", bytes[i]);
  say("%s is %s", shown, is ? "taken for text" : "refused");
}

/* The sequence alone, and at every place of an otherwise plain text of every length
 * about the size of a machine word. */
static void compare_everywhere(const unsigned char *sequence, size_t size) {
  unsigned char text[40];
  compare(sequence, size);
  for (size_t length = size; length <= 20; length++) {
    for (size_t at = 0; at + size <= length; at++) {
      memset(text, 'a', length);
      memcpy(text + at, sequence, size);
      compare(text, length);
    }
  }
}

static void knows_every_byte(void) {
  for (unsigned a = 0; a < 256; a++) {
    unsigned char bytes[] = {(unsigned char)a};
    compare_everywhere(bytes, 1);
  }
}

static void knows_every_pair(void) {
  for (unsigned pair = 0; pair < 65536; pair++) {
    unsigned char bytes[] = {(unsigned char)(pair >> 8), (unsigned char)pair};
    compare(bytes, 2);
    unsigned char text[11] = "aaaaaaaaaaa";
    for (size_t at = 0; at <= 9; at++) {
      memcpy(text + at, bytes, 2);
      compare(text, sizeof text);
      memset(text + at, 'a', 2);
    }
  }
}

/* Bytes where something changes. */
static const unsigned char edges[] = {0x00, 0x01, 0x41, 0x7F, 0x80, 0x81, 0x8F, 0x90,
                                      0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
                                      0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3,
                                      0xF4, 0xF5, 0xF7, 0xF8, 0xFB, 0xFC, 0xFE, 0xFF};
static const size_t EDGES = sizeof edges;

static void knows_three_bytes(void) {
  for (unsigned first = 0xC0; first < 256; first++) {
    for (unsigned rest = 0; rest < 65536;
         rest += first >= 0xE0 && first < 0xF0 ? 1 : 7) {
      unsigned char bytes[] = {(unsigned char)first, (unsigned char)(rest >> 8),
                               (unsigned char)rest};
      compare(bytes, 3);
    }
  }
  for (size_t i = 0; i < EDGES * EDGES * EDGES; i++) {
    unsigned char bytes[] = {edges[i / EDGES / EDGES], edges[i / EDGES % EDGES],
                             edges[i % EDGES]};
    if (i % 5 == 0) compare_everywhere(bytes, 3);
    compare(bytes, 3);
  }
}

static void knows_four_bytes(void) {
  for (size_t i = 0; i < EDGES * EDGES * EDGES * EDGES; i++) {
    unsigned char bytes[] = {edges[i / EDGES / EDGES / EDGES],
                             edges[i / EDGES / EDGES % EDGES], edges[i / EDGES % EDGES],
                             edges[i % EDGES]};
    if (bytes[0] >= 0x80) compare(bytes, 4);
    if (bytes[0] >= 0xF0 && i % 61 == 0) compare_everywhere(bytes, 4);
  }
}

/* All characters there are, encoded as they should be. */
static void takes_every_character(void) {
  unsigned char bytes[4];
  for (uint32_t c = 1; c <= 0x10FFFF; c++) {
    size_t size;
    if (c < 0x80) {
      size = 1;
      bytes[0] = (unsigned char)c;
    } else {
      size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
      uint32_t rest = c;
      for (size_t i = size - 1; i > 0; i--, rest >>= 6)
        bytes[i] = (unsigned char)(0x80 | (rest & 0x3F));
      bytes[0] = (unsigned char)(0xF00u >> size | rest);
    }
    bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    if (tuff_text_is_valid((const char *)bytes, size) == !surrogate) continue;
    tap.wrong++;
    say("U+%04X", c);
    if (tap.wrong > 8) return;
  }
}

static uint32_t random_state = 1;

static uint32_t random_number(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state;
}

static void knows_mixtures_at_every_alignment(void) {
  static const char *const pieces[] = {
      "a",           "bcd",          "plain text here",
      "\xC3\xA4",    "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
      "\x7F",        "\xC3",         "\xE2\x82",
      "\xED\xA0\x80"};
  unsigned char block[128];
  for (int round = tap_times(200000); round > 0; round--) {
    size_t start = random_number() % 8, size = 0, wanted = random_number() % 64;
    while (size < wanted) {
      /* Broken pieces are rarer, or nothing would be valid. */
      const char *piece = pieces[random_number() % (random_number() % 8 ? 7 : 10)];
      while (*piece) block[start + size++] = (unsigned char)*piece++;
    }
    compare(block + start, size);
    compare(block + start, wanted < size ? wanted : size);
  }
}

static void reads_no_byte_outside_of_the_text(void) {
  static const char text[] = "plain \xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80 plain again";
  for (size_t size = 0; size < sizeof text; size++) {
    unsigned char *copy = malloc(size ? size : 1);
    if (!copy) abort();
    memcpy(copy, text, size);
    compare(copy, size);
    free(copy);
  }
  expect(tuff_text_is_valid("", 0));
  expect(tuff_text_is_valid(NULL, 0));
}

static void mends_what_is_no_text(void) {
  static const char *const known[][2] = {{"", ""},
                                         {"plain \xC3\xA4", "plain \xC3\xA4"},
                                         {"cut \xC3", "cut ?"},
                                         {"cut \xF0\x9F\x98", "cut ???"},
                                         {"\xE2\x82\xC3\xA4\xFF", "??\xC3\xA4?"},
                                         {"\x80\xED\xA0\x80", "????"}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    char text[32];
    snprintf(text, sizeof text, "%s", known[i][0]);
    tuff_text_mend(text);
    expect(strcmp(text, known[i][1]) == 0);
    expect(tuff_text_is_valid(text, strlen(text)));
  }
}

int main(void) {
  it("knows every byte, at every place", knows_every_byte);
  it("knows every pair of bytes, at many places", knows_every_pair);
  it("knows sequences of three bytes", knows_three_bytes);
  it("knows sequences of four bytes", knows_four_bytes);
  it("takes every character but the surrogates", takes_every_character);
  it("knows mixtures at every alignment", knows_mixtures_at_every_alignment);
  it("reads no byte outside of the text", reads_no_byte_outside_of_the_text);
  it("mends what is no text", mends_what_is_no_text);
  printf("# %ld texts compared\n", checked);
  return tap_end();
}
