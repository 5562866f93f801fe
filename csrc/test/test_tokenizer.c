/* test_tokenizer.c: placeholders of a script become those of an engine, and a byte of
 * the result can be found again in the source. */
#include "core/memory.h"
#include "core/tokenizer.h"
#include "test/dialects.h"
#include "test/tap.h"

/* What a source becomes. */
static tuff_tokenized tokenized(const char *source, const tuff_dialect *dialect,
                                const char *wanted) {
  tuff_tokenized result;
  tuff_error err = {.code = TUFF_OK};
  if (!tuff_tokenize(&result, source, strlen(source), dialect, &err)) {
    tap.wrong++;
    say("%s: %s", source, err.message);
    memset(&result, 0, sizeof result);
  } else {
    expect_text(result.text.bytes, result.text.size, wanted);
    expect(result.text.bytes[result.text.size] == '\0');
  }
  return result;
}

static void check(const char *source, const tuff_dialect *dialect, unsigned count,
                  const char *wanted) {
  tuff_tokenized result = tokenized(source, dialect, wanted);
  if (!expect_equal(result.count, count)) say("%s", source);
  tuff_tokenized_free(&result);
}

static void check_refused(const char *source, size_t size, const tuff_dialect *dialect,
                          tuff_code code, int offset) {
  tuff_tokenized result;
  tuff_error err = {.code = TUFF_OK};
  long blocks = tuff_alloc_blocks();
  bool done = tuff_tokenize(&result, source, size, dialect, &err);
  if (!expect(!done)) {
    say("%s", source);
    tuff_tokenized_free(&result);
    return;
  }
  if (!expect_equal(err.code, code) || !expect_equal(err.offset, offset))
    say("%s: %s", source, err.message);
  expect_equal(tuff_alloc_blocks(), blocks);
}

static void refused(const char *source, tuff_code code, int offset) {
  check_refused(source, strlen(source), &sqlite, code, offset);
}

static void numbers_question_marks(void) {
  check("select 1", &sqlite, 0, "select 1");
  check("select ?", &sqlite, 1, "select ?1");
  check("select ?, ?,? , ?", &sqlite, 4, "select ?1, ?2,?3 , ?4");
  check("select ?+?a", &sqlite, 2, "select ?1+?2a");
  check("select ?, ?,?,?,?,?,?,?,?,?", &sqlite, 10,
        "select ?1, ?2,?3,?4,?5,?6,?7,?8,?9,?10");
  check("  select ? ; ", &sqlite, 1, "select ?1");
  check("-- first\nselect ? -- last ?\n", &sqlite, 1, "select ?1");
}

static void numbers_a_name_once(void) {
  check("select :a, :b, :a", &sqlite, 2, "select ?1, ?2, ?1");
  check("select :a, :A, :ab, :a", &sqlite, 3, "select ?1, ?2, ?3, ?1");
  tuff_tokenized result =
      tokenized("select :first, :second, :first", &sqlite, "select ?1, ?2, ?1");
  if (expect_equal(result.count, 2)) {
    expect_equal(result.style, TUFF_NAMED);
    expect_equal(result.parameters[0].name, 8);
    expect_equal(result.parameters[0].name_size, 5);
    expect_equal(result.parameters[1].name, 16);
    expect_equal(result.parameters[1].name_size, 6);
  }
  tuff_tokenized_free(&result);
}

/* What it says of its parameters and of its effect on transactions. */
static void check_kind(const char *source, const char *wanted, tuff_style style,
                       tuff_effect effect) {
  tuff_tokenized result = tokenized(source, &sqlite, wanted);
  expect_equal(result.style, style);
  expect_equal(result.effect, effect);
  if (style == TUFF_POSITIONAL && expect(result.count > 0))
    expect_equal(result.parameters[0].name_size, 0);
  tuff_tokenized_free(&result);
}

static void tells_the_style(void) {
  check_kind("select 1", "select 1", TUFF_NO_PARAMETERS, TUFF_EFFECT_NONE);
  check_kind("select ?", "select ?1", TUFF_POSITIONAL, TUFF_EFFECT_NONE);
  check_kind("select :a", "select ?1", TUFF_NAMED, TUFF_EFFECT_NONE);
}

static void leaves_alone_what_only_looks_like_one(void) {
  check("select '?', \"?\", [?], `?` /* ? */ -- ?\n, ?", &sqlite, 1,
        "select '?', \"?\", [?], `?` /* ? */ -- ?\n, ?1");
  check("select ':a', \":a\", [:a] -- :a", &sqlite, 0, "select ':a', \":a\", [:a]");
  check("select '$1', '@a'", &sqlite, 0, "select '$1', '@a'");
  check("select a$1, b$c", &sqlite, 0, "select a$1, b$c");
}

