import type { RecordBatch } from "../../src/domain/batch.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import type { TelemetryStore } from "../../src/pipeline/store/telemetry-store.ts";

/** The batches of a fleet, in the order of time. */
interface Batches {
  readonly batches: Iterable<RecordBatch>;
}

/** Stores the batches of a fleet, a message each. */
export async function ingestFleet(store: TelemetryStore, { batches }: Batches): Promise<void> {
  let index = 0;
  for (const batch of batches) {
    const place = (at: number) => ({ offset: at, line: at });
    const source = { sourceId: "bench", from: place(index), to: place(index + 1) };
    await store.ingest({ messageId: String(index), idempotencyKey: String(index), source, batch });
    index += 1;
  }
}

/** Stores a fleet in an empty database, all of it as settled history. */
export async function storeSettledFleet(url: string, fleet: Batches): Promise<void> {
  await storeFleet(url, fleet, true);
}

/** Stores a fleet in an empty database, by default as rows. */
export async function storeFleet(url: string, fleet: Batches, isSettled = false): Promise<void> {
  const opened = await openPostgresStore({ url, migrate: true });
  await ingestFleet(opened.store, fleet);
  if (isSettled) await new Settler(opened.client).settle(Infinity);
  await opened.client.query("vacuum analyze");
  await opened.close();
}
