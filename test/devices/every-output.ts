import { parse } from "csv-parse/sync";

// Reads what a gateway has in each form that it gives, and turns it into the objects of REST's JSON.

export type Json = Readonly<Record<string, unknown>>;

/** A form in which a gateway gives the history, the newest records, the GPUs and their changes. */
export interface Output {
  readonly name: string;
  readonly history: (url: string) => Promise<Json[]>;
  readonly latest: (url: string) => Promise<Json[]>;
  readonly gpus: (url: string) => Promise<Json[]>;
  /** Undefined if the changes of a GPU have no such form. */
  readonly changes?: (url: string, uuids: readonly string[]) => Promise<Json[]>;
}

const paths = { history: "/api/v1/telemetry", latest: "/api/v1/telemetry/latest?limit=10000", gpus: "/api/v1/gpus" };
/** No divisor of the number of records, so that the last page is a part of a page. */
const pageLimit = 173;

async function answer(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return text;
}

/** Reads a path of REST as JSON. */
export async function getJson(url: string): Promise<{ readonly data: Json[] & Json; readonly next_cursor?: string }> {
  return JSON.parse(await answer(url)) as { data: Json[] & Json };
}

async function jsonPages(url: string): Promise<Json[]> {
  const records: Json[] = [];
  for (let cursor = ""; ;) {
    const page = await getJson(`${url}${paths.history}?limit=${pageLimit}${cursor}`);
    records.push(...page.data);
    if (page.next_cursor === undefined) return records;
    cursor = `&cursor=${page.next_cursor}`;
  }
}

const json: Output = {
  name: "JSON",
  history: jsonPages,
  latest: async (url) => (await getJson(`${url}${paths.latest}`)).data,
  gpus: async (url) => (await getJson(`${url}${paths.gpus}`)).data,
  changes: async (url, uuids) => {
    const ofGpu = (uuid: string): string => `${url}/api/v1/gpus/${encodeURIComponent(uuid)}/changes`;
    return Array.fromAsync(uuids, async (uuid) => (await getJson(ofGpu(uuid))).data);
  },
};

async function ndjsonOf(url: string): Promise<Json[]> {
  const text = await answer(url, { headers: { accept: "application/x-ndjson" } });
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Json]));
}

const ndjson: Output = {
  name: "NDJSON",
  history: (url) => ndjsonOf(`${url}${paths.history}`),
  latest: (url) => ndjsonOf(`${url}${paths.latest}`),
  gpus: (url) => ndjsonOf(`${url}${paths.gpus}`),
};

/** Columns whose empty cell is an empty text, not an absent field. */
const requiredColumns = new Set(["device", "model_name", "name"]);
const textColumns = new Set([
  ...[
    "telemetry_id",
    "timestamp",
    "gpu_id",
    "id",
    "uuid",
    "hostname",
    "cluster_id",
    "status",
    "state",
    "driver_version",
  ],
  ...[
    "first_seen_at",
    "last_seen_at",
    "container",
    "pod",
    "namespace",
    "parent_uuid",
    "mig_instance_id",
    "mig_profile",
  ],
  ...requiredColumns,
]);
const jsonColumns = new Set(["custom", "occupants", "properties"]);

function cellOf(column: string, text: string): unknown {
  if (textColumns.has(column)) return text;
  return jsonColumns.has(column) ? JSON.parse(text) : Number(text);
}

async function csvOf(url: string): Promise<Json[]> {
  const text = await answer(url, { headers: { accept: "text/csv" } });
  const rows: Record<string, string>[] = parse(text, { columns: true });
  return rows.map((row) => {
    const cells = Object.entries(row).filter(([column, cell]) => cell !== "" || requiredColumns.has(column));
    return Object.fromEntries(cells.map(([column, cell]) => [column, cellOf(column, cell)]));
  });
}

const csv: Output = {
  name: "CSV",
  history: (url) => csvOf(`${url}${paths.history}`),
  latest: (url) => csvOf(`${url}${paths.latest}`),
  gpus: (url) => csvOf(`${url}${paths.gpus}`),
};

