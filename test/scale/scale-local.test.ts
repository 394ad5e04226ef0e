import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until as untilBy } from "../../dev/until.ts";
import { sharedData } from "../support/shared-data.ts";
import { type LocalPipeline, localPipeline, runs } from "../../dev/local-pipeline.ts";

// The scale commands as a person types them, with real processes on a real etcd and a real database.

let etcd: ProvidedEtcd;
let database: ProvidedDatabase;
let pipeline: LocalPipeline;
let own: ProvidedDatabase | undefined;

beforeAll(async () => {
  [etcd, database] = await Promise.all([provideEtcd(), provideDatabase()]);
}, 300_000);
afterEach(async () => {
  await pipeline.remove();
  await own?.stop();
  own = undefined;
}, 60_000);
afterAll(async () => {
  await Promise.all([etcd.stop(), database.stop()]);
});

/** Processes take long to start while other tests run. */
const until = (check: () => boolean | Promise<boolean>): Promise<unknown> => untilBy(check, { timeoutMs: 60_000 });

async function open(env: Record<string, string> = {}): Promise<LocalPipeline> {
  pipeline = await localPipeline({
    ...{ ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: database.url, QUEUE_TOPIC: crypto.randomUUID() },
    ...{ SHUTDOWN_TIMEOUT_SECONDS: "10", ...env },
  });
  return pipeline;
}

/** A database without the GPUs of other tests, for tests that count GPUs: a gateway shows what the store has. */
async function ownDatabase(): Promise<{ DATABASE_URL: string }> {
  own = await provideDatabase();
  return { DATABASE_URL: own.url };
}

const realCsv = sharedData("csv", "dcgm_metrics_20250718_134233.csv");

async function countAt(url: string, path: string): Promise<number> {
  return ((await (await fetch(`${url}/api/v1/${path}`)).json()) as { count: number }).count;
}

const linesOf = (output: string, name: string): string[] =>
  output.split("\n").filter((line) => line.startsWith(`${name} `) && !line.includes(":"));
const allErrors = (logs: string): string[] =>
  readdirSync(logs).flatMap((file) =>
    readFileSync(join(logs, file), "utf8")
      .split("\n")
      .filter((line) => /error/i.test(line)),
  );

test("two of each role start in the background, are ready when the command ends, and the API shows the simulated GPUs", async () => {
  const { type, gatewayUrls, balancerUrl, folder, pidOf } = await open(await ownDatabase());
  const started = await type("local", { INSTANCES: "2" });
  expect(started.code).toBe(0);
  expect(await countAt(gatewayUrls[0] as string, "gpus")).toBeGreaterThan(0);
  expect(started.output).toStartWith("Starting streamer-1, ");
  const names = ["streamer-1", "streamer-2", "collector-1", "collector-2", "gateway-1", "gateway-2", "balancer-1"];
  for (const name of names) {
    expect(linesOf(started.output, name)).toEqual([expect.stringContaining(` ${pidOf(name)} `)]);
    expect(linesOf(started.output, name)[0]).toMatch(/ ok +\d+ +\d+M +/);
    expect(readFileSync(`/proc/${pidOf(name)}/comm`, "utf8").trim()).toBe(`nexus-${name.slice(0, -2)}`);
  }
  for (const url of [...gatewayUrls.slice(0, 2), balancerUrl]) {
    await until(async () => (await countAt(url, "gpus")) === 32);
  }
  await until(async () => / ok .*M +\d+ +0$/m.test((await type("status")).output));
  const { output, code } = await type("status");
  expect(code).toBe(0);
  expect(output.split("\n").every((line) => line.length <= 80)).toBe(true);
  expect(allErrors(join(folder, "logs"))).toEqual([]);
  const pids = names.map(pidOf);
  const stopped = await type("stop");
  expect(stopped).toEqual({
    code: 0,
    output: "Stopped streamer-1, streamer-2, collector-1, collector-2, gateway-1, gateway-2 and balancer-1\n",
  });
  expect(pids.filter(runs)).toEqual([]);
  expect(readdirSync(join(folder, "run"))).toEqual(["stopped", "supervisor.lock"]);
  expect(allErrors(join(folder, "logs"))).toEqual([]);
  expect(await type("stop")).toEqual({ code: 0, output: "Nothing runs.\n" });
  expect((await type("status")).code).toBe(1);
  const logs = await type("logs");
  expect([logs.code, logs.output]).toEqual([
    0,
    expect.stringMatching(/^balancer-1 .*\nNothing runs; .*scale-local.*\n$/s),
  ]);
}, 180_000);

