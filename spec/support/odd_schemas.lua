--- Scripts that make schemas as people and tools write them: comments, all kinds of quotes, words
--- of SQL as names, clauses in every place where SQLite takes them. And texts that are nearly such.

local odd_schemas = {
  [[CREATE TABLE t(a, b, CHECK(a IN ('(',')')))]],
  [[create table main."t" -- the table
 (a /* first */ int not null on conflict ignore, -- the a
  b text primary key on conflict replace -- last
 )]],
  [[CREATE TABLE t("a b" VARCHAR(30) UNIQUE ON CONFLICT FAIL, [c d] int, `e``f` 'real', 'g'
    blob default x'00ff', "h""i" NUMERIC(10,2) DEFAULT -.5e3)]],
  [[CREATE TABLE t(a GENERATED ALWAYS, b int GENERATED ALWAYS AS (a) STORED, c AS (b+1), d
    text as (')') virtual unique)]],
  [[CREATE TABLE t(a, b, PRIMARY KEY(a DESC, b COLLATE NOCASE) ON CONFLICT ROLLBACK) WITHOUT
    ROWID]],
  [[CREATE TABLE t(a INTEGER PRIMARY KEY DESC)]],
  [[CREATE TABLE t(a INTEGER, b, PRIMARY KEY(a DESC))]],
  [[CREATE TABLE t(a INTEGER, b, PRIMARY KEY(a AUTOINCREMENT))]],
  [[CREATE TABLE t(a INTEGER NOT NULL PRIMARY KEY ASC ON CONFLICT IGNORE AUTOINCREMENT)]],
  [[CREATE TABLE t(a UNIQUE CHECK(a > 0) CONSTRAINT x CONSTRAINT y CHECK (a < 5) CONSTRAINT
    z)]],
  [[CREATE TABLE t(a, UNIQUE(a) CHECK(a>0) CONSTRAINT foo FOREIGN KEY(a) REFERENCES u(b) ON
    DELETE SET NULL ON UPDATE CASCADE MATCH FULL NOT DEFERRABLE INITIALLY DEFERRED
    CONSTRAINT tail)]],
  [[CREATE TABLE t(a REFERENCES t DEFERRABLE INITIALLY DEFERRED, b REFERENCES t(a) ON INSERT
    CASCADE ON DELETE RESTRICT DEFERRABLE, c REFERENCES u NOT DEFERRABLE)]],
  [[CREATE TABLE ""("" text check (length("") <= 5), unique(""))]],
  [[CREATE TABLE i(id INTEGER PRIMARY KEY, a TEXT);CREATE VIRTUAL TABLE i_search USING fts5(a,
    content=i, content_rowid=id);CREATE TRIGGER i_search_insert AFTER INSERT ON i BEGIN
    INSERT INTO i_search(rowid, a) VALUES (new.id, new.a); END;
    CREATE TRIGGER i_search_delete AFTER DELETE ON i BEGIN INSERT INTO i_search(i_search,
    rowid, a) VALUES ('delete', old.id, old.a); END;CREATE TRIGGER i_search_update AFTER
    UPDATE OF id, a ON i BEGIN INSERT INTO i_search(i_search, rowid, a) VALUES ('delete',
    old.id, old.a); INSERT INTO i_search(rowid, a) VALUES (new.id, new.a); END]],
  [[CREATE TABLE t(a INT STRICT)]],
  [[CREATE TABLE t(a INT, b ANY, c TEXT NOT NULL, PRIMARY KEY (b)) STRICT]],
  [[CREATE TABLE t(a INT, b ANY, PRIMARY KEY (b)) STRICT, WITHOUT ROWID]],
  [[CREATE TABLE t(a default current_timestamp, b default (1+(2)), c default abc, d default
    "x y", e default null, f default 'it''s', g default +5, h default 0x1F, i default
    9223372036854775808, j default -9223372036854775808, k default true, l default (NULL), m
    default 1e400)]],
  [[CREATE TABLE t(a TEXT CHECK (length(a) <= 10), b TEXT CHECK (b IN ('x', 'y')), c TEXT
    CONSTRAINT c CHECK (c IN ('x')), d DECIMAL INTEGER(10,2), e DECIMAL INTEGER(5,1) CHECK (e
    BETWEEN -99999 AND 99999), f integer CHECK (typeof(f) IN ('integer','null')))]],
  [[CREATE TABLE t(key, action, text text, date date, desc1, "desc", "order" integer, rowid,
    abort, temp)]],
  [[CREATE TABLE "weird ""name"" ü"("col ""x""" TEXT, "ünïcode" INT)]],
  [[CREATE TABLE t(a double precision, b unsigned big int(10), c long  varchar /* c */ (5 ,
    6), d national character varying(255), e timestamp with time zone)]],
  [[CREATE TABLE t(a CHECK(a > 0 -- comment )
 ), b)]],
  [[CREATE TABLE t(a COLLATE nocase COLLATE binary, b COLLATE "rtrim", c collate NOCASE
    unique)]],
  [[CREATE TABLE t(a, CHECK (a > 0) ON CONFLICT FAIL)]],
  [[CREATE TABLE t(a NULL ON CONFLICT IGNORE, b NOT NULL NULL)]],
  [[CREATE TABLE t(a int as (1) stored, b)]],
  [[CREATE TABLE t(a,b);CREATE INDEX i ON t(a DESC, b COLLATE nocase ASC, a+b, (a), lower(b)
    COLLATE rtrim desc, a COLLATE nocase || b) WHERE a IS NOT NULL AND b IN (')', 1) -- x]],
  [[CREATE TABLE t(a,b COLLATE nocase);CREATE UNIQUE INDEX IF NOT EXISTS main."i x" ON t('a',
    "b", [a])]],
  [[CREATE TABLE t(a,j JSON TEXT);CREATE INDEX i ON t(json_extract(j, '$.a.b[0]'),
    json_extract("j", '$."x y"'), json_extract(a, '$.x'))]],
  [[CREATE TABLE t(a,b);CREATE VIEW v AS SELECT a AS "A B", /* c */ b FROM t -- end]],
  [[CREATE TABLE t(a,b);CREATE VIEW IF NOT EXISTS main.v(x, "y z") AS WITH q AS (SELECT *
    FROM t) SELECT * FROM q; ]],
  [[CREATE TABLE t(a,b);CREATE TRIGGER g INSERT ON t BEGIN SELECT 1; END]],
  [[CREATE TABLE t(a,begin);CREATE TRIGGER IF NOT EXISTS main."g h" AFTER UPDATE OF a,
    "begin" ON main.t FOR EACH ROW WHEN new.begin > CASE WHEN old.a THEN 1 ELSE 2 END BEGIN
    UPDATE t SET a = CASE begin WHEN 1 THEN 2 END; DELETE FROM t WHERE 0; END;]],
  [[CREATE TABLE t(a,b);CREATE VIEW v AS SELECT * FROM t; CREATE TRIGGER g INSTEAD OF DELETE
    ON v BEGIN SELECT ';END;'; END]],
  [[CREATE VIRTUAL TABLE r USING rtree(id, minx, maxx)]],
  [[CREATE VIRTUAL TABLE f USING fts5(a, b UNINDEXED, tokenize = 'porter ascii', prefix='2 3')]],
  [[CREATE VIRTUAL TABLE f4 USING fts4(a, b, notindexed=b)]],
  [[CREATE TABLE t AS SELECT 1 AS a, 'x' AS "b c", 2.5 AS "select"]],
  [[CREATE TABLE t(a);ALTER TABLE t ADD COLUMN b INTEGER DEFAULT 5 CHECK(b>0) /* note */;
    ALTER TABLE t RENAME COLUMN a TO "A-1";ALTER TABLE t RENAME TO "T 2"]],
  [[CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);CREATE TABLE tuff_x(a);
    CREATE INDEX tuff_i ON tuff_x(a);CREATE TEMP TABLE tt(a);
    CREATE TEMP TRIGGER tg AFTER INSERT ON t BEGIN SELECT 1; END]],
  [[CREATE TABLE P(ID INTEGER PRIMARY KEY);CREATE TABLE c(x REFERENCES p(id), y REFERENCES P)]],
  [[CREATE TABLE t(a);ANALYZE;INSERT INTO t VALUES(1);CREATE INDEX i ON t(a);
    ANALYZE]],
  [[CREATE TABLE t(
 a INTEGER, -- one
 b TEXT, /* two */
 c /* three */ REAL, /* four */ d
 /* five */)]],
  [[CREATE TABLE "users" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "email" varchar DEFAULT
    '' NOT NULL, "admin" boolean DEFAULT 0, "created_at" datetime(6) NOT NULL, CONSTRAINT
    "fk_rails_1" FOREIGN KEY ("id") REFERENCES "users" ("id"));
    CREATE UNIQUE INDEX "index_users_on_email" ON "users" ("email") /*application='x'*/]],
  [[CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name"
    varchar(150) NOT NULL UNIQUE, "n" integer unsigned NOT NULL CHECK ("n" >= 0), "g" integer NULL
    REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED, "d" text NULL CHECK
    ((JSON_VALID("d") OR "d" IS NULL)))]],
  [[CREATE TABLE "t"(a CHECK (t.a > 0 OR "t" . "a" IS NULL), b, CHECK (T.b < t.a)); CREATE VIEW v AS
    SELECT t.a FROM t; CREATE INDEX i ON t(a) WHERE t.b > 0]],
  [[CREATE TABLE [Customer] ([CustomerId] INTEGER NOT NULL, [Name] NVARCHAR(40) COLLATE NOCASE,
    [Total] NUMERIC(10,2)  NOT NULL, CONSTRAINT [PK_Customer] PRIMARY KEY ([CustomerId] ASC),
    FOREIGN KEY ([CustomerId]) REFERENCES [Customer] ([CustomerId]) ON DELETE NO ACTION ON UPDATE
    NO ACTION);CREATE INDEX [IFK_Customer] ON [Customer] ([Name] ASC, [Total] DESC)]],
}

