import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { messageOf, makeBatch, type TestRecord } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import type { SqlClient, SqlTransaction } from "../../src/db/client.ts";
import { holdHours } from "../../src/db/sql/hour-locks.ts";
import { gpuKeyOf } from "../../src/domain/gpu-key.ts";
import { StoreUnavailable } from "../../src/domain/errors.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { retry } from "../../src/kit/retry.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { inEmbedded, Settler, type SettlerOptions } from "../../src/pipeline/store/sql/settler.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { MuchToUnsettle, unsettle, unsettleBefore } from "../../src/pipeline/store/sql/unsettle.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";
import { randomFrom } from "../support/random.ts";
import { gpuHoursInBoth, unsettleAll } from "../support/settled.ts";

setDefaultTimeout(120_000);

const hourMs = 3_600_000;
const startMs = Date.UTC(2025, 6, 18);
const countOf = async (client: SqlClient, table: string): Promise<number> =>
  (await client.query<{ count: number }>(`select count(*)::float8 as count from ${table}`))[0]?.count ?? NaN;

/** Everything that follows from the records, to the bit, whatever the order of the rows. */
async function contentOf(client: SqlClient): Promise<Record<string, string | null>> {
  const content: Record<string, string | null> = {};
  for (const table of [
    "telemetry",
    "gpu_workloads",
    "gpu_reports",
    "gpu_attributes",
    "reported_attributes",
    "conflicting_values",
  ]) {
    const [row] = await client.query<{ rows: string | null }>(
      `select string_agg(md5(record_send(each)), ' ' order by md5(record_send(each))) as rows from ${table} as each`,
    );
    content[table] = row?.rows ?? null;
  }
  return content;
}

const workload = fc.record({
  container: fc.constantFrom("", "a"),
  pod: fc.constantFrom("", "p", 'q"\\'),
  namespace: fc.constantFrom("", "n", "m"),
});
const value = fc.oneof(
  fc.integer({ min: -5, max: 200 }),
  fc.integer({ min: 0, max: 100_000 }).map((integer) => integer / 1000),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(-0, Number.MIN_VALUE, Number.MAX_VALUE, 2 ** 53 - 1),
);
// jsonb has no -0
const custom = value.map((number) => number + 0);
const record: fc.Arbitrary<TestRecord> = fc
  .record({
    uuid: fc.constantFrom("GPU-a", "GPU-b", "GPU-a:mig:1:1g.10gb"),
    hour: fc.nat(2),
    second: fc.oneof(
      fc.constantFrom(0, 1, 3599, 3599.999),
      fc.nat(3_599_999).map((ms) => ms / 1000),
    ),
    hostname: fc.constantFrom("host-a", "host-a", "host-a", "host-b"),
    driverVersion: fc.constantFrom("", "535", "550"),
    metrics: fc.dictionary(fc.constantFrom("temperature", "power_draw", "total_energy_mj"), value, { minKeys: 1 }),
    others: fc.dictionary(fc.constantFrom("my_metric", "__proto__", 'other{lane="1"}', 'other{lane="2"}'), custom, {
      maxKeys: 2,
    }),
    workload,
    sharing: fc.array(workload, { maxLength: 1 }),
  })
  .map(({ hour, second, metrics, others, ...rest }) => ({
    ...rest,
    timeMs: startMs + hour * hourMs + Math.round(second * 1000),
    metrics: { ...metrics, ...others },
  }));

async function storeAll(
  batches: readonly TestRecord[][],
  settling?: SettlerOptions,
): Promise<Record<string, string | null>> {
  const { store, client, close } = await openMemoryStore();
  try {
    const settler = new Settler(client, settling);
    for (const [index, records] of batches.entries()) {
      await store.ingest(messageOf(`message ${index}`, makeBatch(records)));
      if (settling === undefined) continue;
      await settler.settle(Infinity);
      expect(await countOf(client, "telemetry")).toBe(0);
    }
    await unsettleAll(client);
    return await contentOf(client);
  } finally {
    await close();
  }
}

test("history that is settled after every message, and unsettled again, is that which never was", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(record, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 5 }),
      async (batches) => {
        const never = await storeAll(batches);
        expect(await storeAll(batches, { ...inEmbedded, readsBefore: false })).toEqual(never);
        expect(await storeAll(batches, inEmbedded)).toEqual(never);
      },
    ),
    { numRuns: 2 },
  );
});

test("each GPU of an hour keeps its metrics, whichever those settled before it have", async () => {
  const metricsOf: readonly ((index: number) => Record<string, number>)[] = [
    (index) => ({ temperature: index }),
    (index) => ({ temperature: index, power_draw: index / 10 }),
    (index) => ({ power_draw: index }),
    (index) => ({ temperature: index, ...(index % 2 === 0 ? { power_draw: index } : { my: 1 }) }),
    (index) => (index === 3 ? { total_energy_mj: 5 } : { temperature: 1 }),
  ];
  // settled in this order
  const uuids = ["GPU-a", "GPU-b", "GPU-c", "GPU-d", "GPU-e"].sort((a, b) => gpuKeyOf(a) - gpuKeyOf(b));
  const records = uuids.flatMap((uuid, place) =>
    Array.from({ length: 10 }, (_, index) => ({
      uuid,
      timeMs: startMs + index * 1000,
      metrics: metricsOf[place]?.(index) ?? {},
    })),
  );
  const never = await storeAll([records]);
  for (const readsBefore of [false, true]) {
    // a transaction for each GPU
    expect(await storeAll([records], { recordsMax: 1, readsBefore })).toEqual(never);
  }
});

