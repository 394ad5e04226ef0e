import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { until } from "../../dev/until.ts";
import type { SqlClient, SqlExecutor, SqlTransaction } from "../../src/db/client.ts";
import { detectEngine } from "../../src/db/engine.ts";
import { deleteOldBlocks } from "../../src/db/sql/delete-old.ts";
import { holdHours, tryHours } from "../../src/db/sql/hour-locks.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { dropOldChunks } from "../../src/pipeline/store/sql/drop-chunks.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { RetentionPass } from "../../src/pipeline/store/sql/retention-pass.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";
import { gpuHoursInBoth } from "../support/settled.ts";

// Retention, settling and late records at the same time.

setDefaultTimeout(60_000);

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const forEver = { raw: 0, "1h": 0, usage: 0 };
const twoWeeks = { ...forEver, raw: 14 };
/** The beginning of a day long ago, and of one that is kept. */
const oldMs = Math.floor(Date.now() / dayMs) * dayMs - 400 * dayMs;
/** The beginning of a day that is not kept for two weeks, but for three. */
const staleMs = Math.floor(Date.now() / dayMs) * dayMs - 17 * dayMs;
const newMs = Math.floor(Date.now() / dayMs) * dayMs - 2 * dayMs;

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

let databases = 0;
async function withStore(plain: boolean, work: (store: OpenStore, url: string) => Promise<void>): Promise<void> {
  const url = await createDatabase(server, `retention_settling_${databases++}`, { plain });
  const opened = await openPostgresStore({ url, migrate: true });
  try {
    await work(opened, url);
  } finally {
    await opened.close();
  }
}

let messages = 0;
const store = async ({ store }: OpenStore, timesMs: readonly number[], uuid = "GPU-a"): Promise<void> => {
  const records = timesMs.map((timeMs) => ({ uuid, timeMs, metrics: { temperature: 30 } }));
  await store.ingest(messageOf(`message ${messages++}`, makeBatch(records)));
};

async function countOf(client: SqlExecutor, text: string): Promise<number> {
  return (await client.query<{ count: number }>(`select coalesce(${text}, 0)::float8 as count`))[0]?.count ?? NaN;
}
const rowsIn = (client: SqlExecutor): Promise<number> => countOf(client, "(select count(*) from telemetry)");
const settledIn = (client: SqlExecutor): Promise<number> => countOf(client, "(select sum(records) from blocks)");
const chunksIn = (client: SqlClient): Promise<number> =>
  countOf(client, "(select count(*) from timescaledb_information.chunks where hypertable_name = 'telemetry')");

describe.each([true, false])("plain table: %p", (plain) => {
  test("blocks are deleted when all of their records are old, like rows", () =>
    withStore(plain, async (opened) => {
      const { client, retention } = opened;
      // the hour in which the age is reached, also if it is over before the deletion
      const hour = Math.floor((Date.now() + 120_000) / hourMs) * hourMs - 14 * dayMs;
      await store(opened, [oldMs, oldMs + 1, hour - hourMs - 1, hour, newMs]);
      await new Settler(client).settle(Infinity);
      await store(opened, [oldMs + 2 * hourMs], "GPU-b");
      // late in a day, all of the hours are of one chunk, which is not old
      expect(await retention.deleteOlder(twoWeeks)).toMatch(
        plain
          ? /^1 record\(s\) older than 14 days; 2 block\(s\) older than 14 days$/
          : /^\d chunk\(s\) of telemetry older than 14 days; 2 block\(s\) older than 14 days; \d chunk\(s\) of telemetry without records$/,
      );
      expect([await rowsIn(client), await settledIn(client)]).toEqual([0, 2]);
    }));

  test("nothing is deleted while records are being settled, and retention goes on when they are", () =>
    withStore(plain, async (opened, url) => {
      await store(opened, [oldMs]);
      let deleting: Promise<string | undefined> | undefined;
      await withClient(url, (settling) =>
        settling.transaction(async (transaction) => {
          expect(await tryHours(transaction, [oldMs])).toBe("held");
          deleting = opened.retention.deleteOlder(twoWeeks);
          await until(async () => {
            const waiting = "(select count(*) from pg_locks where locktype = 'advisory' and not granted)";
            return (await countOf(transaction, waiting)) > 0;
          });
          expect(await rowsIn(transaction)).toBe(1);
        }),
      );
      expect(await deleting).toContain("older than 14 days");
      expect(await rowsIn(opened.client)).toBe(0);
    }));

  test("late records, a settler and retention at the same time leave each kept record once, and no old one", () =>
    withStore(plain, async (opened, url) => {
      const other = await openPostgresStore({ url, migrate: true });
      const parts = Array.from({ length: 40 }, (_, part) => part);
      let isDone = false;
      const whileCollecting = async (work: () => Promise<unknown>): Promise<void> => {
        while (!isDone) await work();
      };
      let settled = 0;
      const background = Promise.all([
        whileCollecting(async () => (settled += (await new Settler(other.client).settle(Infinity)).records)),
        whileCollecting(() => other.retention.deleteOlder(twoWeeks)),
        whileCollecting(async () => expect(await gpuHoursInBoth(opened.client)).toBe(0)),
      ]);
      const collect = async (uuid: string): Promise<void> => {
        for (const part of parts)
          await store(
            opened,
            [oldMs, newMs, newMs + hourMs].map((ms) => ms + part * 1000),
            uuid,
          );
      };
      await Promise.all(["GPU-a", "GPU-a2", "GPU-b"].map(collect));
      isDone = true;
      await background;
      expect(settled).toBeGreaterThan(parts.length);
      await new Settler(other.client).settle(Infinity);
      await other.retention.deleteOlder(twoWeeks);
      expect([await rowsIn(opened.client), await settledIn(opened.client)]).toEqual([0, 3 * 2 * parts.length]);
      await other.close();
    }));
});

