/* tokenizer.c: one pass over the tokens, copying them. Only placeholders and the words
 * in front of `in ?` are written differently. */
#include "core/tokenizer.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/target.h"

/* SQLite's own ceiling; PostgreSQL's is 65535. */
enum { MOST_PARAMETERS = 32766 };

typedef struct pass {
  tuff_tokenized *out;
  const char *source, *end;
  const tuff_dialect *dialect;
  tuff_error *err;
  tuff_token last[2];    /* significant tokens before, newest first */
  size_t last_result[2]; /* where they begin in the result */
  tuff_targets targets;
  tuff_token verb; /* the first token that is no parenthesis */
  bool modifies;   /* a word of it changes rows, wherever it stands */
} pass;

static bool refuse(pass *pass, const tuff_token *token, tuff_code code,
                   const char *message) {
  tuff_fail(pass->err, code, "%s", message);
  pass->err->offset = (int)(token->start - pass->source);
  return false;
}

/* From here on, source and result run in step again. */
static bool start_run(pass *pass, size_t source) {
  tuff_tokenized *out = pass->out;
  if (out->runs == out->runs_room) {
    unsigned room = out->runs_room ? out->runs_room * 2 : 8;
    tuff_run *grown = tuff_alloc(out->run, room * sizeof *grown);
    if (!grown) return tuff_fail_memory(pass->err);
    out->run = grown;
    out->runs_room = room;
  }
  out->run[out->runs++] = (tuff_run){source, out->text.size};
  return true;
}

/* The number of the parameter, from 0; a name that came before keeps its number. */
static bool number_of(pass *pass, const tuff_token *token, unsigned *number) {
  tuff_tokenized *out = pass->out;
  size_t name_size = token->kind == TUFF_TOKEN_NAMED ? token->size - 1 : 0;
  if (name_size > 0) {
    for (*number = 0; *number < out->count; (*number)++) {
      const tuff_parameter *known = &out->parameters[*number];
      if (known->name_size == name_size &&
          memcmp(pass->source + known->name, token->start + 1, name_size) == 0)
        return true;
    }
  }
  if (out->count == MOST_PARAMETERS)
    return refuse(pass, token, TUFF_RANGE, "more than 32766 parameters");
  if (out->count == out->room) {
    unsigned room = out->room ? out->room * 2 : 8;
    tuff_parameter *parameters = tuff_alloc(out->parameters, room * sizeof *parameters);
    if (!parameters) return tuff_fail_memory(pass->err);
    out->parameters = parameters;
    out->room = room;
  }
  *number = out->count++;
  out->parameters[*number] = (tuff_parameter){
      .name = name_size ? (size_t)(token->start + 1 - pass->source) : 0,
      .name_size = name_size};
  return true;
}

static bool add_use(pass *pass, const tuff_token *token, unsigned number) {
  tuff_tokenized *out = pass->out;
  if (out->uses == out->uses_room) {
    unsigned room = out->uses_room ? out->uses_room * 2 : 8;
    tuff_target *grown = tuff_alloc(out->targets, room * sizeof *grown);
    if (!grown) return tuff_fail_memory(pass->err);
    out->targets = pass->targets.all = grown;
    out->uses_room = room;
  }
  out->targets[out->uses++] = (tuff_target){.parameter = number};
  tuff_targets_parameter(&pass->targets, token, out->targets);
  return true;
}

/* The tables that the driver has to choose from. */
static bool keep_tables(pass *pass) {
  tuff_tokenized *out = pass->out;
  const tuff_targets *targets = &pass->targets;
  out->tables = tuff_alloc(NULL, targets->source_count * sizeof *out->tables);
  if (!out->tables) return tuff_fail_memory(pass->err);
  out->table_count = targets->source_count;
  for (unsigned i = 0; i < out->table_count; i++)
    out->tables[i] = targets->source[i].name;
  return true;
}

/* `limit?` must not become the name limit$1. */
static void write_placeholder(pass *pass, unsigned number) {
  tuff_buffer *text = &pass->out->text;
  if (text->size > 0 && tuff_char_in_word(text->bytes[text->size - 1]))
    tuff_buffer_append(text, " ", 1);
  tuff_buffer_append(text, &pass->dialect->placeholder, 1);
  tuff_buffer_append_number(text, number + 1ul);
}

