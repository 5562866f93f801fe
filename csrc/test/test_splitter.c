/* test_splitter.c: where a script is cut into statements, and the tokens below it. Each
 * text stands at the end of a block of memory, without a terminator, so that a
 * sanitizer sees every byte that is read behind it. */
#include "core/splitter.h"
#include "test/dialects.h"
#include "test/tap.h"

static char *copy_exactly(const char *text, size_t size) {
  char *copy = malloc(size ? size : 1);
  if (!copy) abort();
  memcpy(copy, text, size);
  return copy;
}

/* The parts of a script, '|' between them, and how many there are. */
static int split(const char *script, size_t size, const tuff_dialect *dialect,
                 char *out, size_t room) {
  char *copy = copy_exactly(script, size);
  tuff_splitter splitter;
  tuff_part part;
  int count = 0;
  size_t used = 0;
  tuff_splitter_begin(&splitter, copy, size, dialect);
  while (tuff_splitter_next(&splitter, &part)) {
    if (used + part.size + 2 > room) abort();
    if (count++) out[used++] = '|';
    memcpy(out + used, part.start, part.size);
    used += part.size;
  }
  out[used] = '\0';
  if (tuff_splitter_next(&splitter, &part)) count = -1; /* the end must last */
  free(copy);
  return count;
}

static void check(const char *script, const tuff_dialect *dialect, const char *wanted) {
  char parts[2048];
  int count = 1;
  for (const char *at = wanted; *at; at++) count += *at == '|';
  if (!*wanted) count = 0;
  int found = split(script, strlen(script), dialect, parts, sizeof parts);
  if (found != count || strcmp(parts, wanted) != 0) {
    tap.wrong++;
    say("%s is cut into %d: %s", script, found, parts);
  }
}

/* A '|' in `cut` is where the script is cut; it replaces the semicolon. */
static void check_cut(const char *cut, const tuff_dialect *dialect) {
  char script[2048];
  size_t size = strlen(cut);
  for (size_t i = 0; i <= size; i++) script[i] = cut[i] == '|' ? ';' : cut[i];
  check(script, dialect, cut);
}

static void cuts_at_semicolons(void) {
  check("select 1; select 2;", &sqlite, "select 1|select 2");
  check("select 1;select 2", &sqlite, "select 1|select 2");
  check("  select 1  ;\n\tselect 2\n", &sqlite, "select 1|select 2");
  check_cut("a|b|c", &sqlite);
}

static void passes_over_empty_statements(void) {
  check("", &sqlite, "");
  check(";", &sqlite, "");
  check(" ;; ; \n", &sqlite, "");
  check("-- nothing", &sqlite, "");
  check("/* nothing */ ; -- ;\n ;", &sqlite, "");
  check(";;select 1;;;select 2;;", &sqlite, "select 1|select 2");
  check("/* a */ select /* b */ 1 /* c */ ; -- d", &sqlite, "select /* b */ 1");
}

static void keeps_strings_whole(void) {
  check_cut("select 'a'|select 'b'", &sqlite);
  check("select 'a;b'; select ';'", &sqlite, "select 'a;b'|select ';'");
  check("select 'it''s;'; x", &sqlite, "select 'it''s;'|x");
  check("select ''';'; x", &sqlite, "select ''';'|x");
  check("select '''';'x'", &sqlite, "select ''''|'x'");
  check("select '\\'; x", &sqlite, "select '\\'|x");
  check("select '--'; x", &sqlite, "select '--'|x");
  check("select '/*'; x", &sqlite, "select '/*'|x");
  check("select x'41;'; y", &sqlite, "select x'41;'|y");
}

static void keeps_quoted_names_whole(void) {
  check("select \"a;b\"; x", &sqlite, "select \"a;b\"|x");
  check("select \"a\"\";b\"; x", &sqlite, "select \"a\"\";b\"|x");
  check("select [a;b]; x", &sqlite, "select [a;b]|x");
  check("select [a']; x'y'", &sqlite, "select [a']|x'y'");
  check("select `a;b`; x", &sqlite, "select `a;b`|x");
  check("select `a``;b`; x", &sqlite, "select `a``;b`|x");
  check("select \"it's\"; x", &sqlite, "select \"it's\"|x");
}

