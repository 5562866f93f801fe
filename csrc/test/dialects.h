/* dialects.h: two dialects, as unlike each other as those of engines are. */
#ifndef TUFF_TEST_DIALECTS_H
#define TUFF_TEST_DIALECTS_H

#include "core/tokenizer.h"

static const tuff_dialect sqlite = {.placeholder = '?',
                                    .in_array = "in list(%)",
                                    .not_in_array = "not in list(%)",
                                    .brackets = true,
                                    .backticks = true};
static const tuff_dialect postgres = {.placeholder = '$',
                                      .in_array = "= any(%)",
                                      .not_in_array = "<> all(%)",
                                      .dollar_quotes = true,
                                      .nested_comments = true,
                                      .atomic_bodies = true};

#endif
