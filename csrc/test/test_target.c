/* test_target.c: which column a parameter is assigned to or compared with, as the text
 * of the statement tells it. */
#include "core/tokenizer.h"
#include "test/dialects.h"
#include "test/tap.h"

/* A text that grows. */
typedef struct text {
  char bytes[4096];
  size_t size;
} text;

__attribute__((format(printf, 2, 3))) static void add(text *out, const char *format,
                                                      ...) {
  size_t room = sizeof out->bytes - out->size;
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(out->bytes + out->size, room, format, arguments);
  va_end(arguments);
  if (size < 0 || (size_t)size >= room) abort();
  out->size += (size_t)size;
}

static void add_times(text *out, int times, const char *what) {
  while (times-- > 0) add(out, "%s", what);
}

static void add_name(text *out, tuff_name name) {
  add(out, "%.*s", (int)name.size, name.start);
}

/* A target as a word: "t.a" is assigned, "t.a~" in a part, "t.a?" compared, "t,u.a?"
 * compared and of either table, "t[1]" the second column, "-" none. */
static void describe(text *out, const tuff_tokenized *result,
                     const tuff_target *target) {
  unsigned tables = 0;
  if (target->table.size == 0 && target->column.size == 0) {
    add(out, "-");
    return;
  }
  add_name(out, target->table);
  for (unsigned i = 0; target->table.size == 0 && i < result->table_count; i++) {
    if (!(target->candidates >> i & 1)) continue;
    if (tables++) add(out, ",");
    add_name(out, result->tables[i]);
  }
  if (target->column.size) {
    add(out, ".");
    add_name(out, target->column);
  } else {
    add(out, "[%u]", target->ordinal);
  }
  add(out, "%s%s", target->compared ? "?" : "", target->embedded ? "~" : "");
}

static bool tokenize(tuff_tokenized *result, const char *source) {
  tuff_error err = {.code = TUFF_OK};
  if (expect(tuff_tokenize(result, source, strlen(source), &sqlite, &err))) return true;
  say("%s: %s", source, err.message);
  return false;
}

/* The targets of all uses, in the order of the text. */
static void check(const char *source, const char *wanted) {
  tuff_tokenized result;
  text targets = {.size = 0};
  if (!tokenize(&result, source)) return;
  for (unsigned i = 0; i < result.uses; i++) {
    if (i) add(&targets, " ");
    describe(&targets, &result, &result.targets[i]);
  }
  if (!expect_text(targets.bytes, targets.size, wanted)) say("%s", source);
  tuff_tokenized_free(&result);
}

static void finds_columns_of_an_insert(void) {
  check("insert into t (a, b) values (?, ?)", "t.a t.b");
  check("INSERT INTO t(a,b)VALUES(?,?)", "t.a t.b");
  check("insert into t (a, b) values (:x, :y)", "t.a t.b");
  check("insert into t (a, b) values (?, ?), (?, ?)", "t.a t.b t.a t.b");
  check("insert into t (a, b, c) values (1, ?, 'x')", "t.b");
  check("insert or replace into t (a) values (?)", "t.a");
  check("replace into t (a) values (?)", "t.a");
  check("insert into main.t (a) values (?)", "t.a");
  check("insert into t as u (a) values (?)", "t.a");
  check("insert into t (a) values (?) returning a", "t.a");
  check("insert into t /* (x) */ (a -- b\n) values (?)", "t.a");
  check("insert into t (a) values (?);", "t.a");
}

static void counts_columns_where_none_are_named(void) {
  check("insert into t values (?, ?)", "t[0] t[1]");
  check("insert into t values (1, ?, ?)", "t[1] t[2]");
  check("insert into t values (?, 'a,b', ?)", "t[0] t[2]");
  check("insert into t values (?), (?)", "t[0] t[0]");
  check("insert into t values (max(1, 2), ?)", "t[1]");
}

static void keeps_names_as_they_are_written(void) {
  check("insert into \"a b\" ([c d], `e`) values (?, ?)", "\"a b\".[c d] \"a b\".`e`");
  check("insert into [t] (a) values (?)", "[t].a");
  check("update \"t\" set \"a\" = ?", "\"t\".\"a\"");
}

