import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { parse } from "yaml";
import { type LoadedGateway, realCsv, realFigures, startLoadedGateway } from "./support/loaded-gateway.ts";
import { referenceText } from "./support/reference-text.ts";
import { until } from "../dev/until.ts";

// The requests in the API reference of the former system, read from its text. The responses are compared with the content of the
// real CSV. A request for which this file has no expectation fails its test.

const uuid = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4";
const host = "mtv5-dgx1-hgpu-032";
const names = { uuid, cluster_id: "local-cluster", host_id: host, hostname: host, gpu_id: "4" };
const window = "?start_time=2025-07-18T20:42:34Z&end_time=2025-07-18T20:42:36Z";

/** The `count` in each endpoint's response. */
const counts: Readonly<Record<string, number | undefined>> = {
  "GET /api/v1/gpus": realFigures.gpus,
  "GET /api/v1/gpus/{uuid}/telemetry": 4,
  [`GET /api/v1/gpus/{uuid}/telemetry${window}&limit=100`]: 3,
  "GET /api/v1/clusters": 1,
  "GET /api/v1/clusters/{cluster_id}": 1,
  "GET /api/v1/clusters/{cluster_id}/stats": 1,
  "GET /api/v1/clusters/{cluster_id}/hosts": realFigures.hosts,
  "GET /api/v1/clusters/{cluster_id}/hosts/{host_id}": 1,
  "GET /api/v1/hosts": realFigures.hosts,
  "GET /api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus": 8,
  "GET /api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus/{gpu_id}": 1,
  "GET /api/v1/hosts/{hostname}/gpus": 8,
  "GET /api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus/{gpu_id}/metrics": 4,
  "GET /api/v1/telemetry": 100,
  "GET /api/v1/telemetry/latest": 100,
};
const checkedElsewhere = ["GET /health", "POST /graphql", "GET /graphql", "WS /ws"];
const pageTypes: Readonly<Record<string, RegExp>> = {
  "GET /swagger/": /^text\/html/,
  "GET /docs": /^text\/html/,
  "GET /swagger/swagger.json": /^application\/json/,
  "GET /swagger/swagger.yaml": /^application\/yaml/,
};

/** The number of records that each telemetry endpoint returns with a parameter, in the order of `telemetryPaths`. */
const countsWithParameter: Readonly<Record<string, readonly number[]>> = {
  "?start_time=2025-07-18T20:42:34Z": [4, 4, 100, 100],
  "?end_time=2025-07-18T20:42:36Z": [3, 3, 100, 0],
  "?limit=100": [4, 4, 100, 100],
  [`${window}&limit=50`]: [3, 3, 50, 0],
};
const telemetryPaths = [
  "/api/v1/gpus/{uuid}/telemetry",
  "/api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus/{gpu_id}/metrics",
  "/api/v1/telemetry",
  "/api/v1/telemetry/latest",
];