test("the records of a GPU that has many are read part by part before the transaction, and are settled as one block", async () => {
  const { store, client, close } = await openMemoryStore();
  const timesMs = Array.from({ length: 1200 }, (_, second) => startMs + second * 3000);
  const stored = timesMs.map((timeMs, index) => ({
    ...{ uuid: "GPU-a", timeMs, workload: { container: "a", pod: "", namespace: index < 900 ? "n" : "m" } },
    metrics: { temperature: index % 50, ...(index < 100 ? { power_draw: 1 } : {}), ...(index > 1100 ? { my: 2 } : {}) },
  }));
  await store.ingest(messageOf("many", makeBatch(stored)));
  expect(await new Settler(client, inEmbedded).settle(Infinity)).toEqual({ records: 1200, busyHours: 0 });
  const blocks = await client.query<{ records: number; runs: string }>(
    "select records, runs::text as runs from blocks",
  );
  expect(blocks).toEqual([{ records: 1200, runs: expect.stringContaining('"runs":[900,0,0,300,0,1]') as string }]);
  await unsettleAll(client);
  const sums = await client.query(
    "select count(*)::int as records, sum(temperature)::int as temperature, count(power_draw)::int as power, count(custom)::int as custom from telemetry",
  );
  expect(sums).toEqual([{ records: 1200, temperature: 29_400, power: 100, custom: 99 }]);
  await close();
});

test("a message that adds to very many settled hours is stored after these were made rows in transactions of their own", async () => {
  const { store, client, close } = await openMemoryStore();
  const gpus = Array.from({ length: 25 }, (_, index) => `GPU-${index}`);
  const records = gpus.map((uuid) => ({ uuid, timeMs: startMs, metrics: { temperature: 1 } }));
  await store.ingest(messageOf("many hours", makeBatch(records)));
  await new Settler(client).settle(Infinity);
  const ofGpus = { gpuKeys: gpus.map(gpuKeyOf), timesMs: gpus.map(() => startMs) };
  const much = await client
    .transaction((transaction) => {
      holdHours(transaction, [startMs]);
      return unsettle(transaction, [startMs], { records: [ofGpus], recordsMax: 5 });
    })
    .catch((error: unknown) => error);
  if (!(much instanceof MuchToUnsettle)) throw much;
  expect([await countOf(client, "telemetry"), await countOf(client, "blocks")]).toEqual([0, 25]);
  expect(await unsettleBefore(client, much.gpuHours, 5)).toBe(25);
  expect([await countOf(client, "telemetry"), await countOf(client, "blocks")]).toEqual([25, 0]);
  expect([await countOf(client, "unsettled"), await countOf(client, "late_hours")]).toEqual([25, 1]);
  await close();
});

const ofGpuA = (second: number, temperature: number): TestRecord => ({
  ...{ uuid: "GPU-a", timeMs: startMs + second * 1000, metrics: { temperature } },
});

test.each([
  ["a record that comes", ofGpuA(1, 7), 2],
  ["a record that is merged", ofGpuA(0, 7), 1],
] as const)(
  "%s between the reading and the transaction leaves its hour in rows until the next time",
  async (_, late, rows) => {
    const { store, client, close } = await openMemoryStore();
    await store.ingest(messageOf("first", makeBatch([ofGpuA(0, 5)])));
    let isLate = true;
    const between: SqlClient = Object.assign(Object.create(client) as SqlClient, {
      transaction: async <T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T> => {
        if (isLate) await store.ingest(messageOf("late", makeBatch([late])));
        isLate = false;
        return client.transaction(work);
      },
    });
    const settler = new Settler(between, inEmbedded);
    expect(await settler.settle(Infinity)).toEqual({ records: 0, busyHours: 1 });
    expect([await countOf(client, "telemetry"), await countOf(client, "blocks")]).toEqual([rows, 0]);
    expect(await settler.settle(Infinity)).toEqual({ records: rows, busyHours: 0 });
    await unsettleAll(client);
    const values = await client.query<{ temperature: number }>("select temperature from telemetry order by time");
    expect(values.map(({ temperature }) => temperature)).toEqual(rows === 1 ? [7] : [5, 7]);
    await close();
  },
);

test("an hour that is not over is not settled", async () => {
  const { store, client, close } = await openMemoryStore();
  const records = [0, 1].map((hour) => ({
    uuid: "GPU-a",
    timeMs: startMs + hour * hourMs,
    metrics: { temperature: hour },
  }));
  await store.ingest(messageOf("message", makeBatch(records)));
  expect(await new Settler(client).settle(startMs + 2 * hourMs - 1)).toEqual({ records: 1, busyHours: 0 });
  expect([await countOf(client, "telemetry"), await countOf(client, "blocks")]).toEqual([1, 1]);
  await close();
});