static void keeps_comments_whole(void) {
  check("select 1 -- a;b\n; x", &sqlite, "select 1|x");
  check("select 1 -- a;b\n + 2; x", &sqlite, "select 1 -- a;b\n + 2|x");
  check("select /* ; */ 1; x", &sqlite, "select /* ; */ 1|x");
  check("select /* ' */ 1; x", &sqlite, "select /* ' */ 1|x");
  check("select 1 -- '\n; x", &sqlite, "select 1|x");
  check("select 1 /* /* */; x */", &sqlite, "select 1|x */");
  check("select 1 - - 2; select 6 / * 2", &sqlite, "select 1 - - 2|select 6 / * 2");
  check("select 1 /**/; x", &sqlite, "select 1|x");
  check("select 1 /*/; x */; y", &sqlite, "select 1|y");
  check("--\r; still the comment\nselect 1", &sqlite, "select 1");
}

static void ends_a_trigger_at_its_end(void) {
  check_cut("create trigger a after insert on t begin select 1; end|select 2", &sqlite);
  check("CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN DELETE FROM t; SELECT 1; END;x",
        &sqlite,
        "CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN DELETE FROM t; SELECT 1; END|x");
  check("create temporary trigger if not exists a before delete on t for each row "
        "begin select 1;end ; x",
        &sqlite,
        "create temporary trigger if not exists a before delete on t for each row "
        "begin select 1;end|x");
  check("create trigger a after insert on t begin select 1; -- end;\n select 2; end; x",
        &sqlite,
        "create trigger a after insert on t begin select 1; -- end;\n select 2; end|x");
  check("create/**/trigger a after insert on t begin select 1;/* end */end/**/;x",
        &sqlite, "create/**/trigger a after insert on t begin select 1;/* end */end|x");
  check("create trigger a after insert on t begin select 'x; end;'; end; x", &sqlite,
        "create trigger a after insert on t begin select 'x; end;'; end|x");
  check("create trigger a after insert on t begin select 1; end", &sqlite,
        "create trigger a after insert on t begin select 1; end");
}

static void keeps_the_body_of_a_routine_together(void) {
  const char *function = "create or replace function f(a int) returns int begin atomic "
                         "select case when a > 0 then case a when 1 then 2 end end; "
                         "select 'end;'; select 1 as \"end\"; end|x";
  check_cut(function, &postgres);
  check_cut("CREATE PROCEDURE p() BEGIN ATOMIC insert into t values (1); END|x",
            &postgres);
  check_cut("create function f() returns int return 1|select 2|x", &postgres);
  check_cut("create function f() returns int as 'begin atomic' language sql|x",
            &postgres);
  check_cut("create trigger a after insert on t execute function f()|x", &postgres);
  check_cut("create constraint trigger a after insert on t execute function f()|x",
            &postgres);
  check("create function f() begin atomic select 1; select 2", &postgres,
        "create function f() begin atomic select 1; select 2");
}

static void tells_case_in_a_trigger_from_its_end(void) {
  check("create trigger a after insert on t begin select case when 1 then 2 end; "
        "select case x when 1 then case 1 when 2 then 3 end end; end; x",
        &sqlite,
        "create trigger a after insert on t begin select case when 1 then 2 end; "
        "select case x when 1 then case 1 when 2 then 3 end end; end|x");
  check("create trigger a after update on t when case new.x when 1 then 1 end begin "
        "select 1; end; x",
        &sqlite,
        "create trigger a after update on t when case new.x when 1 then 1 end begin "
        "select 1; end|x");
}

