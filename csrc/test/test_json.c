/* test_json.c: which texts are stored as JSON. Each is copied to a block of its own
 * size, so that the sanitizers see a look behind its end. */
#include "core/buffer.h"
#include "core/error.h"
#include "core/json.h"
#include "core/memory.h"
#include "test/tap.h"

static tuff_code check(const char *text, size_t size) {
  tuff_error err = {.code = TUFF_OK};
  char *copy = tuff_alloc(NULL, size ? size : 1);
  if (!expect(copy != NULL)) return TUFF_MEMORY;
  memcpy(copy, text, size);
  bool good = tuff_json_check(copy, size, &err);
  tuff_free(copy);
  expect(good == (err.code == TUFF_OK));
  return err.code;
}

static void expect_code(const char *text, tuff_code wanted) {
  tuff_code code = check(text, strlen(text));
  if (!expect(code == wanted)) say("%s: %s", text, tuff_code_name(code));
}

static void takes_what_is_json(void) {
  static const char *const texts[] = {"0",
                                      "-0",
                                      "12",
                                      "1.5",
                                      "-1.5e-7",
                                      "1E+5",
                                      "true",
                                      "false",
                                      "null",
                                      "\"\"",
                                      "[]",
                                      "{}",
                                      " [ ] ",
                                      "\t{\r\n}",
                                      "[1,[2,{\"a\":[]}],\"x\"]",
                                      "{\"a\":{\"b\" : 1 , \"c\":[ true , null ]}}",
                                      "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                                      "\"\\u00e9\\uD83D\\uDe00\"",
                                      "\"gr\303\266\303\237e\"",
                                      "\"\x7F\""};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    expect_code(texts[i], TUFF_OK);
}

static void refuses_what_is_none(void) {
  static const char *const texts[] = {"",
                                      " ",
                                      "-",
                                      "+1",
                                      "01",
                                      "-01",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "1e+",
                                      "0x10",
                                      "nul",
                                      "nullx",
                                      "True",
                                      "NaN",
                                      "Infinity",
                                      "[",
                                      "]",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "[,]",
                                      "[1 2]",
                                      "[1}",
                                      "{",
                                      "}",
                                      "{]",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":}",
                                      "{\"a\":1",
                                      "{\"a\":1,",
                                      "{\"a\":1,}",
                                      "{\"a\" 1}",
                                      "{a:1}",
                                      "{1:2}",
                                      "{\"a\":1 \"b\":2}",
                                      "'a'",
                                      "\"",
                                      "\"a",
                                      "\"\\",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12G4\"",
                                      "\"\\ud800\"",
                                      "\"\\ud800\\n\"",
                                      "\"\\ud800\\ud800\"",
                                      "\"\\udc00\"",
                                      "\"a\nb\"",
                                      "1 2",
                                      "[]]",
                                      "[],",
                                      "{}{}",
                                      "// c\n1",
                                      "/**/1",
                                      "\357\273\2771",
                                      "[\f]"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    expect_code(texts[i], TUFF_TYPE);
  expect_equal(check("null\0", 5), TUFF_TYPE);
  expect_equal(check("\"\0\"", 3), TUFF_TYPE);
  expect_equal(check("\"\\\0\"", 4), TUFF_TYPE);
}

static void refuses_numbers_that_would_be_others(void) {
  expect_code("9223372036854775807", TUFF_OK);
  expect_code("9223372036854775808", TUFF_RANGE);
  expect_code("-9223372036854775808", TUFF_OK);
  expect_code("-9223372036854775809", TUFF_RANGE);
  expect_code("10000000000000000000", TUFF_RANGE);
  expect_code("1.7976931348623157e308", TUFF_OK);
  expect_code("0.00017976931348623157e312", TUFF_OK);
  expect_code("179769313486.231571e297", TUFF_OK);
  expect_code("1.7976931348623159e308", TUFF_RANGE);
  expect_code("1e308", TUFF_OK);
  expect_code("1e309", TUFF_RANGE);
  expect_code("-2e308", TUFF_RANGE);
  expect_code("0e999999999999999999999", TUFF_OK);
  expect_code("1e999999999999999999999", TUFF_RANGE);
  expect_code("1e-999999999999999999999", TUFF_OK);
}

static tuff_code check_nested(size_t depth, const char *open, const char *inner,
                              const char *close) {
  tuff_buffer text = {0};
  for (size_t i = 0; i < depth; i++) tuff_buffer_append_text(&text, open);
  tuff_buffer_append_text(&text, inner);
  for (size_t i = 0; i < depth; i++) tuff_buffer_append_text(&text, close);
  tuff_code code = check(text.bytes, text.size);
  tuff_buffer_free(&text);
  return code;
}

static void refuses_what_is_nested_too_deeply(void) {
  expect_equal(check_nested(TUFF_JSON_DEPTH, "[", "", "]"), TUFF_OK);
  expect_equal(check_nested(TUFF_JSON_DEPTH, "{\"a\":", "1", "}"), TUFF_OK);
  expect_equal(check_nested(TUFF_JSON_DEPTH + 1, "[", "", "]"), TUFF_RANGE);
  expect_equal(check_nested(TUFF_JSON_DEPTH + 1, "{\"a\":", "1", "}"), TUFF_RANGE);
  expect_equal(check_nested(1000000, "[", "", ""), TUFF_RANGE);
}

int main(void) {
  it("takes what is JSON", takes_what_is_json);
  it("refuses what is none", refuses_what_is_none);
  it("refuses numbers that would be others when they are read",
     refuses_numbers_that_would_be_others);
  it("refuses what is nested too deeply", refuses_what_is_nested_too_deeply);
  return tap_end();
}
