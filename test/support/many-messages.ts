import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { IngestMessage } from "../../src/pipeline/store/telemetry-store.ts";

/** Eight messages, which are stored in one transaction if they are stored at once. */
export function manyMessages(): IngestMessage[] {
  return Array.from({ length: 8 }, (_, index) => {
    const records = [0, 1, 2].map((second) => ({
      uuid: `gpu-${index}`,
      timeMs: Date.UTC(2025, 6, 18) + second * 1000,
      metrics: { temperature: second },
    }));
    return messageOf(`m${index}`, makeBatch(records), { source: "at once", from: index, to: index + 1 });
  });
}
