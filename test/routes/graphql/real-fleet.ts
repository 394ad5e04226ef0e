import { openMemoryStore } from "../../support/open-store.ts";
import { batchesOf, openCsvSource } from "../../support/csv-reading.ts";
import { sharedData } from "../../support/shared-data.ts";

/** The path of the CSV file of a real fleet; undefined if the file is missing. */
export const realCsv = sharedData("csv", "dcgm_metrics_20250718_134233.csv");

/** Opens a store in memory, and stores the batches of the real CSV. */
export async function openRealStore(): Promise<Awaited<ReturnType<typeof openMemoryStore>>> {
  const opened = await openMemoryStore();
  const source = await openCsvSource(realCsv ?? "");
  for (const [index, { batch, range }] of (await batchesOf(source)).entries()) {
    await opened.store.ingest({ messageId: `message-${index}`, idempotencyKey: `key-${index}`, source: range, batch });
  }
  return opened;
}