static void finds_columns_of_an_update(void) {
  check("update t set a = ?", "t.a");
  check("update t set a = ?, b = ?", "t.a t.b");
  check("update t set a = :x, b = :y where c = :z", "t.a t.b t.c?");
  check("update or ignore t set a = ?", "t.a");
  check("update or rollback t set a = ? where b = ?", "t.a t.b?");
  check("update main.t set a = ?", "t.a");
  check("update t set a = 1, b = ?", "t.b");
  check("update t set a = ? returning b", "t.a");
}

static void finds_columns_of_an_upsert(void) {
  check("insert into t (a, b) values (?, ?) on conflict (a) do update set b = ?",
        "t.a t.b t.b");
  check("insert into t (a) values (?) on conflict do nothing", "t.a");
  check("insert into t (a, b) values (?, ?) on conflict (a) do update set b = ? "
        "where a > ?",
        "t.a t.b t.b t.a?");
}

static void finds_what_is_compared(void) {
  check("select * from t where a = ?", "t.a?");
  check("select * from t where a < ? and b >= ? and c <> ?", "t.a? t.b? t.c?");
  check("select * from t where a == ? or b != ?", "t.a? t.b?");
  check("select * from t where t.a = ?", "t.a?");
  check("delete from t where a = ?", "t.a?");
  check("select * from t where \"a\" = ?", "t.\"a\"?");
}

static void knows_other_ways_to_compare(void) {
  check("select * from t where ? < a and ? = t.b", "t.a? t.b?");
  check("select * from t where a is ? or b is not ?", "t.a? t.b?");
  check("select * from t where a in ? and b not in ?", "t.a? t.b?");
  check("select * from t where a in (?, ?) and b not in (?)", "t.a? t.a? t.b?");
  check("select * from t where a between ? and ? and b = ?", "t.a? t.a? t.b?");
  check("select * from t where a not between ? and ?", "t.a? t.a?");
  check("select * from t where a between ? and ? and ? = b", "t.a? t.a? t.b?");
  check("select * from t as u where u.a = ? and a = ?", "t.a? t.a?");
  check("select * from t u where u.a = ?", "t.a?");
  check("delete from t where a in (?, 1, ?)", "t.a? t.a?");
}

static void knows_tuples_and_results(void) {
  check("update t set (a, b) = (?, ?)", "t.a t.b");
  check("update t set a = ?, (b, c) = (?, ?), d = ? where e = ?",
        "t.a t.b t.c t.d t.e?");
  check("insert into t (a, b) select ?, ?", "t.a t.b");
  check("insert into t select 1, ?", "t[1]");
  check("insert into t (a, b) select ?, c from u", "t.a");
  check("insert into t (a, b) select c, ? from u where d = ?", "t.b u.d?");
}

static void is_not_led_astray(void) {
  check("select * from t where a in (select ? from u)", "t,u.a?");
  check("select * from t where a in (select b from u where c = ?)", "t,u.c?");
  check("select * from t where a in (abs(?), ?)", "- t.a?");
  check("select * from t where max(a, ?) = ?", "- -");
  check("select * from t where abs(a) = ?", "-");
  check("select * from t where f(b, a) in (?)", "-");
  check("select * from t where ? = f(a)", "-");
  check("select * from t where ? < u.a", "-");
  check("select * from t where not a = ?", "t.a?");
  check("select * from t where match = ? and a not like b and like = ?",
        "t.match? t.like?");
  check("update t set a = like(?, b), end = ?", "t.a~ t.end");
  check("update t set a = (select b from u where c = ?)", "t,u.c?");
  check("update t set a = b = ?", "t.b?");
  check("insert into t (a) select b = ? from u", "u.b?");
  check("insert into t (a, b) select f(c, ?), ? from u", "t.a~ t.b");
}

