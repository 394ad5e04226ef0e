import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { parse } from "yaml";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { timePattern } from "../../src/routes/http/parameters/relative-time.ts";
import { metrics } from "../../src/domain/metrics.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import { MemoryTargetStates } from "../../src/pipeline/source/states/memory/memory-target-states.ts";
import { stateOf } from "../contract/target-states.ts";
import { namedSchemas } from "../../src/routes/openapi/components.ts";
import {
  listAnswer,
  listAsOfAnswer,
  partAsOfAnswer,
  pageAnswer,
  partAnswer,
  rowsAnswer,
  singleAnswer,
} from "../../src/routes/schemas/envelope.ts";
import { SqlSessionStore } from "../../src/access/sql/sql-session-store.ts";
import { instanceOf } from "../contract/service-registry.ts";
import { MemoryScalingRecords } from "../../src/scaling/coordinator/memory/memory-scaling-records.ts";
import { MemoryLeaderElection } from "../../src/scaling/election/memory/memory-leader-election.ts";
import { decisionAt, updateAt } from "../contract/scaling-records.ts";
import { faultChange, FaultLeader } from "../support/fault-leader.ts";
import { quarantinedRows, rowOf } from "./quarantined-rows.ts";
import { addTwoDeadLetters, gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { name: string; in: string; required: boolean; schema: Record<string, unknown> }[];
  readonly responses: Record<string, { content?: Record<string, { schema: Json }> }>;
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
}
type Json = Record<string, unknown>;

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let document: Json & { paths: Record<string, Record<string, Operation>> };
let deadLetters: string[];
beforeAll(async () => {
  stored = await openFleetStore();
  const serviceRegistry = new MemoryServiceRegistry(systemClock);
  await serviceRegistry.openEntry("a").put(instanceOf("a"));
  const scaling = new MemoryScalingRecords("one");
  const term = await new MemoryLeaderElection().campaign(new AbortController().signal);
  if (term !== undefined) await scaling.write(term, updateAt(Date.now(), [decisionAt(Date.now(), 4)]));
  const targetStates = new MemoryTargetStates(systemClock);
  await targetStates.report([stateOf("gpu1:9400")]);
  await new SqlSessionStore(stored.client).add({
    ...{ sha256: "0".repeat(64), id: "9d41c7a05e", issuer: "https://provider.example" },
    ...{ subject: "248289761001", name: "alice", groups: ["readers"], lifeSeconds: 60 },
  });
  gateway = gatewayOver(stored, { serviceRegistry, targetStates, scaling });
  deadLetters = await addTwoDeadLetters(gateway.queue);
  document = (await gateway.json("/swagger/swagger.json")) as typeof document;
});
afterAll(() => stored.close());

const operations = (): [path: string, operation: Operation, method: string][] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [path, operation, method] as [string, Operation, string]),
  );

/** The least body that an operation reads: a list of no records, an export without metrics, a request of remote write without series. */
function emptyBodyOf(types: readonly string[]): Pick<RequestInit, "body" | "headers"> {
  if (types.includes("application/x-protobuf")) return { body: "{}", headers: { "content-type": "application/json" } };
  if (types.includes("application/json")) return { body: "[]", headers: { "content-type": "application/json" } };
  if (types.includes("text/csv")) return { body: "timestamp,uuid\n", headers: { "content-type": "text/csv" } };
  const [type] = types.filter((each) => each.startsWith("application/x-protobuf"));
  return type === undefined ? {} : { body: "\0", headers: { "content-type": type, "content-encoding": "snappy" } };
}

