import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { SQL } from "bun";
import { serveExporters } from "../../dev/exporters/serve-exporters.ts";
import { type PipelineProcess, startPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { type ReceivedSpan, receiveSpans, type SpanReceiver } from "../../dev/traces/receive-spans.ts";
import { until } from "../../dev/until.ts";
import { expectStopped } from "../support/expect-stopped.ts";

// The trace of a record, from its exporter or its sender to a socket, through a streamer, a collector and a gateway, each in a process of
// its own, with etcd and TimescaleDB.

setDefaultTimeout(120_000);

const run = crypto.randomUUID().slice(0, 8);
const exporters = serveExporters({
  ...{ clusterId: "traced", hosts: 1, gpusPerHost: 2, seed: 1, intervalMs: 1000 },
  ...{ dialect: "4.9", per: "path", port: 0 },
});
let etcd: ProvidedEtcd;
let database: ProvidedDatabase;
let receiver: SpanReceiver;
let gateway: string;
let socket: WebSocket;
const running: PipelineProcess[] = [];

beforeAll(async () => {
  [etcd, database, receiver] = await Promise.all([provideEtcd(), provideDatabase(), receiveSpans()]);
  const target = exporters.targets[0];
  start("collector");
  const [serving] = [start("gateway"), start("streamer", { DCGM_TARGETS: `${target?.address}${target?.path}` })];
  gateway = await urlOf(serving);
  socket = new WebSocket(`${gateway.replace("http", "ws")}/ws`);
  socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "subscribe" })));
}, 300_000);

afterAll(async () => {
  socket.close();
  await expectStopped(running);
  await Promise.all([etcd.stop(), database.stop(), receiver.stop(), exporters.stop()]);
}, 60_000);

function start(role: string, env: Record<string, string> = {}): PipelineProcess {
  const started = startPipeline({
    ...{ ROLE: role, QUEUE_TOPIC: `traces-${run}`, DATABASE_URL: database.url, ETCD_ENDPOINTS: etcd.endpoints.join() },
    ...{ QUEUE_LEASE_SECONDS: "5", LOG_LEVEL: "warn", DCGM_INTERVAL: "1s" },
    ...{ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "100", ...env },
  });
  running.push(started);
  return started;
}

/** Spans of a trace, by their names: those that only a delivery with this attempt has. */
type Trace = ReadonlyMap<string, readonly ReceivedSpan[]>;

const traceOf = (traceId: string): Trace =>
  Map.groupBy(
    receiver.spans.filter((span) => span.traceId === traceId),
    ({ name }) => name,
  );

/** A whole trace of a span of this name. */
const wholeTrace = (first: string): Promise<Trace> =>
  until(() => {
    const traces = receiver.spans.filter(({ name }) => name === first).map(({ traceId }) => traceOf(traceId));
    return traces.find((trace) => trace.has("socket") && trace.has("collect"));
  });

function only(trace: Trace, name: string): ReceivedSpan {
  const spans = trace.get(name) ?? [];
  expect([name, spans.length]).toEqual([name, 1]);
  return spans[0] as ReceivedSpan;
}

/** Times that other clocks than a trace's own have given are whole milliseconds. */
const roundedMs = 1;
const steps = ["claim", "decode", "store", "hot tier", "acknowledge"] as const;

/** Expects the spans after the reading to follow from each other, within each other, and without gaps in the collector's work. */
function expectConnected(trace: Trace): void {
  const [publish, queue, collect, socketSpan] = (["publish", "queue", "collect", "socket"] as const).map((name) =>
    only(trace, name),
  ) as [ReceivedSpan, ReceivedSpan, ReceivedSpan, ReceivedSpan];
  expect([queue.parentId, collect.parentId]).toEqual([publish.spanId, publish.spanId]);
  expect(queue.startMs).toBeGreaterThanOrEqual(publish.startMs - roundedMs);
  expect(queue.startMs).toBeLessThanOrEqual(publish.endMs);
  expect(queue.endMs).toBeCloseTo(collect.startMs, 2);
  let atMs = collect.startMs;
  for (const name of steps) {
    const step = only(trace, name);
    expect([name, step.parentId]).toEqual([name, collect.spanId]);
    expect(step.startMs).toBeGreaterThanOrEqual(atMs - 0.01);
    expect(step.endMs).toBeGreaterThanOrEqual(step.startMs);
    atMs = step.endMs;
  }
  expect(atMs).toBeLessThanOrEqual(collect.endMs + 0.01);
  const workMs = steps.reduce((sum, name) => sum + durationOf(only(trace, name)), 0);
  // what lies between two steps is a few statements
  expect(durationOf(collect) - workMs).toBeLessThan(100);
  const hot = only(trace, "hot tier");
  expect(socketSpan.parentId).toBe(hot.spanId);
  expect(socketSpan.startMs).toBeGreaterThanOrEqual(hot.startMs - roundedMs);
  expect(collect.attributes["telemetry.outcome"]).toBe("acknowledged");
}

