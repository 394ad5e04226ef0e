import type { StoredRecord } from "../../../domain/query.ts";
import type { TimeRange } from "../../../domain/time-range.ts";
import type { TelemetryQueries } from "../../store/telemetry-queries.ts";
import { byKey } from "./earlier-rows.ts";

/** So many records are read at a time, about. */
const recordsAtATime = 10_000;
/** The most devices of a question: their uuids are sent with it. */
const devicesMax = 500;
/** The most records of a device that are read at a time. */
const ofDeviceMax = 10_000;

/** The records of a range of at most some hours, ordered by uuid, then time, some thousand at a time. */
export async function* hourRecords(
  { fleet, history }: Pick<TelemetryQueries, "fleet" | "history">,
  range: TimeRange,
): AsyncGenerator<readonly StoredRecord[], void> {
  const uuids = (await fleet.gpus({})).map(({ uuid }) => uuid).sort((a, b) => (a < b ? -1 : 1));
  let count = 16;
  for (let at = 0; at < uuids.length;) {
    const some = uuids.slice(at, at + count);
    at += some.length;
    const records = await recordsOf(history, some, range);
    yield records.sort((a, b) => byKey(keyOf(a), keyOf(b)));
    const each = Math.max(1, records.length / some.length);
    count = Math.max(1, Math.min(devicesMax, count * 2, Math.floor(recordsAtATime / each)));
  }
}

const keyOf = ({ gpu: { uuid }, timeMs }: StoredRecord) => ({ uuid, timeMs });

/** The store returns the newest records of each device: what is before them is read as well. */
async function recordsOf(
  history: TelemetryQueries["history"],
  uuids: readonly string[],
  range: TimeRange,
): Promise<StoredRecord[]> {
  const records = await history.recordsOfEach({ uuids, range, limit: ofDeviceMax });
  if (records.length < ofDeviceMax) return records;
  const ofDevice = Map.groupBy(records, ({ gpu }) => gpu.uuid);
  for (const [uuid, found] of ofDevice) {
    if (found.length < ofDeviceMax) continue;
    const toMs = Math.min(...found.map(({ timeMs }) => timeMs));
    records.push(...(await recordsOf(history, [uuid], { ...range, toMs })));
  }
  return records;
}