/* Writes the words before the placeholder again, as the engine wants them. */
static void write_array(pass *pass, bool negated, unsigned number) {
  tuff_buffer *text = &pass->out->text;
  const char *form = negated ? pass->dialect->not_in_array : pass->dialect->in_array;
  text->size = pass->last_result[negated ? 1 : 0];
  const char *hole = strchr(form, '%');
  tuff_buffer_append(text, form, (size_t)(hole - form));
  write_placeholder(pass, number);
  tuff_buffer_append_text(text, hole + 1);
}

static bool take_parameter(pass *pass, const tuff_token *token) {
  tuff_tokenized *out = pass->out;
  tuff_style style = token->kind == TUFF_TOKEN_NAMED ? TUFF_NAMED : TUFF_POSITIONAL;
  if (out->style != TUFF_NO_PARAMETERS && out->style != style)
    return refuse(pass, token, TUFF_MISUSE,
                  "? and :name cannot be mixed in one statement");
  out->style = style;
  unsigned number = 0;
  if (!number_of(pass, token, &number) || !add_use(pass, token, number)) return false;
  bool array = tuff_token_is(&pass->last[0], "in");
  if (out->parameters[number].used && out->parameters[number].array != array)
    return refuse(pass, token, TUFF_MISUSE,
                  "a name cannot stand for a list and for a value");
  out->parameters[number].used = true;
  if (array) {
    out->parameters[number].array = true;
    write_array(pass, tuff_token_is(&pass->last[1], "not"), number);
  } else {
    if (tuff_token_is_char(&pass->last[0], '(') && tuff_token_is(&pass->last[1], "in"))
      out->parameters[number].parenthesised = true;
    write_placeholder(pass, number);
  }
  /* Nor may `?and` become $1and; ?1and is read as two. */
  const char *behind = token->start + token->size;
  if (pass->dialect->placeholder == '$' && behind < pass->end &&
      tuff_char_in_word(*behind))
    tuff_buffer_append(&out->text, " ", 1);
  return start_run(pass, (size_t)(behind - pass->source));
}

static void remember(pass *pass, const tuff_token *token, size_t result) {
  pass->last[1] = pass->last[0];
  pass->last_result[1] = pass->last_result[0];
  pass->last[0] = *token;
  pass->last_result[0] = result;
}

/* SQLite, which knows [name], takes 'name' for one too, where only a name can stand. */
static bool is_name(const pass *pass, const tuff_token *token) {
  static const char *const before[] = {
      "into",  "from",   "update",   "table",   "join",       "on",
      "to",    "exists", "trigger",  "view",    "index",      "ignore",
      "abort", "fail",   "rollback", "replace", "references", NULL};
  if (token->kind != TUFF_TOKEN_STRING) return true;
  if (!pass->dialect->brackets) return false;
  if (tuff_token_is(&pass->last[1], "distinct")) return false; /* is distinct from '' */
  return tuff_token_is_char(&pass->last[0], '.') ||
         tuff_token_is_one_of(&pass->last[0], before);
}

/* A table of tuff's own, whose names begin so. */
static bool is_reserved(const pass *pass, const tuff_token *token) {
  static const char prefix[] = "tuff_";
  bool quoted = token->kind == TUFF_TOKEN_QUOTED || token->kind == TUFF_TOKEN_STRING;
  const char *at = token->start + quoted;
  const char *end = token->start + token->size;
  size_t same = 0;
  while (at < end && prefix[same] && tuff_char_lower(*at) == prefix[same]) {
    at++;
    same++;
  }
  return prefix[same] == '\0' && is_name(pass, token);
}

static void note_words(pass *pass, const tuff_token *token) {
  static const char *const modifying[] = {"insert", "update", "delete", "merge", NULL};
  if (!pass->verb.size && !tuff_token_is_char(token, '(')) pass->verb = *token;
  if (tuff_token_is_one_of(token, modifying)) pass->modifies = true;
  if (is_reserved(pass, token)) pass->out->reserved = true;
}

/* A `with` may hold what changes rows at any place. */
static void judge_words(const pass *pass) {
  static const char *const reading[] = {"select", "values",  "table",
                                        "show",   "explain", NULL};
  static const char *const committing[] = {"commit", "end", "prepare", NULL};
  pass->out->reads = tuff_token_is_one_of(&pass->verb, reading) ||
                     (tuff_token_is(&pass->verb, "with") && !pass->modifies);
  pass->out->commits = tuff_token_is_one_of(&pass->verb, committing);
}