test.skipIf(realCsv === undefined)(
  "two of each role take in the real CSV once",
  async () => {
    const { type, gatewayUrls, folder } = await open({ BATCH_SIZE: "100", ...(await ownDatabase()) });
    expect((await type("local", { INSTANCES: "2", CSV_FILE: realCsv as string })).code).toBe(0);
    const url = gatewayUrls[1] as string;
    await until(
      async () => (await countAt(url, "telemetry?limit=10000")) === 988 && (await countAt(url, "hosts")) === 31,
    );
    expect([await countAt(url, "gpus"), await countAt(url, "quarantine")]).toEqual([247, 0]);
    expect(allErrors(join(folder, "logs"))).toEqual([]);
  },
  180_000,
);

test("a role grows and shrinks from the highest number, and the processes that stay are not touched", async () => {
  const { type, pidOf } = await open();
  await type("local", { INSTANCES: "1", API_GW_INSTANCES: "0" });
  const first = pidOf("collector-1");
  expect((await type("collectors", { COLLECTOR_INSTANCES: "4" })).code).toBe(0);
  const third = pidOf("collector-3");
  process.kill(first ?? 0, "SIGSTOP");
  const shrunk = await type("collectors", { COLLECTOR_INSTANCES: "2" });
  process.kill(first ?? 0, "SIGCONT");
  expect([shrunk.code, shrunk.output]).toEqual([0, expect.stringContaining("collector-1: does not answer")]);
  expect(shrunk.output).toStartWith("Stopping collector-3 and collector-4\n");
  expect([pidOf("collector-1"), pidOf("collector-3"), pidOf("collector-4"), runs(third)]).toEqual([
    first,
    undefined,
    undefined,
    false,
  ]);
  expect(linesOf(shrunk.output, "collector-2").length).toBe(1);
  expect(linesOf(shrunk.output, "collector-3")).toEqual([]);
  const plain = await type("local", { API_GW_INSTANCES: "0" });
  expect([plain.code, linesOf(plain.output, "collector-2").length]).toEqual([0, 1]);
  expect(plain.output).not.toMatch(/Starting|Stopping/);
}, 180_000);

test("a killed process is back and counted, and the log says it", async () => {
  const { type, pidOf, logOf } = await open();
  await type("collectors", { COLLECTOR_INSTANCES: "1" });
  const killed = pidOf("collector-1") ?? 0;
  process.kill(killed, "SIGKILL");
  await until(() => pidOf("collector-1") !== undefined && pidOf("collector-1") !== killed);
  const { output } = await type("status");
  expect(linesOf(output, "collector-1")[0]).toEndWith(" 1");
  expect(output).toContain("collector-1: 1 restart; the last time it was ended by SIGKILL");
  expect(logOf("supervisor")).toMatch(/"level":"error".*collector-1: it was ended by SIGKILL/);
}, 180_000);

test("a crash loop is said with its reason; the others run, and the command does not wait for ever", async () => {
  const { type } = await open();
  const wrong = new URL(database.url);
  wrong.pathname = "/no_such_database";
  const started = await type("local", { INSTANCES: "1", API_GW_INSTANCES: "0", DATABASE_URL: wrong.href });
  expect(started.code).toBe(1);
  expect(linesOf(started.output, "streamer-1")[0]).toContain(" ok ");
  expect(linesOf(started.output, "collector-1")[0]).toContain(" crashing ");
  expect(started.output).toMatch(
    /collector-1: crash loop, \d+ restarts: it ended with exit code 1: .*no_such_database/,
  );
  expect((await type("status")).code).toBe(1);
}, 180_000);