static void takes_names_for_names(void) {
  check("create trigger \"end\" after insert on t begin update t set \"end\" = 1; "
        "select [end] from t; select \"end\"; end; x",
        &sqlite,
        "create trigger \"end\" after insert on t begin update t set \"end\" = 1; "
        "select [end] from t; select \"end\"; end|x");
  check("create trigger a after insert on t begin select x as end; select end; end; x",
        &sqlite,
        "create trigger a after insert on t begin select x as end; select end; end|x");
  check("create trigger a after insert on t begin select 1; end_x; end; x", &sqlite,
        "create trigger a after insert on t begin select 1; end_x; end|x");
  check("create table trigger_log(x); select 1", &sqlite,
        "create table trigger_log(x)|select 1");
  check("create table t(trigger, end); select 1", &sqlite,
        "create table t(trigger, end)|select 1");
  check("create view trigger as select 1; x", &sqlite,
        "create view trigger as select 1|x");
  check("create index trigger on t(a); x; end", &sqlite,
        "create index trigger on t(a)|x|end");
  check("drop trigger a; select 1; end; x", &sqlite, "drop trigger a|select 1|end|x");
  check("select 'create trigger'; begin; end; x", &sqlite,
        "select 'create trigger'|begin|end|x");
}

static void follows_explain(void) {
  check("explain create trigger a after insert on t begin select 1; end; x", &sqlite,
        "explain create trigger a after insert on t begin select 1; end|x");
  check("EXPLAIN QUERY PLAN CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; "
        "SELECT 2; END; x",
        &sqlite,
        "EXPLAIN QUERY PLAN CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; "
        "SELECT 2; END|x");
  check("explain select 1; end; x", &sqlite, "explain select 1|end|x");
  check("explain query plan select 1; x", &sqlite, "explain query plan select 1|x");
}

static void gives_all_of_what_is_unclosed(void) {
  static const char *const open[] = {
      "select 'a; b",
      "select \"a; b",
      "select [a; b",
      "select `a; b",
      "select 'a''; b",
      "create trigger a after insert on t begin select 1; select 2",
      "create trigger a after insert on t begin select 1",
      "create trigger a after insert on t begin select ';",
      "'",
      "\"",
      "[",
      "`",
      "''''';"};
  for (size_t i = 0; i < sizeof open / sizeof *open; i++)
    check(open[i], &sqlite, open[i]);
  check("select 1 /* ; x", &sqlite, "select 1");
  check("select 1 -- ; x", &sqlite, "select 1");
  check("select 1; /* x", &sqlite, "select 1");
}

static void knows_the_other_dialect(void) {
  check("select $$a;b$$; x", &postgres, "select $$a;b$$|x");
  check("select $a$ $b$ ; $$ $a$; x", &postgres, "select $a$ $b$ ; $$ $a$|x");
  check("select $1; x", &postgres, "select $1|x");
  check("select $1$2;3$1$2", &postgres, "select $1$2|3$1$2");
  check("select a$b; c$d", &postgres, "select a$b|c$d");
  check("select e'\\';'; x", &postgres, "select e'\\';'|x");
  check("select e'\\\\'; x", &postgres, "select e'\\\\'|x");
  check("select /* a /* b; */ c; */ 1; x", &postgres, "select /* a /* b; */ c; */ 1|x");
  check("select a[1;2]", &postgres, "select a[1|2]");
  check("select $$a; b", &postgres, "select $$a; b");
  check("select $a$a; $$", &postgres, "select $a$a; $$");
  check("select '\\'; x", &postgres, "select '\\'|x");
  check("select $$a;b$$", &sqlite, "select $$a|b$$");
}

static tuff_effect effect_of(const char *script) {
  tuff_splitter splitter;
  tuff_part part;
  tuff_splitter_begin(&splitter, script, strlen(script), &sqlite);
  return tuff_splitter_next(&splitter, &part) ? part.effect : TUFF_EFFECT_NONE;
}

