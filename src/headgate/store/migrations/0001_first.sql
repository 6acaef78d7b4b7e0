-- The book. Truth is append-only (hold, leg, ending, entry, leaf); budget and open_hold are the sums kept beside it, and
-- `headgate ledger verify` proves that they agree. The CHECK on budget is the cap: nothing above it can be written by anyone.

CREATE TABLE house (
  name  TEXT PRIMARY KEY,                 -- kind (real | rehearsal), node, created_us
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE epoch (                      -- one row each time a node starts
  node       INTEGER NOT NULL,
  epoch      INTEGER NOT NULL,
  started_us INTEGER NOT NULL,
  PRIMARY KEY (node, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE budget (                     -- one budget in one period
  id        INTEGER PRIMARY KEY,
  rule      TEXT    NOT NULL,
  scope     TEXT    NOT NULL,
  measure   TEXT    NOT NULL CHECK (measure IN ('money', 'tokens')),
  starts_us INTEGER NOT NULL,
  ends_us   INTEGER NOT NULL CHECK (ends_us > starts_us),
  cap       INTEGER NOT NULL CHECK (cap BETWEEN 0 AND 4000000000000000000),
  target    INTEGER          CHECK (target BETWEEN 0 AND 4000000000000000000),
  posted    INTEGER NOT NULL DEFAULT 0 CHECK (posted >= 0),
  held      INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
  suspect   INTEGER NOT NULL DEFAULT 0 CHECK (suspect BETWEEN 0 AND held),
  overrun   INTEGER NOT NULL DEFAULT 0 CHECK (overrun >= 0),
  UNIQUE (rule, scope, starts_us),
  CHECK (posted + held <= cap)
) STRICT;

CREATE TABLE hold (                       -- immutable: what an attempt was allowed to cost
  id         INTEGER PRIMARY KEY,         -- grows with time, so every insert is at the right edge
  request    INTEGER NOT NULL,
  workspace  TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  path       TEXT    NOT NULL,
  model      TEXT    NOT NULL,
  route      TEXT    NOT NULL,
  shape      TEXT    NOT NULL,
  tariff     INTEGER NOT NULL,
  wanted     INTEGER NOT NULL,            -- output tokens a choice asked for
  output     INTEGER NOT NULL,            -- output tokens a choice granted
  nano       INTEGER NOT NULL CHECK (nano BETWEEN 0 AND 1000000000000000),
  tokens     INTEGER NOT NULL CHECK (tokens >= 0),
  epoch      INTEGER NOT NULL,
  opened_us  INTEGER NOT NULL,
  facts      TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE leg (                        -- immutable: what a hold counts against each budget
  hold   INTEGER NOT NULL,
  budget INTEGER NOT NULL,
  amount INTEGER NOT NULL CHECK (amount BETWEEN 0 AND 4000000000000000000),
  PRIMARY KEY (hold, budget)
) STRICT, WITHOUT ROWID;

CREATE TABLE open_hold (                  -- the few that are HELD or SUSPECT now
  hold        INTEGER PRIMARY KEY,
  state       TEXT    NOT NULL CHECK (state IN ('HELD', 'SUSPECT')),
  epoch       INTEGER NOT NULL,
  since_us    INTEGER NOT NULL,
  ending      TEXT    NOT NULL DEFAULT '',
  response_id TEXT    NOT NULL DEFAULT '',
  stored      INTEGER NOT NULL DEFAULT 0 CHECK (stored IN (0, 1))
) STRICT;

CREATE TABLE ending (                     -- immutable: its primary key is why a hold ends once
  hold             INTEGER PRIMARY KEY,
  state            TEXT    NOT NULL CHECK (state IN ('POSTED', 'VOIDED')),
  ending           TEXT    NOT NULL,
  how              TEXT    NOT NULL,      -- table, fetched, operator, window
  nano             INTEGER NOT NULL CHECK (nano >= 0),
  tokens           INTEGER NOT NULL CHECK (tokens >= 0),
  breach           INTEGER NOT NULL DEFAULT 0 CHECK (breach >= 0),
  overrun          INTEGER NOT NULL DEFAULT 0 CHECK (overrun >= 0),
  status           INTEGER NOT NULL DEFAULT 0,
  input_tokens     INTEGER,
  cached_tokens    INTEGER,
  written_tokens   INTEGER,
  written_12h      INTEGER,
  output_tokens    INTEGER,
  reasoning_tokens INTEGER,
  web_searches     INTEGER,
  model            TEXT,                  -- as the answer named it
  tier             TEXT,
  response_id      TEXT,
  ended_us         INTEGER NOT NULL
) STRICT;

CREATE TABLE entry (                      -- immutable: what moved money or tokens
  hold   INTEGER NOT NULL,
  budget INTEGER NOT NULL,
  kind   TEXT    NOT NULL CHECK (kind IN ('POST', 'OVERRUN', 'REFUND', 'ADJUST')),
  nr     INTEGER NOT NULL DEFAULT 0 CHECK (kind = 'ADJUST' OR nr = 0),
  amount INTEGER NOT NULL,
  at_us  INTEGER NOT NULL,
  PRIMARY KEY (hold, budget, kind, nr)
) STRICT, WITHOUT ROWID;

CREATE TABLE leaf (                       -- immutable: one decision as exact bytes
  seq   INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE private (                    -- what a leaf only commits to; erased by deleting the row
  leaf  INTEGER NOT NULL,
  field TEXT    NOT NULL,
  salt  BLOB    NOT NULL CHECK (length(salt) = 32),
  value TEXT    NOT NULL,
  PRIMARY KEY (leaf, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE tariff (                     -- immutable: the entries of imported price sheets; a hold names the one it used
  id          INTEGER PRIMARY KEY,
  sheet       TEXT    NOT NULL,           -- content hash of the sheet it came with
  agreement   TEXT    NOT NULL CHECK (agreement IN ('public', 'negotiated')),
  model       TEXT    NOT NULL,
  body        TEXT    NOT NULL,           -- the entry, canonical JSON
  imported_us INTEGER NOT NULL,
  UNIQUE (agreement, body)
) STRICT;

CREATE TABLE api_key (                    -- keys are kept by hash; the key itself is shown once and never again
  id         TEXT    PRIMARY KEY,
  digest     BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
  shown      TEXT    NOT NULL,            -- hgk_ab12…
  label      TEXT    NOT NULL,
  workspace  TEXT    NOT NULL,
  body       TEXT    NOT NULL,            -- facts, models, networks: canonical JSON
  issued_us  INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  revoked_us INTEGER,
  rotated_to TEXT,
  issued_by  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cap_override (               -- `headgate budget set`: bounded, expiring, with a reason
  id         INTEGER PRIMARY KEY,
  rule       TEXT    NOT NULL,
  scope      TEXT    NOT NULL,
  cap        INTEGER NOT NULL CHECK (cap BETWEEN 0 AND 4000000000000000000),
  actor      TEXT    NOT NULL,
  reason     TEXT    NOT NULL,
  set_us     INTEGER NOT NULL,
  expires_us INTEGER NOT NULL
) STRICT;

CREATE TABLE freeze (                     -- what a breach or an overrun closed, until an operator thaws it
  what      TEXT    PRIMARY KEY,          -- workspace:ci | shape:openai/gpt-5.5/responses
  reason    TEXT    NOT NULL,
  since_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE object (                     -- every id created or returned, with its owner
  id        TEXT    PRIMARY KEY,
  kind      TEXT    NOT NULL,
  workspace TEXT    NOT NULL,
  path      TEXT    NOT NULL,
  hold      INTEGER NOT NULL,
  context   INTEGER NOT NULL,             -- input + output tokens, 0 when not settled with a count
  at_us     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER hold_stays   BEFORE UPDATE ON hold   BEGIN SELECT RAISE(ABORT, 'a hold is immutable'); END;
CREATE TRIGGER hold_kept    BEFORE DELETE ON hold   BEGIN SELECT RAISE(ABORT, 'a hold is kept'); END;
CREATE TRIGGER leg_stays    BEFORE UPDATE ON leg    BEGIN SELECT RAISE(ABORT, 'a leg is immutable'); END;
CREATE TRIGGER leg_kept     BEFORE DELETE ON leg    BEGIN SELECT RAISE(ABORT, 'a leg is kept'); END;
CREATE TRIGGER ending_stays BEFORE UPDATE ON ending BEGIN SELECT RAISE(ABORT, 'an ending is immutable'); END;
CREATE TRIGGER ending_kept  BEFORE DELETE ON ending BEGIN SELECT RAISE(ABORT, 'an ending is kept'); END;
CREATE TRIGGER entry_stays  BEFORE UPDATE ON entry  BEGIN SELECT RAISE(ABORT, 'an entry is immutable'); END;
CREATE TRIGGER entry_kept   BEFORE DELETE ON entry  BEGIN SELECT RAISE(ABORT, 'an entry is kept'); END;
CREATE TRIGGER tariff_stays BEFORE UPDATE ON tariff BEGIN SELECT RAISE(ABORT, 'a price row is immutable'); END;
CREATE TRIGGER tariff_kept  BEFORE DELETE ON tariff BEGIN SELECT RAISE(ABORT, 'a price row is kept'); END;
CREATE TRIGGER leaf_stays   BEFORE UPDATE ON leaf   BEGIN SELECT RAISE(ABORT, 'a leaf is immutable'); END;
CREATE TRIGGER leaf_kept    BEFORE DELETE ON leaf   BEGIN SELECT RAISE(ABORT, 'a leaf is kept'); END;