test("processes do not notice when the supervisor dies; the next command takes them over", async () => {
  const { type, pidOf, logOf } = await open();
  await type("collectors", { COLLECTOR_INSTANCES: "2" });
  const [supervisor = 0, first, second = 0] = ["supervisor", "collector-1", "collector-2"].map(pidOf);
  process.kill(supervisor, "SIGKILL");
  await until(() => !runs(supervisor));
  expect([first, second].map(runs)).toEqual([true, true]);
  const { output, code } = await type("status");
  expect([code, pidOf("collector-1"), pidOf("collector-2")]).toEqual([0, first, second]);
  expect(linesOf(output, "collector-2").length).toBe(1);
  expect(logOf("supervisor")).toContain("collector-2 is taken over");
  process.kill(second, "SIGKILL");
  await until(() => runs(pidOf("collector-2")) && pidOf("collector-2") !== second);
  expect((await type("stop")).output).toBe("Stopped collector-1 and collector-2\n");
  expect(runs(first)).toBe(false);
}, 180_000);

test("a stranger that has the id of a process that has ended is neither taken over nor killed", async () => {
  const { type, pidOf, folder } = await open();
  await type("collectors", { COLLECTOR_INSTANCES: "2" });
  const [supervisor = 0, first = 0] = ["supervisor", "collector-1"].map(pidOf);
  process.kill(supervisor, "SIGKILL");
  process.kill(first, "SIGKILL");
  await until(() => !runs(supervisor) && !runs(first));
  const stranger = Bun.spawn(["sleep", "600"]);
  const state = join(folder, "run/supervisor.json");
  writeFileSync(state, readFileSync(state, "utf8").replace(`"pid": ${first},`, `"pid": ${stranger.pid},`));
  writeFileSync(join(folder, "run/collector-1.pid"), `${stranger.pid}\n`);
  await type("status");
  await until(() => runs(pidOf("collector-1")) && pidOf("collector-1") !== stranger.pid);
  expect((await type("stop")).output).toBe("Stopped collector-1 and collector-2\n");
  expect(stranger.exitCode).toBeNull();
  stranger.kill();
}, 180_000);

test("a stop ends everything in its time, also a process that does not react", async () => {
  const { type, pidOf } = await open({ SHUTDOWN_TIMEOUT_SECONDS: "3" });
  await type("collectors", { COLLECTOR_INSTANCES: "2" });
  const pids = [pidOf("collector-1"), pidOf("collector-2")] as const;
  process.kill(pids[1] ?? 0, "SIGSTOP");
  const startedMs = performance.now();
  const { output } = await type("stop");
  expect(performance.now() - startedMs).toBeLessThan(4000);
  expect(output).toBe(
    "Stopped collector-1 and collector-2\ncollector-2 did not end in SHUTDOWN_TIMEOUT_SECONDS and had to be killed\n",
  );
  expect(pids.map(runs)).toEqual([false, false]);
}, 180_000);

test("a rolling restart replaces every process, one at a time, applies new settings, and no request through the balancer fails", async () => {
  const { type, pidOf, gatewayUrls, balancerUrl } = await open(await ownDatabase());
  await type("local", { INSTANCES: "1", API_GW_INSTANCES: "2" });
  const names = ["streamer-1", "collector-1", "gateway-1", "gateway-2"];
  const before = names.map(pidOf);
  const balancer = pidOf("balancer-1");
  const answers: number[] = [];
  const watching = new AbortController();
  const watch = (async () => {
    while (!watching.signal.aborted) {
      answers.push((await fetch(`${balancerUrl}/api/v1/gpus`)).status);
      await Bun.sleep(20);
    }
  })();
  const { code, output } = await type("restart", { SIM_HOSTS: "5" });
  watching.abort();
  await watch;
  expect([code, output.split("\n").map((line) => line.replace(/[\d.]+ s$/, "n s"))]).toEqual([
    0,
    [...names.map((name) => `${name} restarted in n s`), ""],
  ]);
  expect(names.map(pidOf).some((pid) => before.includes(pid))).toBe(false);
  expect([new Set(answers), pidOf("balancer-1")]).toEqual([new Set([200]), balancer]);
  await until(async () => (await countAt(gatewayUrls[1] as string, "gpus")) === 40);
  expect((await type("status")).output).not.toContain("earlier settings");
}, 180_000);

