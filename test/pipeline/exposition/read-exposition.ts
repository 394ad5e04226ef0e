import { BatchBuilder } from "../../../src/domain/batch-builder.ts";
import type { InputTally, RejectedInput } from "../../../src/domain/batch.ts";
import { ExpositionReader, type ReadExposition } from "../../../src/pipeline/source/exposition/exposition-reader.ts";
import { SharedTexts } from "../../../src/pipeline/source/labels/shared-texts.ts";
import type { TargetContext } from "../../../src/pipeline/source/exposition/target-context.ts";
import type { ExpositionFormat } from "../../../src/pipeline/source/exposition/scanned-exposition.ts";
import { defined } from "../../../src/kit/defined.ts";
import { type MergedRecord, recordsIn } from "../../support/merged-records.ts";
import { valuesOf } from "../devices/read-rows.ts";

export const dueMs = Date.UTC(2026, 10, 26, 11, 0, 0);

const usual: TargetContext = { target: "node-7:9400", host: "node-7", clusterId: "c1", labels: {} };

/** What a target's reader makes of an exposition. */
export interface Reading extends ReadExposition {
  readonly records: readonly MergedRecord[];
  readonly rejections: readonly RejectedInput[];
  readonly tally: InputTally;
}

/** A reader of one target, for expositions one after the other. A text gets the line end that its last line lacks; bytes do not. */
export function openTarget(context: Partial<TargetContext> = {}) {
  const reader = new ExpositionReader({ ...usual, ...context }, new SharedTexts());
  let timeMs = dueMs - 15_000;
  return (text: string | Uint8Array, format?: ExpositionFormat): Reading => {
    timeMs += 15_000;
    const builder = new BatchBuilder();
    const bytes = typeof text === "string" ? new TextEncoder().encode(text.replace(/[^\n]$/, "$&\n")) : text;
    const read = reader.read(defined({ bytes, format }), timeMs, builder);
    const batch = builder.build();
    return { ...read, records: recordsIn(batch), rejections: batch.rejected, tally: batch.tally };
  };
}

/** The values of a device by name. */
export function valuesOn({ records }: Pick<Reading, "records">, uuid: string): Record<string, number> {
  return valuesOf(records.find(({ gpu }) => gpu.uuid === uuid));
}

/** A sample of dcgm-exporter for GPU-1, the GPU 0 of node-7. */
export function sample(name: string, value: number | string, more = ""): string {
  return `${name}{gpu="0",UUID="GPU-1",device="nvidia0",modelName="H100",Hostname="node-7"${more}} ${value}`;
}
