import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { until } from "../../dev/until.ts";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";
import { SqlRejectedInputs } from "../../src/pipeline/store/sql/sql-rejected-inputs.ts";
import { quarantinedRows, rowOf } from "../routes/quarantined-rows.ts";
import { addTwoDeadLetters, gatewayOver } from "../routes/gateway.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import { MemoryTargetStates } from "../../src/pipeline/source/states/memory/memory-target-states.ts";
import { stateOf } from "../contract/target-states.ts";
import { MemoryScalingRecords } from "../../src/scaling/coordinator/memory/memory-scaling-records.ts";
import { MemoryLeaderElection } from "../../src/scaling/election/memory/memory-leader-election.ts";
import { decisionAt, updateAt } from "../contract/scaling-records.ts";
import { instanceOf } from "../contract/service-registry.ts";
import { FleetStates } from "../../src/routes/fleet/fleet-states.ts";
import { systemClock } from "../../src/kit/clock.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { runTelemetry } from "./run-telemetry.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const queue = new MemoryQueue({
  topic: "telemetry",
  clock: systemClock,
  capacityMessages: 10,
  leaseSeconds: 30,
  maxAttempts: 1,
});
const serviceRegistry = new MemoryServiceRegistry(systemClock);
const targetStates = new MemoryTargetStates(systemClock);
const scaling = new MemoryScalingRecords("one");
let gateway: LiveGateway;
let letters: string[];
let stored: OpenStore;
beforeAll(async () => {
  stored = await openMemoryStore();
  const record = { uuid: "GPU-cli", hostname: "host-cli", timeMs: Date.UTC(2025, 6, 18), metrics: { temperature: 41 } };
  await stored.store.ingest(messageOf("inventory", makeBatch([record])));
  const { inventory } = stored;
  const rejectedInputs = new SqlRejectedInputs(stored.client);
  const ofPipeline = { queue, deadLetters: queue, serviceRegistry, targetStates, scaling };
  gateway = await openLiveGateway({ ...ofPipeline, inventory, rejectedInputs });
  letters = await addTwoDeadLetters(queue);
  await gateway.publish({
    uuid: "GPU-cli",
    timeMs: Date.UTC(2025, 6, 18),
    metrics: { temperature: 41, power_draw: 300.5 },
    hostname: "host-cli",
  });
});
afterAll(async () => {
  await gateway.close();
  await stored.close();
});

/** Runs scripts/telemetry.ts against the gateway. */
const run = (...args: string[]) => runTelemetry(gateway.port, args);

const jsonOf = async (...args: string[]): Promise<unknown> => JSON.parse((await run(...args, "--json")).text);

test("prints GPUs as a table and as JSON, hosts as JSON, and newest records as a table", async () => {
  const table = await run("gpus");
  expect(table.status).toBe(0);
  expect(table.text).toContain("host-cli");
  expect(table.text).toContain("1 row");
  expect(await jsonOf("gpus", "--host", "host-cli")).toMatchObject([{ uuid: "GPU-cli" }]);
  expect(await jsonOf("gpus", "--host", "none")).toEqual([]);
  expect(await jsonOf("hosts")).toMatchObject([{ hostname: "host-cli", gpu_count: 1 }]);
  expect((await run("latest")).text).toContain("300.5");
});

test("a filter's name that the fleet does not have is named, in front of the empty list", async () => {
  const { status, errors, text } = await run("latest", "--host", "host-cly", "--cluster", "none");
  expect({ status, errors }).toEqual({
    status: 0,
    errors: "no cluster none is known yet\nno host host-cly is known yet\n",
  });
  expect(text).toContain("0 rows");
  for (const command of ["gpus", "hosts", "series"]) {
    expect((await run(command, "--host", "host-cly")).errors).toContain("no host host-cly is known yet\n");
  }
  expect((await run("latest", "--host", "host-cli")).errors).toBe("");
});

test("lists of GPUs and hosts say how old the newest record is if that is long ago: their status compares with it", async () => {
  for (const command of ["gpus", "hosts"]) {
    expect((await run(command)).errors).toMatch(
      /^the newest record is \d+d old \(2025-07-18T00:00:00Z\): active are those that reported until then\n$/,
    );
  }
});

