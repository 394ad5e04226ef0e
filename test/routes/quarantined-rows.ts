import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";

interface RowOptions {
  readonly uuid?: string;
  readonly value: string;
  readonly pod?: string;
}

/** A row of dcgm-exporter's table, a temperature. */
export function rowOf({ uuid = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4", value, pod = "" }: RowOptions): string {
  const cells = ["2025-07-18T20:42:34Z", "DCGM_FI_DEV_GPU_TEMP", "0", "nvidia0", uuid, "NVIDIA H100 80GB HBM3"];
  return [...cells, "host-a", "", pod, "", value, ""].map((cell) => `"${cell}"`).join(",");
}

/** Puts rows of a file into quarantine, as a version does that does not accept their values. @returns their ids, in order */
export async function quarantinedRows(
  { store, queries }: Pick<OpenStore, "store" | "queries">,
  sourceId: string,
  rows: readonly string[],
): Promise<number[]> {
  const rejected = rows.map((raw, index) => ({
    ...{ line: index + 2, byte: 100 + index, reason: "value_out_of_range" as const, field: "value", value: "45" },
    ...{ message: "The value is outside its range.", raw },
  }));
  await store.ingest(messageOf(`rows of ${sourceId}`, makeBatch([], rejected), { source: sourceId }));
  const found = await queries.quarantine.rejections({ sourceId, limit: rows.length });
  return found.map(({ id }) => id).toSorted((a, b) => a - b);
}
