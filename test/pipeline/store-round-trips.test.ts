import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import type { SqlClient, SqlExecutor, SqlTransaction } from "../../src/db/client.ts";
import { detectEngine } from "../../src/db/engine.ts";
import { openPGliteClient } from "../support/open-store.ts";
import type { Workload } from "../../src/domain/gpu.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { openSqlDrivers } from "../../src/pipeline/store/sql/open-sql-drivers.ts";
import type { TelemetryStore } from "../../src/pipeline/store/telemetry-store.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";

// How often storing a message waits for an answer of the database. Each such wait is a round trip: with the database 20 ms away, the
// round trips decide how fast a collector is, and those under a lock decide how long the other collectors wait.

/** The statements, and "(answer)" for each wait. */
const seen: string[] = [];
let client: SqlClient;
let store: TelemetryStore;

beforeAll(async () => {
  client = await openPGliteClient("memory://");
  const engine = await detectEngine(client);
  store = openSqlDrivers({
    writer: watched(client),
    reader: client,
    heavyReader: client,
    questionsAtATime: { light: 3, heavy: 1 },
    engine: () => engine,
    place: "the test's database",
    clock: systemClock,
    onChange: () => undefined,
  }).store;
  await storeAt(0);
  await storeAt(10);
});
beforeEach(() => void (seen.length = 0));
afterAll(() => client.close());

/** Statements that are called before an earlier answer has come travel together, so they wait only once. */
function watched(watchedClient: SqlClient): SqlClient {
  const executorOn = (executor: SqlExecutor): SqlExecutor => {
    let waiting = 0;
    return {
      query: async (text, params) => {
        seen.push(text);
        waiting += 1;
        try {
          return await executor.query(text, params);
        } finally {
          waiting -= 1;
          if (waiting === 0) seen.push("(answer)");
        }
      },
    };
  };
  return {
    query: (text, params) => executorOn(watchedClient).query(text, params),
    inOrder: (work) => watchedClient.inOrder((executor) => work(executorOn(executor))),
    transaction: (work) =>
      watchedClient.transaction((transaction) => {
        const statements: SqlTransaction = {
          ...executorOn(transaction),
          send: (text, params) => {
            seen.push(text);
            transaction.send(text, params);
          },
          change: async (text, params) => {
            seen.push(text);
            const changed = await transaction.change(text, params);
            seen.push("(answer)");
            return changed;
          },
          copy: async (into, rows) => {
            const isNew = await transaction.copy(into, rows);
            seen.push("(answer)");
            return isNew;
          },
        };
        return work(statements);
      }),
    snapshot: (work) => watchedClient.snapshot((executor) => work(executorOn(executor))),
    until: (signal) => {
      const reads = watchedClient.until(signal);
      return { ...executorOn(reads), snapshot: (work) => reads.snapshot((executor) => work(executorOn(executor))) };
    },
    close: () => watchedClient.close(),
  };
}

async function storeAt(
  second: number,
  workload: Workload = { container: "c", pod: "first", namespace: "n" },
  hostname = "host-a",
) {
  const prefix = hostname === "host-a" ? "GPU" : `GPU-${hostname}`;
  const records = Array.from({ length: 8 }, (_, gpu) => {
    return { uuid: `${prefix}-${gpu}`, timeMs: second * 1000, metrics: { temperature: second }, workload, hostname };
  });
  await store.ingest(messageOf(`at ${second} of ${hostname}`, makeBatch(records)));
}

const answers = (statements: readonly string[]): number => statements.filter((each) => each === "(answer)").length;
const isLock = (text: string): boolean => text.includes("for update of gpus");

test("a message of known GPUs waits for three answers: to its id, its records and the number of changes", async () => {
  await storeAt(20);
  expect(answers(seen)).toBe(3);
});

test("a change of workloads waits for one answer while it holds the locks of its GPUs", async () => {
  await storeAt(30, { container: "c", pod: "second", namespace: "n" });
  const locks = seen.findIndex(isLock);
  expect(locks).toBeGreaterThan(0);
  expect(answers(seen.slice(locks))).toBe(1);
});

test("late records whose GPUs do not change lock no GPU, and announce no change", async () => {
  await storeAt(5);
  expect(seen.filter((text) => isLock(text) || text.includes("nextval"))).toEqual([]);
  expect(await client.query("select from gpu_workloads")).toHaveLength(16);
});

test("messages of new hosts that are stored at once wait once for the changes of others", async () => {
  const hostnames = Array.from({ length: 8 }, (_, index) => `new-${index}`);
  await Promise.all(hostnames.map((hostname) => storeAt(40, undefined, hostname)));
  const waits = seen.filter((text) => text.includes("pg_advisory_xact_lock("));
  expect(waits).toHaveLength(1);
});

test("a reading costs a statement for frozen devices only if there are any, and that waits for no answer", async () => {
  const ofFrozen = async (second: number, frozenDevices: readonly string[]) => {
    seen.length = 0;
    const timeMs = second * 1000;
    const batch = makeBatch(["GPU-0", "GPU-1"].map((uuid) => ({ uuid, timeMs, metrics: { temperature: 1 } })));
    const repeated = frozenDevices.length > 0 && { frozen: frozenDevices.length, frozenDevices };
    const reading = { timeMs, intervalMs: 10_000, outcome: "read" as const, count: 1, ...repeated };
    await store.ingest(messageOf(`scrape at ${second}`, { ...batch, reading }, { source: "scrape" }));
    return { statements: seen.filter((text) => text.includes("frozen_readings")).length, answers: answers(seen) };
  };
  // the GPUs have no workload from here on
  for (const second of [50, 55]) await ofFrozen(second, []);
  expect(await ofFrozen(60, [])).toEqual({ statements: 0, answers: 3 });
  expect(await ofFrozen(70, ["GPU-0", "GPU-1"])).toEqual({ statements: 1, answers: 3 });
});
