import { decodeNamedColumn } from "../block/named-part.ts";
import { decodeNumbers, encodeNumbers } from "../block/number-column.ts";
import { UndecodableBlock } from "../errors.ts";
import { joinColumns, splitColumns } from "./column-list.ts";
import { effectiveMeasures, energyMeasures, type UsageHolder, type UsageHour, type UsageSpan } from "./usage-hour.ts";

// The usage of some hundred devices in one hour, as it is stored: columns of devices, then columns of spans, each with its length (4 bytes)
// before it, in the format of number-column.ts; the holders as JSON.

/** The most devices of a packed usage. */
export const packedDevicesMax = 600;
/** What damaged bytes can cost. */
const countLimit = 2 ** 22;

/** How a device was used in an hour. */
export interface DeviceUsage {
  readonly gpuKey: number;
  readonly usage: UsageHour;
}

/** Usage as it is stored. */
export interface PackedUsage {
  readonly devices: number;
  readonly spans: number;
  readonly columns: Uint8Array;
  /** JSON: each holder as its job, its user, and the namespace, pod and container of each occupant. */
  readonly holders: string;
}

type HolderRow = readonly [job: string, user: string, ...occupants: (readonly [string, string, string])[]];

const unknown = -1;

const deviceColumns: readonly ((device: DeviceUsage, hour: number) => number)[] = [
  ({ gpuKey }) => gpuKey,
  ({ usage }) => usage.spans.length,
  ({ usage }, hour) => usage.firstMs - hour,
  ({ usage }) => usage.limitMs,
  ({ usage }) => flagsOf(usage),
  ({ usage }) => usage.last.power,
  ({ usage }) => usage.energy?.first.joules ?? NaN,
  ({ usage }) => (usage.energy === undefined ? NaN : usage.energy.first.atMs - usage.firstMs),
  ({ usage }) => usage.energy?.last.joules ?? NaN,
  ({ usage }) => (usage.energy === undefined ? NaN : usage.lastMs - usage.energy.last.atMs),
];

const spanColumns: readonly ((span: UsageSpan, holder: number) => number)[] = [
  (_, holder) => holder,
  ({ lengthMs }) => lengthMs,
  ({ activeMs }) => activeMs,
  // most of the time that is not active is idle
  ({ lengthMs, activeMs, idleMs }) => lengthMs - activeMs - idleMs,
  ({ effectiveMs }) => effectiveMs,
  ({ energyJoules }) => energyJoules,
  ({ idleJoules }) => idleJoules,
  ({ utilization }) => utilization.sum,
  ({ utilization }) => utilization.max,
  ({ memory }) => memory.sum,
  ({ memory }) => memory.max,
  ({ power }) => power.sum,
  ({ power }) => power.max,
];

/** Encodes the usage of devices in an hour. @param hour its beginning */
export function packUsage(devices: readonly DeviceUsage[], hour: number): PackedUsage {
  const spans = devices.flatMap(({ usage }) => usage.spans);
  const numbers = new Map<string, number>();
  const holders = Float64Array.from(spans, ({ holder }) => {
    if (holder === undefined) return unknown;
    const text = JSON.stringify(rowOf(holder));
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  });
  const columns = [
    ...deviceColumns.map((value) => encodeNumbers(Float64Array.from(devices, (device) => value(device, hour)))),
    ...spanColumns.map((value) =>
      encodeNumbers(Float64Array.from(spans, (span, index) => value(span, holders[index] as number))),
    ),
  ];
  const all = `[${[...numbers.keys()].join()}]`;
  return { devices: devices.length, spans: spans.length, columns: joinColumns(columns), holders: all };
}

function rowOf({ job, user, occupants }: UsageHolder): HolderRow {
  return [job, user, ...occupants.map(({ namespace, pod, container }) => [namespace, pod, container] as const)];
}

