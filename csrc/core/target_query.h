/* target_query.h: the clauses of a query and the tables that it names, for target.c. */
#ifndef TUFF_TARGET_QUERY_H
#define TUFF_TARGET_QUERY_H

#include "core/target.h"

/* target.c: a new value begins, which goes where the frame says. */
void tuff_target_begin_value(tuff_targets *targets, tuff_frame *frame);

/* target.c: makes it unknown. */
void tuff_target_forget(tuff_target *target);

/* Makes the frame a query, whose first word comes next. */
void tuff_query_begin(tuff_targets *targets, tuff_frame *frame);

/* True if the name was a table, an alias, or a keyword of the query. */
bool tuff_query_name(tuff_targets *targets, tuff_frame *frame, const tuff_token *token);

/* A comma between what the clause lists. */
void tuff_query_comma(tuff_frame *frame);

/* True if the parenthesis belongs to the clause, and is no expression. */
bool tuff_query_open(tuff_targets *targets, tuff_frame *frame, tuff_frame *inner);

/* Finds the tables of the columns that its scope was asked for. */
void tuff_query_end_scope(tuff_targets *targets, tuff_frame *frame);

/* After all scopes: what is still open is not known. True if a choice is left. */
bool tuff_query_settle(tuff_targets *targets);

#endif
