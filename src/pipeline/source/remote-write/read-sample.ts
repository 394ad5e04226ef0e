import type { MessageFields } from "./message-fields.ts";
import type { WrittenSample } from "./written-series.ts";

/** Reads a sample, which both versions write in the same way. Fields with the value 0 may be absent. */
export function readSample(fields: MessageFields): WrittenSample {
  const found = { value: 0, timeMs: 0, isStale: false };
  fields.each(fields.end(), (field) => {
    if (field === 1) Object.assign(found, fields.double());
    else if (field === 2) found.timeMs = fields.milliseconds();
    return field <= 2;
  });
  return found;
}
