import { decodeNamedColumn } from "../block/named-part.ts";
import { decodeNumbers, encodeNumbers } from "../block/number-column.ts";
import { UndecodableBlock } from "../errors.ts";
import type { Workload } from "../gpu.ts";
import { joinColumns, splitColumns } from "./column-list.ts";

// What each holder had of the GPUs of a host on a day (UTC), added up over the hours of the day, so that questions about months and years need
// not read every hour of every device. It is stored as columns, each with its length before it; the names as JSON.

/** What a device's time is counted as. */
export const usageStates = ["allocated", "unallocated", "unknown"] as const;
export type UsageState = (typeof usageStates)[number];

/** Where devices were, and what they are. */
export interface UsageWhere {
  readonly clusterId: string;
  readonly hostname: string;
  readonly modelName: string;
}

/** Who had devices; the names are empty if no one had. */
export interface UsageWho {
  readonly state: UsageState;
  readonly workload: Workload;
  readonly job: string;
  readonly user: string;
}

/** The figures of an entry, in the order of their columns. Times are milliseconds of whole GPUs, parts are `partsPerMs` of one. The
 *  measures are sets: a bit for each of `effectiveMeasures` and `energyMeasures`. Of levels: the sum, its seconds and the greatest value. */
export const dayFigures = [
  ...["parts", "sharedParts", "unsizedParts", "holdersMax", "activeMs", "idleMs", "effectiveMs"],
  ...["energyJoules", "idleJoules", "effectiveBy", "energyBy", "fromMs", "toMs"],
  ...["utilizationSum", "utilizationSeconds", "utilizationMax", "memorySum", "memorySeconds", "memoryMax"],
  ...["powerSum", "powerSeconds", "powerMax"],
] as const;

/** What a holder had of the GPUs of a model on a host. */
export interface UsageDayEntry {
  readonly who: UsageWho;
  readonly where: UsageWhere;
  /** The values of `dayFigures`. `fromMs` and `toMs` are instants. */
  readonly figures: Readonly<Record<string, number>>;
  /** The keys of its devices, ascending; a negative one: the GPU of the MIG instance with the key, which itself has not reported. */
  readonly deviceKeys: readonly number[];
}

/** A day as it is stored. */
export interface PackedUsageDay {
  readonly entries: number;
  readonly devices: number;
  readonly columns: Uint8Array;
  /** JSON: the lists of who and where. */
  readonly names: string;
}

type WhoRow = readonly [state: number, namespace: string, pod: string, container: string, job: string, user: string];
type WhereRow = readonly [clusterId: string, hostname: string, modelName: string];

const countLimit = 2 ** 22;
const leadColumns = 3;
const relative: ReadonlySet<string> = new Set(["fromMs", "toMs"]);

/** Numbers rows that are equal. */
class Numbered {
  readonly texts = new Map<string, number>();

  of(row: WhoRow | WhereRow): number {
    const text = JSON.stringify(row);
    const number = this.texts.get(text) ?? this.texts.size;
    this.texts.set(text, number);
    return number;
  }

  json(): string {
    return `[${[...this.texts.keys()].join()}]`;
  }
}

/** Encodes the entries of a day. @param day its beginning */
export function packUsageDay(entries: readonly UsageDayEntry[], day: number): PackedUsageDay {
  const [whos, wheres] = [new Numbered(), new Numbered()];
  const column = (value: (entry: UsageDayEntry) => number): Uint8Array =>
    encodeNumbers(Float64Array.from(entries, value));
  const keys = entries.flatMap(({ deviceKeys }) => deviceKeys);
  const columns = [
    column(({ who: { state, workload, job, user } }) =>
      whos.of([usageStates.indexOf(state), workload.namespace, workload.pod, workload.container, job, user]),
    ),
    column(({ where: { clusterId, hostname, modelName } }) => wheres.of([clusterId, hostname, modelName])),
    column(({ deviceKeys }) => deviceKeys.length),
    ...dayFigures.map((name) => column(({ figures }) => (figures[name] as number) - (relative.has(name) ? day : 0))),
    encodeNumbers(Float64Array.from(keys)),
  ];
  const names = `[${whos.json()},${wheres.json()}]`;
  return { entries: entries.length, devices: keys.length, columns: joinColumns(columns), names };
}

/** Which entries to decode. */
export interface WantedEntries {
  /** The key of a device as it is stored. */
  readonly keyOf: (stored: number) => number;
  /** By the key of the first device. */
  readonly isWanted: (deviceKey: number) => boolean;
}

const allEntries: WantedEntries = { keyOf: (stored) => stored, isWanted: () => true };

/** Decodes the entries of a day. @throws UndecodableBlock if it is damaged */
export function unpackUsageDay(
  { entries, devices, columns, names }: PackedUsageDay,
  day: number,
  { keyOf, isWanted } = allEntries,
): UsageDayEntry[] {
  if (!(entries >= 0 && entries <= countLimit && devices >= 0 && devices <= countLimit)) {
    throw new UndecodableBlock(`it has ${entries} entries and ${devices} devices`);
  }
  const parts = splitColumns(columns, leadColumns + dayFigures.length + 1);
  const decoded = parts.map((bytes, index) =>
    decodeNamedColumn(String(index), () => decodeNumbers(bytes, index === parts.length - 1 ? devices : entries)),
  );
  const [whos, wheres] = namesOf(names);
  const keys = decoded.at(-1) as Float64Array;
  const found: UsageDayEntry[] = [];
  for (let index = 0, next = 0; index < entries; index += 1) {
    const value = (column: number): number => (decoded[column] as Float64Array)[index] as number;
    const [who, where] = [whos[value(0)], wheres[value(1)]];
    if (who === undefined || where === undefined) throw new UndecodableBlock(`entry ${index} has no names`);
    const deviceKeys = Array.from(keys.subarray(next, (next += value(2))), keyOf);
    if (!isWanted(deviceKeys[0] as number)) continue;
    const figures: Record<string, number> = {};
    for (let at = 0; at < dayFigures.length; at += 1) {
      const name = dayFigures[at] as string;
      figures[name] = value(leadColumns + at) + (relative.has(name) ? day : 0);
    }
    found.push({ who, where, figures, deviceKeys });
  }
  return found;
}

function namesOf(text: string): readonly [readonly UsageWho[], readonly UsageWhere[]] {
  return decodeNamedColumn("names", () => {
    try {
      const [whos, wheres] = JSON.parse(text) as readonly [readonly WhoRow[], readonly WhereRow[]];
      return [
        whos.map(([state, namespace, pod, container, job, user]) => ({
          ...{ state: usageStates[state] ?? "unknown", workload: { namespace, pod, container }, job, user },
        })),
        wheres.map(([clusterId, hostname, modelName]) => ({ clusterId, hostname, modelName })),
      ];
    } catch (cause) {
      throw new UndecodableBlock("it is not a list of names", { cause });
    }
  });
}
