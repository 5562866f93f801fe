/* admission.h: whether a statement may run, here and now: what the transaction it would
 * run in has come to, what a connection or a function may do, and the limits that a
 * script was given at open. Each gives an error where it says no. */
#ifndef TUFF_ADMISSION_H
#define TUFF_ADMISSION_H

#include "core/statement.h"

struct tuff_connection;

/* For all but the plain case of a statement that only reads. Where it will write, the
 * rest of open loops is read into memory. */
bool tuff_statement_admit(tuff_statement *statement, tuff_error *err);

/* Refuses a BEGIN, COMMIT, … inside a transaction that is not the script's own. Always
 * false. */
bool tuff_statement_refuse_control(tuff_error *err);

/* Whether a text of so many bytes may be run by a script. */
bool tuff_sql_admit(const struct tuff_connection *connection, size_t size,
                    tuff_error *err);

/* Where there is a limit: the values that are to be bound, and the row that the last
 * step has reached. In our own questions about the schema nothing is the script's, but
 * an insert that we have written holds its values; and what a statement has written
 * cannot be refused any more. */
bool tuff_statement_admit_values(const tuff_statement *statement,
                                 const tuff_value *values, unsigned count,
                                 tuff_error *err);
bool tuff_statement_admit_row(const tuff_statement *statement, tuff_error *err);

#endif
