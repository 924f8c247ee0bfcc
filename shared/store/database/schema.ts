// The tables, as steps from one version of the schema to the next. A step that was released is never changed: add another.

export const migrations: readonly string[] = [
  `
  CREATE TABLE objects (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    version INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    created TEXT NOT NULL,
    labels TEXT,
    annotations TEXT,
    spec TEXT NOT NULL,
    status TEXT,
    UNIQUE (kind, namespace, name)
  ) STRICT;
  -- Ids grow with time: the newest first, of all namespaces and of one.
  CREATE INDEX objects_by_age ON objects (kind, id);
  CREATE INDEX objects_by_age_in_namespace ON objects (kind, namespace, id);

  -- Who carries which label, in the two orders that lists have.
  CREATE TABLE labels (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    object INTEGER NOT NULL,
    PRIMARY KEY (kind, key, value, namespace, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX labels_by_age ON labels (kind, key, value, object);

  -- The newest changes, for watches. \`labels_before\` where the change touched the labels of an object.
  CREATE TABLE changes (
    version INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    type TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    labels TEXT,
    labels_before TEXT,
    object TEXT NOT NULL
  ) STRICT;
  CREATE INDEX changes_of_kind ON changes (kind, version);

  -- Ids begin with the time, so that new ones stand together in the unique index however many are kept.
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    event TEXT NOT NULL,
    UNIQUE (id, source)
  ) STRICT;

  CREATE TABLE subscriptions (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

  -- What is still to be delivered. due = 0: never tried yet, taken in order of the events. Else milliseconds since 1970,
  -- and \`delay\` is how long before that it was put off, so that a clock which stepped back cannot make it wait for longer.
  CREATE TABLE deliveries (
    subscription INTEGER NOT NULL,
    event INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due INTEGER NOT NULL,
    delay INTEGER NOT NULL,
    PRIMARY KEY (subscription, event)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX deliveries_due ON deliveries (subscription, due) WHERE due > 0;

  CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    event INTEGER NOT NULL,
    body TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at TEXT NOT NULL
  ) STRICT;
  `,
];
