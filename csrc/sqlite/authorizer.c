/* authorizer.c: what plain SQL may not do. Pragmas go through a list, because several
 * would undo what makes the database safe; other files are attached by db:attach only,
 * which applies the rules of opening to them. */
#include <string.h>

#include "sqlite/database.h"

typedef struct pragma {
  const char *name;
  const char *values; /* one space apart; NULL: any; "": it may only be read */
} pragma;

static const pragma allowed[] = {
    {"analysis_limit", NULL},
    {"application_id", NULL},
    {"auto_vacuum", NULL},
    {"automatic_index", NULL},
    {"busy_timeout", ""},
    {"cache_size", NULL},
    {"cache_spill", NULL},
    {"case_sensitive_like", NULL},
    {"cell_size_check", "on 1 true yes"},
    {"checkpoint_fullfsync", NULL},
    {"collation_list", ""},
    {"compile_options", ""},
    {"count_changes", ""},
    {"data_version", ""},
    {"database_list", ""},
    {"defer_foreign_keys", NULL},
    {"encoding", NULL},
    {"foreign_key_check", NULL},
    {"foreign_key_list", NULL},
    {"foreign_keys", "on 1 true yes"},
    {"freelist_count", ""},
    {"fullfsync", NULL},
    {"function_list", ""},
    {"ignore_check_constraints", "off 0 false no"},
    {"incremental_vacuum", NULL},
    {"index_info", NULL},
    {"index_list", NULL},
    {"index_xinfo", NULL},
    {"integrity_check", NULL},
    {"journal_mode", ""},
    {"journal_size_limit", ""},
    {"legacy_alter_table", NULL},
    {"locking_mode", ""},
    {"max_page_count", NULL},
    {"mmap_size", ""},
    {"module_list", ""},
    {"optimize", NULL},
    {"page_count", ""},
    {"page_size", ""},
    {"pragma_list", ""},
    {"query_only", NULL},
    {"quick_check", NULL},
    {"read_uncommitted", ""},
    {"recursive_triggers", NULL},
    {"reverse_unordered_selects", NULL},
    {"schema_version", ""},
    {"secure_delete", NULL},
    {"shrink_memory", NULL},
    {"stats", ""},
    {"synchronous", "full extra 2 3"},
    {"table_info", NULL},
    {"table_list", NULL},
    {"table_xinfo", NULL},
    {"temp_store", NULL},
    {"threads", NULL},
    {"trusted_schema", "off 0 false no"},
    {"user_version", NULL},
    {"wal_autocheckpoint", ""},
    {"writable_schema", "off 0 false no"},
};

static bool has_word(const char *words, const char *word) {
  size_t size = strlen(word);
  for (const char *at = words; *at;) {
    size_t length = strcspn(at, " ");
    if (length == size && sqlite3_strnicmp(at, word, (int)size) == 0) return true;
    at += length;
    at += strspn(at, " ");
  }
  return false;
}

static bool is_allowed(const char *name, const char *value) {
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
    if (sqlite3_stricmp(name, allowed[i].name) != 0) continue;
    return !value || !allowed[i].values || has_word(allowed[i].values, value);
  }
  return false;
}

static int deny(tuff_sqlite_database *database, const char *format, const char *a,
                const char *b) {
  sqlite3_snprintf(sizeof database->denied, database->denied, format, a, b);
  return SQLITE_DENY;
}

static int authorize(void *context, int action, const char *a, const char *b,
                     const char *schema, const char *trigger) {
  tuff_sqlite_database *database = context;
  (void)schema;
  (void)trigger;
  if (database->internal) return SQLITE_OK;
  switch (action) {
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
    case SQLITE_CREATE_TABLE:
    case SQLITE_DROP_TABLE: tuff_sqlite_change_note(database, a); return SQLITE_OK;
    case SQLITE_CREATE_INDEX:
    case SQLITE_ALTER_TABLE: tuff_sqlite_change_note(database, b); return SQLITE_OK;
    case SQLITE_PRAGMA:
      if (b && database->change.open && sqlite3_stricmp(a, "foreign_keys") == 0)
        return deny(database,
                    "PRAGMA foreign_keys does nothing inside a migration: foreign keys "
                    "are not enforced, but checked at its end",
                    "", "");
      if (is_allowed(a, b)) return SQLITE_OK;
      return deny(database,
                  b ? "PRAGMA %.40s = %.40s is not allowed"
                    : "PRAGMA %.40s is not allowed",
                  a, b);
    case SQLITE_ATTACH:
      if (a && a[0] == '\0') return SQLITE_OK; /* VACUUM does this */
      return deny(database, "ATTACH and VACUUM INTO are not allowed in plain SQL", "",
                  "");
    default: return SQLITE_OK;
  }
}

void tuff_sqlite_authorizer_install(tuff_sqlite_database *database) {
  sqlite3_set_authorizer(database->handle, authorize, database);
}
