import type { SqlExecutor } from "../../../../db/client.ts";
import { selectUsage } from "../../../../db/sql/usage-hours.ts";
import { hourMs, hourOf, type TimeRange } from "../../../../domain/time-range.ts";
import type { DeviceUsage } from "../../../../domain/usage/packed-usage.ts";
import type { UsageHour, UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { turnOfOthers } from "../../../../kit/turn.ts";
import type { HistoryPart } from "../history/history-part.ts";
import { historyParts } from "../history/history-parts.ts";
import { skipsEmptyHours } from "../history/skips-empty-hours.ts";
import type { OwnUsage } from "./own-usage.ts";
import { decodeUsage, usageOf } from "./stored-usage.ts";

/** Hours of devices that are in memory at a time, about. */
const deviceHoursPerSlice = 2 ** 15;
const hoursPerSlice = 744;
/** The most keys that are looked for in the stored usage; for more, all of it is read. */
const keysSought = 100;

/** The metrics that usage follows from. */
const usageMetrics = [
  ...["gpu_utilization", "gr_engine_active", "sm_active", "tensor_active"],
  ...["memory_used_mb", "power_draw", "total_energy_mj"],
];

/** What usage to read. */
export interface WantedUsage {
  /** Whole hours (UTC). */
  readonly range: TimeRange;
  /** Ascending. */
  readonly devices: readonly { readonly gpuKey: number; readonly seen: TimeRange }[];
  readonly thresholds: UsageThresholds;
  /** Absent: everything is within. */
  readonly own: OwnUsage | undefined;
}

/** The usage of devices in an hour, by their keys. */
export interface UsageOfHour {
  readonly hour: number;
  readonly usage: ReadonlyMap<number, UsageHour>;
}

/** Reads the usage of devices hour by hour: what is settled as it was stored, and the rest from the records. Each device's hour is from one
 *  snapshot of the database. */
export async function* readUsage(
  executor: SqlExecutor,
  wanted: WantedUsage,
): AsyncGenerator<UsageOfHour, void, undefined> {
  const { range, devices } = wanted;
  const hours = Math.min(hoursPerSlice, Math.floor(deviceHoursPerSlice / Math.max(1, devices.length)));
  const spanMs = Math.max(1, hours) * hourMs;
  for (let { fromMs } = range; fromMs < range.toMs; fromMs += spanMs) {
    const slice = { fromMs, toMs: Math.min(range.toMs, fromMs + spanMs) };
    const byHour = await readSlice(executor, slice, wanted);
    for (let hour = slice.fromMs; hour < slice.toMs; hour += hourMs) {
      yield { hour, usage: byHour.get(hour) ?? new Map<number, UsageHour>() };
      await turnOfOthers();
    }
  }
}

type ByHour = Map<number, Map<number, UsageHour>>;

function add(byHour: ByHour, hour: number, { gpuKey, usage }: DeviceUsage): void {
  const ofHour = byHour.get(hour);
  if (ofHour === undefined) byHour.set(hour, new Map([[gpuKey, usage]]));
  else ofHour.set(gpuKey, usage);
}

async function readSlice(executor: SqlExecutor, slice: TimeRange, wanted: WantedUsage): Promise<ByHour> {
  const { devices, own } = wanted;
  const gpuKeys = devices.map(({ gpuKey }) => gpuKey);
  const { stored, open } = await selectUsage(executor, slice, gpuKeys.length > keysSought ? undefined : gpuKeys);
  const isStale = new Set(open.map(({ hour, gpuKey }) => `${hour} ${gpuKey}`));
  const withRecords = new Set(open.flatMap(({ kind, hour }) => (kind === "records" ? [hour] : [])));
  const isWanted = new Set(gpuKeys);
  const byHour: ByHour = new Map();
  // hours of devices that need no records
  const known = new Set<string>();
  for (const row of stored) {
    await turnOfOthers();
    for (const device of decodeUsage(row, (gpuKey) => isWanted.has(gpuKey))) {
      const key = `${row.hour} ${device.gpuKey}`;
      if (isStale.has(key)) continue;
      const part = own?.partOf(device, row.hour) ?? "all";
      if (part !== "some") known.add(key);
      if (part === "all") add(byHour, row.hour, own?.shown(device) ?? device);
    }
  }
  const openHours = [...withRecords]
    .sort((a, b) => a - b)
    .map((hour) => {
      const left = devices.filter(({ gpuKey, seen }) => isSeenIn(seen, hour) && !known.has(`${hour} ${gpuKey}`));
      return { hour, gpuKeys: left.map(({ gpuKey }) => gpuKey) };
    });
  for (const part of joinHours(openHours)) await addFromRecords(executor, part, { byHour, wanted });
  return byHour;
}

/** The last record of a device is known to within 10 minutes. */
function isSeenIn({ fromMs, toMs }: TimeRange, hour: number): boolean {
  return fromMs < hour + hourMs && hour <= toMs + hourMs;
}

interface OpenPart {
  readonly range: TimeRange;
  readonly gpuKeys: readonly number[];
}

/** Hours in a row of which the records of the same devices are wanted are read together. */
function joinHours(hours: readonly { readonly hour: number; readonly gpuKeys: readonly number[] }[]): OpenPart[] {
  const parts: OpenPart[] = [];
  for (const { hour, gpuKeys } of hours) {
    if (gpuKeys.length === 0) continue;
    const last = parts.at(-1);
    const isSame =
      last?.gpuKeys.length === gpuKeys.length && last.gpuKeys.every((key, index) => key === gpuKeys[index]);
    if (isSame && last.range.toMs === hour)
      parts[parts.length - 1] = { ...last, range: { ...last.range, toMs: hour + hourMs } };
    else parts.push({ gpuKeys, range: { fromMs: hour, toMs: hour + hourMs } });
  }
  return parts;
}

/** Records whose usage is found at a time: some milliseconds. */
const recordsPerTurn = 20_000;

async function addFromRecords(
  executor: SqlExecutor,
  open: OpenPart,
  { byHour, wanted }: { readonly byHour: ByHour; readonly wanted: WantedUsage },
): Promise<void> {
  const { own, thresholds } = wanted;
  for await (const slice of historyParts(executor, {
    ...open,
    metrics: usageMetrics,
    withRuns: true,
    skipsEmptyHours: skipsEmptyHours(own?.bounds),
  })) {
    const parts = own === undefined ? slice : slice.flatMap((part) => own.recordsOf(part) ?? []);
    const byPart = Map.groupBy(parts, ({ timesMs }) => hourOf(timesMs[0] as number));
    for (const [hour, ofHour] of byPart) {
      for (const some of inTurns(ofHour)) {
        const blocks = some.map((part) => ({ gpuKey: part.gpuKey, block: part }));
        for (const device of await usageOf(executor, blocks, thresholds)) add(byHour, hour, device);
        await turnOfOthers();
      }
    }
  }
}

/** All parts of a device stay together. */
function inTurns(parts: readonly HistoryPart[]): HistoryPart[][] {
  const turns: HistoryPart[][] = [];
  let records = Infinity;
  for (const ofDevice of Map.groupBy(parts, ({ gpuKey }) => gpuKey).values()) {
    if (records >= recordsPerTurn) {
      turns.push([]);
      records = 0;
    }
    turns.at(-1)?.push(...ofDevice);
    records += ofDevice.reduce((sum, { timesMs }) => sum + timesMs.length, 0);
  }
  return turns;
}
