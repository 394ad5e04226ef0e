import { type Device, memoryPercent } from "./device.ts";

/** The columns that the table can be sorted by. `gpu` is the order of hosts and indices. */
export const sortColumns = ["gpu", "host", "model", "util", "mem", "power", "temp", "holder", "age"] as const;

export type SortColumn = (typeof sortColumns)[number];

type Key = number | string | undefined;

/** An absent value, and an empty text, has no key. */
const keyOf: Readonly<Record<Exclude<SortColumn, "gpu">, (device: Device) => Key>> = {
  host: ({ host }) => host,
  model: ({ model }) => model || undefined,
  util: ({ utilization }) => utilization,
  mem: memoryPercent,
  power: ({ watts }) => watts,
  temp: ({ temperature }) => temperature,
  holder: ({ holder }) => holder || undefined,
  age: ({ atMs }) => -atMs,
};

/** Columns of measurements begin with the highest. */
const beginsHigh: ReadonlySet<SortColumn> = new Set<SortColumn>(["util", "mem", "power", "temp", "age"]);

/** True if the column shows its highest values first. */
export const isDescending = (column: SortColumn, isReversed: boolean): boolean => beginsHigh.has(column) !== isReversed;

/** Compares devices by cluster, host and index, and puts MIG instances after their GPU. */
export function byPlace(a: Device, b: Device): number {
  return (
    compare(a.cluster, b.cluster) ||
    compare(a.host, b.host) ||
    compareIds(a.index, b.index) ||
    compare(a.parentUuid ?? a.uuid, b.parentUuid ?? b.uuid) ||
    compareIds(a.instance ?? "", b.instance ?? "") ||
    compare(a.uuid, b.uuid)
  );
}

/** Sorts devices that are in the order of their places. MIG instances stay after their GPU, whose value decides; if the GPU has
 *  none, that of the instance that would be first does. Absent values are last in both directions.
 *  @param devices in the order of `byPlace` */
export function sorted(devices: readonly Device[], column: SortColumn, isReversed: boolean): readonly Device[] {
  const sign = isDescending(column, isReversed) ? -1 : 1;
  if (column === "gpu") return sign === 1 ? devices : groupsOf(devices).reverse().flat();
  const key = keyOf[column];
  const groups = groupsOf(devices).map((group) => ({ group, key: firstKey(group, key, sign) }));
  groups.sort((a, b) => compareKeys(a.key, b.key, sign));
  return groups.flatMap(({ group }) => group);
}

/** The devices of which some text has all words of the filter: host, model, workloads or uuid; in any case. */
export function matching(devices: readonly Device[], filter: string): readonly Device[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return devices;
  return devices.filter(({ host, model, holder, uuid }) => {
    const text = `${host}\n${model}\n${holder}\n${uuid}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

function groupsOf(devices: readonly Device[]): Device[][] {
  const groups: Device[][] = [];
  let last: string | undefined;
  for (const device of devices) {
    const gpu = device.parentUuid ?? device.uuid;
    if (gpu === last) groups.at(-1)?.push(device);
    else groups.push([device]);
    last = gpu;
  }
  return groups;
}

function firstKey(group: readonly Device[], key: (device: Device) => Key, sign: number): Key {
  const [head, ...others] = group;
  const ofHead = head === undefined ? undefined : key(head);
  if (ofHead !== undefined || others.length === 0) return ofHead;
  return others.map(key).sort((a, b) => compareKeys(a, b, sign))[0];
}

function compareKeys(a: Key, b: Key, sign: number): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return sign * compare(a, b);
}

function compare<T extends number | string>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Compares ids as numbers if they are numbers: 2 is before 10. */
function compareIds(a: string, b: string): number {
  return Number(a) - Number(b) || compare(a, b);
}