static void writes_a_question_mark_for_two(void) {
  check("select a ?? 'b'", &postgres, 0, "select a ? 'b'");
  check("select ???", &postgres, 1, "select ?$1");
  check("select a ??| ?", &postgres, 1, "select a ?| $1");
  check("select a ??& b ???", &postgres, 1, "select a ?& b ?$1");
}

/* No operator of SQLite has one, and the engine would take it for a parameter. */
static void refuses_one_where_no_operator_has_it(void) {
  refused("select ??", TUFF_SYNTAX, 7);
  refused("select ?, ??1", TUFF_SYNTAX, 10);
  check("select '?\?', \"??\" -- ??\n, ?", &sqlite, 1,
        "select '?\?', \"??\" -- ??\n, ?1");
}

static void writes_lists(void) {
  check("select 1 where a in ?", &sqlite, 1, "select 1 where a in list(?1)");
  check("select a IN ? and b Not In ?", &sqlite, 2,
        "select a in list(?1) and b not in list(?2)");
  check("select a not  in ?, a not\nin\n?", &sqlite, 2,
        "select a not in list(?1), a not in list(?2)");
  check("select a in :list or b in :list", &sqlite, 1,
        "select a in list(?1) or b in list(?1)");
  check("select a in?", &sqlite, 1, "select a in list(?1)");
  check("select a in ?, b = ?", &postgres, 2, "select a = any($1), b = $2");
  check("select a not in ?", &postgres, 1, "select a <> all($1)");
  check("select ? in ?", &sqlite, 2, "select ?1 in list(?2)");
  check("select ? not in ?", &sqlite, 2, "select ?1 not in list(?2)");
  check("select \"not\" in ?", &sqlite, 1, "select \"not\" in list(?1)");
  check("select a \"in\" ?", &sqlite, 1, "select a \"in\" ?1");
  check("select a.within ?", &sqlite, 1, "select a.within ?1");
}

static void tells_lists_from_values(void) {
  tuff_tokenized result =
      tokenized("select a in ?, b in (?), c in (?, ?), d = ?", &sqlite,
                "select a in list(?1), b in (?2), c in (?3, ?4), d = ?5");
  if (expect_equal(result.count, 5)) {
    static const bool array[] = {true, false, false, false, false};
    static const bool parenthesised[] = {false, true, true, false, false};
    for (unsigned i = 0; i < 5; i++) {
      expect_equal(result.parameters[i].array, array[i]);
      expect_equal(result.parameters[i].parenthesised, parenthesised[i]);
    }
  }
  tuff_tokenized_free(&result);
}

static void refuses_other_forms(void) {
  refused("select ?1", TUFF_MISUSE, 7);
  refused("select $1", TUFF_MISUSE, 7);
  refused("select a, $name", TUFF_MISUSE, 10);
  refused("select @name", TUFF_MISUSE, 7);
  refused("\n select ?12", TUFF_MISUSE, 9);
  check_refused("select $1", 9, &postgres, TUFF_MISUSE, 7);
  check_refused("select a::int, $1::int", 22, &postgres, TUFF_MISUSE, 15);
}

static void refuses_a_mixture(void) {
  refused("select ?, :a", TUFF_MISUSE, 10);
  refused("select :a, ?", TUFF_MISUSE, 11);
  refused("select :a from t where x in ?", TUFF_MISUSE, 28);
}

static void refuses_what_is_not_one_statement(void) {
  refused("", TUFF_MISUSE, -1);
  refused(" -- nothing\n ; ", TUFF_MISUSE, -1);
  refused("select 1; select 2", TUFF_MISUSE, 10);
  refused("select 1;; /* x */ select 2", TUFF_MISUSE, 19);
  check("select 1; -- select 2", &sqlite, 0, "select 1");
  check(";; select 1 ;;", &sqlite, 0, "select 1");
  check("create trigger a after insert on t begin select 1; end;", &sqlite, 0,
        "create trigger a after insert on t begin select 1; end");
}

static void refuses_a_nul(void) {
  check_refused("select 1\0", 9, &sqlite, TUFF_SYNTAX, 8);
  check_refused("select '\0'", 10, &sqlite, TUFF_SYNTAX, 8);
  check_refused("\0", 1, &sqlite, TUFF_SYNTAX, 0);
}

static void knows_the_other_dialect(void) {
  check("select ?::int, a::text", &postgres, 1, "select $1::int, a::text");
  check("select :a::int, :b", &postgres, 2, "select $1::int, $2");
  check("select $$ ? :a $$, ?", &postgres, 1, "select $$ ? :a $$, $1");
  check("select $t$ ? $$ $t$, ?", &postgres, 1, "select $t$ ? $$ $t$, $1");
  check("select e'\\'?', ?", &postgres, 1, "select e'\\'?', $1");
  check("select /* /* ? */ ? */ ?", &postgres, 1, "select /* /* ? */ ? */ $1");
  check("select a[?]", &postgres, 1, "select a[$1]");
  check("select '\\', ?", &postgres, 1, "select '\\', $1");
}