static void says_nothing_of_an_expression(void) {
  check("select * from t where a = ? + 1", "-");
  check("select * from t where a = ? || 'x' and b = ?", "- t.b?");
  check("select * from t where a in (? + 1, ?)", "- t.a?");
  check("select * from t where a between ? - 1 and ? + 1", "- -");
  check("select * from t where ? + 1 < a", "-");
  check("select * from t where 1 + ? < a", "-");

  check("insert into t (a, b) values (case when ? then 1 end, ?)", "- t.b");
  check("select ?", "-");
  check("select ? = ?", "- -");
  check("select * from t limit ? offset ?", "- -");
}

static void does_not_take_another_column_for_it(void) {
  check("update t set a = ? from u where b = ?", "t.a t,u.b?");
  check("insert into t (a) select b from u where c = ?", "u.c?");
  check("insert into t select * from u where c = ?", "u.c?");
}

static void keeps_each_use_of_a_name(void) {
  check("insert into t (a, b) values (:x, :x)", "t.a t.b");
  check("update t set a = :x where b = :x", "t.a t.b?");
  check("update t set a = :x where a = :x or a = :y", "t.a t.a? t.a?");
}

static void numbers_the_parameter_of_each_use(void) {
  static const char source[] = "update t set a = :x, b = :y where a = :x or b = :z";
  static const unsigned numbers[] = {0, 1, 0, 2};
  tuff_tokenized result;
  if (!tokenize(&result, source)) return;
  expect_equal(result.count, 3);
  if (expect_equal(result.uses, 4))
    for (unsigned i = 0; i < 4; i++)
      expect_equal(result.targets[i].parameter, numbers[i]);
  tuff_tokenized_free(&result);
}

static void sees_through_what_keeps_a_value(void) {
  check("update t set a = (?)", "t.a");
  check("update t set a = ((+?)), b = + ?", "t.a t.b");
  check("update t set a = coalesce(?, a), b = ifnull(?, b)", "t.a t.b");
  check("update t set a = coalesce(?, b, ?) where c = ?", "t.a t.a t.c?");
  check("update t set a = max(a, ?), b = min(?, ?)", "t.a t.b t.b");
  check("update t set a = nullif(?, ?)", "t.a t.a?");
  check("update t set a = iif(?, ?, ?)", "- t.a t.a");
  check("update t set a = iif(b = ?, ?, ?)", "t.b? t.a t.a");
  check("update t set a = case when b > ? then ? else ? end, c = ?",
        "t.b? t.a t.a t.c");
  check("update t set a = case b when ? then ? when ? then b end", "t.b? t.a t.b?");
  check("update t set a = coalesce((?), case when ? then max(?, 1) end)", "t.a - t.a");
  check("update t set a = ? collate nocase", "t.a");
  check("insert into t (a, b) values (coalesce(?, 1), (?))", "t.a t.b");
  check("insert into t values ((?), case when 1 then ? end)", "t[0] t[1]");
  check("insert into t (a, b) select (?), coalesce(?, c) from u", "t.a t.b");
  check("insert into t (a, b) select ? as x, ? y", "t.a t.b");
  check("insert into t (a) select ? union all select (?)", "t.a t.a");
  check("insert into t (a) values (?) on conflict (a) do update set a = (?)",
        "t.a t.a");
  check("update t set (a, b) = ((?), max(?, b))", "t.a t.b");
  check("update t set (a, b) = (select ?, ?)", "t.a t.b");
  check("update t set a = (select ? from u), b = ?", "t.a t.b");
  check("select * from t where a = coalesce(?, a)", "t.a?");
  check("select * from t where a in ((?), coalesce(?, 1))", "t.a? t.a?");
  check("select * from t where a between (?) and coalesce(?, 9) and b = ?",
        "t.a? t.a? t.b?");
  check("select * from t where ((a = ?) or (b < (?)))", "t.a? t.b?");
}