describe.each([true, false])("rollups, plain table: %p", (plain) => {
  const rollupsIn = async (client: SqlExecutor): Promise<number[]> => {
    const rows = await client.query<{ entries: number }>("select entries from rollups order by from_at");
    return rows.map(({ entries }) => entries);
  };

  test("outlive the records, and are deleted at their own age", () =>
    withStore(plain, async ({ client, retention, ...opened }) => {
      await store({ client, retention, ...opened }, [oldMs, oldMs + hourMs, newMs]);
      await new Settler(client).settle(Infinity);
      await retention.deleteOlder(twoWeeks);
      expect([await settledIn(client), await rollupsIn(client)]).toEqual([1, [1, 1, 1]]);
      expect(await retention.deleteOlder({ raw: 14, "1h": 300, usage: 300 })).toContain(
        "2 rollup(s) of hours older than 300 days",
      );
      expect(await rollupsIn(client)).toEqual([1]);
    }));

  test("keep the records from which they have to be made again, until that is done", () =>
    withStore(plain, async (opened) => {
      const { client, retention } = opened;
      await store(opened, [staleMs, staleMs + 1]);
      await new Settler(client).settle(Infinity);
      await store(opened, [staleMs + 2]);
      await store(opened, [oldMs], "GPU-b");
      expect(await retention.deleteOlder(twoWeeks)).toContain("older than 14 days");
      expect(await rowsIn(client)).toBe(3);
      await new Settler(client).settle(Infinity);
      await retention.deleteOlder(twoWeeks);
      expect([await rowsIn(client), await settledIn(client)]).toEqual([0, 0]);
      const [{ count } = { count: 0 }] = await client.query<{ count: number }>(
        "select (block_values(records, 1))[1] as count from rollups",
      );
      expect(count).toBe(3);
    }));

  test("count as they are if their records are not settled again within a week", () =>
    withStore(plain, async (opened) => {
      const { client, retention } = opened;
      await store(opened, [oldMs, oldMs + 1]);
      await new Settler(client).settle(Infinity);
      await store(opened, [oldMs + 2]);
      expect(await countOf(client, "(select count(*) from unsettled)")).toBe(1);
      await retention.deleteOlder(twoWeeks);
      expect([await rowsIn(client), await settledIn(client)]).toEqual([0, 0]);
      expect(await countOf(client, "(select count(*) from unsettled)")).toBe(0);
      expect(await countOf(client, "(select (block_values(records, 1))[1] from rollups)")).toBe(2);
    }));
});

test("a rollup whose records were deleted stays as it was, however many late records come for its hour", () =>
  withStore(true, async (opened) => {
    const { client, retention } = opened;
    await store(opened, [oldMs, oldMs + 1, oldMs + 2]);
    await store(opened, [oldMs], "GPU-b");
    await new Settler(client).settle(Infinity);
    const rollup = async (): Promise<unknown> =>
      client.query("select entries, block_values(records, entries) as records from rollups");
    const before = await rollup();
    await retention.deleteOlder(twoWeeks);
    for (const late of [3, 4]) {
      await store(opened, [oldMs + late]);
      await new Settler(client).settle(Infinity);
      expect(await rollup()).toEqual(before);
    }
    expect(await client.query("select from unsettled")).toEqual([]);
    await store(opened, [oldMs], "GPU-c");
    await new Settler(client).settle(Infinity);
    expect([await rowsIn(client), await settledIn(client)]).toEqual([2, 1]);
    expect(await retention.deleteOlder(twoWeeks)).toContain("2 record(s)");
  }));