static void tells_what_it_does_to_transactions(void) {
  static const struct {
    const char *script;
    tuff_effect effect;
  } known[] = {{"begin", TUFF_EFFECT_BEGIN},
               {"BEGIN IMMEDIATE", TUFF_EFFECT_BEGIN},
               {"savepoint a", TUFF_EFFECT_BEGIN},
               {"start transaction", TUFF_EFFECT_BEGIN},
               {"commit", TUFF_EFFECT_END},
               {"End transaction", TUFF_EFFECT_END},
               {"rollback", TUFF_EFFECT_END},
               {"rollback to a", TUFF_EFFECT_END},
               {"RELEASE a", TUFF_EFFECT_END},
               {"/* x */ commit", TUFF_EFFECT_END},
               {"-- x\n;commit", TUFF_EFFECT_END},
               {"vacuum", TUFF_EFFECT_OUTSIDE},
               {"Detach x", TUFF_EFFECT_OUTSIDE},
               {"select 1", TUFF_EFFECT_NONE},
               {"beginning", TUFF_EFFECT_NONE},
               {"\"begin\"", TUFF_EFFECT_NONE},
               {"'commit'", TUFF_EFFECT_NONE},
               {"insert into begin values (1)", TUFF_EFFECT_NONE},
               {"explain commit", TUFF_EFFECT_NONE},
               {"replace into t values (1)", TUFF_EFFECT_NONE}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    tuff_effect effect = effect_of(known[i].script);
    if (!expect_equal(effect, known[i].effect)) say("%s", known[i].script);
    bool control = effect == TUFF_EFFECT_BEGIN || effect == TUFF_EFFECT_END;
    expect_equal(tuff_effect_is_control(effect), control);
  }
}

static const char everything[] =
    "insert into [a;b] values ('it''s', x'00', \"q\"\"r\", `s``t`, 1.5e+10, .5, 0x1F); "
    "/* c */ select ?, ??, :name, ?1, @a, $b, a::b, 1 <= 2 -- d\n; "
    "create trigger t after insert on u begin select case when 1 then 2 end; end; "
    "e'\\'x' $$d;$$ $tag$ $ $tag$ \xC3\xA4 \xF0\x9F\x98\x80 # ~";

/* Every prefix ends everywhere, every suffix begins everywhere. */
static void reads_no_byte_outside_of_the_text(void) {
  char parts[2048];
  size_t size = sizeof everything - 1;
  const tuff_dialect *dialects[] = {&sqlite, &postgres};
  for (size_t d = 0; d < 2; d++) {
    for (size_t cut = 0; cut <= size; cut++) {
      expect(split(everything, cut, dialects[d], parts, sizeof parts) >= 0);
      expect(split(everything + cut, size - cut, dialects[d], parts, sizeof parts) >=
             0);
    }
  }
  for (int a = 0; a < 256; a++) {
    for (int b = 0; b < 256; b++) {
      char pair[2] = {(char)a, (char)b};
      expect(split(pair, 1 + (b > 0), &sqlite, parts, sizeof parts) >= 0);
      expect(split(pair, 1 + (b > 0), &postgres, parts, sizeof parts) >= 0);
    }
  }
}

static void gives_tokens_without_a_gap(void) {
  const tuff_dialect *dialects[] = {&sqlite, &postgres};
  for (size_t d = 0; d < 2; d++) {
    size_t size = sizeof everything - 1;
    char *copy = copy_exactly(everything, size);
    tuff_lexer lexer = {copy, copy + size, dialects[d]};
    const char *at = copy;
    tuff_token token;
    while ((token = tuff_lexer_next(&lexer)).kind != TUFF_TOKEN_END) {
      if (!expect(token.start == at) || !expect(token.size > 0)) break;
      at += token.size;
    }
    expect(at == copy + size);
    expect_equal(tuff_lexer_next(&lexer).kind, TUFF_TOKEN_END);
    expect_equal(tuff_lexer_next(&lexer).size, 0);
    free(copy);
  }
}

static void check_token(const char *text, const tuff_dialect *dialect,
                        tuff_token_kind kind, size_t size) {
  tuff_lexer lexer = {text, text + strlen(text), dialect};
  tuff_token token = tuff_lexer_next(&lexer);
  if (!expect_equal(token.kind, kind) || !expect_equal(token.size, size))
    say("%s", text);
}