static void marks_a_part_of_what_is_assigned(void) {
  check("update t set a = a + ?", "t.a~");
  check("update t set a = ? + 1, b = ?", "t.a~ t.b");
  check("update t set a = ? || 'x', b = -?", "t.a~ t.b~");
  check("insert into t (a) values ('x' || ?)", "t.a~");
  check("insert into t (a, b) values (-?, abs(?))", "t.a~ t.b~");
  check("update t set a = abs(?)", "t.a~");
  check("update t set a = (? + 1)", "t.a~");
  check("update t set a = (?) * 2", "t.a~");
  check("update t set a = coalesce(?, ?) * 2", "t.a~ t.a~");
  check("update t set a = coalesce(? * 2, ?)", "t.a~ t.a");
  check("update t set a = 2 * coalesce(?, abs(?))", "t.a~ t.a~");
  check("update t set a = a * case when b = ? then ? end, c = ?", "t.b? t.a~ t.c");
  check("update t set a = a << ?, b = b ->> ?", "t.a~ t.b~");
  check("insert into t (a, b) values (? + ?, ?)", "t.a~ t.a~ t.b");
  check("insert into t values (1, abs(?), ?)", "t[1]~ t[2]");
  check("insert into t (a) select ? * 2 union select ?", "t.a~ t.a");
  check("update t set a = a + (select b from u where c = ?)", "t,u.c?");
  check("update t set a = a + (select ?)", "-");
  check("update t set a = b < ? and ?, c = ? = 'x'", "t.b? - -");
  check("update t set a = a * iif(? = 'x', 2, 1), b = ? like 'x'", "- -");
}

static void finds_tables_by_their_aliases(void) {
  check("select * from t x join u y on x.id = y.id where y.a = ?", "u.a?");
  check("select * from t as x, u as y where y.a = ? and x.a = ?", "u.a? t.a?");
  check("select x.a = ? from t x join u on x.b = ? and u.c = ?", "t.a? t.b? u.c?");
  check("select * from main.t x, main.u where X.a = ? and u.a = ?", "t.a? u.a?");
  check("select * from \"t\" join [u] on T.a = ? and \"u\".b = ?", "\"t\".a? [u].b?");
  check("select * from t x where x.a in (select y.b from u y where y.c = ? and "
        "x.d = ?)",
        "u.c? t.d?");
  check("select * from t x where exists (select 1 from u x where x.a = ?)", "u.a?");
  check("select * from t x where t.a = ?", "-");
  check("update t set a = ? from u y where y.b = ? and t.c = ?", "t.a u.b? t.c?");
  check("delete from t where a in (select id from u) and b = ?", "t.b?");
  check("select * from t where a = ? union select * from u where a = ?", "t.a? u.a?");
  check("insert into t (a) select b from u where b = ? on conflict (a) do update "
        "set a = ? where c = ? and excluded.d = ?",
        "u.b? t.a t.c? t.d?");
}

static void names_candidates_where_tables_are_several(void) {
  check("select * from t, u where a = ?", "t,u.a?");
  check("select * from t join u using (id) left join v on 1 where a = ?", "t,u,v.a?");
  check("select * from t where a in (select b from u where c = ?) and d = ?",
        "t,u.c? t.d?");
  check("select a = ? from t, u", "t,u.a?");
  check("select * from t where a = ? and b in (select c from u)", "t.a?");
  check("select * from (select 1) where a = ?", "-");
}

static void does_not_take_another_query_for_a_table(void) {
  check("with v as (select b from t where a = ?) select * from v where b = ?",
        "t.a? -");
  check("with recursive v(x) as (select ?), w as not materialized (select 1) "
        "select * from v, w, t where t.a = ? and v.x = ? and a = ?",
        "- t.a? - -");
  check("with T as (select 1 as a) select * from t where t.a = ?", "-");
  check("select * from (select a + 1 as a from t) where a = ?", "-");
  check("select * from (select * from t where b = ?) x join u on x.a = ? and u.a = ?",
        "t.b? - u.a?");
  check("select * from t, json_each(?) j where j.value = ? and t.a = ? and a = ?",
        "- - t.a? -");
  check("select * from (t join u on t.a = ?) where u.a = ?", "- -");
  check("select * from t where b in (select b from (u t join v) where t.a = ?)", "-");
  check("select * from (select 1) join t on t.a = ? and a = ?", "t.a? -");
  check("with v as (select ?) insert into t (a) select * from v where b = ?", "- -");
  check("with v as (select 1) insert into t (a) select ? from v", "t.a");
  check("with v as (select 1) update t set a = ? where b = ?", "t.a t.b?");
}