test("the gateway is that of PORT if no other is named, and may be named as host:port", async () => {
  const byPort = await runTelemetry(1, ["hosts", "--json"], { TELEMETRY_URL: "", PORT: String(gateway.port) });
  const named = await runTelemetry(1, ["--url", `127.0.0.1:${gateway.port}`, "hosts", "--json"]);
  for (const { text } of [byPort, named]) expect(JSON.parse(text)).toMatchObject([{ hostname: "host-cli" }]);
});

test("a misspelled metric is answered with the one that may be meant", async () => {
  expect((await run("latest", "--metrics", "temprature")).errors).toContain("did you mean temperature?");
});

test("watch prints the newest record of a GPU", async () => {
  const watching = await run("watch", "--gpu", "GPU-cli", "--count", "1");
  expect(watching.text).toContain("2025-07-18T00:00:00Z host-cli/0 GPU-cli temperature=41 power_draw=300.5");
});

test("lists the inventory, and takes hosts and devices through its states by their names", async () => {
  expect(await jsonOf("inventory")).toMatchObject([{ kind: "host" }, { kind: "device", uuid: "GPU-cli" }]);
  expect((await run("inventory", "list", "--kind", "device")).text).toContain("GPU-cli");
  const to = ["--to", "2099-01-01T00:00:00Z", "--note", "fans"];
  expect(await jsonOf("inventory", "maintenance", "host-cli", ...to)).toMatchObject([
    { state: "maintenance", note: "fans" },
  ]);
  const { fleet } = gateway;
  await new FleetStates({
    store: stored.queries.fleet,
    fleet,
    clock: systemClock,
    log: unshownLog(),
  }).check();
  expect(await jsonOf("hosts", "--state", "maintenance")).toMatchObject([{ hostname: "host-cli" }]);
  expect(await jsonOf("gpus", "--state", "active")).toEqual([]);
  expect(await jsonOf("inventory", "restore", "host-cli")).toMatchObject([{ hostname: "host-cli", state: "active" }]);
  expect(await jsonOf("inventory", "decommission", "GPU-cli")).toMatchObject([
    { uuid: "GPU-cli", state: "decommissioned" },
  ]);
  expect(await jsonOf("inventory", "restore", "GPU-cli")).toMatchObject([{ uuid: "GPU-cli", state: "active" }]);
  expect(await jsonOf("inventory", "declare", "host-cli", "--gpus", "8")).toMatchObject([{ gpus: 8, gpus_seen: 1 }]);
  expect(await jsonOf("inventory", "withdraw", "host-cli")).toMatchObject([{ gpus: 8 }]);
  const unknown = await run("inventory", "decommission", "host-cl");
  expect([unknown.status, unknown.errors]).toEqual([1, expect.stringContaining("similar: host-cli")]);
});

test("prints the queue, and lists, redrives and deletes dead letters", async () => {
  expect((await run("queue")).text).toContain("capacity");
  expect(await jsonOf("dead-letters")).toMatchObject([{ id: letters[0] }, { id: letters[1] }]);
  expect((await run("dead-letters", "redrive", letters[0] ?? "")).status).toBe(0);
  expect((await run("dead-letters", "delete", letters[1] ?? "")).status).toBe(0);
  expect(await jsonOf("dead-letters")).toEqual([]);
  const deleted = await run("dead-letters", "delete", letters[1] ?? "");
  expect([deleted.status, deleted.errors]).toEqual([1, expect.stringContaining("There is no dead letter")]);
});

test("without a store, the queue is what /health says of it, with the reason", async () => {
  const away = await openMemoryStore();
  await away.close();
  const { app } = gatewayOver(away);
  app.listen({ hostname: "127.0.0.1", port: 0 });
  const { status, text, errors } = await runTelemetry(app.server?.port as number, ["queue"]);
  await app.stop(true);
  expect([status, errors]).toEqual([
    1,
    expect.stringMatching(/^The store does not answer: .*not known; \/health says:\n$/),
  ]);
  expect(text).toMatch(/│ store +│ down +│/);
});

