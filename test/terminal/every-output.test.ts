import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { makeBatch } from "../../dev/make-batch.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { isVisible, visible } from "../../src/domain/visible-text.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import { MemoryLeaderElection } from "../../src/scaling/election/memory/memory-leader-election.ts";
import { MemoryScalingRecords } from "../../src/scaling/coordinator/memory/memory-scaling-records.ts";
import { MemoryTargetStates } from "../../src/pipeline/source/states/memory/memory-target-states.ts";
import { decisionAt, updateAt } from "../contract/scaling-records.ts";
import { instanceOf } from "../contract/service-registry.ts";
import { stateOf } from "../contract/target-states.ts";
import { runTelemetry } from "../clients/run-telemetry.ts";
import { LiveClient, type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { faultChange, FaultLeader } from "../support/fault-leader.ts";
import { openMemoryStore } from "../support/open-store.ts";

// Every text of this fleet deceives. What people see of it, at any output, must not.

/** Reverses what follows, hides a character, clears a screen, and has the parts of a letter. */
const odd = "a\u202eb\u200bc\u009b2Jd\u001b[2Je\u0301\u00a0f\u007f";
const uuid = `GPU-${odd}`;

const targetStates = new MemoryTargetStates(systemClock);
const serviceRegistry = new MemoryServiceRegistry(systemClock);
const scaling = new MemoryScalingRecords(odd);
let faultDatabase: OpenStore;
let gateway: LiveGateway;
beforeAll(async () => {
  faultDatabase = await openMemoryStore();
  const faults = new SqlFaultStore(faultDatabase.client);
  await faultDatabase.client.query("insert into archive_files values (now(), $1, $1, 1, 1, '', now())", [odd]);
  const { archive } = faultDatabase;
  gateway = await openLiveGateway({ targetStates, serviceRegistry, scaling, faults, archive });
  const workload = { namespace: odd, pod: odd, container: odd };
  const labels = { modelName: odd, driverVersion: odd, properties: { [odd]: odd } };
  const records = [1, 2].map((second) => ({
    ...{ uuid, hostname: odd, clusterId: odd, workload, sharing: [{ ...workload, pod: "other" }], ...labels },
    timeMs: Date.UTC(2025, 6, 18, 20, 42, second),
    metrics: { temperature: second, gpu_utilization: 0, [`fan{${odd}="1"}`]: 1, [odd]: 2 },
  }));
  const place = { line: 0, byte: 1, reason: "invalid_field", field: odd, value: odd, raw: odd } as const;
  await gateway.collect(makeBatch(records, [{ ...place, message: odd }]));
  await targetStates.report([stateOf(odd, { state: "down", message: odd, warning: odd })]);
  await serviceRegistry.openEntry("a").put(instanceOf(odd, { errors: [odd], url: `http://${odd}` }));
  const term = await new MemoryLeaderElection().campaign(new AbortController().signal);
  if (term === undefined) throw new Error("the election has no leader");
  const atMs = systemClock.nowMs();
  await scaling.write(term, updateAt(atMs, [{ ...decisionAt(atMs, 4), reason: odd }]));
  const upload = `http://127.0.0.1:${gateway.port}/api/v1/csv/upload?file_name=${encodeURIComponent(odd)}`;
  await fetch(upload, { method: "POST", body: "timestamp,uuid\n", headers: { "content-type": "text/csv" } });
  const leader = await FaultLeader.of(faults);
  const said = { summary: odd, why: odd, action: odd, runbook: odd, holders: [workload] };
  await leader.tell(faultChange({ uuid, hostname: odd, clusterId: odd, ...said }, "firing", atMs));
});
afterAll(async () => {
  await gateway.close();
  await faultDatabase.close();
});

/** The parts of a text that people do not see as they are. */
const deceiving = (text: string): string[] => text.split(/[\n\t]/).filter((line) => !isVisible(line.trim()));

/** Runs scripts/telemetry.ts in this process. @returns what it prints */
async function telemetry(...args: string[]): Promise<string> {
  const [argv, texts] = [process.argv, [] as string[]];
  const streams = [process.stdout, process.stderr].map((stream) =>
    spyOn(stream, "write").mockImplementation((chunk) => texts.push(String(chunk)) > 0),
  );
  process.argv = [process.execPath, "telemetry", "--url", `http://127.0.0.1:${gateway.port}`, ...args];
  try {
    await import(`../../scripts/telemetry.ts?${args.join()}`);
  } finally {
    process.argv = argv;
    process.exitCode = 0;
    streams.forEach((stream) => stream.mockRestore());
  }
  return texts.join("");
}

const range = ["--start", "2025-07-18T20:00:00Z", "--end", "2025-07-18T20:59:00Z"];

/** Each command of the program that shows data, with what it needs. */
const commands: Readonly<Record<string, readonly string[]>> = {
  gpus: [],
  hosts: [],
  clusters: [],
  stats: [],
  metrics: [],
  latest: [],
  history: [],
  coverage: range,
  archive: [],
  aggregates: range,
  uploads: [],
  usage: range,
  waste: range,
  inventory: [],
  changes: ["--gpu", uuid],
  series: [],
  watch: ["--count", "1"],
  top: ["--count", "1"],
  faults: [],
  services: [],
  targets: [],
  queue: [],
  scaling: [],
  rejections: [],
  "dead-letters": [],
  keys: ["list"],
  whoami: [],
  sessions: ["list"],
  completions: ["bash"],
};

test("no command of the terminal prints a text that deceives, as a table or as JSON", async () => {
  for (const [name, args] of Object.entries(commands)) {
    const [table, json] = [await telemetry(name, ...args), await telemetry("--json", name, ...args)];
    expect([name, deceiving(table), deceiving(json)]).toEqual([name, [], []]);
    if (["metrics", "dead-letters", "keys", "queue", "whoami", "sessions", "completions"].includes(name)) continue;
    expect([name, table.replaceAll(/[\s│]/g, "").includes("a\\u202eb\\u200bc")]).toEqual([name, true]);
    if (name !== "watch")
      expect([name, JSON.stringify(JSON.parse(json))]).toEqual([name, expect.stringContaining("\u202e")]);
  }
});

test("the list of commands above is complete", async () => {
  const { text } = await runTelemetry(gateway.port, ["--help"]);
  const names = text.slice(text.indexOf("Commands:")).matchAll(/^ {2}([a-z-]+)/gm);
  // export writes a file, import and upload send files, and mcp speaks to a program
  const others = ["help", "export", "import", "upload", "mcp"];
  const shown = [...names].flatMap(([, name = ""]) => (others.includes(name) ? [] : [name]));
  expect(shown).toEqual(Object.keys(commands));
});

type Operations = Readonly<Record<string, Readonly<Record<string, { parameters?: { name: string; in: string }[] }>>>>;

test("no answer of the API has such a text in its headers, in the message of its error, or in a page", async () => {
  const url = `http://127.0.0.1:${gateway.port}`;
  const wrong = encodeURIComponent(odd);
  const { paths } = (await (await fetch(`${url}/swagger/swagger.json`)).json()) as { paths: Operations };
  const requests = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { parameters = [] }]) => {
      const at = `${url}${path.replace(/\{\w+\}/g, wrong)}`;
      const queries = parameters.filter((each) => each.in === "query").map(({ name }) => `?${name}=${wrong}`);
      return ["", `?${wrong}=${wrong}`, ...queries].map((query) => [method.toUpperCase(), `${at}${query}`] as const);
    }),
  );
  expect(requests.length).toBeGreaterThan(150);
  const others = gateway.app.routes.filter(({ method, path }) => method === "GET" && !Object.hasOwn(paths, path));
  expect(others.map(({ path }) => path)).toContain("/sign-in");
  const pages = [...others.map(({ path }) => path), "/nothing"].flatMap((path) =>
    ["", `/${wrong}`].flatMap((rest) =>
      [`?return_to=${wrong}`, `?${wrong}`].map(
        (query) => ["GET", `${url}${path.replace(/:\w+|\*/g, wrong)}${rest}${query}`] as const,
      ),
    ),
  );
  let messages = 0;
  for (const [method, at] of [...requests, ...pages]) {
    const answer = await fetch(at, { method, headers: { accept: "text/html, */*" }, redirect: "manual" });
    const body = await answer.text();
    const type = answer.headers.get("content-type") ?? "";
    expect([at, [...answer.headers.values()].filter((value) => !isVisible(value))]).toEqual([at, []]);
    if (type.startsWith("text/html")) expect([at, body.includes(odd.slice(0, 3))]).toEqual([at, false]);
    if (answer.ok || !type.startsWith("application/json")) continue;
    const { error } = JSON.parse(body) as { error?: { message: string } | string };
    const message = typeof error === "string" ? error : error?.message;
    messages += message?.includes("\\u202e") === true ? 1 : 0;
    expect([at, deceiving(message ?? "")]).toEqual([at, []]);
  }
  expect(messages).toBeGreaterThan(100);
});

