import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { SqlClient, SqlTransaction } from "../../src/db/client.ts";
import { CopyRows } from "../../src/db/sql/copy-rows.ts";

/** Encodes rows of two columns, id and value, for `copy`. */
function copyRows(rows: readonly (readonly [id: number, value: string])[]): Uint8Array {
  const encoded = new CopyRows(64);
  for (const [id, value] of rows) {
    encoded.row(2);
    encoded.int8(id);
    encoded.text(Buffer.from(value));
  }
  return encoded.end();
}

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => Promise.reject(new Error("it resolved")),
    (error: unknown) => error,
  );

const rejected = { code: "store_rejected", retryable: false };
const unavailable = { code: "store_unavailable", retryable: true };

/** The contract of every driver of SqlClient. Each test that needs a table has its own.
 *  @param open opens a client; its database is empty at the first call */
export function exerciseSqlClient(name: string, open: () => Promise<SqlClient>): void {
  describe(`${name} keeps the contract of an SQL client`, () => {
    let client: SqlClient;
    beforeAll(async () => void (client = await open()));
    afterAll(() => client.close());

    /** Creates a table with the rows (1, one) and (2, two). */
    async function makeTable(table: string): Promise<void> {
      await client.query(`create table ${table} (id int8 primary key, value text not null)`);
      await client.query(`insert into ${table} values (1, 'one'), (2, 'two')`);
    }

    const rowsOf = (table: string) =>
      client.query<{ id: number; value: string }>(`select id::int, value from ${table} order by id`);

    test("parameters and results keep their types", async () => {
      const text = `select $1::int as number, $2::float8 as double, $3::text as text, $4::boolean as flag,
        $5::text as nothing, $6::text::jsonb as json, $7::text::float8[] = array[1, null]::float8[] as "isSame"`;
      const rows = await client.query(text, [7, 1 / 3, 'a "quoted" \\ text', true, null, '{"a": [1]}', "{1,NULL}"]);
      expect(rows).toEqual([
        {
          number: 7,
          double: 1 / 3,
          text: 'a "quoted" \\ text',
          flag: true,
          nothing: null,
          json: { a: [1] },
          isSame: true,
        },
      ]);
    });

    test("a statement without rows gives an empty list", async () => {
      expect(await client.query("create table no_rows (id int)")).toEqual([]);
      expect(await client.query("select id from no_rows")).toEqual([]);
    });

    test("a transaction whose work resolves is committed, and resolves to the work's result", async () => {
      await makeTable("committed");
      const result = await client.transaction(async (transaction) => {
        await transaction.query("insert into committed values (3, 'three')");
        return transaction.query<{ count: number }>("select count(*)::int as count from committed");
      });
      expect(result).toEqual([{ count: 3 }]);
      expect(await rowsOf("committed")).toHaveLength(3);
    });

    test("a transaction is undone when its work throws; the work's error is the cause of the thrown error", async () => {
      await makeTable("undone");
      const reason = new RangeError("the work's own error");
      const failing = client.transaction(async (transaction) => {
        await transaction.query("delete from undone");
        throw reason;
      });
      const error = await errorOf(failing);
      expect((error as Error).cause).toBe(reason);
      expect(await rowsOf("undone")).toHaveLength(2);
    });

    test("transactions at the same time are separate", async () => {
      await makeTable("separate");
      const add = (id: number) =>
        client.transaction(async (transaction) => {
          await transaction.query("insert into separate values ($1, 'added')", [id]);
          if (id % 2 === 0) throw new RangeError("undone");
        });
      const results = await Promise.allSettled([3, 4, 5, 6, 7].map(add));
      expect(results.map(({ status }) => status === "fulfilled")).toEqual([true, false, true, false, true]);
      expect((await rowsOf("separate")).map(({ id }) => id)).toEqual([1, 2, 3, 5, 7]);
    });

    test("data that the database refuses is rejected, even in a transaction, and the client remains usable", async () => {
      await makeTable("refusing");
      const duplicate = "insert into refusing values (1, 'again')";
      expect(await errorOf(client.query(duplicate))).toMatchObject(rejected);
      expect(await errorOf(client.query("select 'x'::text::int"))).toMatchObject(rejected);
      expect(await errorOf(client.transaction((transaction) => transaction.query(duplicate)))).toMatchObject(rejected);
      expect(await rowsOf("refusing")).toHaveLength(2);
    });

    test("a missing table is a retryable error, because an operator may create it", async () => {
      expect(await errorOf(client.query("select from nowhere"))).toMatchObject(unavailable);
    });

    test("statements sent in a transaction run in order, between those that are awaited, and are committed", async () => {
      await makeTable("sent");
      const seen = await client.transaction(async (transaction) => {
        transaction.send("insert into sent values ($1, 'three')", [3]);
        const rows = transaction.query<{ value: string }>("select value from sent where id = 3");
        transaction.send("update sent set value = 'changed' where id = 3");
        return (await rows).map(({ value }) => value);
      });
      expect(seen).toEqual(["three"]);
      expect(await rowsOf("sent")).toContainEqual({ id: 3, value: "changed" });
    });

    test("a change gives the number of its rows", async () => {
      await makeTable("changed");
      const counts = await client.transaction((transaction) =>
        Promise.all([
          transaction.change("insert into changed values ($1, 'three')", [3]),
          transaction.change("update changed set value = 'other' where id < $1", [3]),
          transaction.change("delete from changed"),
          transaction.change("delete from changed where id = $1", [1]),
        ]),
      );
      expect(counts).toEqual([1, 2, 3, 0]);
      expect(await rowsOf("changed")).toEqual([]);
    });

    test("a transaction is undone if a statement that it has sent fails, and throws this statement's error", async () => {
      await makeTable("sent_refused");
      const refusing = (then: (transaction: SqlTransaction) => Promise<unknown>) =>
        client.transaction(async (transaction) => {
          transaction.send("insert into sent_refused values (3, 'three')");
          transaction.send("insert into sent_refused values (1, 'again')");
          transaction.send("insert into sent_refused values (4, 'four')");
          await then(transaction);
        });
      expect(await errorOf(refusing(() => Promise.resolve()))).toMatchObject(rejected);
      expect(await errorOf(refusing((transaction) => transaction.query("select 1")))).toMatchObject(rejected);
      const copying = refusing((transaction) => transaction.copy("sent_refused (id, value)", copyRows([[5, "five"]])));
      expect(await errorOf(copying)).toMatchObject(rejected);
      expect(await rowsOf("sent_refused")).toHaveLength(2);
    });

    test("a transaction finds rows by their keys, whatever the size of the table when its plans are made", async () => {
      await makeTable("keyed");
      await client.query("analyze keyed");
      const plan = await client.transaction((transaction) =>
        transaction.query("explain select value from keyed where id = $1::int8", [1]),
      );
      expect(JSON.stringify(plan)).toContain("Index");
    });

    test("a statement that a transaction has refused runs in the next one, as do more statements than a driver keeps", async () => {
      const half = (value: number) => (transaction: SqlTransaction) =>
        transaction.query<{ half: number }>("select 2 / $1::int as half", [value]);
      expect(await errorOf(client.transaction(half(0)))).toMatchObject(rejected);
      const failing = client.transaction(async (transaction) => {
        await transaction.query("select 1 / 0").catch(() => undefined);
        return transaction.query("select 'first prepared after an error' as text");
      });
      expect(await errorOf(failing)).toBeInstanceOf(Error);
      const texts = await client.transaction(async (transaction) => {
        for (let each = 0; each < 250; each += 1) await transaction.query(`select ${each}`);
        return transaction.query("select 'first prepared after an error' as text");
      });
      expect(texts).toEqual([{ text: "first prepared after an error" }]);
      expect(await client.transaction(half(1))).toEqual([{ half: 2 }]);
    });

    test("statements in order see what the earlier ones have done, and a later one's error does not undo them", async () => {
      await makeTable("in_order");
      const failing = client.inOrder((executor) =>
        Promise.all([
          executor.query("insert into in_order select max(id) + 1, 'added' from in_order"),
          executor.query("insert into in_order select max(id) + 1, 'added' from in_order"),
          executor.query("insert into in_order values (1, 'again')"),
        ]),
      );
      expect(await errorOf(failing)).toMatchObject(rejected);
      expect((await rowsOf("in_order")).map(({ id }) => id)).toEqual([1, 2, 3, 4]);
    });

    test("the statements of a snapshot do not see what others commit meanwhile, and may not write", async () => {
      await makeTable("snapshot");
      let seen: number[] = [];
      let adding: Promise<unknown> = Promise.resolve();
      for (const reads of [client, client.until(new AbortController().signal)]) {
        seen = await reads.snapshot(async (executor) => {
          const count = async () =>
            (await executor.query<{ count: number }>("select count(*)::int as count from snapshot"))[0]?.count ?? NaN;
          const before = await count();
          adding = client.transaction((transaction) =>
            transaction.query("insert into snapshot select max(id) + 1, 'added' from snapshot"),
          );
          // a driver with one connection begins the other transaction after the snapshot
          await Promise.race([adding, Bun.sleep(200)]);
          return [before, await count()];
        });
        await adding;
        expect(seen[1]).toBe(seen[0]);
      }
      expect(await rowsOf("snapshot")).toHaveLength(4);
      const writing = client.snapshot((executor) => executor.query("insert into snapshot values (9, 'nine')"));
      expect(await errorOf(writing)).toBeInstanceOf(Error);
      expect(await rowsOf("snapshot")).toHaveLength(4);
    });

    test("a snapshot whose signal has aborted begins no further statement", async () => {
      const leaving = new AbortController();
      const reason = new RangeError("the client left");
      let isFirstDone = false;
      const left = client.until(leaving.signal).snapshot(async (executor) => {
        await executor.query("select 1");
        isFirstDone = true;
        leaving.abort(reason);
        return executor.query("select pg_sleep(60)");
      });
      expect(await errorOf(left)).toBe(reason);
      expect(isFirstDone).toBe(true);
      expect(await client.query<{ one: number }>("select 1 as one")).toEqual([{ one: 1 }]);
    });

    describe("copy", () => {
      const copyInto =
        (table: string, rows: readonly (readonly [number, string])[]) =>
        (transaction: SqlTransaction): Promise<boolean> =>
          transaction.copy(`${table} (id, value)`, copyRows(rows));

      test("adds all rows", async () => {
        await makeTable("copied_all");
        const many = Array.from({ length: 10_000 }, (_, index) => [index + 10, `row ${index} äöü`] as const);
        expect(await client.transaction(copyInto("copied_all", many))).toBe(true);
        const rows = await rowsOf("copied_all");
        expect(rows).toHaveLength(10_002);
        expect(rows.at(-1)).toEqual({ id: 10_009, value: "row 9999 äöü" });
      });

      test("accepts an empty list of rows", async () => {
        await makeTable("copied_none");
        expect(await client.transaction(copyInto("copied_none", []))).toBe(true);
        expect(await rowsOf("copied_none")).toHaveLength(2);
      });

      test("adds none if a key exists; the transaction continues with its earlier changes", async () => {
        await makeTable("copied_twice");
        const added = await client.transaction(async (transaction) => {
          await transaction.query("insert into copied_twice values (3, 'before')");
          const first = await copyInto("copied_twice", [
            [4, "new"],
            [1, "existing"],
          ])(transaction);
          const second = await copyInto("copied_twice", [[5, "after"]])(transaction);
          const isOwnCopied = await copyInto("copied_twice", [[3, "the transaction's own"]])(transaction);
          await transaction.query("insert into copied_twice values (6, 'last')");
          return [first, second, isOwnCopied];
        });
        expect(added).toEqual([false, true, false]);
        expect(await rowsOf("copied_twice")).toEqual([
          { id: 1, value: "one" },
          { id: 2, value: "two" },
          { id: 3, value: "before" },
          { id: 5, value: "after" },
          { id: 6, value: "last" },
        ]);
      });

      test("is undone with its transaction", async () => {
        await makeTable("copied_undone");
        const failing = client.transaction(async (transaction) => {
          await copyInto("copied_undone", [[3, "three"]])(transaction);
          throw new RangeError("undone");
        });
        await errorOf(failing);
        expect(await rowsOf("copied_undone")).toHaveLength(2);
      });

      test("rejects rows that the table refuses, and the client remains usable", async () => {
        await makeTable("copied_refused");
        const broken = client.transaction((transaction) =>
          transaction.copy("copied_refused (id)", copyRows([[3, "one column too many"]])),
        );
        expect(await errorOf(broken)).toMatchObject(rejected);
        expect(await rowsOf("copied_refused")).toHaveLength(2);
      });
    });

    test("a closed client is unavailable, and may be closed twice", async () => {
      const other = await open();
      await Promise.all([other.close(), other.close()]);
      expect(await errorOf(other.query("select 1"))).toMatchObject(unavailable);
      expect(await errorOf(other.transaction(() => Promise.resolve()))).toMatchObject(unavailable);
    });
  });
}
