import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { trixieFolder } from "../../dev/servers/trixie.ts";

// bun run setup-etcd in a folder of its own, on free ports. The tests build on each other: the servers go on between them.

const script = join(import.meta.dir, "../../scripts/setup-etcd.ts");
let folder: string;
let ports: { ETCD_PORT: string; POSTGRES_PORT: string };

beforeAll(async () => {
  await trixieFolder();
  folder = await mkdtemp(join(tmpdir(), "telemetry-setup-"));
  const [etcd, postgres] = await freePorts(2);
  ports = { ETCD_PORT: String(etcd), POSTGRES_PORT: String(postgres) };
}, 300_000);
afterAll(async () => {
  await setup("stop");
  await rm(folder, { recursive: true, force: true });
});

async function setup(command = "start", env: Readonly<Record<string, string>> = ports) {
  const child = Bun.spawn([process.execPath, script, command], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { output, errors, code: await child.exited };
}

const databaseUrl = (): string => `postgres://telemetry:telemetry@127.0.0.1:${ports.POSTGRES_PORT}/telemetry`;

async function sql(statement: string): Promise<unknown[]> {
  const client = new SQL(databaseUrl(), { max: 1 });
  try {
    return [...((await client.unsafe(statement)) as unknown[])];
  } finally {
    await client.close({ timeout: 0 });
  }
}

async function etcd(path: string, body: object): Promise<Record<string, unknown>> {
  const url = `http://localhost:${ports.ETCD_PORT}/v3/kv/${path}`;
  return (await (await fetch(url, { method: "POST", body: JSON.stringify(body) })).json()) as Record<string, unknown>;
}

const processId = (server: string): number =>
  (JSON.parse(readFileSync(join(folder, "data/servers", server, "process.json"), "utf8")) as { pid: number }).pid;

test("setup-etcd returns when both servers answer, and they stay when it has ended", async () => {
  const { output, code } = await setup();
  expect([code, output]).toEqual([0, expect.stringContaining(`etcd runs on localhost:${ports.ETCD_PORT}`)]);
  expect(output).toContain(`DATABASE_URL=${databaseUrl()}`);
  await sql("create extension timescaledb");
  await sql("create table kept (value int)");
  await etcd("put", { key: btoa("kept"), value: btoa("1") });
});

const addresses = (): Record<string, string> => ({
  ETCD_ENDPOINTS: `http://127.0.0.1:${ports.ETCD_PORT}`,
  DATABASE_URL: databaseUrl(),
});

test("a second setup-etcd, with the addresses as settings, says that both run, and changes nothing", async () => {
  const before = processId("etcd");
  const { output, code } = await setup("start", addresses());
  expect([code, output]).toEqual([0, expect.stringContaining("etcd already runs")]);
  expect(output).toContain("TimescaleDB already runs");
  expect(processId("etcd")).toBe(before);
});

test("servers that setup-etcd does not start, or other ports than those of its servers, are refused in one sentence", async () => {
  const pid = processId("etcd");
  const elsewhere = { ...addresses(), DATABASE_URL: "postgres://telemetry:secret@db.example.com/telemetry" };
  const otherPort = { ...addresses(), ETCD_ENDPOINTS: "http://localhost:1234" };
  const refusals = [
    [elsewhere, /^DATABASE_URL names the host db\.example\.com, but [^\n]*: unset DATABASE_URL[^\n]*\n$/],
    [otherPort, /^etcd already runs on port \d+; ETCD_ENDPOINTS names port 1234: [^\n]*\n$/],
  ] as const;
  for (const [env, sentence] of refusals) {
    for (const command of ["start", "stop"]) {
      const { code, output, errors } = await setup(command, env);
      expect({ command, code, output, errors }).toEqual({
        ...{ command, code: 1, output: "" },
        errors: expect.stringMatching(sentence) as string,
      });
    }
  }
  expect(processId("etcd")).toBe(pid);
});

test("a server that was killed starts again with its data", async () => {
  process.kill(processId("postgres"), "SIGKILL");
  process.kill(processId("etcd"), "SIGKILL");
  const { output, code } = await setup();
  expect([code, output]).toEqual([0, expect.stringContaining("etcd runs")]);
  expect(await sql("select * from kept")).toEqual([]);
  expect(await etcd("range", { key: btoa("kept") })).toMatchObject({ count: "1" });
});

test("two setup-etcd at the same time start each server once", async () => {
  await setup("stop");
  const both = await Promise.all([setup(), setup()]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(both.filter(({ output }) => output.includes("etcd already runs"))).toHaveLength(1);
});

test("the database refuses a wrong password, and its administrator", async () => {
  for (const user of ["telemetry:wrong", "postgres:postgres"]) {
    const client = new SQL(databaseUrl().replace("telemetry:telemetry", user), { max: 1 });
    await expect(client`select 1`.then(() => "connected")).rejects.toThrow();
    await client.close({ timeout: 0 });
  }
});

test("a port that another program uses is named, with the variable that changes it", async () => {
  const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  await setup("stop");
  const { errors, code } = await setup("start", { ...ports, ETCD_PORT: String(other.port) });
  other.stop(true);
  expect([code, errors]).toEqual([
    1,
    expect.stringMatching(/^etcd cannot use port \d+: another program .*ETCD_PORT\n$/),
  ]);
});

test("a port that is no number is refused in one sentence", async () => {
  const { errors, code } = await setup("start", { ...ports, ETCD_PORT: "etcd" });
  expect([code, errors]).toEqual([1, "ETCD_PORT=etcd is not usable: expected a port from 1 to 65534\n"]);
});

test("after scale-stop, setup-etcd keeps the data while a client is connected", async () => {
  await setup();
  markStopped();
  const client = new SQL(databaseUrl(), { max: 1 });
  await client`select 1`;
  expect((await setup()).output).toStartWith("The data is kept, because clients are connected to the database (1)");
  await client.close({ timeout: 0 });
  expect(await sql("select * from kept")).toEqual([]);
});

test("after scale-stop, setup-etcd with KEEP_DATA goes on with the data", async () => {
  markStopped();
  expect((await setup("start", { ...ports, KEEP_DATA: "yes" })).errors).toBe(
    "KEEP_DATA=yes is not usable: expected true or false\n",
  );
  const { output, code } = await setup("start", { ...ports, KEEP_DATA: "true" });
  expect([code, output]).toEqual([0, expect.stringMatching(/^etcd (already )?runs/)]);
  expect(await sql("select * from kept")).toEqual([]);
  expect(existsSync(join(folder, "data/run/stopped"))).toBe(false);
  markStopped();
});

test("after scale-stop, setup-etcd starts with empty data and keeps the old data, once", async () => {
  const { output } = await setup();
  expect(output).toStartWith("Everything was stopped by scale-stop, so the servers start with empty data;");
  await expect(sql("select * from kept")).rejects.toThrow("does not exist");
  expect(await etcd("range", { key: btoa("kept") })).not.toHaveProperty("count");
  expect(existsSync(join(folder, "data/servers.previous/postgres/data/PG_VERSION"))).toBe(true);
  await sql("create table second (value int)");
  expect((await setup()).output).toStartWith("etcd already runs");
  expect(await sql("select * from second")).toEqual([]);
  markStopped();
  await setup();
  expect(existsSync(join(folder, "data/servers.previous.previous"))).toBe(false);
  await expect(sql("select * from second")).rejects.toThrow("does not exist");
});

function markStopped(): void {
  mkdirSync(join(folder, "data/run"), { recursive: true });
  writeFileSync(join(folder, "data/run/stopped"), "");
}

test.skipIf(process.platform !== "linux")("stop-etcd names the processes of this folder that still run", async () => {
  const kit = join(import.meta.dir, "../../src/kit/process-name.ts");
  const text = `(await import("${kit}")).nameProcess("nexus-collector"); console.log("named"); await Bun.sleep(60_000)`;
  const env = { SUPERVISOR_SOCKET: join(folder, "data/run/supervisor.sock"), INSTANCE_NAME: "collector-1" };
  const collector = Bun.spawn([process.execPath, "-e", text], { env, stdout: "pipe" });
  await collector.stdout.getReader().read();
  const { output } = await setup("stop");
  collector.kill();
  expect(output).toEndWith("Still running, and in need of both: collector-1; bun run scale-stop stops them.\n");
  await collector.exited;
  expect((await setup("stop")).output).not.toContain("Still running");
});