/* `limit?` must not become the name limit$1, nor `?and` the number 1and. */
static void keeps_placeholders_apart_from_words(void) {
  static const char *const sources[] = {"select a limit?", "select 1?",
                                        "select ?and b",   "select ?e'\\''",
                                        "select a_?_b",    "select \xC3\xA4?\xC3\xA4"};
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
    tuff_tokenized result;
    tuff_error err = {.code = TUFF_OK};
    if (!expect(
            tuff_tokenize(&result, sources[i], strlen(sources[i]), &postgres, &err)))
      continue;
    tuff_lexer lexer = {result.text.bytes, result.text.bytes + result.text.size,
                        &postgres};
    unsigned found = 0;
    for (tuff_token token; (token = tuff_lexer_next(&lexer)).kind != TUFF_TOKEN_END;)
      found += token.kind == TUFF_TOKEN_REFUSED && token.size == 2;
    if (!expect_equal(found, 1)) say("%s: %s", sources[i], result.text.bytes);
    tuff_tokenized_free(&result);
  }
}

static void tells_the_effect(void) {
  check_kind("/* x */ commit", "commit", TUFF_NO_PARAMETERS, TUFF_EFFECT_END);
  check_kind("vacuum", "vacuum", TUFF_NO_PARAMETERS, TUFF_EFFECT_OUTSIDE);
  check_kind("select 1", "select 1", TUFF_NO_PARAMETERS, TUFF_EFFECT_NONE);
}

/* Where `word` begins in the source and in the result. */
static void check_offset(const char *source, const tuff_dialect *dialect,
                         const char *word) {
  tuff_tokenized result;
  tuff_error err = {.code = TUFF_OK};
  if (!expect(tuff_tokenize(&result, source, strlen(source), dialect, &err))) return;
  const char *in_source = strstr(source, word);
  const char *in_result = strstr(result.text.bytes, word);
  if (expect(in_source && in_result)) {
    for (size_t i = 0; i < strlen(word); i++) {
      size_t at = (size_t)(in_result - result.text.bytes) + i;
      if (!expect_equal(tuff_tokenized_source(&result, at),
                        in_source - source + (int)i))
        say("%s", source);
    }
  }
  tuff_tokenized_free(&result);
}

static void tells_what_reads_and_what_commits(void) {
  const struct {
    const char *source;
    bool reads, commits;
  } known[] = {
      {"select 1", true, false},
      {"-- a comment\n ((SELECT 1) union (select 2))", true, false},
      {"select 1 from t for update", true, false},
      {"select 'delete', \"delete\", $$delete$$, deleted -- delete", true, false},
      {"values (1)", true, false},
      {"with a as (select 1 as x) select x from a", true, false},
      {"with a as (DELETE from t returning x) select x from a", false, false},
      {"with a as (select 1 as x) insert into t select x from a", false, false},
      {"explain update t set x = 1", true, false},
      {"insert into t values (1)", false, false},
      {"merge into t using u on true when matched then do nothing", false, false},
      {"\"select\" 1", false, false},
      {"selects", false, false},
      {"commit", false, true},
      {"/* a comment */ END work", false, true},
      {"prepare transaction 'x'", false, true},
      {"rollback", false, false},
      {"insert into t values ('commit')", false, false},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    tuff_tokenized result;
    tuff_error err = {.code = TUFF_OK};
    const char *source = known[i].source;
    if (!expect(tuff_tokenize(&result, source, strlen(source), &postgres, &err)))
      continue;
    if (!expect_equal(result.reads, known[i].reads) ||
        !expect_equal(result.commits, known[i].commits))
      say("%s", source);
    tuff_tokenized_free(&result);
  }
}

static void maps_offsets_back(void) {
  check_offset("select zzz", &sqlite, "zzz");
  check_offset("  -- comment\n  select zzz", &sqlite, "zzz");
  check_offset("select ?, zzz", &sqlite, "zzz");
  check_offset("select :a_long_name, :another, zzz", &sqlite, "zzz");
  check_offset("select :a_long_name, zzz, :another", &sqlite, "zzz");
  check_offset("select a in ?, zzz", &sqlite, "zzz");
  check_offset("select a not /* c */ in /* d */ ?, zzz from t", &sqlite, "zzz");
  check_offset("select ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, zzz, ?", &sqlite, "zzz");
  check_offset("select ? ??, zzz", &postgres, "zzz");
  check_offset("select :a, :a, :a, zzz", &postgres, "zzz");
  check_offset("select zzz, a in ?", &sqlite, "zzz");
}