/** The expected output of the commands that match a pattern. If several patterns match, the first is used. */
const outputs: readonly [command: RegExp, expected: unknown][] = [
  [/gpus \| jq '.count'$/, realFigures.gpus],
  [/gpus \| jq '.data\[0\]'$/, expect.objectContaining({ uuid: expect.stringMatching(/^GPU-/) as string, id: "0" })],
  [
    /telemetry"$|telemetry\?limit=50"$|telemetry\?limit=5" \| jq .$/,
    expect.objectContaining({ success: true, count: 4 }),
  ],
  [/hosts \| jq .$/, expect.objectContaining({ success: true, count: realFigures.hosts })],
  [/latest \| jq .$/, expect.objectContaining({ success: true, count: 100 })],
  [/\/graphql .*gpus \{/, { data: { gpus: expect.arrayContaining([expect.objectContaining({ uuid })]) as unknown } }],
  [/health \| jq .$/, expect.objectContaining({ status: "ok" })],
];

const reference = referenceText ?? { endpoints: [], parameters: [], commands: [], graphQlQueries: [], json: [] };
const isMissing = referenceText === undefined || realCsv === undefined;
const hasTools = Bun.which("curl") !== null && Bun.which("jq") !== null;

describe.skipIf(isMissing)("the API reference, as it is written", () => {
  let gateway: LoadedGateway;
  beforeAll(async () => void (gateway = await startLoadedGateway()), 90_000);
  afterAll(() => gateway.stop());

  const filled = (path: string): string =>
    path.replace(/\{(\w+)\}/g, (_, name: string) => names[name as keyof typeof names]);
  const countAt = async (path: string): Promise<[string, number, number]> => {
    const answer = await fetch(gateway.url + filled(path));
    return [path, answer.status, ((await answer.json()) as { readonly count: number }).count];
  };

  test("endpoints without other tests return the expected count or page, and the OpenAPI document has all paths of /api", async () => {
    expect(reference.endpoints.length).toBeGreaterThan(20);
    for (const endpoint of reference.endpoints.filter((each) => !checkedElsewhere.includes(each))) {
      const path = endpoint.replace("GET ", "");
      const type = pageTypes[endpoint];
      if (type === undefined) expect(await countAt(path)).toEqual([path, 200, counts[endpoint] ?? NaN]);
      else expect((await fetch(gateway.url + path)).headers.get("content-type")).toMatch(type);
    }
    const yaml = parse(await (await fetch(`${gateway.url}/swagger/swagger.yaml`)).text()) as { readonly paths: object };
    const rest = reference.endpoints
      .filter((each) => each.includes("/api/"))
      .map((each) => each.slice(4).split("?")[0]);
    expect(Object.keys(yaml.paths)).toEqual(expect.arrayContaining(rest));
  });

  test("with every parameter, every telemetry endpoint returns the expected number of records", async () => {
    expect(reference.parameters.length).toBeGreaterThan(3);
    for (const parameter of reference.parameters) {
      for (const [at, path] of telemetryPaths.entries()) {
        expect(await countAt(path + parameter)).toEqual([
          path + parameter,
          200,
          countsWithParameter[parameter]?.[at] ?? NaN,
        ]);
      }
    }
  });

  test.skipIf(!hasTools)("every curl command has the expected output (needs curl and jq)", async () => {
    const commands = reference.commands.filter((command) => command.startsWith("curl"));
    expect(commands.length).toBeGreaterThan(8);
    for (const command of commands) {
      const local = command.replaceAll("http://localhost:8080", gateway.url).replace("curl ", "curl -sS ");
      const child = Bun.spawn(["bash", "-o", "pipefail", "-c", local], {
        stdout: "pipe",
        stderr: "pipe",
        timeout: 20_000,
      });
      const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
      const expected = outputs.find(([pattern]) => pattern.test(command))?.[1];
      expect([command, await child.exited, errors]).toEqual([command, 0, ""]);
      expect([command, JSON.parse(text) as unknown]).toEqual([command, expected ?? "no expectation in this file"]);
    }
  });

  test("every GraphQL query is answered with the content of the CSV", async () => {
    const answers: Record<string, unknown>[] = [];
    for (const query of reference.graphQlQueries) {
      const body = JSON.stringify({ query });
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${gateway.url}/graphql`, { method: "POST", headers, body });
      answers.push((await answer.json()) as Record<string, unknown>);
    }
    const [gpus, gpu, clusters] = answers.map((answer) => answer["data"]) as [
      { gpus: { uuid: string }[] },
      { gpu: { telemetry: Record<string, unknown>[] } },
      { clusters: { id: string; hosts: { gpus: unknown[] }[] }[] },
    ];
    expect(answers.length).toBe(3);
    expect(gpus.gpus.length).toBe(realFigures.gpus);
    expect(gpu.gpu).toMatchObject({ id: "4", uuid, hostname: host, name: "NVIDIA H100 80GB HBM3" });
    const merged = mergedValues(gpu.gpu.telemetry);
    expect([gpu.gpu.telemetry.length, merged]).toEqual([
      4,
      expect.objectContaining({ gpuUtilization: 0, temperature: 28 }),
    ]);
    expect(merged["powerDraw"]).toBe(73.136);
    expect(clusters.clusters.map(({ id, hosts }) => [id, hosts.length])).toEqual([
      ["local-cluster", realFigures.hosts],
    ]);
    expect(clusters.clusters[0]?.hosts.flatMap((each) => each.gpus).length).toBe(realFigures.gpus);
  });

  test("the WebSocket accepts the subscription, and its updates have the documented fields", async () => {
    const [subscription = {}, update = {}] = reference.json;
    const received: Record<string, unknown>[] = [];
    const socket = new WebSocket(`${gateway.url.replace("http", "ws")}/ws`);
    socket.onmessage = ({ data }) => void received.push(JSON.parse(data as string) as Record<string, unknown>);
    socket.onopen = () => {
      socket.send(JSON.stringify(subscription));
      // the file was imported before the subscription: its records come from the history
      socket.send(JSON.stringify({ ...subscription, id: "history", since: "2025-07-18T20:42:34Z" }));
    };
    await until(() => received.some(({ type }) => type === "replayed"));
    socket.close();
    expect(received.filter(({ type }) => type === "subscribed").length).toBe(2);
    const updates = received.filter(({ type, id }) => type === update["type"] && id === "history");
    expect(Object.keys(updates[0] ?? {})).toEqual(expect.arrayContaining(Object.keys(update)));
    expect(updates[0]).toMatchObject({ timestamp: update["timestamp"], gpu_uuid: update["gpu_uuid"] });
    const values = mergedValues(updates.map(({ data }) => data as Record<string, unknown>));
    expect(values).toEqual({ gpu_utilization: 0, temperature: 28, power_draw: 73.136 });
    expect(Object.keys(values).sort()).toEqual(Object.keys(update["data"] as object).sort());
  });

  test("responses have every field of the examples, with the same type", async () => {
    const [, , gpuExample, recordExample] = reference.json as { count: number; data: [Record<string, unknown>] }[];
    for (const [path, example] of [
      ["/api/v1/gpus", gpuExample],
      [`/api/v1/gpus/${uuid}/telemetry`, recordExample],
    ] as const) {
      const answer = (await (await fetch(gateway.url + path)).json()) as {
        count: number;
        data: Record<string, unknown>[];
      };
      expect(answer.count).toBe(example?.count ?? NaN);
      const merged = mergedValues(answer.data.filter((each) => each["uuid"] === uuid));
      for (const [field, value] of Object.entries(example?.data[0] ?? {})) {
        expect([field, typeof merged[field]]).toEqual([field, typeof value]);
      }
    }
  });
});

/** Merges records of a GPU: each field has its last value that is not null. In the real CSV, several records of a GPU together
 *  have all its metrics. */
function mergedValues(records: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown> {
  const present = records.flatMap((record) => Object.entries(record).filter(([, value]) => value !== null));
  return Object.fromEntries(present);
}