test("redrives and deletes rejected rows", async () => {
  const rows = [rowOf({ value: "45" }), rowOf({ value: "345" })];
  const [good = 0, bad = 0] = await quarantinedRows(stored, "csv:cli.csv", rows);
  expect(await jsonOf("rejections", "redrive", String(good))).toMatchObject([{ id: good, line: 2 }]);
  const refused = await run("rejections", "redrive", String(bad));
  expect([refused.status, refused.errors]).toEqual([1, expect.stringContaining("outside its range")]);
  expect((await run("rejections", "delete", String(bad))).text).toContain("line 3");
  expect(await stored.queries.quarantine.rejections({ sourceId: "csv:cli.csv", limit: 2 })).toEqual([]);
});

test("prints the running processes with their state and load, in lines of 80 characters", async () => {
  const errors = ["collecting is held up: the store does not answer"];
  const load = { samples_per_second: 41_200.4, cpu_percent: 63.1, rss_bytes: 2 ** 28 };
  const collector = instanceOf("collector-2", { errors, load });
  const gatewayInstance = instanceOf("telemetry-gateway-7f9c-x2x7:1:aa00", { roles: ["gateway"], load: {} });
  await serviceRegistry.openEntry("a").put(collector);
  await serviceRegistry.openEntry("b").put(gatewayInstance);
  const { status, text } = await run("services");
  expect(status).toBe(0);
  expect(text).toMatch(/│collector-2 +│collector +│ready +│10\.1\.2\.3:8080 +│ +41,200│ +63│ +256│/);
  expect(text).toMatch(/│telemetry-gatewa│gateway +│ready +│10\.1\.2\.3:8080 +│ +│ +│ +│\n│y-7f9c-x2x7:1:aa│/);
  expect(text).toContain("2 processes as of ");
  expect(text).toContain("collector-2: collecting is held up: the store does not answer");
  expect(Math.max(...text.split("\n").map(({ length }) => length))).toBe(80);
  expect(await jsonOf("services", "--role", "collector")).toEqual([collector]);
  expect((await run("services", "--role", "cook")).errors).toContain('role="cook" is not usable');
});

test("prints the targets with their dialect, age, gaps and last error, in lines of 80 characters", async () => {
  const readAt = (secondsAgo: number): string => new Date(Date.now() - secondsAgo * 1000).toISOString();
  const fine = stateOf("gpu2:9400", { last_read_at: readAt(7) });
  const down = stateOf("mtv5-dgx1-hgpu-001.example:9400", {
    ...{ state: "down", message: "HTTP 500, after 0.2 s", last_read_at: readAt(600), gaps: 40 },
  });
  const frozen = stateOf("gpu3:9400", { frozen: 2, message: "the readings of 2 of 8 devices do not change" });
  const warned = stateOf("gpu4:9400", { warning: "2 samples carry times such as 2023-11-14T22:13:20Z" });
  await targetStates.report([down, fine, frozen, warned]);
  const { status, text } = await run("targets");
  expect(status).toBe(0);
  expect(text).toMatch(/│gpu2:9400 +│up +│dcgm +│ +[78]s│ +8│ +1│ +12│/);
  expect(text).toMatch(/│gpu3:9400 +│frozen +│/);
  expect(text).toMatch(/│mtv5-dgx1-hgpu-001\.example:940│down +│dcgm +│ +10m│ +8│ +40│ +12│\n│0 +│/);
  expect(text).toContain("4 targets as of ");
  expect(text).toContain("mtv5-dgx1-hgpu-001.example:9400: HTTP 500, after 0.2 s");
  expect(text).toContain("gpu2:9400: until 2025-07-18T20:42:19Z: no complete answer within 10 s");
  expect(text).toContain("gpu3:9400: the readings of 2 of 8 devices do not change");
  expect(text).toContain("gpu4:9400: 2 samples carry times such as 2023-11-14T22:13:20Z");
  const table = text.split("\n").filter((line) => /^[┌├│└]/.test(line));
  expect(new Set(table.map(({ length }) => length))).toEqual(new Set([80]));
  expect(await jsonOf("targets", "--state", "down")).toEqual([down]);
  expect((await run("targets", "--state", "ill")).errors).toContain('state="ill" is not usable');
});

