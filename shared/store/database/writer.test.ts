// Group commit: one transaction for all that wait, each write on its own, none resolved before the commit.
import { expect, it } from 'vitest';
import { openTestStore } from '../test/open.ts';

function openTable() {
  const store = openTestStore();
  const { db } = store;
  db.sql.exec('CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT');
  const insert = db.sql.prepare('INSERT INTO numbers (n) VALUES (?)');
  const all = () => (db.sql.prepare('SELECT n FROM numbers ORDER BY n').all() as { n: number }[]).map(({ n }) => n);
  return { db, insert, all };
}

it('writes what waits together in one transaction, and resolves after it', async () => {
  const { db, insert, all } = openTable();
  const before = db.stats.transactions;
  const order: string[] = [];
  const writes = [1, 2, 3].map((n) =>
    db
      .write(
        () => (insert.run(n), n),
        (value) => order.push(`committed ${value} ${db.sql.isTransaction}`),
      )
      .then((value) => order.push(`resolved ${value}`)),
  );
  expect(all()).toEqual([]);
  await Promise.all(writes);
  expect(all()).toEqual([1, 2, 3]);
  expect(db.stats.transactions).toBe(before + 1);
  expect(order).toEqual(['committed 1 false', 'committed 2 false', 'committed 3 false', 'resolved 1', 'resolved 2', 'resolved 3']);
});

it('undoes all that a write did before it threw, and nothing of the others', async () => {
  const { db, insert, all } = openTable();
  const before = db.stats.transactions;
  const results = await Promise.allSettled([
    db.write(() => insert.run(1)),
    db.write(() => {
      insert.run(2);
      insert.run(3);
      throw new RangeError('no');
    }),
    db.write(() => {
      insert.run(4);
      insert.run(1);
    }),
    db.write(() => insert.run(5)),
  ]);
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  expect(results[1]).toMatchObject({ reason: expect.any(RangeError) });
  expect(all()).toEqual([1, 5]);
  expect(db.stats.transactions).toBe(before + 1);
});

it('rejects all of them when the commit fails, and tells nobody that it was done', async () => {
  const { db, insert, all } = openTable();
  db.sql.exec('PRAGMA foreign_keys = ON; CREATE TABLE children (n INTEGER REFERENCES numbers (n) DEFERRABLE INITIALLY DEFERRED) STRICT');
  const orphan = db.sql.prepare('INSERT INTO children (n) VALUES (99)');
  const told: unknown[] = [];
  const results = await Promise.allSettled([
    db.write(
      () => insert.run(1),
      (value) => told.push(value),
    ),
    db.write(() => orphan.run()),
  ]);
  expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
  expect(told).toEqual([]);
  expect(all()).toEqual([]);
  await db.write(() => insert.run(2));
  expect(all()).toEqual([2]);
});

it('lets the event loop turn while a great many writes wait', async () => {
  const { db, insert, all } = openTable();
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const slow = (n: number) => {
    const end = performance.now() + 1;
    while (performance.now() < end);
    insert.run(n);
  };
  await Promise.all(Array.from({ length: 100 }, (_, n) => db.write(() => slow(n))));
  clearInterval(timer);
  expect(all()).toHaveLength(100);
  expect(turns).toBeGreaterThan(10);
});