test("no message of an error of GraphQL or of a socket has such a text", async () => {
  const queries = [
    `{ gpus(limit: ${JSON.stringify(odd)}) { uuid } }`,
    `{ telemetry(startTime: ${JSON.stringify(odd)}) { timestamp } }`,
    `query ($n: Int!) { gpus(limit: $n) { uuid } }`,
  ];
  for (const query of queries) {
    const body = JSON.stringify({ query, variables: { n: odd } });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/graphql`, { method: "POST", headers, body });
    const { errors } = (await answer.json()) as { errors: { message: string }[] };
    expect([query, errors.flatMap(({ message }) => deceiving(message))]).toEqual([query, []]);
    expect([query, JSON.stringify(errors)]).toEqual([query, expect.stringContaining("\\\\u202e")]);
  }
  const client = await LiveClient.open({ url: gateway.url });
  for (const message of [
    odd,
    { type: odd },
    { type: "subscribe", filters: { metrics: [odd] } },
    { type: "subscribe", since: odd },
  ]) {
    const answer = await client.ask(message);
    expect([answer.type, deceiving(String(answer["message"]))]).toEqual(["error", []]);
    expect(String(answer["message"])).toContain("\\u202e");
  }
  client.close();
});

test("the log has no such text: on a terminal it is escaped, and as JSON its values are the same", async () => {
  const script = `
    import { makeLog } from "./src/terminal/log.ts";
    for (const isTerminal of [false, true]) {
      const log = await makeLog("info", isTerminal);
      log.warn({ host: process.argv[1], err: new Error(process.argv[1]) }, process.argv[1] + "\\n[00:00:00] INFO: forged");
    }`;
  const child = Bun.spawn([process.execPath, "-e", script, odd], { cwd: `${import.meta.dir}/../..`, stdout: "pipe" });
  const [json = "", ...lines] = (await child.stdout.text()).split("\n");
  expect(deceiving(json)).toEqual([]);
  expect(JSON.parse(json)).toMatchObject({ host: odd, err: { message: odd }, msg: `${odd}\n[00:00:00] INFO: forged` });
  const shown = Bun.stripANSI(lines.join("\n"));
  expect(deceiving(shown)).toEqual([]);
  expect(shown).toContain(`WARN: ${visible(`${odd}\n[00:00:00] INFO: forged`)}`);
  expect(shown).not.toMatch(/^\[00:00:00\]/m);
});