/* A placeholder of the result points at the one of the source. */
static void maps_placeholders_back(void) {
  check_offset("select ?", &sqlite, "?");
  tuff_tokenized result =
      tokenized("select :name, ?? , :b", &postgres, "select $1, ? , $2");
  if (expect_equal(result.count, 2)) {
    expect_equal(tuff_tokenized_source(&result, 7), 7);
    expect_equal(tuff_tokenized_source(&result, 11), 14);
    expect_equal(tuff_tokenized_source(&result, 15), 19);
  }
  tuff_tokenized_free(&result);
}

static void maps_every_byte_into_the_source(void) {
  static const char *const sources[] = {
      "select ?",          "select a in ?", "select a not in ?", "select ?,?,?",
      "select :a, :b,:a",  "x in ?",        "select a in:a",     "?",
      "select a in ? or ?"};
  const tuff_dialect *dialects[] = {&sqlite, &postgres};
  for (size_t i = 0; i < 2 * (sizeof sources / sizeof *sources); i++) {
    const char *source = sources[i / 2];
    tuff_tokenized result;
    tuff_error err = {.code = TUFF_OK};
    if (!expect(tuff_tokenize(&result, source, strlen(source), dialects[i % 2], &err)))
      continue;
    size_t before = 0;
    for (size_t at = 0; at <= result.text.size; at++) {
      size_t found = tuff_tokenized_source(&result, at);
      if (!expect(found <= strlen(source)) || !expect(found >= before)) {
        say("%s, byte %zu of %s is %zu", source, at, result.text.bytes, found);
        break;
      }
      before = found;
    }
    tuff_tokenized_free(&result);
  }
}

static void takes_as_many_parameters_as_the_engine(void) {
  enum { MOST = 32766 };
  size_t size = 7 + 2 * (MOST + 1);
  char *source = malloc(size);
  if (!expect(source != NULL)) return;
  memset(source, ' ', size);
  memset(source, 'x', 6);
  for (size_t i = 7; i < size; i += 2) source[i] = '?', source[i + 1] = ',';
  tuff_tokenized result;
  tuff_error err = {.code = TUFF_OK};
  if (expect(tuff_tokenize(&result, source, size - 3, &sqlite, &err))) {
    expect_equal(result.count, MOST);
    tuff_tokenized_free(&result);
  }
  check_refused(source, size - 1, &sqlite, TUFF_RANGE, (int)size - 2);
  free(source);
}

static void reads_no_byte_outside_of_the_text(void) {
  static const char source[] =
      "insert into [t] (a, b) select :a, 'x''y', \"q\" not in :b, ?? /* c */ -- d\n"
      " where x in :c and y::z = $$a$$ and e'\\'' <= 1.5e+1";
  const tuff_dialect *dialects[] = {&sqlite, &postgres};
  for (size_t i = 0; i < 2 * sizeof source; i++) {
    size_t size = i / 2;
    char *copy = malloc(size ? size : 1);
    if (!copy) abort();
    memcpy(copy, source, size);
    tuff_tokenized result;
    tuff_error err = {.code = TUFF_OK};
    if (tuff_tokenize(&result, copy, size, dialects[i % 2], &err))
      tuff_tokenized_free(&result);
    else
      expect(err.code == TUFF_MISUSE || err.code == TUFF_SYNTAX);
    free(copy);
  }
}

int main(void) {
  it("numbers question marks", numbers_question_marks);
  it("numbers a name once", numbers_a_name_once);
  it("tells the style of the parameters", tells_the_style);
  it("leaves alone what only looks like one", leaves_alone_what_only_looks_like_one);
  it("writes a question mark for two", writes_a_question_mark_for_two);
  it("refuses a question mark where no operator has one",
     refuses_one_where_no_operator_has_it);
  it("writes `in ?` and `not in ?` as the engine wants it", writes_lists);
  it("tells lists from values", tells_lists_from_values);
  it("refuses ?1, $1, $name and @name, and points at them", refuses_other_forms);
  it("refuses ? beside :name", refuses_a_mixture);
  it("refuses what is not one statement", refuses_what_is_not_one_statement);
  it("refuses a NUL byte", refuses_a_nul);
  it("knows casts, dollar quotes and $1", knows_the_other_dialect);
  it("keeps placeholders apart from words", keeps_placeholders_apart_from_words);
  it("tells the effect on transactions", tells_the_effect);
  it("tells what reads only, and what commits", tells_what_reads_and_what_commits);
  it("maps a byte of the result back to the source", maps_offsets_back);
  it("maps a placeholder back to the source", maps_placeholders_back);
  it("maps no byte to outside of the source", maps_every_byte_into_the_source);
  it("takes as many parameters as the engine", takes_as_many_parameters_as_the_engine);
  it("reads no byte outside of the text", reads_no_byte_outside_of_the_text);
  return tap_end();
}
