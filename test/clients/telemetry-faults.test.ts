import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { liveFaults } from "gpu-telemetry-client";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { until } from "../../dev/until.ts";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";
import { faultChange, FaultLeader } from "../support/fault-leader.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { runTelemetry } from "./run-telemetry.ts";

setDefaultTimeout(60_000);

const startedAtMs = Date.now() - 3 * 3_600_000;
const ofGpu = { uuid: "GPU-cli", hostname: "host-cli", clusterId: "lab" };
let stored: OpenStore;
let gateway: LiveGateway;
let leader: FaultLeader;
let hot: string;
beforeAll(async () => {
  stored = await openMemoryStore();
  const record = { uuid: "GPU-cli", hostname: "host-cli", timeMs: Date.UTC(2025, 6, 18), metrics: { temperature: 41 } };
  await stored.store.ingest(messageOf("inventory", makeBatch([record])));
  const faults = new SqlFaultStore(stored.client);
  gateway = await openLiveGateway({ faults, inventory: stored.inventory });
  leader = await FaultLeader.of(faults);
  const holders = [{ namespace: "ml", pod: "train-0", container: "main" }];
  hot = await leader.tell(faultChange({ ...ofGpu, holders, startedAtMs }, "firing", startedAtMs));
  const idle = { ...ofGpu, name: "held.idle", severity: "info" as const };
  await leader.tell(faultChange({ ...idle, startedAtMs: startedAtMs + 1000 }, "pending", startedAtMs + 1000));
  leader.work();
});
afterAll(async () => {
  await leader.stop();
  await gateway.close();
  await stored.close();
});

const run = (...args: string[]) => runTelemetry(gateway.port, ["faults", ...args]);
const jsonOf = async (...args: string[]): Promise<unknown> => JSON.parse((await run(...args, "--json")).text);

test("faults are a table that says where, how old, who holds it, and what to do", async () => {
  const { status, text, errors } = await run();
  expect([status, errors]).toEqual([0, ""]);
  for (const part of ["warning", "3h", "firing", "host-cli", "GPU-cli", "ml/train-0/ma", "1 fault"]) {
    expect(text).toContain(part);
  }
  expect(text).toContain("gpu.temperature.high: Check the fans. (docs/faults.md#gputemperaturehigh)");
  expect(
    Math.max(
      ...text
        .split("\n")
        .slice(0, 4)
        .map(({ length }) => length),
    ),
  ).toBeLessThanOrEqual(80);
});

test("a wider terminal has a wider table", async () => {
  let text = "";
  const decoder = new TextDecoder();
  const child = Bun.spawn([process.execPath, "scripts/telemetry.ts", "faults"], {
    cwd: `${import.meta.dir}/../..`,
    env: { ...process.env, TELEMETRY_URL: `http://127.0.0.1:${gateway.port}`, NO_COLOR: "1" },
    terminal: { cols: 160, rows: 24, data: (_, data) => void (text += decoder.decode(data, { stream: true })) },
  });
  expect(await child.exited).toBe(0);
  await until(() => text.includes("1 fault"));
  expect(text).toContain("│ ml/train-0/main │");
}, 20_000);

test("options select faults, and pending ones are shown if they are asked for", async () => {
  expect(await jsonOf()).toMatchObject([{ id: hot }]);
  expect(await jsonOf("--pending")).toMatchObject([{ name: "held.idle", state: "pending" }, { id: hot }]);
  expect(await jsonOf("--state", "pending", "--severity", "info")).toMatchObject([{ name: "held.idle" }]);
  expect(await jsonOf("--host", "none")).toEqual([]);
  expect(await jsonOf("--namespace", "ml", "--gpu", "GPU-cli", "--name", "gpu.temperature.high")).toHaveLength(1);
  const refused = await run("--severity", "awful");
  expect([refused.status, refused.errors.includes("info, warning, critical")]).toEqual([1, true]);
});

test("show prints a fault with its changes", async () => {
  const { text } = await run("show", hot);
  expect(text).toContain("held by: ml/train-0/main");
  expect(text).toContain("firing temperature is 90: firing.");
});

