import fc from "fast-check";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { RecordBatch } from "../../src/domain/batch.ts";
import { coverageHourMs } from "../../src/domain/coverage.ts";
import type { ReadingFault, SourceReading } from "../../src/domain/reading.ts";
import { splitBatch } from "../../src/domain/split-batch.ts";
import { decodeBatch, encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import type { IngestMessage } from "../../src/pipeline/store/telemetry-store.ts";

export const t0 = Date.UTC(2025, 6, 18, 20);
export const minute = 60_000;
export const intervalMs = 10 * minute;
const perHour = coverageHourMs / intervalMs;
export const hours = 4;

/** A reading that was read. */
interface Read {
  readonly devices: readonly number[];
  /** Those of them whose old values it repeats. */
  readonly frozen: readonly number[];
  /** False if the streamer is of a version that says how many devices are frozen, but not which. */
  readonly isNamed: boolean;
  /** True if it takes two messages. */
  readonly isSplit: boolean;
}

/** What becomes of a scheduled reading: it is read, a reason for which it is missed, or nothing, because its owner dies; the next owner
 *  then reports it. */
type Tick = Read | ReadingFault | "killed";

interface Fleet {
  readonly phaseMs: number;
  readonly ticks: readonly Tick[];
  /** Messages that are delivered twice, by their number. */
  readonly twice: readonly number[];
  /** How long after the last scheduled reading it is now, in intervals. */
  readonly laterIntervals: number;
}

export const deviceCount = 3;
const devices = [...Array(deviceCount).keys()];
const read: fc.Arbitrary<Read> = fc
  .record({
    devices: fc.subarray(devices),
    repeating: fc.oneof(fc.constant<number[]>([]), fc.constant(devices), fc.subarray(devices)),
    isNamed: fc.integer({ min: 0, max: 7 }).map((chance) => chance > 0),
    isSplit: fc.boolean(),
  })
  .map(({ repeating, ...each }) => ({ ...each, frozen: each.devices.filter((device) => repeating.includes(device)) }));
const tick: fc.Arbitrary<Tick> = fc.oneof(
  { weight: 6, arbitrary: read },
  { weight: 2, arbitrary: fc.constantFrom<ReadingFault>("timeout", "refused", "http_status") },
  { weight: 2, arbitrary: fc.constant<"killed">("killed") },
);
export const fleet: fc.Arbitrary<Fleet> = fc.record({
  phaseMs: fc.integer({ min: 0, max: intervalMs - 1 }),
  ticks: fc.array(tick, { minLength: 1, maxLength: (hours - 1) * perHour }),
  twice: fc.array(fc.nat(20), { maxLength: 5 }),
  laterIntervals: fc.integer({ min: 0, max: 8 }),
});

const isKilled = (each: Tick): boolean => each === "killed";
export const timeOf = ({ phaseMs }: Fleet, index: number): number => t0 + phaseMs + index * intervalMs;

/** A batch as the collector receives it, in one message or two. */
function received(batch: RecordBatch, isSplit: boolean): readonly RecordBatch[] {
  const parts = (isSplit ? splitBatch(batch) : undefined) ?? [batch];
  return parts.map((part) => decodeBatch(encodeBatch(part)));
}

/** The messages of a fleet. */
export function play(prefix: string, played: Fleet) {
  const messages: IngestMessage[] = [];
  let killed = 0;
  const uuidOf = (device: number): string => `${prefix}-${device}`;
  const send = (at: number, reading: Omit<SourceReading, "intervalMs" | "timeMs">, each?: Read) => {
    const timeMs = timeOf(played, at);
    const records = (each?.devices ?? []).map((device) => {
      return { uuid: uuidOf(device), hostname: prefix, clusterId: prefix, timeMs, metrics: { temperature: 1 } };
    });
    const batch = { ...makeBatch(records), reading: { ...reading, timeMs, intervalMs } };
    for (const part of received(batch, each?.isSplit ?? false)) {
      messages.push(messageOf(`${prefix} ${messages.length}`, part, { source: prefix, from: timeMs, to: timeMs }));
    }
  };
  played.ticks.forEach((each, index) => {
    // before the first reading, no owner knows of the source
    if (isKilled(each)) return void (killed += messages.length === 0 ? 0 : 1);
    if (killed > 0) send(index - 1, { outcome: "missed", reason: "no_streamer", count: killed });
    killed = 0;
    if (typeof each === "string") send(index, { outcome: "missed", reason: each as ReadingFault, count: 1 });
    else {
      const { frozen, isNamed } = each;
      const frozenDevices = isNamed ? { frozenDevices: frozen.map(uuidOf) } : {};
      const repeated = frozen.length === 0 ? {} : { frozen: frozen.length, ...frozenDevices };
      send(index, { outcome: "read", count: 1, ...repeated }, each);
    }
  });
  return messages;
}

interface DeviceHour {
  expected: number;
  received: number;
  readonly frozen: number | undefined;
  readonly missed: Record<string, number>;
}

/** The frozen readings of a device in an hour; undefined if a reading of the hour does not say of which devices it repeats values. */
function frozenIn(played: Fleet, hour: number, device: number): number | undefined {
  const repeating = played.ticks.filter((each, index): each is Read => {
    const timeMs = timeOf(played, index);
    return typeof each === "object" && each.frozen.length > 0 && timeMs >= hour && timeMs < hour + coverageHourMs;
  });
  if (repeating.some(({ isNamed }) => !isNamed)) return undefined;
  return repeating.filter(({ frozen }) => frozen.includes(device)).length;
}

/** All frozen readings of a fleet, counted for each device. */
export function frozenOf({ ticks }: Fleet): number {
  return ticks.reduce((sum, each) => sum + (typeof each === "object" ? each.frozen.length : 0), 0);
}

/** What the coverage of a device has to be in each hour, from the list of what became of each scheduled reading. */
export function modelOf(played: Fleet, nowMs: number, device: number) {
  const lastReported = played.ticks.findLastIndex((each) => !isKilled(each));
  const first = played.ticks.findIndex((each) => typeof each === "object" && each.devices.includes(device));
  const byHour = new Map<number, DeviceHour>();
  for (let index = 0; first !== -1 && timeOf(played, index) <= nowMs; index += 1) {
    const timeMs = timeOf(played, index);
    if (index < first || (index > lastReported && timeMs > nowMs - intervalMs)) continue;
    const hour = Math.floor(timeMs / coverageHourMs) * coverageHourMs;
    const counts = byHour.get(hour) ?? { expected: 0, received: 0, frozen: frozenIn(played, hour, device), missed: {} };
    byHour.set(hour, counts);
    const each = played.ticks[index];
    counts.expected += 1;
    const reason =
      index > lastReported
        ? "unreported"
        : typeof each === "object"
          ? each.devices.includes(device)
            ? undefined
            : "absent"
          : each === "killed"
            ? "no_streamer"
            : (each as string);
    if (reason === undefined) counts.received += 1;
    else counts.missed[reason] = (counts.missed[reason] ?? 0) + 1;
  }
  return byHour;
}
