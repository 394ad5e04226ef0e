import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import type { TelemetryStore } from "../../src/pipeline/store/telemetry-store.ts";
import type { Fleet } from "./data.ts";

/** Stores the batches of a fleet, a message each. */
export async function ingestFleet(store: TelemetryStore, { batches }: Pick<Fleet, "batches">): Promise<void> {
  for (const [index, batch] of batches.entries()) {
    const place = (at: number) => ({ offset: at, line: at });
    const source = { sourceId: "bench", from: place(index), to: place(index + 1) };
    await store.ingest({ messageId: String(index), idempotencyKey: String(index), source, batch });
  }
}

/** Stores a fleet in an empty database, all of it as settled history. */
export async function storeSettledFleet(url: string, fleet: Pick<Fleet, "batches">): Promise<void> {
  const opened = await openPostgresStore({ url, migrate: true });
  await ingestFleet(opened.store, fleet);
  await new Settler(opened.client).settle(Infinity);
  await opened.client.query("vacuum analyze");
  await opened.close();
}
