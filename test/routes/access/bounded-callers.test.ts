import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openToAll } from "../../../src/access/access.ts";
import { Caller } from "../../../src/access/caller.ts";
import type { GpuBounds } from "../../../src/domain/gpu-bounds.ts";
import type { OpenStore } from "../../../src/pipeline/store/open-store.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { openMemoryStore } from "../../support/open-store.ts";
import { begin, cases, stepMs, steps, storeTeams } from "../../support/two-teams.ts";
import { gatewayOver, type TestGateway } from "../gateway.ts";

const opened: OpenStore[] = [];
afterAll(() => Promise.all(opened.map((store) => store.close())));

async function storeOf(within?: GpuBounds): Promise<OpenStore> {
  const store = await openMemoryStore();
  opened.push(store);
  await storeTeams(store, within);
  return store;
}

/** A gateway all of whose callers have a selector. */
function boundedGateway(
  store: OpenStore,
  selector: GpuBounds | undefined,
  options: Partial<Parameters<typeof gatewayOver>[1]> = {},
): TestGateway {
  const caller = new Caller({ id: "k", name: "team", scopes: ["read"], selector, expiresAtMs: undefined });
  const access = { ...openToAll, isRequired: true, identify: () => Promise.resolve(caller) };
  return gatewayOver(store, { access, ...options });
}

let whole: OpenStore;
beforeAll(async () => void (whole = await storeOf()));

const range = `start_time=${new Date(begin - 3_600_000).toISOString()}&end_time=${new Date(begin + 3_600_000).toISOString()}`;
const inSteps = `start=${begin / 1000}&end=${begin / 1000 + 3600}&step=60`;
/** GPUs that are within for all of the time, or never: what the fleet has of these is exact. */
const paths = [
  "/api/v1/gpus/own",
  "/api/v1/gpus/foreign",
  "/api/v1/gpus/none",
  "/api/v1/gpus/own/telemetry?limit=7",
  "/api/v1/gpus/own/telemetry?resolution=1m",
  "/api/v1/gpus/shared/telemetry?limit=5",
  "/api/v1/gpus/foreign/telemetry",
  "/api/v1/gpus/goes/telemetry",
  "/api/v1/gpus/returns/changes",
  "/api/v1/gpus/foreign/changes",
  "/api/v1/telemetry?limit=50",
  "/api/v1/telemetry?limit=50&namespace=team-b",
  `/api/v1/telemetry/aggregates?group_by=namespace&${range}`,
  `/api/v1/telemetry/aggregates?group_by=host&resolution=1h&${range}&cluster_id=east`,
  `/api/v1/metrics/series?${range}`,
  `/api/v1/query_range?query=${encodeURIComponent("sum by (UUID, pod) ({__name__=~'.+'})")}&${inSteps}`,
  `/api/v1/query?query=DCGM_FI_DEV_GPU_TEMP[1h]&time=${begin / 1000 + 3600}`,
  "/api/v1/clusters/north",
  "/api/v1/clusters/north/stats",
  "/api/v1/hosts/e2/gpus?x=1",
];
/** The path, status, headers and body of an answer. */
type Sent = [string, number, [string, string][], string];
const sent = async (gateway: TestGateway, path: string, headers: Record<string, string> = {}): Promise<Sent> => {
  const answer = await gateway.get(path, { headers: { authorization: "Bearer x", ...headers } });
  return [path, answer.status, [...answer.headers].filter(([name]) => name !== "date"), await answer.text()];
};

/** Right after the last records, when no GPU is silent. */
const atEnd = { clock: { ...systemClock, nowMs: () => begin + steps * stepMs } };

describe.each(cases)("a caller with a selector for %s", (_, within) => {
  test("is answered as by a gateway that has nothing else, header by header and byte by byte", async () => {
    const own = await storeOf(within);
    const [bounded, alone] = [boundedGateway(whole, within), boundedGateway(own, undefined)];
    // what was due of a GPU that was not within for all of the time is not what it is where that time is unknown
    const withoutExpected = ([path, status, headers, text]: Sent): Sent => [
      ...([path, status, path.includes("aggregates") ? [] : headers] as [string, number, [string, string][]]),
      path.includes("aggregates") ? text.replaceAll(/"expected":\d+,/g, "") : text,
    ];
    for (const path of paths) {
      expect(withoutExpected(await sent(bounded, path))).toEqual(withoutExpected(await sent(alone, path)));
    }
    for (const accept of ["text/csv", "application/x-ndjson", "application/vnd.apache.parquet"]) {
      const path = "/api/v1/telemetry?limit=50";
      expect(await sent(bounded, path, { accept })).toEqual(await sent(alone, path, { accept }));
    }
    const [boundedNow, aloneNow] = [boundedGateway(whole, within, atEnd), boundedGateway(own, undefined, atEnd)];
    for (const uuid of ["own", "own-west", "shared", "foreign", "unheld", "none"]) {
      const path = `/metrics/fleet?gpu_uuid=${uuid}&timestamps=true`;
      expect(await sent(boundedNow, path)).toEqual(await sent(aloneNow, path));
    }
    const [, , , metricsText] = await sent(boundedNow, "/metrics/fleet");
    expect(metricsText.includes("DCGM_FI_DEV_GPU_TEMP{")).toBe(within.clusters?.includes("north") !== true);
  });
});

