import { metrics } from "../../src/domain/metrics.ts";
import type { MergedRecord } from "../support/merged-records.ts";

type ApiRecord = Readonly<Record<string, unknown>>;
interface Page {
  readonly data: readonly ApiRecord[];
  readonly next_cursor?: string;
}

/** All records of a gateway. */
export async function recordsOf(get: (path: string) => Promise<Response>): Promise<ApiRecord[]> {
  const found: ApiRecord[] = [];
  let cursor = "";
  do {
    const response = await get(`/api/v1/telemetry?start_time=-1d&limit=10000${cursor}`);
    const page = (await response.json()) as Page;
    if (!response.ok) throw new Error(`${response.status}: ${JSON.stringify(page)}`);
    found.push(...page.data);
    cursor = page.next_cursor === undefined ? "" : `&cursor=${encodeURIComponent(page.next_cursor)}`;
  } while (cursor !== "");
  return found;
}

/** How the records of a gateway differ from those that are expected. */
export function differencesOf(
  stored: readonly ApiRecord[],
  expected: ReadonlyMap<string, MergedRecord>,
): readonly string[] {
  const differences: string[] = [];
  const seen = new Set<string>();
  for (const record of stored) {
    const key = `${record["uuid"] as string} ${Date.parse(record["timestamp"] as string)}`;
    const wanted = expected.get(key);
    if (seen.has(key)) differences.push(`${key}: stored twice`);
    seen.add(key);
    if (wanted === undefined) differences.push(`${key}: Prometheus does not have it`);
    else if (!Bun.deepEquals(shownApi(record), shownExpected(wanted))) {
      differences.push(
        `${key}: ${JSON.stringify(shownApi(record))} instead of ${JSON.stringify(shownExpected(wanted))}`,
      );
    }
  }
  for (const key of expected.keys()) if (!seen.has(key)) differences.push(`${key}: not stored`);
  return differences;
}

const names = new Set(metrics.map(({ name }) => name));
const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

function shownApi(record: ApiRecord) {
  const values = Object.entries(record).filter(([name]) => names.has(name));
  const custom = Object.entries((record["custom"] ?? {}) as Record<string, number>);
  const occupants = (record["occupants"] ?? [record]) as readonly ApiRecord[];
  const { hostname, gpu_id: gpuId, cluster_id: cluster, model_name: model } = record;
  const texts = occupants.map((each) =>
    ["namespace", "pod", "container"].map((name) => (each[name] ?? "") as string).join("/"),
  );
  return {
    identity: [cluster, hostname, gpuId, model],
    occupants: texts.filter((text) => text !== "//").sort(),
    values: [...values, ...custom].sort(byName),
  };
}

function shownExpected({ gpu, metrics: values, custom, occupants }: MergedRecord) {
  return {
    identity: [gpu.clusterId, gpu.hostname, String(gpu.gpuId), gpu.modelName],
    occupants: [...occupants].sort(),
    values: [...values, ...custom].sort(byName),
  };
}