describe("the OpenAPI document", () => {
  test("passes redocly's recommended rules without error or warning", async () => {
    const dir = await mkdtemp(join(tmpdir(), "telemetry-openapi-"));
    const file = join(dir, "swagger.json");
    await Bun.write(file, JSON.stringify(document));
    const redocly = fileURLToPath(import.meta.resolve("@redocly/cli/bin/cli.js"));
    const lint = Bun.spawn([process.execPath, redocly, "lint", "--format=json", file], {
      cwd: join(import.meta.dir, "../.."),
      env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [output, complaints] = await Promise.all([
      new Response(lint.stdout).text(),
      new Response(lint.stderr).text(),
    ]);
    await rm(dir, { recursive: true });
    expect([await lint.exited, complaints.includes("error")]).toEqual([0, false]);
    expect((JSON.parse(output) as { totals: unknown }).totals).toEqual({ errors: 0, warnings: 0, ignored: 0 });
  });

  test("lists every path under /api/v1, the paths of health and metrics, and no other path", () => {
    expect(Object.keys(document.paths).sort()).toEqual([
      "/api/v1/alerts",
      "/api/v1/archive",
      "/api/v1/audit",
      "/api/v1/clusters",
      "/api/v1/clusters/{cluster_id}",
      "/api/v1/clusters/{cluster_id}/hosts",
      "/api/v1/clusters/{cluster_id}/hosts/{host_id}",
      "/api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus",
      "/api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus/{gpu_id}",
      "/api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus/{gpu_id}/metrics",
      "/api/v1/clusters/{cluster_id}/stats",
      "/api/v1/coverage",
      "/api/v1/csv/upload",
      "/api/v1/csv/uploads",
      "/api/v1/csv/uploads/{id}",
      "/api/v1/faults",
      "/api/v1/faults/rules",
      "/api/v1/faults/xids",
      "/api/v1/faults/{id}",
      "/api/v1/faults/{id}/acknowledge",
      "/api/v1/gpus",
      "/api/v1/gpus/{uuid}",
      "/api/v1/gpus/{uuid}/changes",
      "/api/v1/gpus/{uuid}/holders",
      "/api/v1/gpus/{uuid}/telemetry",
      "/api/v1/hosts",
      "/api/v1/hosts/{hostname}/gpus",
      "/api/v1/inventory",
      "/api/v1/inventory/declare",
      "/api/v1/inventory/decommission",
      "/api/v1/inventory/end-target",
      "/api/v1/inventory/maintenance",
      "/api/v1/inventory/restore",
      "/api/v1/keys",
      "/api/v1/keys/{key_id}",
      "/api/v1/keys/{key_id}/rotate",
      "/api/v1/label/{name}/values",
      "/api/v1/labels",
      "/api/v1/me",
      "/api/v1/metadata",
      "/api/v1/metrics",
      "/api/v1/metrics/series",
      "/api/v1/pipeline",
      "/api/v1/pipeline/dead-letters",
      "/api/v1/pipeline/dead-letters/{id}",
      "/api/v1/pipeline/dead-letters/{id}/redrive",
      "/api/v1/quarantine",
      "/api/v1/quarantine/{id}",
      "/api/v1/quarantine/{id}/redrive",
      "/api/v1/query",
      "/api/v1/query_exemplars",
      "/api/v1/query_range",
      "/api/v1/remediations",
      "/api/v1/rules",
      "/api/v1/scaling",
      "/api/v1/scaling/{figure}",
      "/api/v1/series",
      "/api/v1/services",
      "/api/v1/sessions",
      "/api/v1/sessions/{session_id}",
      "/api/v1/silences",
      "/api/v1/silences/{id}",
      "/api/v1/status/buildinfo",
      "/api/v1/targets",
      "/api/v1/telemetry",
      "/api/v1/telemetry/aggregates",
      "/api/v1/telemetry/latest",
      "/api/v1/tickets",
      "/api/v1/usage",
      "/api/v1/usage/jobs",
      "/api/v1/write",
      "/health",
      "/health/live",
      "/health/ready",
      "/metrics",
      "/metrics/fleet",
      "/v1/metrics",
    ]);
  });

  test("declares where a parameter is, whether it is required, and its type, pattern and limits", () => {
    const { parameters = [] } = document.paths["/api/v1/gpus/{uuid}/telemetry"]?.get ?? {};
    expect(parameters.map(({ name, in: place, required }) => [name, place, required])).toEqual([
      ["uuid", "path", true],
      ["start_time", "query", false],
      ["end_time", "query", false],
      ["limit", "query", false],
      ["order", "query", false],
      ["metrics", "query", false],
      ["resolution", "query", false],
      ["cursor", "query", false],
    ]);
    expect(parameters[1]?.schema).toMatchObject({ type: "string", pattern: timePattern });
    expect(parameters[3]?.schema).toEqual({ type: "integer", minimum: 1, maximum: 10_000, default: 100 });
  });

  test("describes every metric of the catalogue with its unit and DCGM's name", () => {
    const { TelemetryRecord } = (
      document.components as { schemas: Record<string, { properties: Record<string, Json> }> }
    ).schemas;
    for (const { name, unit, dcgmField } of metrics) {
      const description = String(TelemetryRecord?.properties[name]?.description);
      expect(description).toContain(unit);
      expect(description).toContain(dcgmField);
    }
  });

  test("is correct: every operation answers 200 with the documented shape and no other field", async () => {
    const pathValues: Record<string, string> = {
      uuid: "GPU-host-a-0",
      cluster_id: "alpha",
      host_id: "host-a",
      hostname: "host-a",
      gpu_id: "0",
      figure: "backlog",
      session_id: "9d41c7a05e",
      name: "gpu",
    };
    const queries: Record<string, string> = {
      "get /api/v1/telemetry/aggregates": "?group_by=host&start_time=2025-07-18T00:00:00Z",
      "post /api/v1/inventory/declare": "?hostname=declared&cluster_id=alpha&gpus=8",
      "post /api/v1/inventory/maintenance": "?gpu_uuid=GPU-host-a-0",
      "post /api/v1/inventory/decommission": "?gpu_uuid=GPU-host-a-0",
      "post /api/v1/inventory/restore": "?gpu_uuid=GPU-host-a-0",
      "post /api/v1/inventory/end-target": "?source_id=ended",
      "delete /api/v1/inventory": "?hostname=withdrawn",
      "get /api/v1/query": "?query=DCGM_FI_DEV_GPU_TEMP&time=2025-07-18T20:42:40Z",
      "get /api/v1/query_exemplars": "?query=DCGM_FI_DEV_GPU_TEMP",
      "post /api/v1/query_exemplars": "?query=DCGM_FI_DEV_GPU_TEMP",
      "post /api/v1/query": "?query=DCGM_FI_DEV_GPU_TEMP",
      "get /api/v1/query_range": "?query=DCGM_FI_DEV_GPU_TEMP&start=0&end=60&step=15",
      "post /api/v1/query_range": "?query=1&start=0&end=60&step=15",
      "get /api/v1/series": "?match[]=DCGM_FI_DEV_GPU_TEMP",
      "post /api/v1/series": "?match[]=DCGM_FI_DEV_GPU_TEMP",
      "post /api/v1/keys": "?name=ci&scopes=read",
      "post /api/v1/remediations": "?kind=reset&gpu_uuid=GPU-host-a-0",
      "post /api/v1/silences": `?name=x&reason=x&end_time=${new Date(Date.now() + 60_000).toISOString()}`,
    };
    const leader = await FaultLeader.of(new SqlFaultStore(stored.client));
    const fault = await leader.tell(faultChange({ uuid: "GPU-host-a-0" }, "firing", Date.now()));
    leader.work();
    const reading = { timeMs: 1000, intervalMs: 1000, outcome: "read" as const, count: 1 };
    await stored.store.ingest(messageOf("ended", { ...makeBatch([]), reading }, { source: "ended" }));
    await gateway.get("/api/v1/inventory/declare?hostname=withdrawn&cluster_id=alpha&gpus=8", { method: "POST" });
    for (const [path, { responses, requestBody }, method] of operations()) {
      // a dead letter can be redriven or deleted only once
      const letter = (path.endsWith("/redrive") ? deadLetters[1] : deadLetters[0]) ?? "";
      // the silence that was created before
      const ofFault = path.includes("/silences/") ? "1" : encodeURIComponent(fault);
      pathValues["id"] = path.includes("/faults/") || path.includes("/silences/") ? ofFault : letter;
      if (path.includes("/quarantine/"))
        pathValues["id"] = String((await quarantinedRows(stored, path, [rowOf({ value: "45" })]))[0]);
      if (path.includes("{key_id}")) {
        const created = await gateway.get("/api/v1/keys?name=other&scopes=read", { method: "POST" });
        pathValues["key_id"] = ((await created.json()) as { data: { id: string } }).data.id;
      }
      if (path.includes("/csv/uploads/")) {
        const init = { method: "POST", body: `${method}\n`, headers: { "content-type": "text/csv" } };
        const taken = await gateway.get("/api/v1/csv/upload", init);
        pathValues["id"] = ((await taken.json()) as { data: { id: string } }).data.id;
      }
      const query = queries[`${method} ${path}`] ?? "";
      const response = await gateway.get(
        path.replace(/\{(\w+)\}/g, (_, name: string) => valueOf(name, pathValues)) + query,
        { method, ...emptyBodyOf(Object.keys(requestBody?.content ?? {})) },
      );
      const status = [200, 202, 204].find((each) => each in responses) ?? 200;
      expect([path, response.status]).toEqual([path, status]);
      const schema = responses[status]?.content?.["application/json"]?.schema;
      if (schema === undefined) continue;
      const body: unknown = await response.json();
      expect([path, [...Value.Errors(checkOf(schema), body)]]).toEqual([path, []]);
    }
    await leader.stop();
  });

  test("gives every operation a unique id, a summary, a tag and error responses", () => {
    const ids = operations().map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [path, { summary, tags, responses }] of operations()) {
      expect(summary.length).toBeGreaterThan(0);
      expect(tags).toHaveLength(1);
      expect(Object.keys(responses)).toContain("400");
      // a label that no series has is an empty list, as in Prometheus
      if (path.startsWith("/api/") && path.includes("{") && !path.includes("/label/"))
        expect(Object.keys(responses)).toContain("404");
    }
  });

  test("has the messages of both sides of the WebSocket, by type", () => {
    const { clientMessages, serverMessages } = document["x-websocket"] as Record<
      string,
      Record<string, { readonly properties: Record<string, Json> }>
    >;
    expect(Object.keys(clientMessages ?? {})).toEqual([
      "subscribe",
      "unsubscribe",
      "subscribe_faults",
      "unsubscribe_faults",
      "ping",
    ]);
    expect(Object.keys(serverMessages ?? {})).toContain("telemetry_update");
    for (const [type, { properties }] of Object.entries({ ...clientMessages, ...serverMessages })) {
      expect(properties["type"]).toEqual({ type: "string", enum: [type] });
    }
  });

  test("is also served as YAML, with the same content", async () => {
    const response = await gateway.get("/swagger/swagger.yaml");
    expect(response.headers.get("content-type")).toBe("application/yaml");
    expect(parse(await response.text())).toEqual(document);
  });
});

describe("the page", () => {
  test("a file whose percent-encoding is broken is not found", async () => {
    expect((await gateway.get("/swagger/a%_z.json")).status).toBe(404);
  });

  test("is at /swagger/, to which /swagger and /docs redirect", async () => {
    for (const path of ["/docs", "/docs/", "/swagger"]) {
      const response = await gateway.get(path);
      expect([path, response.status, response.headers.get("location")]).toEqual([path, 302, "/swagger/"]);
    }
    const page = await gateway.get("/swagger/");
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  });

  test("works without the network: the gateway serves every file that the page names, and the page names no other server", async () => {
    const page = await gateway.get("/swagger/");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    const html = await page.text();
    expect(html).not.toMatch(/https?:\/\//);
    const links = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, file]) => file);
    expect(links).toHaveLength(4);
    for (const file of links) {
      const response = await gateway.get(`/swagger/${file}`);
      expect([file, response.status]).toEqual([file, 200]);
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(100);
    }
    const initializer = await (await gateway.get("/swagger/swagger-initializer.js")).text();
    expect(initializer).not.toMatch(/https?:\/\//);
    expect(initializer).toContain("validatorUrl: null");
  });
});

