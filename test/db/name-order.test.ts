import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { createDatabase } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

test("names are ordered as in memory, even in a database with the collation of a language", async () => {
  // English orders: _, a, B
  const names = ["B", "_", "a"];
  const timeMs = Date.UTC(2025, 6, 18);
  const url = await createDatabase(server, "english", { collation: "en-US" });
  const { store, queries, close } = await openPostgresStore({ url, migrate: true });
  const records = names.map((name) => ({
    ...{ uuid: name, hostname: name, clusterId: name, modelName: name },
    ...{ timeMs, metrics: { temperature: 1 }, workload: { container: "", pod: "", namespace: name } },
  }));
  await store.ingest(messageOf("names", makeBatch(records.toReversed())));
  expect((await queries.fleet.gpus({})).map(({ hostname }) => hostname)).toEqual(names);
  expect((await queries.fleet.latest({})).map(({ gpu }) => gpu.hostname)).toEqual(names);
  for (const groupBy of ["cluster", "host", "gpu", "model", "namespace"] as const) {
    const range = { fromMs: timeMs, toMs: timeMs + 60_000 };
    const filter = {
      gpus: {},
      range,
      groupBy,
      metrics: ["temperature"],
      resolution: "1m" as const,
      limit: 10,
      withExpected: true,
    };
    const rows = await queries.aggregates.byGroup(filter);
    expect(rows.map(({ group }) => Object.values(group).at(-1))).toEqual(names);
  }
  await close();
});
