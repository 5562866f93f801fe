/* target.c: what becomes of a parameter: which column it goes to, and what that was
 * declared to hold. SQLite itself infers no types of parameters. */
#include <string.h>

#include "sqlite/database.h"

/* ---- columns ---- */

/* A name as SQL writes it, without its quotes. */
static bool unquote(const tuff_name *name, char *out, size_t room) {
  const char *at = name->start, *end = at + name->size;
  char quote = *at == '[' ? ']' : *at == '"' || *at == '`' ? *at : '\0';
  size_t size = 0;
  if (quote) {
    at++;
    end--;
  }
  for (; at < end; at++) {
    if (size + 1 >= room) return false;
    out[size++] = *at;
    if (quote && *at == quote && at + 1 < end && at[1] == quote) at++;
  }
  out[size] = '\0';
  return size > 0;
}

/* The type of the ordinal-th column that INSERT without a column list fills. */
static int ordinal_type(tuff_sqlite_database *database, const char *table,
                        unsigned ordinal, tuff_type *type) {
  /* table_info leaves hidden and generated columns out, as INSERT does. */
  static const char sql[] = "SELECT type FROM pragma_table_info(?1) WHERE cid >= 0 "
                            "ORDER BY cid LIMIT 1 OFFSET ?2";
  sqlite3_stmt *columns = NULL;
  database->internal = true;
  int result = sqlite3_prepare_v2(database->handle, sql, -1, &columns, NULL);
  if (result == SQLITE_OK)
    result = sqlite3_bind_text(columns, 1, table, -1, SQLITE_STATIC);
  if (result == SQLITE_OK) result = sqlite3_bind_int64(columns, 2, ordinal);
  if (result == SQLITE_OK) result = sqlite3_step(columns);
  if (result == SQLITE_ROW)
    *type = tuff_sqlite_type_of((const char *)sqlite3_column_text(columns, 0));
  sqlite3_finalize(columns);
  database->internal = false;
  return result;
}

/* The result code for a table, or the column of one. */
static int column_type(tuff_sqlite_database *database, const char *table,
                       const char *column, tuff_type *type) {
  const char *declaration = NULL;
  int result = sqlite3_table_column_metadata(database->handle, NULL, table, column,
                                             &declaration, NULL, NULL, NULL, NULL);
  if (result == SQLITE_OK && column) *type = tuff_sqlite_type_of(declaration);
  return result;
}

static bool is_found(int result) { return result == SQLITE_OK || result == SQLITE_ROW; }

/* That there is no such column is no error: it may be a view's, or an expression's. */
static bool is_failure(int result) {
  return !is_found(result) && result != SQLITE_DONE && (result & 0xFF) != SQLITE_ERROR;
}

static bool same_type(const tuff_type *a, const tuff_type *b) {
  return a->declared == b->declared && a->strict == b->strict &&
         a->precision == b->precision && a->scale == b->scale;
}

/* Not known if two tables declare it differently, or if one is a view, which does not
 * say what it has. */
static int candidates_type(tuff_sqlite_database *database, const tuff_sql *sql,
                           const tuff_target *target, const char *column,
                           tuff_type *type, bool *known) {
  char table[256];
  for (unsigned i = 0; i < sql->table_count; i++) {
    if (!(target->candidates >> i & 1)) continue;
    if (!unquote(&sql->tables[i], table, sizeof table)) return SQLITE_ERROR;
    tuff_type found = {0};
    int result = column_type(database, table, column, &found);
    if (is_found(result) && *known && !same_type(type, &found)) return SQLITE_ERROR;
    if (is_found(result)) {
      *type = found;
      *known = true;
    } else if (is_failure(result) ||
               (result = column_type(database, table, NULL, NULL)) != SQLITE_OK) {
      return result;
    }
  }
  return SQLITE_OK;
}

/* known: there is such a column, and only one. */
static bool target_type(tuff_sqlite_database *database, const tuff_sql *sql,
                        const tuff_target *target, tuff_type *type, bool *known,
                        tuff_error *err) {
  char table[256], column[256];
  int result = SQLITE_ERROR;
  *known = false;
  bool column_given = target->column.size > 0;
  bool readable = (!column_given || unquote(&target->column, column, sizeof column)) &&
                  (!target->table.size || unquote(&target->table, table, sizeof table));
  if (readable && target->table.size) {
    result = column_given ? column_type(database, table, column, type)
                          : ordinal_type(database, table, target->ordinal, type);
    *known = is_found(result);
  } else if (readable && column_given) {
    result = candidates_type(database, sql, target, column, type, known);
  }
  if (!is_found(result)) *known = false;
  if (!*known) *type = (tuff_type){TUFF_AS_STORED, false, 0, 0};
  return !is_failure(result) || tuff_sqlite_fail(database, result, err);
}