static void compares_rows(void) {
  check("select * from t where (a, b) = (?, ?)", "t.a? t.b?");
  check("select * from t x, u where (x.a, u.b) > (?, coalesce(?, 1)) and c = ?",
        "t.a? u.b? t,u.c?");
  check("select * from t where (a, b) in (values (?, ?), (?, ?))",
        "t.a? t.b? t.a? t.b?");
  check("select * from t where (a + 1, b) = (?, ?)", "- -");
  check("select * from t where f(a, b) = (?, ?)", "- -");
  check("select * from t where (a, b) = (1, 2) and f(c, d) = (?, ?)", "- -");
}

static void is_known_only_so_deep(void) {
  text source = {.size = 0};
  add(&source, "update t set a = ?, b = ");
  add_times(&source, 100, "(");
  add(&source, "?, (?)");
  add_times(&source, 100, ")");
  add(&source, ", c = ? where d = ?");
  check(source.bytes, "t.a - - t.c t.d?");
  source.size = 0;
  add(&source, "update t set a = ?, b = (");
  add_times(&source, 100, "case when a = (1) then ");
  add(&source, "0");
  add_times(&source, 100, " end");
  add(&source, "), c = ?");
  check(source.bytes, "t.a t.c");
}

static void gives_up_on_very_many_tables(void) {
  text source = {.size = 0};
  add(&source, "select * from t0");
  for (unsigned i = 1; i < 50; i++) add(&source, ", t%u", i);
  add(&source, " where t0.a = ? and b = ?");
  check(source.bytes, "- -");
}

static void gives_up_on_very_many_columns(void) {
  text source = {.size = 0};
  add(&source, "insert into t (c0");
  for (unsigned i = 1; i < 100; i++) add(&source, ", c%u", i);
  add(&source, ") values (?, ?)");
  tuff_tokenized result;
  if (!tokenize(&result, source.bytes)) return;
  for (unsigned i = 0; i < result.uses; i++) {
    const tuff_target *target = &result.targets[i];
    /* Unknown, or right; never another column. */
    bool right = target->column.size == 2 && target->column.start[1] == (char)('0' + i);
    expect(target->table.size == 0 || right);
  }
  tuff_tokenized_free(&result);
}

static void is_not_confused_by_more_values_than_columns(void) {
  check("insert into t (a) values (?, ?)", "t.a -");
  check("insert into t () values (?)", "-");
  check("values (?)", "-");
}

int main(void) {
  it("finds the columns of an INSERT", finds_columns_of_an_insert);
  it("counts columns where none are named", counts_columns_where_none_are_named);
  it("keeps names as they are written", keeps_names_as_they_are_written);
  it("finds the columns of an UPDATE", finds_columns_of_an_update);
  it("finds the columns of an upsert", finds_columns_of_an_upsert);
  it("finds what is compared", finds_what_is_compared);
  it("knows other ways to compare", knows_other_ways_to_compare);
  it("knows tuples and results", knows_tuples_and_results);
  it("is not led astray", is_not_led_astray);
  it("says nothing of an expression", says_nothing_of_an_expression);
  it("does not take another table's column for its own",
     does_not_take_another_column_for_it);
  it("keeps each use of a name", keeps_each_use_of_a_name);
  it("numbers the parameter of each use", numbers_the_parameter_of_each_use);
  it("sees through what keeps a value", sees_through_what_keeps_a_value);
  it("marks a part of what is assigned", marks_a_part_of_what_is_assigned);
  it("finds tables by their aliases", finds_tables_by_their_aliases);
  it("names candidates where there are several tables",
     names_candidates_where_tables_are_several);
  it("does not take another query for a table",
     does_not_take_another_query_for_a_table);
  it("compares rows", compares_rows);
  it("is known only so deep", is_known_only_so_deep);
  it("gives up on very many tables", gives_up_on_very_many_tables);
  it("gives up on very many columns", gives_up_on_very_many_columns);
  it("is not confused by more values than columns",
     is_not_confused_by_more_values_than_columns);
  return tap_end();
}