static void tells_the_kinds_of_tokens(void) {
  check_token("select x", &sqlite, TUFF_TOKEN_WORD, 6);
  check_token("_a1$b c", &sqlite, TUFF_TOKEN_WORD, 5);
  check_token("\xC3\xA4h", &sqlite, TUFF_TOKEN_WORD, 3);
  check_token(" \t\r\n\fx", &sqlite, TUFF_TOKEN_SPACE, 5);
  check_token("-- a\nb", &sqlite, TUFF_TOKEN_SPACE, 5);
  check_token("1.5e-10+", &sqlite, TUFF_TOKEN_NUMBER, 7);
  check_token("1e+", &sqlite, TUFF_TOKEN_NUMBER, 2);
  check_token(".5.", &sqlite, TUFF_TOKEN_NUMBER, 3);
  check_token(".x", &sqlite, TUFF_TOKEN_PUNCTUATION, 1);
  check_token("?", &sqlite, TUFF_TOKEN_QUESTION, 1);
  check_token("?a", &sqlite, TUFF_TOKEN_QUESTION, 1);
  check_token("??", &sqlite, TUFF_TOKEN_ESCAPED, 2);
  check_token("???", &sqlite, TUFF_TOKEN_ESCAPED, 2);
  check_token("?12a", &sqlite, TUFF_TOKEN_REFUSED, 4);
  check_token(":name)", &sqlite, TUFF_TOKEN_NAMED, 5);
  check_token("::name", &sqlite, TUFF_TOKEN_PUNCTUATION, 2);
  check_token(":", &sqlite, TUFF_TOKEN_PUNCTUATION, 1);
  check_token("$name", &sqlite, TUFF_TOKEN_REFUSED, 5);
  check_token("@name", &sqlite, TUFF_TOKEN_REFUSED, 5);
  check_token("$1", &postgres, TUFF_TOKEN_REFUSED, 2);
  check_token("$$1$$", &postgres, TUFF_TOKEN_STRING, 5);
  check_token("E'\\''x", &postgres, TUFF_TOKEN_STRING, 5);
  check_token("[a]", &postgres, TUFF_TOKEN_PUNCTUATION, 1);
  check_token("`a`", &postgres, TUFF_TOKEN_PUNCTUATION, 1);
}

static void compares_words_without_case(void) {
  tuff_token word = {TUFF_TOKEN_WORD, "SeLeCt", 6};
  expect(tuff_token_is(&word, "select"));
  expect(!tuff_token_is(&word, "selec"));
  expect(!tuff_token_is(&word, "selects"));
  expect(!tuff_token_is(&word, ""));
  tuff_token quoted = {TUFF_TOKEN_QUOTED, "select", 6};
  expect(!tuff_token_is(&quoted, "select"));
  tuff_token punctuation = {TUFF_TOKEN_PUNCTUATION, ",,", 1};
  expect(tuff_token_is_char(&punctuation, ','));
  expect(!tuff_token_is_char(&punctuation, ';'));
  expect(!tuff_token_is_char(&word, 'S'));
}

int main(void) {
  it("cuts at semicolons", cuts_at_semicolons);
  it("passes over empty statements", passes_over_empty_statements);
  it("keeps strings whole", keeps_strings_whole);
  it("keeps quoted names whole", keeps_quoted_names_whole);
  it("keeps comments whole", keeps_comments_whole);
  it("ends a trigger at its end", ends_a_trigger_at_its_end);
  it("keeps the body of a routine together", keeps_the_body_of_a_routine_together);
  it("tells CASE … END in a trigger from its end",
     tells_case_in_a_trigger_from_its_end);
  it("takes names like end and trigger for names", takes_names_for_names);
  it("follows EXPLAIN to the trigger behind it", follows_explain);
  it("gives all of what is unclosed", gives_all_of_what_is_unclosed);
  it("knows dollar quotes, escapes and nested comments", knows_the_other_dialect);
  it("tells what it does to transactions", tells_what_it_does_to_transactions);
  it("reads no byte outside of the text", reads_no_byte_outside_of_the_text);
  it("gives tokens without a gap", gives_tokens_without_a_gap);
  it("tells the kinds of tokens", tells_the_kinds_of_tokens);
  it("compares words without case", compares_words_without_case);
  return tap_end();
}