test("prints decided and actual numbers of processes, and the decisions with their reasons, in lines of 80 characters", async () => {
  expect((await run("scaling")).text).toContain("no coordinator leads");
  const atMs = systemClock.nowMs();
  const term = await new MemoryLeaderElection().campaign(new AbortController().signal);
  if (term === undefined) throw new Error("the election has no leader");
  const reason =
    "80 messages/s arrive (the sources have 160, but the queue slows streamers), 381 wait; a collector stores 9.8/s";
  await scaling.write(term, updateAt(atMs, [{ ...decisionAt(atMs, 4), reason }]));
  const { status, text } = await run("scaling");
  expect(status).toBe(0);
  expect(text).toContain("one leads in term 1 since ");
  expect(text).toMatch(/│ collector │ 4 +│ 3 +│ load +│/);
  expect(text).toContain("collectors 3 -> 4 (load)\n  80 messages/s arrive (the sources have 160,");
  expect(Math.max(...text.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(80);
  expect(await jsonOf("scaling")).toMatchObject({ desired: { collector: 4 }, actual: { collector: 3 } });
  await term.resign();
});

test("the newest records have a column for each of their metrics, or for each requested metric", async () => {
  const { text } = await run("latest", "--gpu", "GPU-cli");
  expect(text).toContain("│ gpu id │ temperature │ power draw │ workload │");
  expect((await run("latest", "--metrics", "temperature")).text).not.toContain("power draw");
  expect(await jsonOf("latest", "--metrics", "temperature")).toMatchObject([{ uuid: "GPU-cli", temperature: 41 }]);
});

test("for an unknown GPU, the command prints an error instead of a table, and does not wait for records", async () => {
  for (const command of ["gpus", "latest", "watch"]) {
    const { status, text, errors } = await run(command, "--gpu", "GPU-0");
    expect([command, status, text, errors]).toEqual([command, 1, "", 'There is no GPU with uuid "GPU-0"\n']);
  }
});

test("if the gateway refuses the subscription, watch prints the reason once and ends", async () => {
  const { status, errors } = await run("watch", "--metrics", "heat");
  expect([status, errors.trim().split("\n").length]).toEqual([1, 1]);
  expect(errors).toStartWith('filters.metrics[0]="heat" is not usable');
});

test("watch ends without an error when the reader of its output has ended", async () => {
  const url = `http://127.0.0.1:${gateway.port}`;
  const script = `"${process.execPath}" scripts/telemetry.ts watch --url ${url} | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const child = Bun.spawn(["bash", "-c", script], {
    cwd: `${import.meta.dir}/../..`,
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
  });
  let offsetMs = 0;
  await until(async () => {
    offsetMs += 1;
    await gateway.publish({ uuid: "GPU-cli", timeMs: Date.UTC(2025, 6, 18) + offsetMs, metrics: { temperature: 41 } });
    return child.exitCode !== null;
  });
  const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect([text.split("\n").slice(1), errors]).toEqual([["0", ""], ""]);
});

test("control characters in a name are escaped", async () => {
  const hostname = "host\u001b[2J\u009b1m";
  await gateway.publish({ uuid: "GPU-odd", timeMs: Date.UTC(2025, 6, 18), metrics: { temperature: 1 }, hostname });
  const { text } = await run("hosts");
  expect(text).toContain("host\\u001b[2J\\u009b1m");
  expect(text).not.toContain("\u001b");
});

test("errors have a message; the exit status is 1 for invalid input, and 2 for an unreachable gateway", async () => {
  const unreachable = await run("gpus", "--url", "http://127.0.0.1:1");
  expect([unreachable.status, unreachable.errors]).toEqual([2, expect.stringContaining("got no answer")]);
  const invalidLimit = await run("gpus", "--limit", "none");
  expect([invalidLimit.status, invalidLimit.errors]).toEqual([
    1,
    expect.stringContaining("whole number from 1 to 10000"),
  ]);
  const invalidUrl = await run("gpus", "--url", "ftp://localhost");
  expect([invalidUrl.status, invalidUrl.errors]).toEqual([
    1,
    expect.stringContaining("Expected localhost:8080, or a URL"),
  ]);
  expect((await run("--help")).text).toContain("dead-letters");
});
