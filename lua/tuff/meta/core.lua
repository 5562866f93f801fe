---@meta tuff.core
--- What the C core provides, for editors and readers. No code is loaded from here.
--- Everything that can fail raises a tuff.Error. Text parameters must be valid UTF-8 without
--- NUL; see doc/values.md for all types.

---@class tuff.Blob
--- A string to be stored as a BLOB. `tostring` gives the string, `#` its length.

---@alias tuff.Value nil|boolean|integer|number|string|table|tuff.Blob|lightuserdata

---@class tuff.Database
local Database = {}

--- Runs a script of one or many statements, without parameters. All of it takes effect or
--- nothing does, unless the script has its own BEGIN or a VACUUM.
---@param script string
function Database:exec(script) end

--- Runs a statement to its end.
---@param sql string `?` takes values in order, `:name` takes one table, `in ?` a list
---@param ... tuff.Value
---@return integer changes rows inserted, updated or deleted
function Database:run(sql, ...) end

--- A lazy loop over named rows. A NULL column is absent from its row.
---@param sql string
---@param ... tuff.Value
---@return fun(): table<string, any>?
function Database:rows(sql, ...) end

--- A lazy loop without a table for each row: `for n, id, name in db:tuples(sql) do`.
---@param sql string
---@param ... tuff.Value
---@return fun(): integer?, any ... the number of the row from 1, then its columns
function Database:tuples(sql, ...) end

--- All rows.
---@param sql string
---@param ... tuff.Value
---@return table<string, any>[]
function Database:all(sql, ...) end

--- The first row.
---@param sql string
---@param ... tuff.Value
---@return table<string, any>? row nil where there is none
function Database:row(sql, ...) end

--- The first column of the first row.
---@param sql string
---@param ... tuff.Value
---@return any value nil where there is no row, or NULL
function Database:value(sql, ...) end

--- The first column of all rows. NULL is tuff.null, so that `#` and `ipairs` hold.
---@param sql string
---@param ... tuff.Value
---@return any[]
function Database:column(sql, ...) end

--- All rows, one array for each column: { n = 3, id = { … }, name = { … } }. NULL is
--- tuff.null. A column called n is n_2 here. Half the memory and time of `all`.
---@param sql string
---@param ... tuff.Value
---@return { n: integer, [string]: any[] }
function Database:arrays(sql, ...) end

--- Whether there is a row.
---@param sql string
---@param ... tuff.Value
---@return boolean
function Database:exists(sql, ...) end

--- Prepares a statement. Plain SQL is prepared once and cached too: this is for a name.
---@param sql string
---@return tuff.Statement
function Database:prepare(sql) end

--- Whether a transaction is open, by whoever began it.
---@return boolean
function Database:in_transaction() end

--- Whether this connection can do it: "attach", "backup", "blobs" (streams), "functions", "listen",
--- "notify", "reader", "returning", "savepoint", "wal"; or in which way its engine does what the
--- other one does in another way, such as "continue_after_error". doc/engines.md has all of them.
---@param feature string
---@return boolean false also for a name that there is not
function Database:supports(feature) end

---@class tuff.Stats
---@field statements integer run
---@field rows integer read
---@field changes integer rows changed
---@field transactions integer begun, without nested ones
---@field cache_hits integer statements that were prepared already
---@field waits integer how often a lock was waited for; 0 on PostgreSQL
---@field time number seconds spent in statements, estimated from one of sixteen

--- What this connection has done.
---@return tuff.Stats
function Database:stats() end

---@class tuff.Statement
local Statement = {}

--- Finishes the statement and the loops over it. May be called twice.
function Statement:close() end

--- The names of its columns, as they key a row. Where the schema has changed since the statement
--- last ran, they are the old ones until it runs again.
---@return string[]
function Statement:names() end

---@param ... tuff.Value
---@return integer changes
function Statement:run(...) end

---@param ... tuff.Value
---@return fun(): table<string, any>?
function Statement:rows(...) end

---@param ... tuff.Value
---@return fun(): integer?, any ...
function Statement:tuples(...) end

---@param ... tuff.Value
---@return table<string, any>[]
function Statement:all(...) end

---@param ... tuff.Value
---@return table<string, any>?
function Statement:row(...) end

---@param ... tuff.Value
---@return any
function Statement:value(...) end

---@param ... tuff.Value
---@return any[]
function Statement:column(...) end

