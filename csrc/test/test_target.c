/* test_target.c: which column a parameter is assigned to or compared with, as the text
 * of the statement tells it. */
#include "core/tokenizer.h"
#include "test/tap.h"

static const tuff_dialect sqlite = {.placeholder = '?',
                                    .in_array = "in list(%)",
                                    .not_in_array = "not in list(%)",
                                    .brackets = true,
                                    .backticks = true};

static size_t append(char *out, size_t used, size_t room, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(out + used, room - used, format, arguments);
  va_end(arguments);
  if (size < 0 || used + (size_t)size >= room) abort();
  return used + (size_t)size;
}

/* The targets as words: "t.a" is assigned, "t.a?" compared, "t[1]" the second column,
 * "-" none. */
static void check(const char *source, const char *wanted) {
  tuff_tokenized result;
  tuff_error err = {.code = TUFF_OK};
  char targets[2048] = "";
  size_t used = 0;
  if (!expect(tuff_tokenize(&result, source, strlen(source), &sqlite, &err))) {
    say("%s: %s", source, err.message);
    return;
  }
  for (unsigned i = 0; i < result.count; i++) {
    const tuff_target *target = &result.targets[i];
    if (i) used = append(targets, used, sizeof targets, " ");
    if (target->table.size == 0) {
      used = append(targets, used, sizeof targets, "-");
      continue;
    }
    used = append(targets, used, sizeof targets, "%.*s", (int)target->table.size,
                  target->table.start);
    if (target->column.size)
      used = append(targets, used, sizeof targets, ".%.*s%s", (int)target->column.size,
                    target->column.start, target->compared ? "?" : "");
    else
      used = append(targets, used, sizeof targets, "[%u]", target->ordinal);
  }
  if (!expect_text(targets, used, wanted)) say("%s", source);
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
  check("select * from t where ? < a and ? = t.b", "t.a? -");
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
  check("insert into t (a, b) select c, ? from u where d = ?", "t.b -");
}

static void is_not_led_astray(void) {
  check("select * from t where a in (select ? from u)", "-");
  check("select * from t where a in (select b from u where c = ?)", "-");
  check("select * from t where a in (abs(?), ?)", "- t.a?");
  check("select * from t where max(a, ?) = ?", "- -");
  check("select * from t where abs(a) = ?", "-");
  check("select * from t where f(b, a) in (?)", "-");
  check("select * from t where ? = f(a)", "-");
  check("select * from t where ? < u.a", "-");
  check("select * from t where not a = ?", "t.a?");
  check("update t set a = (select b from u where c = ?)", "-");
  check("update t set a = b = ?", "t.b?");
  check("insert into t (a) select b = ? from u", "-");
  check("insert into t (a, b) select max(c, ?), ? from u", "- t.b");
}

static void says_nothing_of_an_expression(void) {
  check("select * from t where a = ? + 1", "-");
  check("select * from t where a = ? || 'x' and b = ?", "- t.b?");
  check("select * from t where a in (? + 1, ?)", "- t.a?");
  check("select * from t where a between ? - 1 and ? + 1", "- -");
  check("select * from t where ? + 1 < a", "-");
  check("select * from t where 1 + ? < a", "-");
  check("insert into t (a) values (? || 'x')", "-");
  check("insert into t (a) values ('x' || ?)", "-");
  check("insert into t (a) values (abs(?))", "-");
  check("insert into t (a, b) values (-?, ? + 1)", "- -");
  check("update t set a = ? + 1", "-");
  check("update t set a = a + ?", "-");
  check("update t set a = abs(?)", "-");
  check("update t set a = ? || b, b = ?", "- t.b");
  check("insert into t (a, b) values (case when ? then 1 end, ?)", "- t.b");
  check("select ?", "-");
  check("select ? = ?", "- -");
  check("select * from t limit ? offset ?", "- -");
}

static void says_nothing_where_tables_are_uncertain(void) {
  check("select * from t, u where a = ?", "-");
  check("select * from t join u on t.id = u.id where a = ?", "-");
  check("select * from t join u using (id) where a = ?", "-");
  check("select * from t where a = ? and b in (select c from u)", "-");
  check("select * from (select 1) where a = ?", "-");
}

static void does_not_take_another_column_for_it(void) {
  check("update t set a = ? from u where b = ?", "t.a -");
  check("insert into t (a) select b from u where c = ?", "-");
  check("insert into t select * from u where c = ?", "-");
}

static void lets_the_first_use_of_a_name_decide(void) {
  check("insert into t (a, b) values (:x, :x)", "t.a");
  check("update t set a = :x where b = :x", "t.a");
  check("update t set a = :x where a = :x or a = :y", "t.a t.a?");
}

static void gives_up_on_very_many_columns(void) {
  char source[4096];
  size_t used = append(source, 0, sizeof source, "insert into t (c0");
  for (unsigned i = 1; i < 100; i++)
    used = append(source, used, sizeof source, ", c%u", i);
  append(source, used, sizeof source, ") values (?, ?)");
  tuff_tokenized result;
  tuff_error err = {.code = TUFF_OK};
  if (!expect(tuff_tokenize(&result, source, strlen(source), &sqlite, &err))) return;
  for (unsigned i = 0; i < result.count; i++) {
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
  it("says nothing where the table is uncertain",
     says_nothing_where_tables_are_uncertain);
  it("does not take another table's column for its own",
     does_not_take_another_column_for_it);
  it("lets the first use of a name decide", lets_the_first_use_of_a_name_decide);
  it("gives up on very many columns", gives_up_on_very_many_columns);
  it("is not confused by more values than columns",
     is_not_confused_by_more_values_than_columns);
  return tap_end();
}