function durationOf({ startMs, endMs }: ReceivedSpan): number {
  return endMs - startMs;
}

test("a scrape's trace goes on through three processes to a socket, with times that add up", async () => {
  const trace = await wholeTrace("scrape");
  const [scrape, publish] = [only(trace, "scrape"), only(trace, "publish")];
  expect([scrape.parentId, publish.parentId]).toEqual(["", scrape.spanId]);
  expect(durationOf(scrape)).toBeGreaterThan(0);
  expect(publish.startMs).toBeGreaterThanOrEqual(scrape.endMs - 0.01);
  expect(scrape.attributes["telemetry.records"]).toBe(2);
  expect(only(trace, "store").attributes["telemetry.records_inserted"]).toBe(2);
  expectConnected(trace);
  const roles = ["scrape", "store", "socket"].map((name) => only(trace, name).resource["telemetry.roles"]);
  expect(roles).toEqual(["streamer", "collector", "gateway"]);
});

const sender = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };

async function push(uuid: string, traceparent: string): Promise<void> {
  const record = { timestamp: new Date().toISOString(), uuid, gpu_id: 0, hostname: `host-of-${uuid}`, power_draw: 320 };
  const answer = await fetch(`${gateway}/api/v1/telemetry`, {
    method: "POST",
    body: JSON.stringify([record]),
    headers: { "content-type": "application/json", traceparent },
  });
  expect([answer.status, await answer.text()]).toEqual([202, expect.anything()]);
}

test("a push continues the trace of its sender, unless the sender does not record it", async () => {
  await push("GPU-unrecorded", `00-${"1".repeat(32)}-${sender.spanId}-00`);
  await push("GPU-recorded", `00-${sender.traceId}-${sender.spanId}-01`);
  const trace = await wholeTrace("push");
  const [pushed, publish] = [only(trace, "push"), only(trace, "publish")];
  expect([pushed.traceId, pushed.parentId, pushed.kind]).toEqual([sender.traceId, sender.spanId, 2]);
  expect(publish.parentId).toBe(pushed.spanId);
  // the answer follows the publication
  expect(publish.endMs).toBeLessThanOrEqual(pushed.endMs);
  expectConnected(trace);
  expect(receiver.spans.filter(({ traceId }) => traceId === "1".repeat(32))).toEqual([]);
});

test("the trace of a message whose collector is killed has both deliveries, and what each of them did", async () => {
  const traceId = "c".repeat(32);
  const [killed] = running as [PipelineProcess];
  const sql = new SQL(database.url, { max: 1 });
  await sql.unsafe("begin; lock table ingested_messages in access exclusive mode");
  await push("GPU-of-killed", `00-${traceId}-${sender.spanId}-01`);
  await until(() => traceOf(traceId).has("claim"));
  killed.subprocess.kill("SIGKILL");
  await killed.subprocess.exited;
  running.splice(running.indexOf(killed), 1);
  await sql.unsafe("rollback");
  await sql.close();
  start("collector");
  const trace = await until(() => {
    const found = traceOf(traceId);
    return found.has("collect") && found.has("socket") && found;
  });
  const attempts = (name: string) => (trace.get(name) ?? []).map(({ attributes }) => attributes["telemetry.attempt"]);
  expect([attempts("queue"), attempts("collect")]).toEqual([[1, 2], [2]]);
  const counts = ["claim", "store", "hot tier", "acknowledge", "socket"].map((name) => trace.get(name)?.length);
  expect(counts).toEqual([2, 1, 1, 1, 1]);
  const [first, second] = trace.get("queue") as [ReceivedSpan, ReceivedSpan];
  // both from the publication; the second one has the time of the dead collector in it
  expect(second.startMs).toBe(first.startMs);
  expect(second.endMs).toBeGreaterThan(first.endMs);
  expect(only(trace, "store").startMs).toBeGreaterThanOrEqual(second.endMs);
  expect(only(trace, "store").attributes).toMatchObject({
    "telemetry.duplicate": false,
    "telemetry.records_inserted": 1,
  });
});