/** What the fleet has of hosts is exact: no GPU has left them. */
const listPaths = [
  ...["/api/v1/gpus", "/api/v1/gpus?state=active&limit=2", "/api/v1/gpus?namespace=team-b", "/api/v1/hosts?limit=1"],
  ...["/api/v1/clusters", "/api/v1/clusters/west", "/api/v1/clusters/east/stats", "/api/v1/clusters/west/hosts"],
  ...["/api/v1/clusters/east/hosts/e1", "/api/v1/clusters/east/hosts/e2", "/api/v1/clusters/west/hosts/w2/gpus/0"],
  ...[
    "/api/v1/hosts/w2/gpus",
    "/api/v1/telemetry/latest?limit=3",
    "/api/v1/inventory",
    "/api/v1/inventory?kind=host&limit=1",
  ],
  ...["device", "host", "cluster"].map((by) => `/api/v1/coverage?by=${by}&${range}`),
  `/api/v1/coverage?by=target&step=total&${range}`,
];
const everything = `{
  clusters { id hostCount gpuCount hosts { hostname gpuCount gpus { uuid firstSeenAt lastSeenAt status
    latest { namespace occupants { namespace pod } } telemetry(limit: 3) { timestamp namespace } } } stats { recordCount } }
  gpuPage(limit: 1) { totalCount nextCursor }
  telemetry(limit: 20) { records { uuid series { name labels { value } } gpu { uuid parent: host { hostname } } } nextCursor }
  series { name records } inventory { items { hostname uuid firstSeenAt lastSeenAt } }
  gpuChanges(uuid: "moves") { attributes { from hostname } workloads { from namespace } }
  foreign: gpu(uuid: "foreign") { uuid } none: gpu(uuid: "none") { uuid } host(clusterId: "east", hostname: "e2") { hostname }
}`;

test("lists of a caller with hosts, in every format and in GraphQL, are those of a gateway that has nothing else", async () => {
  const within = { hosts: ["e1", "w2"] };
  const [bounded, alone] = [boundedGateway(whole, within), boundedGateway(await storeOf(within), undefined)];
  const withoutQuarantined = ([path, status, headers, text]: Sent): Sent => {
    if (!path.includes("coverage")) return [path, status, headers, text];
    // a column of a CSV, or a member
    const rest = text.includes("quarantined,")
      ? text.replace("quarantined,", "").replaceAll("0,learned", "learned")
      : text;
    return [path, status, [], rest.replaceAll('"quarantined":0,', "")];
  };
  for (const path of [...listPaths, `/graphql?query=${encodeURIComponent(everything)}`]) {
    const formats = path.startsWith("/graphql")
      ? ["application/json"]
      : ["application/json", "text/csv", "application/x-ndjson"];
    for (const accept of formats) {
      const [a, b] = [await sent(bounded, path, { accept }), await sent(alone, path, { accept })];
      expect(withoutQuarantined(a)).toEqual(withoutQuarantined(b));
      expect([path, a[1], a[3].includes('"errors"')]).toEqual([path, path.includes("hosts/e2") ? 404 : a[1], false]);
    }
  }
});

test("what a question costs tells nothing of when others had a GPU, or of how much they store", async () => {
  const within = { namespaces: ["team-a"] };
  const costs = { rowsPerMinute: 1_000_000, sockets: 9, subscriptions: 9, exports: 9, heavyPerClient: 4 };
  // the budget grows with time
  const clock = { ...systemClock, nowMs: () => begin + 3_600_000 };
  const gateways = [whole, await storeOf(within)].map((store) => boundedGateway(store, within, { costs, clock }));
  const left = (gateway: TestGateway, path: string) =>
    sent(gateway, path).then(([, , headers]) => headers.filter(([name]) => name.startsWith("ratelimit")));
  for (const path of ["comes/telemetry?resolution=1m", "returns/telemetry", "foreign/telemetry", "returns/changes"]) {
    const [bounded, alone] = await Promise.all(gateways.map((gateway) => left(gateway, `/api/v1/gpus/${path}`)));
    expect(bounded).toHaveLength(2);
    expect(bounded).toEqual(alone);
  }
});