async function ask(url: string, query: string, variables: Json = {}): Promise<Json> {
  const body = JSON.stringify({ query, variables });
  const headers = { "content-type": "application/json" };
  const { data, errors } = JSON.parse(await answer(`${url}/graphql`, { method: "POST", headers, body })) as Json;
  if (errors !== undefined) throw new Error(`${query}: ${JSON.stringify(errors)}`);
  return data as Json;
}

interface TypeOfField {
  readonly kind: string;
  readonly name: string | null;
  readonly ofType: TypeOfField | null;
}

/** Every field of a type of GraphQL, with all fields of the maps and parts in it, but without relations such as `gpu`. */
export async function everyField(url: string, type: string): Promise<string> {
  const nested = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
  const { __type: found } = await ask(url, `{ __type(name: "${type}") { fields { name type { ${nested} } } } }`);
  const { fields } = found as { readonly fields: readonly { readonly name: string; readonly type: TypeOfField }[] };
  const texts = fields.map(async ({ name, type: outer }) => {
    let inner = outer;
    while (inner.ofType !== null && inner.ofType !== undefined) inner = inner.ofType;
    if (inner.kind !== "OBJECT") return name;
    const typeName = inner.name ?? "";
    const isPart = typeName.startsWith("Named") || (typeName.startsWith(type) && typeName !== type);
    return isPart ? `${name} { ${await everyField(url, typeName)} }` : "";
  });
  return (await Promise.all(texts)).join(" ");
}

/** What REST has for a value of GraphQL: names in snake case, no null, and an object for a list of names and values. */
export function likeRest(value: unknown): unknown {
  if (Array.isArray(value)) return listLikeRest(value);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== null);
  const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(entries.map(([name, each]) => [snake(name), likeRest(each)]));
}

interface Named {
  readonly name: string;
  readonly value: unknown;
}

const isNamed = (each: unknown): each is Named =>
  typeof each === "object" && each !== null && Object.keys(each).sort().join(" ") === "name value";

function listLikeRest(list: readonly unknown[]): unknown {
  const named = list.filter(isNamed);
  if (named.length < list.length) return list.map(likeRest);
  return Object.fromEntries(named.map(({ name, value }) => [name, value]));
}

async function graphqlPages(url: string): Promise<Json[]> {
  const fields = await everyField(url, "TelemetryRecord");
  const query = `query ($cursor: String) {
    telemetry(limit: ${pageLimit}, cursor: $cursor) { records { ${fields} } nextCursor }
  }`;
  const records: Json[] = [];
  for (let cursor: unknown = null; ;) {
    const { telemetry } = (await ask(url, query, { cursor })) as { telemetry: Json };
    records.push(...(telemetry["records"] as Json[]).map((record) => likeRest(record) as Json));
    cursor = telemetry["nextCursor"];
    if (cursor === null) return records;
  }
}

async function graphqlList(url: string, field: string, type: string): Promise<Json[]> {
  const name = /^\w+/.exec(field)?.[0] ?? "";
  const { [name]: list } = await ask(url, `{ ${field} { ${await everyField(url, type)} } }`);
  return (list as unknown[]).map((element) => likeRest(element) as Json);
}

const graphql: Output = {
  name: "GraphQL",
  history: graphqlPages,
  latest: (url) => graphqlList(url, "latestTelemetry(limit: 1000)", "TelemetryRecord"),
  gpus: (url) => graphqlList(url, "gpus", "Gpu"),
  changes: async (url, uuids) => {
    const query = `query ($uuid: String!) { gpuChanges(uuid: $uuid) { ${await everyField(url, "GpuChanges")} } }`;
    return Array.fromAsync(uuids, async (uuid) => likeRest((await ask(url, query, { uuid }))["gpuChanges"]) as Json);
  },
};

/** All forms, except /ws, which gives records in a form of its own. */
export const outputs: readonly Output[] = [json, ndjson, csv, graphql];
