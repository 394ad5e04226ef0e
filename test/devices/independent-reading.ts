import { parse } from "csv-parse/sync";
import { type Claim, claimsOf, type Row, workloadFields, type WorkloadTexts } from "./rules-for-rows.ts";
import { byMetric, foldsOf } from "./rules-for-series.ts";

// Reads a file of dcgm-exporter independently of the program: imports nothing from `src`, so that it can reveal errors there.

type Json = Readonly<Record<string, unknown>>;

/** What the API must return after an import of a file. */
export interface Expected {
  /** By uuid and timestamp. */
  readonly records: ReadonlyMap<string, Json>;
  /** By uuid, without fields that depend on the time of the request. */
  readonly gpus: ReadonlyMap<string, Json>;
  /** By uuid. */
  readonly changes: ReadonlyMap<string, Json>;
  /** By uuid: the newest records. */
  readonly latest: ReadonlyMap<string, Json>;
  /** Valid if no batch of the file ends within an instant. */
  readonly counts: Counts;
}

export interface Counts {
  readonly rows: number;
  readonly samples: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly missingField: number;
  readonly onTwoHosts: number;
}

/** What is known of a device at an instant. */
interface Attributes {
  readonly hostname: string;
  readonly gpu_id: string;
  readonly device: string;
  readonly model_name: string;
  readonly driver_version: string;
  readonly properties: Readonly<Record<string, string>>;
}

interface Reading {
  readonly uuid: string;
  readonly timestamp: string;
  readonly attributes: Attributes;
  readonly occupants: readonly WorkloadTexts[];
  /** The distinct values of each series. */
  readonly values: ReadonlyMap<string, ReadonlySet<number>>;
  /** The number of values, including repeated ones. */
  readonly given: number;
}

/** Reads a file.
 *  @param clusterId the cluster of all its GPUs */
export function independentReading(csv: string, clusterId: string): Expected {
  const rows: Row[] = parse(csv, { columns: true, bom: true });
  const identified = rows.filter(({ uuid = "", Hostname = "" }) => ![uuid, Hostname].some((text) => isNone(text)));
  const claims = identified.map(claimsOf);
  const groups = [...Map.groupBy(claims, ({ owner, timestamp }) => `${owner} ${timestamp}`).values()];
  const kept = groups.map(ofSmallestHost);
  const readings = kept.map(readingOf);
  const byDevice = Map.groupBy(readings, ({ uuid }) => uuid);
  const histories = [...byDevice.values()].map((ofDevice) => history(ofDevice, clusterId));
  return {
    records: new Map(histories.flatMap(({ records }) => records.map((record) => [keyOf(record), record] as const))),
    gpus: new Map(histories.map(({ gpu }) => [String(gpu["uuid"]), gpu])),
    changes: new Map(histories.map(({ changes }) => [String(changes["uuid"]), changes])),
    latest: new Map(histories.map(({ records }) => [String(records[0]?.["uuid"]), records.at(-1) as Json])),
    counts: {
      rows: rows.length,
      ...countsOf(readings),
      missingField: rows.length - identified.length,
      onTwoHosts: claims.length - kept.flat().length,
    },
  };
}

/** The key of a record of the API, or of `Expected.records`. */
export const keyOf = ({ uuid, timestamp }: Json): string => `${String(uuid)} ${String(timestamp)}`;

const isNone = (text: string): boolean => /^\[?(?:n\/a|unknown|none|null|-|)\]?$/i.test(text.trim());

/** Two hosts that report one uuid at one instant are a cloned machine: only the host whose name comes first counts. */
function ofSmallestHost(group: readonly Claim[]): Claim[] {
  const first = group.map(({ hostname }) => hostname).reduce((a, b) => (a < b ? a : b));
  return group.filter(({ hostname }) => hostname === first);
}

function readingOf(claims: readonly Claim[]): Reading {
  const [{ owner, timestamp } = { owner: "", timestamp: "" }] = claims;
  const values = new Map<string, Set<number>>();
  const given = claims.flatMap(({ sample }) => (sample === undefined ? [] : [sample]));
  for (const { series, value } of given) values.set(series, (values.get(series) ?? new Set()).add(value));
  const greatest = (text: (claim: Claim) => string): string => claims.map(text).reduce((a, b) => (a > b ? a : b));
  const properties: Record<string, string> = {};
  for (const [name, text] of claims.flatMap((claim) => Object.entries(claim.properties))) {
    if (!(name in properties) || text > (properties[name] ?? "")) properties[name] = text;
  }
  return {
    ...{ uuid: owner, timestamp, values, given: given.length },
    occupants: setOf(claims.flatMap(({ workload }) => (workload === undefined ? [] : [workload]))),
    attributes: {
      hostname: greatest(({ hostname }) => hostname),
      gpu_id: String(Math.max(...claims.map(({ gpuId }) => Number(gpuId)))),
      device: greatest(({ device }) => device),
      model_name: greatest(({ modelName }) => modelName),
      driver_version: greatest(({ driverVersion }) => driverVersion),
      properties,
    },
  };
}