test("a silence is created, listed and ended; the table marks what it silences", async () => {
  const made = await run("silence", "--host", "host-*", "--reason", "fans", "--for", "2h");
  expect([made.status, made.errors]).toEqual([0, ""]);
  const [silence] = (await jsonOf("silences")) as { id: number; ends_at: string }[];
  expect(silence).toMatchObject({ author: "anyone", reason: "fans", matchers: { hostname: "host-*" } });
  const lastsMs = Date.parse(silence?.ends_at ?? "") - Date.now();
  expect([lastsMs > 7_100_000, lastsMs <= 7_200_000]).toEqual([true, true]);
  expect((await run()).text).toContain("silenced");
  expect((await run("unsilence", String(silence?.id))).text).toContain("ended");
  expect(await jsonOf("silences")).toEqual([]);
  expect(await jsonOf("silences", "--ended")).toHaveLength(1);
  const unbounded = await run("silence", "--host", "x", "--reason", "x");
  expect([unbounded.status, unbounded.errors]).toEqual([1, expect.stringContaining("--for or --until")]);
});

test("a reset is told, a part of an id is enough to acknowledge, and --watch prints what has changed since", async () => {
  expect((await run("reset", "GPU-cli", "--comment", "ticket")).text).toContain("carried out");
  expect((await run("reboot", "host-none")).status).toBe(1);
  const watching = run("--watch", "--count", "2", "--interval", "0.2", "--json");
  // the first table has to be there before the change
  await Bun.sleep(3000);
  const { status, text } = await run("ack", "temperature.high", "--comment", "seen");
  expect([status, text]).toEqual([0, expect.stringContaining(`${hot}: acknowledged`)]);
  const tables = (await watching).text.trim().split("\n");
  expect(tables.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    [{ id: hot, state: "firing" }],
    [{ id: hot, state: "acknowledged", comment: "seen" }],
  ]);
});

test("watch --faults prints each change once, from a number on, also when it comes again", async () => {
  const watching = await runTelemetry(gateway.port, ["watch", "--faults", "--since", "0", "--count", "2"]);
  expect([watching.status, watching.errors]).toEqual([0, ""]);
  const [first = "", second = ""] = watching.text.trim().split("\n");
  expect(first).toContain("1 warning firing gpu.temperature.high host-cli GPU-cli: temperature is 90: firing.");
  expect(second).toContain(" 2 info pending held.idle host-cli GPU-cli");
  const later = await runTelemetry(gateway.port, ["watch", "--faults", "--since", "1", "--count", "1", "--json"]);
  expect(JSON.parse(later.text)).toMatchObject({ type: "fault_change", sequence: 2, change: { state: "pending" } });
});

test("watch --faults selects changes", async () => {
  const select = (...options: string[]) =>
    runTelemetry(gateway.port, ["watch", "--faults", "--since", "0", "--count", "1", ...options]);
  const idle = await select("--severity", "info,critical", "--state", "pending", "--gpu", "GPU-cli");
  expect([idle.status, idle.text]).toEqual([0, expect.stringContaining(" 2 info pending held.idle")]);
  const refused = await select("--state", "broken");
  expect([refused.status, refused.errors]).toEqual([1, expect.stringContaining("filters.state[0]")]);
});

test("liveFaults continues after the last change when its connection breaks", async () => {
  const sockets: WebSocket[] = [];
  const sequences: number[] = [];
  const live = liveFaults({
    baseUrl: `http://127.0.0.1:${gateway.port}`,
    since: 0,
    retryMs: 50,
    connect: (url) => {
      const socket = new WebSocket(url);
      sockets.push(socket);
      return socket;
    },
    onChange: ({ sequence }) => void sequences.push(sequence),
  });
  await until(() => sequences.length >= 2);
  sockets[0]?.close();
  await until(() => sockets.length === 2);
  const before = sequences.length;
  await leader.tell(faultChange({ ...ofGpu, uuid: "GPU-later" }, "firing", Date.now()));
  await until(() => sequences.length > before);
  expect(sequences).toEqual(Array.from({ length: sequences.length }, (_, index) => index + 1));
  live.close();
  await live.ended;
});