/* ---- parameters ---- */

/* What has no part in what is stored is only compared: there most types change nothing,
 * and refuse nothing. */
static tuff_sqlite_target describe(const tuff_target *target, const tuff_type *type,
                                   bool known) {
  tuff_sqlite_target use = {.known = known, .type = *type};
  bool decimal = type->declared == TUFF_AS_DECIMAL;
  if (target->embedded) {
    use.known = decimal; /* elsewhere nothing is known of a part */
    use.conversion = decimal ? TUFF_SQLITE_EMBEDDED : TUFF_SQLITE_AS_IT_IS;
    return use;
  }
  switch (type->declared) {
    case TUFF_AS_STORED: break;
    case TUFF_AS_REAL:
      if (!target->compared) use.conversion = TUFF_SQLITE_REAL;
      break;
    case TUFF_AS_TEXT: use.conversion = TUFF_SQLITE_TEXT; break;
    case TUFF_AS_DECIMAL:
    case TUFF_AS_BLOB: use.conversion = TUFF_SQLITE_CONVERT; break;
    default:
      if (!target->compared) use.conversion = TUFF_SQLITE_CONVERT;
      break;
  }
  return use;
}

static bool same_use(const tuff_sqlite_target *a, const tuff_sqlite_target *b) {
  return a->conversion == b->conversion &&
         (a->conversion == TUFF_SQLITE_AS_IT_IS || same_type(&a->type, &b->type));
}

/* Adds a use to what is known of its parameter; `used` entries are taken. */
static void add_use(tuff_sqlite_target *targets, unsigned parameter,
                    const tuff_sqlite_target *use, unsigned *used) {
  tuff_sqlite_target *head = &targets[parameter];
  if (!use->known || (head->known && same_use(head, use))) return;
  if (!head->known) {
    *head = *use;
    return;
  }
  if (head->conversion != TUFF_SQLITE_SEVERAL) {
    targets[*used] = *head;
    *head = (tuff_sqlite_target){
        .conversion = TUFF_SQLITE_SEVERAL, .known = true, .next = (*used)++};
  }
  for (unsigned i = head->next; i; i = targets[i].next)
    if (same_use(&targets[i], use)) return;
  targets[*used] = *use;
  targets[*used].next = head->next;
  head->next = (*used)++;
}

static bool describe_uses(tuff_sqlite_statement *statement, tuff_sqlite_target *targets,
                          tuff_error *err) {
  const tuff_sql *sql = &statement->sql;
  unsigned used = sql->parameters;
  for (unsigned i = 0; i < sql->uses; i++) {
    const tuff_target *target = &sql->targets[i];
    tuff_type type = {0};
    bool known = false;
    if (!target_type(statement->database, sql, target, &type, &known, err))
      return false;
    tuff_sqlite_target use = describe(target, &type, known);
    add_use(targets, target->parameter, &use, &used);
  }
  return true;
}

bool tuff_sqlite_load_targets(tuff_sqlite_statement *statement, tuff_error *err) {
  const tuff_host *host = tuff_sqlite_host;
  unsigned count = statement->sql.parameters, uses = statement->sql.uses;
  host->alloc(statement->targets, 0);
  host->alloc(statement->texts, 0);
  statement->targets = NULL;
  statement->texts = NULL;
  if (count == 0) return true;
  size_t size = (count + (uses > count ? uses : 0)) * sizeof *statement->targets;
  tuff_sqlite_target *targets = host->alloc(NULL, size);
  if (!targets) return tuff_sqlite_fail_memory(err);
  memset(targets, 0, size);
  bool good = describe_uses(statement, targets, err), needed = false;
  for (unsigned i = 0; i < count && !needed; i++)
    needed = targets[i].conversion != TUFF_SQLITE_AS_IT_IS;
  if (!good || !needed) {
    host->alloc(targets, 0);
    return good;
  }
  statement->targets = targets;
  statement->texts = host->alloc(NULL, count * TUFF_SQLITE_SCRATCH);
  return statement->texts || tuff_sqlite_fail_memory(err);
}