test("two commands at the same time start one supervisor, and both are carried out", async () => {
  const { type, pidOf } = await open();
  const typed = await Promise.all([
    type("collectors", { COLLECTOR_INSTANCES: "2" }),
    type("streamers", { STREAMER_INSTANCES: "1" }),
    type("collectors", { COLLECTOR_INSTANCES: "2" }),
  ]);
  expect(typed.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(["collector-1", "collector-2", "streamer-1"].map((name) => runs(pidOf(name)))).toEqual([true, true, true]);
  expect((await type("stop")).output).toBe("Stopped streamer-1, collector-1 and collector-2\n");
}, 180_000);

test("a command whose processes another command stops at once says so, and fails", async () => {
  const { type, pidOf } = await open({ SHUTDOWN_TIMEOUT_SECONDS: "3" });
  const first = type("collectors", { COLLECTOR_INSTANCES: "1" });
  await until(() => pidOf("collector-1") !== undefined);
  process.kill(pidOf("collector-1") ?? 0, "SIGSTOP");
  await type("stop");
  const { code, output } = await first;
  expect([code, output]).toEqual([
    1,
    expect.stringContaining("Stopped by another command before this one ended: collector-1"),
  ]);
}, 180_000);

test("the file of a finished import may be gone: only streamers need it", async () => {
  const { type, folder } = await open();
  const file = join(folder, "imported.csv");
  writeFileSync(file, "timestamp\n");
  expect((await type("collectors", { COLLECTOR_INSTANCES: "1", CSV_FILE: file })).code).toBe(0);
  rmSync(file);
  expect((await type("collectors", { COLLECTOR_INSTANCES: "2" })).code).toBe(0);
  const { code, output } = await type("streamers", { STREAMER_INSTANCES: "1" });
  expect([code, output]).toEqual([1, `CSV_FILE=${file} does not exist\n`]);
}, 180_000);

test("socket and pid files that a machine left behind when it lost power mean nothing", async () => {
  const { type, pidOf, folder } = await open();
  await type("collectors", { COLLECTOR_INSTANCES: "1" });
  const [supervisor = 0, collector = 0] = ["supervisor", "collector-1"].map(pidOf);
  process.kill(supervisor, "SIGKILL");
  process.kill(collector, "SIGKILL");
  await until(() => !runs(supervisor) && !runs(collector));
  expect(readdirSync(join(folder, "run"))).toContain("supervisor.sock");
  expect((await type("logs")).output).toMatch(/\nNothing runs; .*\n$/);
  expect((await type("status")).output).toStartWith("Nothing runs");
  expect((await type("streamers", { STREAMER_INSTANCES: "1" })).code).toBe(0);
  expect(readdirSync(join(folder, "run"))).not.toContain("stopped");
  expect((await type("stop")).output).toBe("Stopped streamer-1\n");
}, 180_000);

test("after the state file is lost, earlier processes are named, not doubled, and ended by a stop; a stranger with a pid file is left alone", async () => {
  const { type, pidOf, folder } = await open();
  await type("collectors", { COLLECTOR_INSTANCES: "1" });
  const [supervisor = 0, collector = 0] = ["supervisor", "collector-1"].map(pidOf);
  process.kill(supervisor, "SIGKILL");
  await until(() => !runs(supervisor));
  writeFileSync(join(folder, "run/supervisor.json"), '{"counts":');
  // all but the name of a process of this folder
  const env = { SUPERVISOR_SOCKET: join(folder, "run/supervisor.sock"), INSTANCE_NAME: "collector-2" };
  const stranger = Bun.spawn(["sleep", "600"], { env });
  writeFileSync(join(folder, "run/collector-2.pid"), `${stranger.pid}\n`);
  const named = expect.stringContaining(
    `\n  collector-1, pid ${collector}\nbun run scale-stop ends everything`,
  ) as string;
  expect(await type("status")).toEqual({ code: 1, output: named });
  expect(await type("collectors", { COLLECTOR_INSTANCES: "1" })).toEqual({ code: 1, output: named });
  expect(runs(collector)).toBe(true);
  expect((await type("stop")).output).toBe("Stopped collector-1\n");
  expect([runs(collector), stranger.exitCode]).toEqual([false, null]);
  stranger.kill();
}, 180_000);

test("when the folders of a running pipeline are deleted, the commands still reach it", async () => {
  const { type, pidOf, folder } = await open();
  await type("collectors", { COLLECTOR_INSTANCES: "1" });
  const before = [pidOf("supervisor"), pidOf("collector-1")];
  rmSync(join(folder, "run"), { recursive: true });
  rmSync(join(folder, "logs"), { recursive: true });
  await until(() => pidOf("collector-1") !== undefined);
  const { code, output } = await type("collectors", { COLLECTOR_INSTANCES: "2" });
  expect([code, output.split("\n")[0]]).toEqual([0, "Starting collector-2"]);
  expect([pidOf("supervisor"), pidOf("collector-1")]).toEqual(before);
  expect((await type("stop")).output).toBe("Stopped collector-1 and collector-2\n");
  expect(runs(before[1])).toBe(false);
}, 180_000);

test("what prevents a start is one sentence, and nothing is started", async () => {
  const { type, folder } = await open();
  const blocked = join(folder, "blocked");
  writeFileSync(blocked, "");
  const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ ETCD_ENDPOINTS: "http://127.0.0.1:1" }, /^etcd does not answer at http:\/\/127.0.0.1:1: start it with .*\n$/],
    [
      { DATABASE_URL: "postgres://a@127.0.0.1:1/b" },
      /^the database does not answer at 127.0.0.1:1: start it with .*\n$/,
    ],
    [{ CSV_FILE: "missing.csv" }, /^CSV_FILE=.*\/missing.csv does not exist\n$/],
    [{ INSTANCES: "lots" }, /^INSTANCES=lots is not usable: .*\n$/],
    [{ PORT: "99999" }, /^PORT=99999 is not usable: .*\n$/],
    [{ BATCH_SIZE: "0" }, /BATCH_SIZE=0 is not usable/],
    [{ SUPERVISOR_SOCKET: join(blocked, "run/x.sock") }, /^the folder .*blocked\/run \(SUPERVISOR_SOCKET .*\n$/],
    [
      { LOG_DIR: blocked, SUPERVISOR_SOCKET: join(folder, "new/x.sock") },
      /^the folder .*blocked \(LOG_DIR\) cannot be made: .*\n$/,
    ],
    [{ SUPERVISOR_SOCKET: join(folder, "x".repeat(120)) }, /^.*is too long for a socket: .*\n$/],
  ];
  for (const [env, sentence] of cases) {
    const { code, output } = await type("local", env);
    expect([code, output]).toEqual([1, expect.stringMatching(sentence)]);
  }
  expect((await type("status")).output).toStartWith("Nothing runs");
  expect((await type("logs", { LOG_DIR: join(folder, "none") })).code).toBe(1);
}, 180_000);

test("a folder that cannot be written any more: the command says it, and nothing changes", async () => {
  const { type, pidOf, folder } = await open();
  await type("collectors", { COLLECTOR_INSTANCES: "1" });
  const state = join(folder, "run/supervisor.json");
  // even root cannot write a file where a folder is
  mkdirSync(`${state}.next`);
  const { code, output } = await type("collectors", { COLLECTOR_INSTANCES: "2" });
  expect([code, output]).toEqual([1, expect.stringMatching(/^the supervisor cannot write .*supervisor.json.*\n$/)]);
  expect(pidOf("collector-2")).toBeUndefined();
  rmSync(`${state}.next`, { recursive: true });
  expect((await type("collectors", { COLLECTOR_INSTANCES: "2" })).code).toBe(0);
}, 180_000);