test("of a GPU's hour of which another transaction has a block, no block is deleted", () =>
  withStore(true, async (opened, url) => {
    const { client } = opened;
    await store(opened, [oldMs]);
    await store(opened, [oldMs + 1], "GPU-b");
    await new Settler(client).settle(Infinity);
    // like a GPU with more records than a block may have
    await client.query("update blocks set gpu_key = (select gpu_key from gpus where uuid = 'GPU-a')");
    const deleteBlocks = () => client.transaction((transaction) => deleteOldBlocks(transaction, 14, 1));
    await withClient(url, (late) =>
      late.transaction(async (transaction) => {
        await transaction.query("select from blocks order by from_at desc limit 1 for update");
        expect(await deleteBlocks()).toBe(0);
      }),
    );
    expect(await deleteBlocks()).toBe(2);
  }));

test("the notes that rollups are stale go with the chunk of their records", () =>
  withStore(false, async (opened) => {
    const { client } = opened;
    await store(opened, [oldMs]);
    await new Settler(client).settle(Infinity);
    await store(opened, [oldMs + 1]);
    const { timescaleSchema = "" } = await detectEngine(client);
    await dropOldChunks({ client, timescaleSchema, pass: new RetentionPass(client) }, 14);
    expect([await rowsIn(client), await countOf(client, "(select count(*) from unsettled)")]).toEqual([0, 0]);
  }));

test("records that are deleted by hand while they are being settled stay deleted, and the others are settled next time", () =>
  withStore(true, async (opened, url) => {
    await store(opened, [newMs, newMs + 1, newMs + 2]);
    const { client } = opened;
    const byHand = (): Promise<unknown> =>
      withClient(url, (other) =>
        other.query("delete from telemetry where time = to_timestamp($1::float8 / 1000)", [newMs + 1]),
      );
    const interrupted: Pick<SqlClient, "query" | "transaction"> = {
      query: (text, params) => client.query(text, params),
      transaction: (work) =>
        client.transaction((transaction) => {
          const copy: SqlTransaction["copy"] = async (into, rows) => {
            await byHand();
            return transaction.copy(into, rows);
          };
          return work({
            query: (...of) => transaction.query(...of),
            send: (...of) => transaction.send(...of),
            change: (...of) => transaction.change(...of),
            copy,
          });
        }),
    };
    await expect(new Settler(interrupted as SqlClient).settle(Infinity)).rejects.toThrow(
      "3 records were settled, but 2 deleted",
    );
    expect([await rowsIn(client), await settledIn(client)]).toEqual([2, 0]);
    await new Settler(client).settle(Infinity);
    expect([await rowsIn(client), await settledIn(client)]).toEqual([0, 2]);
  }));

describe("chunks whose records are all settled", () => {
  const emptied = "1 chunk(s) of telemetry without records";

  test("are dropped, and a late record makes a new one", () =>
    withStore(false, async (opened) => {
      const { client, retention } = opened;
      await store(opened, [oldMs, oldMs + 1, newMs]);
      expect(await retention.deleteOlder(forEver)).toBeUndefined();
      await new Settler(client).settle(newMs);
      expect(await retention.deleteOlder(forEver)).toBe(emptied);
      expect([await chunksIn(client), await rowsIn(client), await settledIn(client)]).toEqual([1, 1, 2]);
      await store(opened, [oldMs + 2]);
      expect([await chunksIn(client), await rowsIn(client), await settledIn(client)]).toEqual([2, 4, 0]);
    }));

  test("stay while a record is being added to their hours, and while a reader still sees their rows", () =>
    withStore(false, async (opened, url) => {
      const { client, retention } = opened;
      await store(opened, [oldMs, oldMs + 1]);
      await withClient(url, (reading) =>
        reading.snapshot(async (executor) => {
          await executor.query("select from gpus");
          await new Settler(client).settle(Infinity);
          expect(await retention.deleteOlder(forEver)).toBeUndefined();
          expect(await rowsIn(executor)).toBe(2);
        }),
      );
      await withClient(url, (adding) =>
        adding.transaction(async (transaction) => {
          holdHours(transaction, [oldMs + 23 * hourMs]);
          await transaction.query("select");
          expect(await retention.deleteOlder(forEver)).toBeUndefined();
        }),
      );
      expect(await chunksIn(client)).toBe(1);
      expect(await retention.deleteOlder(forEver)).toBe(emptied);
      expect(await chunksIn(client)).toBe(0);
    }));
});
