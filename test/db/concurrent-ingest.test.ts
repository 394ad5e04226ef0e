import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { startPostgres } from "../../dev/servers/postgres.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { until } from "../../dev/until.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { metrics } from "../../src/domain/metrics.ts";
import { retry } from "../../src/kit/retry.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import type { IngestMessage, IngestResult } from "../../src/pipeline/store/telemetry-store.ts";
import { makeBatch } from "../../dev/make-batch.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";
import { randomFrom } from "../support/random.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

const dayMs = 86_400_000;
const hosts = ["host-a", "host-b"];
const uuids = Array.from({ length: 20 }, (_, index) => `gpu-${index}`);
/** One instant a day for three weeks, so that collectors create chunks of the hypertable at the same time. */
const timesMs = Array.from({ length: 21 }, (_, index) => Date.UTC(2025, 6, 18) + index * dayMs + index);
const recordCount = uuids.length * timesMs.length;
const metricNames = metrics.slice(0, 8).map(({ name }) => name);

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  return values
    .map((value) => ({ value, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}

const valueOf = (gpu: number, time: number, metric: number): number => gpu * 10_000 + time * 100 + metric;

const source = "overlapping";

/** Messages that each carry one metric of every GPU at every instant; their records are in random order. */
function overlappingMessages(seed: number, messagesPerMetric = 1): IngestMessage[] {
  const random = randomFrom(seed);
  return Array.from({ length: messagesPerMetric * metricNames.length }, (_, index) => {
    const metric = index % metricNames.length;
    const name = metricNames[metric] as string;
    const records = uuids.flatMap((uuid, gpu) =>
      timesMs.map((timeMs, time) => ({
        uuid,
        timeMs,
        hostname: hosts[gpu % 2] as string,
        metrics: { [name]: valueOf(gpu, time, metric) },
      })),
    );
    return {
      messageId: `message ${index}`,
      idempotencyKey: `message ${index}`,
      source: { sourceId: source, from: { offset: index, line: index }, to: { offset: index + 1, line: index + 1 } },
      batch: makeBatch(shuffled(records, random)),
    };
  });
}

/** Stores two records of every GPU: one long before, and one long after the records of the messages. The messages then neither
 *  add a GPU nor update its row, so that collectors compete for the telemetry table. */
async function storeFrame({ store }: OpenStore): Promise<void> {
  const times = [timesMs[0] as number, timesMs.at(-1) as number].map(
    (timeMs, index) => timeMs + (index - 0.5) * 800 * dayMs,
  );
  const records = uuids.flatMap((uuid, gpu) =>
    times.map((timeMs) => ({ uuid, timeMs, hostname: hosts[gpu % 2] as string, metrics: { odd: 1 } })),
  );
  const place = { offset: 0, line: 0 };
  const message = {
    messageId: "frame",
    idempotencyKey: "frame",
    source: { sourceId: "frame", from: place, to: place },
  };
  await store.ingest({ ...message, batch: makeBatch(records) });
}

async function expectEveryValueOnce({ queries, store }: OpenStore, messages: number): Promise<void> {
  const range = { fromMs: timesMs[0] as number, toMs: (timesMs.at(-1) as number) + 1 };
  const { elements: found } = await queries.history.records({ gpus: {}, range, limit: 2 * recordCount });
  expect(found).toHaveLength(recordCount);
  for (const { gpu, timeMs, metrics: values } of found) {
    const numbers = metricNames.map((_, metric) => valueOf(uuids.indexOf(gpu.uuid), timesMs.indexOf(timeMs), metric));
    expect(metricNames.map((name) => values[name])).toEqual(numbers);
  }
  const { totals } = await store.progressOf(source);
  expect(totals).toMatchObject({
    messages,
    recordsInserted: recordCount,
    recordsMerged: (messages - 1) * recordCount,
  });
}

for (const [kind, plain] of [
  ["TimescaleDB", false],
  ["PostgreSQL", true],
] as const) {
  describe(kind, () => {
    test("collectors that store overlapping batches at the same time do not deadlock, and no value is lost", async () => {
      for (const seed of [1, 2, 3]) {
        const url = await createDatabase(server, `at_once_${plain}_${seed}`, { plain });
        const stores = [
          await openPostgresStore({ url, migrate: true }),
          await openPostgresStore({ url, migrate: true }),
        ];
        await storeFrame(stores[0] as OpenStore);
        const results = await Promise.all(
          overlappingMessages(seed).map((message, index) => (stores[index % 2] as OpenStore).store.ingest(message)),
        );
        const sum = (pick: (result: IngestResult) => number): number =>
          results.map(pick).reduce((total, each) => total + each, 0);
        expect(sum(({ recordsInserted }) => recordsInserted)).toBe(recordCount);
        expect(sum(({ recordsMerged }) => recordsMerged)).toBe(7 * recordCount);
        await expectEveryValueOnce(stores[0] as OpenStore, metricNames.length);
        const [deadlocks] = await withClient(url, (client) =>
          client.query("select deadlocks::int from pg_stat_database where datname = current_database()"),
        );
        expect(deadlocks).toEqual({ deadlocks: 0 });
        await Promise.all(stores.map(({ close }) => close()));
      }
    });
  });
}

test("every message is stored exactly once although all workers store all messages and the server is killed", async () => {
  const ownPostgres = await startPostgres();
  const { url } = ownPostgres;
  const stores = [await openPostgresStore({ url, migrate: true }), await openPostgresStore({ url, migrate: true })];
  const messages = overlappingMessages(4, 4);
  const results: IngestResult[] = [];
  let failures = 0;
  const options = { clock: systemClock, signal: new AbortController().signal, onRetry: () => void (failures += 1) };
  const ingestAll = async ({ store }: OpenStore, inOrder: readonly IngestMessage[]): Promise<void> => {
    for (const message of inOrder) results.push(await retry(() => store.ingest(message), options));
  };
  const random = randomFrom(5);
  const workers = Array.from({ length: 8 }, (_, index) =>
    ingestAll(stores[index % 2] as OpenStore, shuffled(messages, random)),
  );
  for (let kills = 1; kills <= 3; kills += 1) {
    await until(() => results.length >= kills * messages.length);
    await ownPostgres.kill();
    await ownPostgres.start();
  }
  await Promise.all(workers);
  expect(results).toHaveLength(8 * messages.length);
  expect(failures).toBeGreaterThan(0);
  // if the answer to a commit was lost, the next try reports a duplicate
  expect(results.filter(({ duplicate }) => !duplicate).length).toBeLessThanOrEqual(messages.length);
  await expectEveryValueOnce(stores[0] as OpenStore, messages.length);
  await Promise.all(stores.map(({ close }) => close()));
  await ownPostgres.stop();
});
