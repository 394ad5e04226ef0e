import { decodeNamedColumn } from "../block/named-part.ts";
import { decodeNumbers, encodeNumbers } from "../block/number-column.ts";
import { UndecodableBlock } from "../errors.ts";
import { joinColumns, splitColumns } from "./column-list.ts";
import { packUsageDay, unpackUsageDay, type UsageDayEntry } from "./usage-day.ts";

// What some hundred devices were used for on a day (UTC), by device and holder: the entries of usage-day.ts, each of one device. What is known
// of the hours that count for the day says for which callers with bounds the entries are what they may see.

/** A packed day has at least so many entries, if there are so many: those of hosts are not divided. */
export const deviceDaysMin = 600;

/** What is known of a device in the hours that count for a day: its own, the one before and the one after. */
export interface KnownHours {
  readonly gpuKey: number;
  /** True if it has records in each of these hours. */
  readonly isInEach: boolean;
  /** The namespaces of those who held it; null: at some time, no workload did. */
  readonly namespaces: readonly (string | null)[];
}

/** A day of some devices. */
export interface DeviceDays {
  /** One for each device of the entries; of one without records in these hours, nothing is known. */
  readonly known: readonly KnownHours[];
  /** The negative key of an instance means the GPU of the instance, which itself has not reported. */
  readonly entries: readonly UsageDayEntry[];
}

/** A day of some devices as it is stored. */
export interface PackedDeviceDays {
  readonly entries: number;
  readonly devices: number;
  readonly columns: Uint8Array;
  /** JSON: the lists of who and where of the entries. */
  readonly names: string;
  /** JSON: the lists of namespaces. */
  readonly held: string;
}

const countLimit = 2 ** 22;

/** The device of an entry. */
export const deviceOf = ({ deviceKeys }: Pick<UsageDayEntry, "deviceKeys">): number => deviceKeys[0] ?? NaN;

/** Encodes a day of devices. @param day its beginning */
export function packDeviceDays({ entries, known }: DeviceDays, day: number): PackedDeviceDays {
  // entries have the numbers of their devices, which take less than their keys
  const numberOf = new Map(known.map(({ gpuKey }, index) => [gpuKey, index + 1]));
  const numbered = entries.map((entry) => {
    const key = deviceOf(entry);
    return { ...entry, deviceKeys: [Math.sign(key) * (numberOf.get(Math.abs(key)) ?? NaN)] };
  });
  const { columns, names } = packUsageDay(numbered, day);
  const lists = new Map<string, number>();
  const held = Float64Array.from(known, ({ namespaces }) => {
    const text = JSON.stringify(namespaces);
    const number = lists.get(text) ?? lists.size;
    lists.set(text, number);
    return number;
  });
  const keys = Float64Array.from(known, ({ gpuKey }) => gpuKey);
  const inEach = Float64Array.from(known, ({ isInEach }) => (isInEach ? 1 : 0));
  return {
    ...{ entries: entries.length, devices: known.length, names },
    columns: joinColumns([columns, ...[keys, held, inEach].map(encodeNumbers)]),
    held: `[${[...lists.keys()].join()}]`,
  };
}

/** Decodes what is known of the devices of a day, and the entries of those that are wanted. @throws UndecodableBlock if it is damaged */
export function unpackDeviceDays(
  packed: PackedDeviceDays,
  day: number,
): { readonly known: readonly KnownHours[]; readonly entriesOf: (isWanted: IsWanted) => UsageDayEntry[] } {
  const { entries, devices, names } = packed;
  if (!(devices >= 0 && devices <= countLimit)) throw new UndecodableBlock(`it has ${devices} devices`);
  const [columns, ...ofDevices] = splitColumns(packed.columns, 4);
  const [keys, held, inEach] = ofDevices.map((bytes, index) =>
    decodeNamedColumn(`${index} of devices`, () => decodeNumbers(bytes, devices)),
  ) as [Float64Array, Float64Array, Float64Array];
  const lists = listsOf(packed.held);
  const known = Array.from(keys, (gpuKey, index): KnownHours => {
    const namespaces = lists[held[index] as number];
    if (namespaces === undefined) throw new UndecodableBlock(`device ${index} has no list of namespaces`);
    return { gpuKey, isInEach: inEach[index] === 1, namespaces };
  });
  const entriesOf = (isWanted: IsWanted): UsageDayEntry[] => {
    if (!keys.some(isWanted)) return [];
    const keyOf = (number: number): number => Math.sign(number) * (keys[Math.abs(number) - 1] ?? NaN);
    const stored = { entries, devices: entries, columns: columns as Uint8Array, names };
    return unpackUsageDay(stored, day, { keyOf, isWanted: (key) => isWanted(Math.abs(key)) });
  };
  return { known, entriesOf };
}

/** Tells whether a device is wanted; the GPU of instances is with each of these. */
export type IsWanted = (gpuKey: number) => boolean;

function listsOf(text: string): readonly (readonly (string | null)[])[] {
  return decodeNamedColumn("held", () => {
    try {
      return JSON.parse(text) as (string | null)[][];
    } catch (cause) {
      throw new UndecodableBlock("it is not a list of namespaces", { cause });
    }
  });
}