/** Decodes the usage of devices in an hour. @param isWanted by their keys @throws UndecodableBlock if it is damaged */
export function unpackUsage(
  packed: PackedUsage,
  hour: number,
  isWanted: (gpuKey: number) => boolean = () => true,
): DeviceUsage[] {
  const { devices, spans } = packed;
  if (!(devices >= 0 && devices <= countLimit && spans >= 0 && spans <= countLimit)) {
    throw new UndecodableBlock(`it has ${devices} devices and ${spans} spans`);
  }
  const parts = splitColumns(packed.columns, deviceColumns.length + spanColumns.length);
  const columns = parts.map((bytes, index) =>
    decodeNamedColumn(String(index), () => decodeNumbers(bytes, index < deviceColumns.length ? devices : spans)),
  );
  const ofDevices = columns.slice(0, deviceColumns.length);
  const ofSpans = { columns: columns.slice(deviceColumns.length), holders: holdersOf(packed.holders) };
  const found: DeviceUsage[] = [];
  let next = 0;
  for (let index = 0; index < devices; index += 1) {
    const values = ofDevices.map((column) => column[index] as number);
    const [gpuKey, count] = values as [number, number];
    const first = next;
    next += count;
    if (!(count > 0 && next <= spans)) throw new UndecodableBlock("a device has no spans");
    if (isWanted(gpuKey)) found.push({ gpuKey, usage: usageOf(values, spansOf(ofSpans, first, count), hour) });
  }
  // columns in which all values are the same can be read for any number
  if (next !== spans) throw new UndecodableBlock(`its devices have ${next} spans, not ${spans}`);
  return found;
}

function spansOf(
  { columns, holders }: { readonly columns: readonly Float64Array[]; readonly holders: readonly UsageHolder[] },
  first: number,
  count: number,
): UsageSpan[] {
  return Array.from({ length: count }, (_, at): UsageSpan => {
    const value = (column: number): number => (columns[column] as Float64Array)[first + at] as number;
    const holder = holders[value(0)];
    if (holder === undefined && value(0) !== unknown) throw new UndecodableBlock(`it has no holder ${value(0)}`);
    const [lengthMs, activeMs] = [value(1), value(2)];
    return {
      ...{ holder, lengthMs, activeMs },
      idleMs: lengthMs - activeMs - value(3),
      effectiveMs: value(4),
      energyJoules: value(5),
      idleJoules: value(6),
      utilization: { sum: value(7), max: value(8) },
      memory: { sum: value(9), max: value(10) },
      power: { sum: value(11), max: value(12) },
    };
  });
}

function usageOf(values: readonly number[], spans: readonly UsageSpan[], hour: number): UsageHour {
  const [, , first, limitMs, flags, power, joules, firstAfter, lastJoules, lastBefore] = values as [
    ...[number, number, number, number, number, number, number, number, number, number],
  ];
  const firstMs = hour + first;
  const lastMs = spans.reduce((sum, { lengthMs }) => sum + lengthMs, firstMs);
  const energy = {
    first: { atMs: firstMs + firstAfter, joules },
    last: { atMs: lastMs - lastBefore, joules: lastJoules },
  };
  return {
    ...{ firstMs, lastMs, limitMs, spans },
    last: { isActive: (flags & 1) !== 0, isIdle: (flags & 2) !== 0, isEffective: (flags & 4) !== 0, power },
    effectiveBy: effectiveMeasures[(flags >> 3) & 3] ?? "none",
    energyBy: energyMeasures[(flags >> 5) & 3] ?? "none",
    energy: Number.isNaN(joules) ? undefined : energy,
  };
}

function flagsOf({ last, effectiveBy, energyBy }: UsageHour): number {
  const bits = [last.isActive, last.isIdle, last.isEffective].map((is, bit) => (is ? 1 << bit : 0));
  const measures = (effectiveMeasures.indexOf(effectiveBy) << 3) | (energyMeasures.indexOf(energyBy) << 5);
  return bits.reduce((flags, bit) => flags | bit, measures);
}

function holdersOf(text: string): UsageHolder[] {
  return decodeNamedColumn("holders", () => {
    try {
      return (JSON.parse(text) as readonly HolderRow[]).map(([job, user, ...occupants]) => ({
        occupants: occupants.map(([namespace, pod, container]) => ({ container, pod, namespace })),
        ...{ job, user },
      }));
    } catch (cause) {
      throw new UndecodableBlock("it is not a list of holders", { cause });
    }
  });
}
