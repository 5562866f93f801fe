/* tokenizer.h: turns the SQL of a script into the SQL of an engine. It numbers the
 * placeholders, writes `in ?` the engine's way, and remembers which piece of the result
 * came from where, so that an error can point at the script's own text. */
#ifndef TUFF_TOKENIZER_H
#define TUFF_TOKENIZER_H

#include "core/buffer.h"
#include "core/driver.h"
#include "core/splitter.h"

/* How the statement takes its arguments. */
typedef enum tuff_style { TUFF_NO_PARAMETERS, TUFF_POSITIONAL, TUFF_NAMED } tuff_style;

typedef struct tuff_parameter {
  size_t name, name_size; /* of :name without the colon, as offset into `source` */
  bool used;
  bool array;         /* `in ?`: wants a list */
  bool parenthesised; /* `in (?)`: a list here is a mistake worth naming */
} tuff_parameter;

/* Where a run of unchanged text stands in the source and in the result. */
typedef struct tuff_run {
  size_t source, result;
} tuff_run;

typedef struct tuff_tokenized {
  tuff_buffer text; /* for the engine, terminated */
  tuff_style style;
  tuff_effect effect;
  bool reads, commits; /* see tuff_sql */
  bool reserved;       /* a name in it is one of tuff's own tables */
  unsigned count, room;
  tuff_parameter *parameters; /* `count` of them, in the order of their numbers */
  unsigned uses, uses_room;
  tuff_target *targets; /* one for each use; views into the source, as `tables` are */
  unsigned table_count;
  tuff_name *tables; /* NULL where no target needs them */
  unsigned runs, runs_room;
  tuff_run *run;
} tuff_tokenized;

/* Tokenizes one statement; a second one behind it is an error, and so is an empty text.
 * `source` must live as long as `targets` are used. On failure nothing is left to free.
 */
bool tuff_tokenize(tuff_tokenized *out, const char *source, size_t size,
                   const tuff_dialect *dialect, tuff_error *err);

void tuff_tokenized_free(tuff_tokenized *tokenized);

/* The byte of the source that stands behind this byte of the result. */
size_t tuff_tokenized_source(const tuff_tokenized *tokenized, size_t result);

#endif