describe("on a server", () => {
  let server: ProvidedDatabase;
  beforeAll(async () => void (server = await provideDatabase()), 300_000);
  afterAll(() => server.stop());

  const collectors = 3;
  const settlers = 2;
  const uuids = Array.from({ length: 12 }, (_, index) => `GPU-${index}`);
  const metricNames = ["temperature", "power_draw", "sm_clock_mhz"];

  /** Each message has one metric of some GPUs at instants of some hours, so that records merge, and most are late for settled hours. */
  function messages(seed: number) {
    const random = randomFrom(seed);
    const all = metricNames.flatMap((name, metric) =>
      Array.from({ length: 15 }, (_, part) =>
        messageOf(
          `${name} ${part}`,
          makeBatch(
            uuids.flatMap((uuid, gpu) =>
              [0, 1, 2].map((hour) => ({
                uuid,
                timeMs: startMs + hour * hourMs + part * 1000 + gpu,
                metrics: { [name]: metric * 1000 + part + gpu / 100 },
              })),
            ),
          ),
          { source: "late", from: metric * 15 + part, to: metric * 15 + part + 1 },
        ),
      ),
    );
    return all
      .map((message) => ({ message, place: random() }))
      .sort((a, b) => a.place - b.place)
      .map(({ message }) => message);
  }

  async function expectAll(client: SqlClient): Promise<void> {
    await unsettleAll(client);
    const rows = await client.query<Record<string, number | null>>(
      `select gpu_key::float8 as key, extract(epoch from time)::float8 * 1000 as ms, ${metricNames.join(", ")} from telemetry`,
    );
    expect(rows).toHaveLength(uuids.length * 3 * 15);
    const gpus = new Map(uuids.map((uuid, gpu) => [gpuKeyOf(uuid), gpu]));
    for (const row of rows) {
      const gpu = gpus.get(row.key ?? NaN) as number;
      const part = Math.round(((((row.ms as number) - startMs) % hourMs) - gpu) / 1000);
      expect(metricNames.map((name) => row[name])).toEqual(
        metricNames.map((_, metric) => metric * 1000 + part + gpu / 100),
      );
    }
  }

  for (const plain of [true, false]) {
    test(`late records, settlers and killed connections leave each hour of a GPU in rows or in blocks (${plain ? "plain" : "hypertable"})`, async () => {
      const url = await createDatabase(server, `settling_${plain ? "plain" : "hyper"}`, { plain });
      const stores: OpenStore[] = [];
      for (let index = 0; index < collectors + settlers; index += 1)
        stores.push(await openPostgresStore({ url, migrate: true }));
      const waiting = messages(7);
      let [settled, stored] = [0, 0];
      let isDone = false;
      const signal = new AbortController().signal;
      const collect = async ({ store }: OpenStore): Promise<void> => {
        for (let message = waiting.pop(); message !== undefined; message = waiting.pop()) {
          const next = message;
          await retry(() => store.ingest(next), { clock: systemClock, signal, onRetry: () => undefined });
          stored += 1;
          // otherwise the collectors could be done before anything was settled
          const before = settled;
          for (let waited = 0; settled === before && waited < 100; waited += 1) await Bun.sleep(2);
        }
      };
      const settle = async ({ client }: OpenStore): Promise<void> => {
        for (; !isDone; await Bun.sleep(1))
          settled += (await unlessKilled(new Settler(client).settle(Infinity)))?.records ?? 0;
      };
      const unlessKilled = async <T>(work: Promise<T>): Promise<T | undefined> =>
        work.catch((error: unknown) => {
          if (error instanceof StoreUnavailable) return undefined;
          throw error;
        });
      let checks = 0;
      const judge = async (): Promise<void> => {
        for (; !isDone; await Bun.sleep(5)) {
          const inBoth = await unlessKilled(withClient(url, gpuHoursInBoth));
          expect(inBoth ?? 0).toBe(0);
          checks += inBoth === undefined ? 0 : 1;
        }
      };
      let kills = 0;
      const kill = async (): Promise<void> => {
        for (let storedBefore = -1; !isDone; await Bun.sleep(50)) {
          // on a slow machine, an ingest that is killed again and again would never end
          if (stored === storedBefore) continue;
          storedBefore = stored;
          await withClient(url, (client) =>
            client.query(`select pg_terminate_backend(pid) from pg_stat_activity
              where application_name = 'gpu-telemetry-pipeline' and datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
              order by random() limit 1`),
          ).catch(() => undefined);
          kills += 1;
        }
      };
      const background = [...stores.slice(collectors).map(settle), judge(), kill()].map((work) =>
        work.catch((error: unknown) => error),
      );
      await Promise.all(stores.slice(0, collectors).map(collect));
      isDone = true;
      const results = await Promise.all(background);
      expect(results.filter((result) => result instanceof Error)).toEqual([]);
      expect(settled).toBeGreaterThan(uuids.length * 3 * 15);
      expect(checks * kills).toBeGreaterThan(0);
      await withClient(url, expectAll);
      for (const store of stores) await store.close();
    });
  }
});