---@param ... tuff.Value
---@return { n: integer, [string]: any[] }
function Statement:arrays(...) end

---@param ... tuff.Value
---@return boolean
function Statement:exists(...) end

---@class tuff.Stream
--- One value, as db:blob gives it: it has a position, as a file has, and a length that it cannot
--- change. `#stream` is its length, too.
local Stream = {}

--- The next bytes, as many as are left at most; nil at the end. Without a count all that are
--- left, which may be none.
---@param count integer?
---@return string?
function Stream:read(count) end

--- Writes over what is there. Outside of a transaction the first write takes the write lock, and
--- closing the stream commits.
---@param ... string
---@return tuff.Stream self
function Stream:write(...) end

--- Moves the position, or only tells it.
---@param whence "set"|"cur"|"end"|nil from the beginning, from here ("cur"), from the end
---@param offset integer? (0)
---@return integer position in bytes, from 0
function Stream:seek(whence, offset) end

---@return integer bytes
function Stream:length() end

--- May be called twice. An error: what was written could not be committed.
function Stream:close() end

-- What follows is between the C core and the Lua layer.

---@class tuff.core
---@field connection table the methods of tuff.Database
---@field statement table the methods of tuff.Statement
---@field transaction table the metatable of tuff.Transaction
---@field error table the metatable of tuff.Error
---@field null lightuserdata
---@field sqlite_version string
---@field for_closes boolean whether a generic `for` closes its closing value in this Lua
local core = {}

--- Opens a connection with options that lua/tuff/options.lua has checked.
---@param options table
---@return tuff.Database
function core.open(options) end

--- Closes loops, statements and the database, in this order. May be called twice.
---@param db tuff.Database
---@return boolean undone whether a transaction was open, which has been rolled back
function core.close(db) end

--- A table that the Lua layer keeps things of this connection in.
---@param db tuff.Database
---@return table
function core.state(db) end

--- A number that changes when this session changes tables; nil where the driver counts no such
--- thing.
---@param db tuff.Database
---@return integer?
function core.schema(db) end

--- Limits for the next call on this connection alone, in milliseconds.
---@param db tuff.Database
---@param timeout number?
---@param busy_timeout number?
function core.limit(db, timeout, busy_timeout) end

--- Sets how long each statement may take from now on, and gives what it was, in milliseconds.
---@param db tuff.Database
---@param timeout number 0: as long as it needs
---@return number
function core.timeout(db, timeout) end

--- The next call on this connection runs a text that tuff has written, for which the limits of
--- a script's texts and results do not count.
---@param db tuff.Database
function core.own(db) end

---@param db tuff.Database
---@param mode "serializable"|"repeatable read"|"read committed"|"read"|"change"|nil
---@param timeout number? milliseconds for all of it
---@return tuff.Transaction
function core.begin(db, mode, timeout) end

--- Runs fn in a transaction of its own.
---@param db tuff.Database
---@param mode "serializable"|"repeatable read"|"read committed"|"read"|nil
---@param timeout number? milliseconds for all of it
---@param fn fun(db: tuff.Database): any...
---@return integer|false level its number, if it was kept
---@return any ... the results of fn, or its error, or that of the commit
function core.attempt(db, mode, timeout, fn) end

--- The tables that the change of the schema has written, made or dropped so far.
---@param db tuff.Database
---@return string[]? names nil: that is not known
function core.touched(db) end

--- Begins to note them anew.
---@param db tuff.Database
function core.forget_touched(db) end

---@param tx tuff.Transaction
function core.commit(tx) end

---@param tx tuff.Transaction
function core.rollback(tx) end

--- Rolls back without any of the checks, as a finaliser must.
---@param tx tuff.Transaction
function core.collect(tx) end

---@param tx tuff.Transaction
---@return boolean
function core.is_open(tx) end

---@param tx tuff.Transaction
---@return tuff.Database
function core.connection_of(tx) end

--- Whether its connection is in the middle of a call.
---@param tx tuff.Transaction
---@return boolean
function core.is_busy(tx) end

--- The number of the innermost transaction that is open; an inner one has a greater number than
--- those around it, and no number comes back. 0: none is open.
---@param db tuff.Database
---@return integer
function core.level(db) end

--- Whether the script has begun the open transaction by writing BEGIN.
---@param db tuff.Database
---@return boolean
function core.is_manual(db) end