static bool take(pass *pass, const tuff_token *token) {
  size_t result = pass->out->text.size;
  switch (token->kind) {
    case TUFF_TOKEN_REFUSED:
      refuse(pass, token, TUFF_MISUSE,
             "numbered and $ or @ parameters are not used here");
      tuff_error_hint(pass->err,
                      "write ? for a positional parameter, :name for a named "
                      "one, ?? for a literal question mark");
      return false;
    case TUFF_TOKEN_QUESTION:
    case TUFF_TOKEN_NAMED:
      if (!take_parameter(pass, token)) return false;
      break;
    case TUFF_TOKEN_ESCAPED:
      if (pass->dialect->placeholder == '?')
        return refuse(pass, token, TUFF_SYNTAX,
                      "this engine has no operator with a question mark");
      tuff_buffer_append(&pass->out->text, "?", 1);
      if (!start_run(pass, (size_t)(token->start + token->size - pass->source)))
        return false;
      tuff_targets_token(&pass->targets, token);
      break;
    default:
      note_words(pass, token);
      tuff_buffer_append(&pass->out->text, token->start, token->size);
      tuff_targets_token(&pass->targets, token);
      break;
  }
  remember(pass, token, result);
  return true;
}

static bool tokenize(pass *pass, size_t size) {
  const char *nul = memchr(pass->source, '\0', size);
  if (nul) {
    tuff_token at = {TUFF_TOKEN_END, nul, 0};
    return refuse(pass, &at, TUFF_SYNTAX, "the SQL text holds a NUL byte");
  }
  tuff_splitter splitter;
  tuff_splitter_begin(&splitter, pass->source, size, pass->dialect);
  tuff_part statement, second;
  if (!tuff_splitter_next(&splitter, &statement)) {
    tuff_fail(pass->err, TUFF_MISUSE, "the SQL text holds no statement");
    return false;
  }
  if (tuff_splitter_next(&splitter, &second)) {
    tuff_token at = {TUFF_TOKEN_END, second.start, 0};
    refuse(pass, &at, TUFF_MISUSE, "more than one statement");
    tuff_error_hint(pass->err, "db:exec runs a script of several statements");
    return false;
  }
  pass->out->effect = statement.effect;
  tuff_targets_begin(&pass->targets, statement.start + statement.size);
  tuff_lexer lexer = {statement.start, statement.start + statement.size, pass->dialect};
  if (!start_run(pass, (size_t)(statement.start - pass->source))) return false;
  for (;;) {
    tuff_token token = tuff_lexer_next(&lexer);
    if (token.kind == TUFF_TOKEN_END) break;
    if (token.kind == TUFF_TOKEN_SPACE)
      tuff_buffer_append(&pass->out->text, token.start, token.size);
    else if (!take(pass, &token))
      return false;
  }
  judge_words(pass);
  if (tuff_targets_end(&pass->targets) && !keep_tables(pass)) return false;
  return pass->out->text.failed ? tuff_fail_memory(pass->err) : true;
}

bool tuff_tokenize(tuff_tokenized *out, const char *source, size_t size,
                   const tuff_dialect *dialect, tuff_error *err) {
  *out = (tuff_tokenized){0};
  pass pass;
  pass.out = out;
  pass.source = source;
  pass.end = source + size;
  pass.dialect = dialect;
  pass.err = err;
  memset(pass.last, 0, sizeof pass.last);
  pass.verb = (tuff_token){0};
  pass.modifies = false;
  if (tokenize(&pass, size)) return true;
  tuff_tokenized_free(out);
  return false;
}

void tuff_tokenized_free(tuff_tokenized *tokenized) {
  tuff_buffer_free(&tokenized->text);
  tuff_free(tokenized->parameters);
  tuff_free(tokenized->targets);
  tuff_free(tokenized->tables);
  tuff_free(tokenized->run);
  *tokenized = (tuff_tokenized){0};
}

size_t tuff_tokenized_source(const tuff_tokenized *tokenized, size_t result) {
  unsigned i = tokenized->runs;
  while (i > 1 && tokenized->run[i - 1].result > result) i--;
  if (i == 0) return result;
  size_t source =
      tokenized->run[i - 1].source + (result - tokenized->run[i - 1].result);
  /* Inside of what was written differently, and longer, the end is as near as it gets.
   */
  if (i < tokenized->runs && source > tokenized->run[i].source)
    return tokenized->run[i].source;
  return source;
}