-- ---- mutations ---------------------------------------------------------------------------

local pieces = {
  "(", ")", ",", "'", '"', "`", "[", "]", "/*", "*/", "--", "\n", ";", "\0", "\xff", " CHECK ",
  " DEFAULT ", " CONSTRAINT ", " REFERENCES ", " PRIMARY KEY ", " AS ", " GENERATED ALWAYS ",
  " ON CONFLICT ", " COLLATE ", "x'0", ".", "+", "-", "1e", " BEGIN ", " END", " WHERE ", " WHEN ",
}

local statements = {}
for _, script in ipairs(odd_schemas) do
  statements[#statements + 1] = script
  for statement in (script .. ";"):gmatch("%s*(.-);") do statements[#statements + 1] = statement end
end

local change = {
  function(text, from, to, random) -- something is missing
    return text:sub(1, from - 1) .. text:sub(math.min(to, from + random(8)))
  end,
  function(text, from, _, random) -- something came in
    return text:sub(1, from - 1) .. pieces[random(#pieces)] .. text:sub(from)
  end,
  function(text, from, _, random) -- a byte is another one
    return text:sub(1, from - 1) .. string.char(random(256) - 1) .. text:sub(from + 1)
  end,
  function(text, from, to) return text:sub(1, to) .. text:sub(from) end, -- something stands twice
  function(text, from, _, random) -- something of another one stands there
    local other = statements[random(#statements)]
    local start = random(#other + 1)
    return text:sub(1, from - 1) .. other:sub(start, start + random(30)) .. text:sub(from)
  end,
}

--- A text, changed in a few places.
---@param text string
---@param random fun(limit: integer): integer
---@return string
function odd_schemas.changed(text, random)
  for _ = 1, random(4) do
    local from, to = random(#text + 1), random(#text + 1)
    text = change[random(#change)](text, math.min(from, to), math.max(from, to), random)
  end
  return text
end

--- One of the statements, changed in a few places.
---@param random fun(limit: integer): integer
---@return string
function odd_schemas.mutated(random)
  return odd_schemas.changed(statements[random(#statements)], random)
end

return odd_schemas