--- Defines a function, or replaces one.
---@param db tuff.Database
---@param name string
---@param fn fun(...): any
---@param deterministic boolean?
---@param schema boolean?
function core.define(db, name, fn, deterministic, schema) end

--- Defines an aggregate by an array: step, final, start, inverse and value. Start may be nil; the
--- last two are false where it is no window function.
---@param db tuff.Database
---@param name string
---@param definition any[]
---@param deterministic boolean?
---@param schema boolean?
function core.define_aggregate(db, name, definition, deterministic, schema) end

---@param db tuff.Database
---@param name string
---@param fn fun(a: string, b: string): number
function core.define_collation(db, name, fn) end

---@param db tuff.Database
---@param path string
---@param entry string? the function that the library begins with
function core.load_extension(db, path, entry) end

--- Sets the function that is told of notices of the server; it must not raise.
---@param db tuff.Database
---@param fn fun(notice: tuff.Notice)
---@param all boolean false: of warnings alone
function core.notice(db, fn, all) end

--- Begins to listen to a channel, or ends it.
---@param db tuff.Database
---@param channel string
---@param on boolean
function core.listen(db, channel, on) end

--- Waits until there is a notification.
---@param db tuff.Database
---@param ms number at most so many milliseconds
---@return integer count how many there are
function core.wait(db, ms) end

--- Takes the oldest notification, if there is one.
---@param db tuff.Database
---@return string? channel
---@return string? payload
---@return integer? pid
function core.notification(db) end

---@param db tuff.Database
---@param schema string? nil: the main one
---@param table string
---@param column string
---@param row integer its rowid
---@return tuff.Stream
function core.blob_stream(db, schema, table, column, row) end

--- Inserts rows as long as their keys are exactly these columns.
---@param db tuff.Database
---@param sql string an INSERT with one `?` for each column
---@param columns string[]
---@param rows table[]|fun(): table?
---@param first integer the number of the first row
---@param results table[]? takes what RETURNING gives
---@param copy string? what begins a bulk load of such rows
---@param batch string? the same INSERT of arrays, one for each column
---@return integer changes
---@return integer reached the number of the row it stopped at
---@return table? row that row; nil: there are no more
function core.insert_rows(db, sql, columns, rows, first, results, copy, batch) end

--- Cuts SQL into tokens, without white space and comments. It never fails: an unclosed quote
--- reaches to the end.
---@param sql string
---@param dialect table<string, boolean> what is a quote: `brackets` for [name], `backticks` for
---  `name`, `dollar_quotes` for $$text$$; `nested_comments`
---@return string kinds a letter for each token: w word, q quoted name, s string, n number, p other
---@return string[] texts
---@return integer[] starts bytes of the text, from 1
function core.tokens(sql, dialect) end

--- The SHA-256 of a string.
---@param bytes string
---@return string digits 64 of them, hexadecimal, in small letters
function core.sha256(bytes) end

--- How many columns a terminal shows.
---@param descriptor integer 1: standard output, 2: standard error
---@return integer? columns nil: it is no terminal
function core.terminal(descriptor) end

--- From now on, a pipe that nobody reads any more fails the writing, and does not end the process.
function core.keep_writing() end

---@class tuff.core.Copy
--- A copy that is being made.
local Copy = {}

--- Does a piece of it.
---@return "copy"|"check"|nil what was done last; nil: the copy has its name
---@return integer|table done bytes; or what is known of the copy
---@return integer? total bytes
function Copy:step() end

--- Ends it: what has no name yet is gone. May be called twice.
function Copy:close() end

--- Begins a copy.
---@param db tuff.Database
---@param path string
---@param root string?
---@param replace boolean?
---@param level integer
---@return tuff.core.Copy
function core.backup(db, path, root, replace, level) end

--- Looks at a file.
---@param path string
---@param level integer
---@param follow boolean?
---@return table found bytes, pages, page_size, tables, and dangling at level 3
function core.verify(path, level, follow) end

--- Milliseconds of a clock that only goes forward.
---@return number
function core.now() end

---@return integer
function core.instances() end

---@param bytes string
---@return tuff.Blob
function core.blob(bytes) end

--- How JSON columns are read and tables written.
---@param decode fun(text: string): any
---@param encode fun(value: any): string
function core.json(decode, encode) end

--- Chunks whose name begins so are no callers: errors point past them.
---@param prefix string
function core.own_code(prefix) end

return core