/** The distinct workloads, without empty ones and without each whose fields are all empty or equal to those of another
 *  workload. */
function setOf(workloads: readonly WorkloadTexts[]): WorkloadTexts[] {
  const distinct = [...new Map(workloads.map((workload) => [JSON.stringify(workload), workload])).values()];
  const isPart = (a: WorkloadTexts, b: WorkloadTexts): boolean =>
    workloadFields.every((field) => a[field] === "" || a[field] === b[field]);
  const order = (a: WorkloadTexts): string => [a.namespace, a.pod, a.container].join("\0");
  return distinct
    .filter((a) => workloadFields.some((field) => a[field] !== "") && !distinct.some((b) => a !== b && isPart(a, b)))
    .sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

function countsOf(readings: readonly Reading[]): Pick<Counts, "samples" | "duplicates" | "conflicts"> {
  const counts = { samples: 0, duplicates: 0, conflicts: 0 };
  for (const { values, given } of readings) {
    const distinct = [...values.values()].reduce((sum, { size }) => sum + size, 0);
    counts.samples += values.size;
    counts.conflicts += distinct - values.size;
    counts.duplicates += given - distinct;
  }
  return counts;
}

/** What the API must return about one device. A text that a record leaves empty is taken from the record before it. */
function history(unsorted: readonly Reading[], clusterId: string) {
  const readings = unsorted.toSorted((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp));
  const { uuid } = readings[0] as Reading;
  const records: Json[] = [];
  const attributeChanges: Json[] = [];
  const workloadChanges: Json[] = [];
  let known: Attributes | undefined;
  for (const { timestamp, attributes, occupants, values } of readings) {
    known = known === undefined ? attributes : completed(attributes, known);
    addChange(attributeChanges, { from: timestamp, cluster_id: clusterId, ...known });
    addChange(workloadChanges, { from: timestamp, ...firstOf(occupants), ...sharing(occupants) });
    records.push({ ...identity({ uuid, timestamp, clusterId }, known), ...valuesOf(values), ...held(occupants) });
  }
  const { hostname, gpu_id: id, device, model_name: name, driver_version, properties } = known as Attributes;
  const place = { uuid, id, hostname, name, device, cluster_id: clusterId, properties, ...instanceFields(uuid) };
  const seen = { first_seen_at: readings[0]?.timestamp, last_seen_at: readings.at(-1)?.timestamp };
  const gpu: Json = { ...place, ...seen, ...(driver_version === "" ? {} : { driver_version }) };
  return { records, gpu, changes: { uuid, attributes: attributeChanges, workloads: workloadChanges } as Json };
}

function addChange(changes: Json[], change: Json): void {
  const [last, next] = [changes.at(-1) ?? {}, change].map((each) => without(each, "from"));
  if (!Bun.deepEquals(last, next)) changes.push(change);
}

/** The object without one of its fields. */
export function without(object: Json, name: string): Json {
  return Object.fromEntries(Object.entries(object).filter(([field]) => field !== name));
}

function completed(said: Attributes, before: Attributes): Attributes {
  return {
    ...said,
    device: said.device || before.device,
    model_name: said.model_name || before.model_name,
    driver_version: said.driver_version || before.driver_version,
    properties: { ...before.properties, ...said.properties },
  };
}

interface Place {
  readonly uuid: string;
  readonly timestamp: string;
  readonly clusterId: string;
}

function identity({ uuid, timestamp, clusterId }: Place, known: Attributes): Json {
  const { hostname, gpu_id, device, model_name } = known;
  const [, part = ""] = /(:mig:.*)$/.exec(uuid) ?? [];
  const telemetry_id = `${hostname}_${gpu_id}${part}_${Date.parse(timestamp) / 1000}`;
  const gpu = { gpu_id, uuid, device, model_name, hostname, cluster_id: clusterId };
  return { telemetry_id, timestamp, ...gpu, ...instanceFields(uuid) };
}

function instanceFields(uuid: string): Json {
  const [, parent, id, profile] = /^(.*):mig:([^:]*):([^:]*)$/.exec(uuid) ?? [];
  return parent === undefined ? {} : { parent_uuid: parent, mig_instance_id: id, mig_profile: profile };
}

/** The fields and the custom values of a record: the greatest value of each series, and what follows from it. */
function valuesOf(values: Reading["values"]): Json {
  const greatest = new Map(Array.from(values, ([series, distinct]) => [series, Math.max(...distinct)]));
  const { plain, custom } = byMetric(greatest);
  return { ...foldsOf(plain, custom), ...(custom.size === 0 ? {} : { custom: Object.fromEntries(custom) }) };
}

const firstOf = ([first]: readonly WorkloadTexts[]): WorkloadTexts =>
  first ?? { container: "", pod: "", namespace: "" };

const sharing = (occupants: readonly WorkloadTexts[]): Json => (occupants.length < 2 ? {} : { occupants });

function held(occupants: readonly WorkloadTexts[]): Json {
  const named = Object.entries(firstOf(occupants)).filter(([, text]) => text !== "");
  return { ...Object.fromEntries(named), ...sharing(occupants) };
}