describe("a caller with the selector of a namespace", () => {
  let bounded: TestGateway;
  beforeAll(() => void (bounded = boundedGateway(whole, { namespaces: ["team-a"] })));
  const own = ["comes", "moves", "moves-back", "own", "own-west", "returns", "shared"];
  const json = async (path: string) => JSON.parse((await sent(bounded, path))[3]) as Record<string, unknown>;
  const uuidsIn = (body: Record<string, unknown>): string[] =>
    (body["data"] as { uuid: string }[]).map(({ uuid }) => uuid).sort();

  test("finds only GPUs that it holds, in every list, and counts no others", async () => {
    expect(uuidsIn(await json("/api/v1/gpus"))).toEqual(own);
    expect(uuidsIn(await json("/api/v1/telemetry/latest"))).toEqual(own);
    const { data } = (await json("/api/v1/clusters")) as { data: { id: string; gpu_count: number }[] };
    expect(data.map(({ id, gpu_count }) => [id, gpu_count])).toEqual([
      ["east", 4],
      ["west", 3],
    ]);
    expect(await json("/api/v1/clusters/east/stats")).toMatchObject({ data: { gpu_count: 4, host_count: 2 } });
    const inventory = (await json("/api/v1/inventory?kind=host")) as { data: { gpus_seen: number }[] };
    expect(inventory.data.map(({ gpus_seen }) => gpus_seen)).toEqual([2, 2, 2, 1]);
    const coverage = (await json(`/api/v1/coverage?by=device&step=total&${range}`)) as { data: object[] };
    expect(JSON.stringify(coverage.data)).not.toMatch(/foreign|unheld|mig/);
  });

  test("is told nothing of others who share a GPU, in no format", async () => {
    for (const path of [
      "/api/v1/gpus/shared/telemetry",
      "/api/v1/telemetry/latest",
      "/api/v1/gpus",
      "/api/v1/gpus/shared/changes",
    ]) {
      for (const accept of ["application/json", "text/csv", "application/x-ndjson"]) {
        const [, status, , text] = await sent(bounded, path, { accept });
        expect(text).not.toMatch(/team-[bc]|pod_uid/);
        expect([200, 406]).toContain(status);
      }
    }
  });

  test("finds nothing of others in the fleet's metrics", async () => {
    const gateway = boundedGateway(whole, { namespaces: ["team-a"] }, atEnd);
    const [, , , text] = await sent(gateway, "/metrics/fleet");
    expect(text).toContain('UUID="shared"');
    expect(text).not.toMatch(/team-[bc]|pod_uid|UUID="(?:foreign|unheld|GPU-0000abcd)"/);
  });

  test("gets the same 404 for a GPU of others and for one that does not exist", async () => {
    for (const path of ["/api/v1/gpus/UUID", "/api/v1/gpus/UUID/telemetry", "/api/v1/gpus/UUID/changes"]) {
      const [foreign, none] = await Promise.all(
        ["foreign", "nothing"].map(async (uuid) => {
          const [, status, , text] = await sent(bounded, path.replace("UUID", uuid));
          return [status, String(text).replaceAll(uuid, "UUID")];
        }),
      );
      expect(foreign).toEqual(none);
      expect(foreign?.[0]).toBe(404);
    }
  });

  test("is not answered from what another caller has asked for, and the other way round", async () => {
    const plain = gatewayOver(whole, {
      access: {
        ...openToAll,
        isRequired: true,
        identify: (credential) =>
          Promise.resolve(
            new Caller({
              ...{ id: "k", name: "team", scopes: ["read"], expiresAtMs: undefined },
              selector: JSON.stringify(credential).includes("bounded") ? { namespaces: ["team-a"] } : undefined,
            }),
          ),
      },
    });
    const query = encodeURIComponent(
      "{ gpus { uuid latest { namespace occupants { namespace } } } gpuPage { totalCount } }",
    );
    const ask = async (key: string, path: string) =>
      (await plain.get(path, { headers: { authorization: `Bearer ${key}`, accept: "application/json" } })).text();
    for (const path of ["/api/v1/gpus", `/graphql?query=${query}`]) {
      for (const key of ["bounded", "whole", "bounded", "whole"]) {
        const text = await ask(key, path);
        expect([key, /foreign|team-b/.test(text)]).toEqual([key, key === "whole"]);
      }
    }
  });
});
