import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { countRecords } from "../../src/db/sql/count-records.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { withClient } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

const day = 24 * 3_600_000;

test("above the limit, the count is an estimate from the database's statistics and the cluster's share of the GPUs", async () => {
  const recordsOf = (clusterId: string, gpus: number) =>
    Array.from({ length: gpus * 100 }, (_, index) => ({
      uuid: `${clusterId}-${index % gpus}`,
      clusterId,
      // the records span several chunks
      timeMs: Date.UTC(2025, 6, 18) + Math.floor(index / gpus) * (day / 25),
      metrics: { temperature: 1 },
    }));
  const { store, close } = await openPostgresStore({ url: server.url, migrate: true });
  await store.ingest(messageOf("large", makeBatch(recordsOf("large", 30))));
  await store.ingest(messageOf("small", makeBatch(recordsOf("small", 10))));
  await close();
  await withClient(server.url, async (client) => {
    await client.query("analyze telemetry");
    expect(await countRecords(client, "large")).toEqual({ count: 3000, isEstimate: false });
    expect(await countRecords(client, "large", { exactMax: 500 })).toEqual({ count: 3000, isEstimate: true });
    expect(await countRecords(client, "small", { exactMax: 999 })).toEqual({ count: 1000, isEstimate: true });
    expect(await countRecords(client, "small", { exactMax: 1000 })).toEqual({ count: 1000, isEstimate: false });
  });
});
