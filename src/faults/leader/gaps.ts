import type { DeviceState } from "../evaluator/state.ts";
import type { ArrivedRecords } from "./record-feed.ts";

/** A device of which records were missed: those between two instants. */
export interface Gap {
  readonly uuid: string;
  /** The first instant. */
  readonly fromMs: number;
  /** The instant after the last one. */
  readonly toMs: number;
  /** How many they are at most, about. */
  readonly records: number;
}

/** What was evaluated of each device. */
export interface EvaluatedDevices {
  /** The device as the evaluator knows it; undefined if no record of it was evaluated. */
  readonly device: (uuid: string) => Pick<DeviceState, "lastMs" | "intervalMs"> | undefined;
  /** What is older was not missed. */
  readonly oldestMs: number;
}

/** A record that comes so many intervals after the one before is not the next one. */
const gapIntervals = 1.5;

/** What was missed of the devices whose records have arrived: at most one gap for each. */
export function gapsBefore({ records, coalesced }: ArrivedRecords, devices: EvaluatedDevices): Gap[] {
  const newest = new Map<string, number>();
  for (const { gpu, timeMs } of records) if (coalesced.has(gpu.uuid)) newest.set(gpu.uuid, timeMs);
  const seen = new Set<string>();
  return records.flatMap(({ gpu: { uuid }, timeMs: firstMs }) => {
    if (seen.has(uuid)) return [];
    seen.add(uuid);
    const device = devices.device(uuid);
    const lastMs = Math.max(device?.lastMs ?? -Infinity, devices.oldestMs);
    const parts = [];
    const silences = (firstMs - lastMs) / (device?.intervalMs ?? 0);
    if (Number.isFinite(silences) && silences > gapIntervals) {
      parts.push({ uuid, fromMs: lastMs, toMs: firstMs, records: Math.ceil(silences) });
    }
    const missed = coalesced.get(uuid);
    if (missed !== undefined) {
      const { sinceMs, records: count } = missed;
      parts.push({ uuid, fromMs: Math.max(lastMs, sinceMs), toMs: newest.get(uuid) ?? firstMs, records: count });
    }
    return joined(parts);
  });
}

/** How many records gaps have at most, about. */
export function recordsIn(gaps: readonly Gap[]): number {
  return gaps.reduce((sum, { records }) => sum + records, 0);
}

/** @returns one gap that has all parts; none if nothing is missed */
function joined(parts: readonly Gap[]): Gap[] {
  const [first, ...others] = parts.filter(({ fromMs, toMs }) => fromMs < toMs);
  if (first === undefined) return [];
  return [
    others.reduce(
      (gap, { fromMs, toMs, records }) => ({
        uuid: gap.uuid,
        fromMs: Math.min(gap.fromMs, fromMs),
        toMs: Math.max(gap.toMs, toMs),
        records: gap.records + records,
      }),
      first,
    ),
  ];
}
