import fc from "fast-check";
import { queriesWith } from "../../routes/graphql/arbitrary-operation.ts";
import { tools } from "../../../src/mcp/tools.ts";
import { Draw, own, sides, worldEndMs, worldStartMs } from "./worlds.ts";

/** A request over HTTP. */
export interface ApiRequest {
  readonly path: string;
  readonly accept: string;
  /** GET, unless the request is for a change. */
  readonly method?: "POST" | "DELETE";
  /** The text of a GraphQL operation, which is posted to the path. */
  readonly query?: string;
  /** The JSON that is posted to the path. */
  readonly body?: string;
}

/** The parts of the OpenAPI document that requests are made of. */
export interface ApiDocument {
  readonly paths: Readonly<
    Record<string, { readonly get?: { readonly parameters?: readonly Parameter[]; readonly "x-access": Rule } }>
  >;
}
interface Rule {
  readonly scope: string;
  readonly selectors?: string;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: { readonly enum?: readonly string[] };
}

const foreign = (of: (side: string) => string): readonly string[] => sides.map(of);
const uuids = [...own.uuids, ...foreign((side) => `GPU-${side}-0`), "GPU-unknown", "GPU-own-declared"];
const clusters = [...own.clusters, ...foreign((side) => `${side}-cluster`), "unknown"];
const hosts = [...own.hosts, ...foreign((side) => `${side}-host`), "unknown"];
const namespaces = [...own.namespaces, ...foreign((side) => `${side}-team`), "unknown"];
const instants = [0, 30_000, 3_000_000, worldEndMs - worldStartMs].map((ms) =>
  new Date(worldStartMs + ms).toISOString(),
);

/** The ids of faults that `TwinDatabase` tells. */
const faultIds = [
  ...[60_000, 120_000].map((ms) => `memory.full@own-cluster/GPU-own-0@${worldStartMs + ms}`),
  ...foreign((side) => `${side}.fault@own-cluster/GPU-own-0@${worldStartMs}`),
  ...foreign((side) => `${side}.fault@${side}-cluster/GPU-${side}-0@${worldStartMs}`),
];

/** Values of parameters, by name; those of a choice are in the document. */
const values: Readonly<Record<string, readonly string[]>> = {
  ...{ uuid: uuids, gpu_uuid: uuids, parent_uuid: uuids, cluster_id: clusters, hostname: hosts, host_id: hosts },
  ...{
    namespace: namespaces,
    start_time: instants,
    end_time: instants,
    at: instants,
    pod: ["own-pod-0", "own-pod-1", "unknown"],
    limit: ["1", "2", "50"],
    gpu_id: ["0", "1", "2"],
  },
  ...{ model: ["H100", "unknown"], seen: ["true", "false"], metrics: ["temperature", "temperature,power_draw"] },
  ...{ metric: ["temperature", "own_metric", "foreign_metric"] },
  ...{
    id: faultIds,
    name: ["memory.full", "secretA.fault", "pod", "Hostname", "__name__"],
    state: ["firing", "resolved", "firing,resolved"],
  },
  // of queries in PromQL
  ...{
    query: [
      "DCGM_FI_DEV_GPU_TEMP",
      "count by (pod, hostname) (DCGM_FI_DEV_GPU_TEMP_CELSIUS)",
      'sum({__name__=~".*metric"}) by (namespace, cluster)',
      "max_over_time(DCGM_FI_DEV_POWER_USAGE[1h])",
      'DCGM_FI_DEV_GPU_TEMP{Hostname="own-host"} offset 30m',
    ],
    "match[]": ["DCGM_FI_DEV_GPU_TEMP", '{__name__=~".*metric"}', '{pod!=""}'],
    time: instants,
    start: instants.slice(0, 2),
    end: instants.slice(2),
    step: ["60", "20m"],
  },
  ...{ severity: ["warning", "info,critical"], job: ["own-team/train"] },
};

const accepts = [
  ...["application/json", "application/json", "text/csv", "application/x-ndjson"],
  "application/vnd.apache.parquet",
];

/** Requests for everything that a key with a selector may read over REST.
 *  @param document the OpenAPI document */
