import { openMemoryStore } from "../../support/open-store.ts";
import { batchesOf, openCsvSource } from "../../support/csv-reading.ts";
import { sharedData } from "../../support/shared-data.ts";

/** The real CSV; undefined if it is missing. */
export const realCsv = sharedData("csv", "dcgm_metrics_20250718_134233.csv");

/** A store in memory that holds the real CSV, as the pipeline would have stored it. */
export async function openRealStore(): Promise<Awaited<ReturnType<typeof openMemoryStore>>> {
  const opened = await openMemoryStore();
  const source = await openCsvSource(realCsv ?? "");
  for (const [index, { batch, range }] of (await batchesOf(source)).entries()) {
    await opened.store.ingest({ messageId: `message-${index}`, idempotencyKey: `key-${index}`, source: range, batch });
  }
  return opened;
}