/** The schema that an answer's documentation is made from. Unlike the documentation, it refuses undocumented fields. */
function checkOf(schema: Json): TSchema {
  const { data, ...rest } = (schema.properties ?? {}) as {
    readonly data?: { $ref?: string; items?: { $ref: string } };
    readonly resolution?: Json;
    readonly next_cursor?: Json;
    readonly as_of?: Json;
  };
  if (data?.items !== undefined) {
    const item = named(data.items.$ref);
    if (rest.as_of !== undefined) return rest.next_cursor === undefined ? listAsOfAnswer(item) : partAsOfAnswer(item);
    if (rest.next_cursor !== undefined) {
      return rest.resolution === undefined ? partAnswer(item, othersOf(schema)) : pageAnswer(item);
    }
    return rest.resolution === undefined ? listAnswer(item) : rowsAnswer(item);
  }
  if (data?.$ref !== undefined) return singleAnswer(named(data.$ref));
  return named(String(schema.$ref));
}

/** The members of an answer that are texts, and the whole numbers besides those of every list. */
function othersOf({ properties = {}, required = [] }: Json): Record<string, TSchema> {
  const isRequired = new Set(required as readonly string[]);
  const others = Object.entries(properties as Record<string, Json>).flatMap(([name, { type }]) => {
    if (["count", "total"].includes(name) || !["string", "integer"].includes(String(type))) return [];
    const member = type === "string" ? Type.String() : Type.Integer();
    return [[name, isRequired.has(name) ? member : Type.Optional(member)] as const];
  });
  return Object.fromEntries(others);
}

function named(reference: string): TSchema {
  return namedSchemas[reference.replace("#/components/schemas/", "")] as TSchema;
}

function valueOf(parameter: string, values: Readonly<Record<string, string>>): string {
  const value = values[parameter];
  if (value === undefined) throw new Error(`give the path parameter ${parameter} a value in this test`);
  return value;
}