export function arbitraryRequest(document: ApiDocument): fc.Arbitrary<ApiRequest> {
  const operations = Object.entries(document.paths).flatMap(([path, { get }]) =>
    get?.["x-access"].selectors !== "narrowed" ? [] : [{ path, parameters: get.parameters ?? [] }],
  );
  return fc.gen().map((generate) => {
    const draw = new Draw(generate);
    const { path, parameters } = draw.pick(operations);
    const valueOf = ({ name, schema }: Parameter): string => draw.pick(schema.enum ?? values[name] ?? ["unknown"]);
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(draw.pick(values[name] ?? ["unknown"])),
    );
    const query = parameters
      .filter((parameter) => parameter.in === "query" && parameter.name !== "cursor")
      .filter(({ required }) => required === true || draw.isOneIn(3))
      .map((parameter) => `${parameter.name}=${encodeURIComponent(valueOf(parameter))}`);
    return { path: `${filled}${query.length === 0 ? "" : `?${query.join("&")}`}`, accept: draw.pick(accepts) };
  });
}

/** Now by the gateway's clock; and by the database's, which decides what can be ended. */
const timesOfSilences = [
  `end_time=${new Date(worldEndMs + 3_600_000).toISOString()}`,
  "start_time=2099-01-01T00:00:00Z&end_time=2099-02-01T00:00:00Z",
];
const change = (path: string, method: "POST" | "DELETE" = "POST"): ApiRequest => {
  return { path, accept: "application/json", method };
};

/** Requests to acknowledge faults, and to make and end silences. The first silence is another team's. */
export const arbitraryChange: fc.Arbitrary<ApiRequest> = fc.oneof(
  fc.constantFrom(...faultIds).map((id) => change(`/api/v1/faults/${encodeURIComponent(id)}/acknowledge?comment=seen`)),
  fc
    .tuple(fc.constantFrom("name=*", "severity=!critical", "namespace=*-team"), fc.constantFrom(...timesOfSilences))
    .map(([matcher, times]) => change(`/api/v1/silences?${matcher}&reason=own&${times}`)),
  fc.integer({ min: 1, max: 4 }).map((id) => change(`/api/v1/silences/${id}`, "DELETE")),
);

const textsOf: Readonly<Record<string, readonly string[]>> = {
  ...{
    uuid: uuids,
    gpuUuid: uuids,
    parentUuid: uuids,
    clusterId: clusters,
    id: [...clusters, ...faultIds],
    hostname: hosts,
    hostId: hosts,
  },
  ...{ namespace: namespaces, model: ["H100"], metric: ["own_metric", "foreign_metric"] },
};

/** GraphQL queries for everything that the schema has. */
export const arbitraryGraphql: fc.Arbitrary<ApiRequest> = queriesWith({
  textsFor: (argument) => textsOf[argument] ?? ["unknown"],
  instants,
  numbers: [1, 2, 50],
}).map((query) => ({ path: "/graphql", accept: "application/json", query }));

/** Values of tools' arguments that are none of the API's parameters. */
const toolValues: Readonly<Record<string, readonly string[]>> = { contains: ["metric"], user: ["unknown"] };

/** Calls of every tool at /mcp. */
export const arbitraryToolCall: fc.Arbitrary<ApiRequest> = fc.gen().map((generate) => {
  const draw = new Draw(generate);
  const { name, input } = draw.pick(tools);
  const names = Object.keys(input.properties).filter((each) => each !== "cursor");
  const chosen = names.filter((each) => input.required?.includes(each) === true || draw.isOneIn(3));
  const valueOf = (each: string): string | number => {
    const { type, enum: choices } = input.properties[each] as unknown as {
      readonly type: string;
      readonly enum?: string[];
    };
    const value = draw.pick(choices ?? values[each] ?? toolValues[each] ?? ["unknown"]);
    return type === "integer" ? Number(draw.pick(["1", "2", "50"])) : value;
  };
  const call = { name, arguments: Object.fromEntries(chosen.map((each) => [each, valueOf(each)])) };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: call });
  return { path: "/mcp", accept: "application/json, text/event-stream", method: "POST", body };
});

/** Filters of a subscription over /ws. */
export const arbitraryFilters = fc.record(
  {
    gpu_uuid: fc.constantFrom(...uuids),
    hostname: fc.constantFrom(...hosts),
    cluster: fc.constantFrom(...clusters),
    namespace: fc.constantFrom(...namespaces),
  },
  { requiredKeys: [] },
);
