import { afterEach, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import { until } from "../dev/until.ts";
import { type EtcdCluster, type EtcdMember, type EtcdOptions, startEtcd } from "../dev/servers/etcd.ts";
import { startPostgres } from "../dev/servers/postgres.ts";
import { provideDatabase } from "../dev/servers/provide-database.ts";
import { provideEtcd } from "../dev/servers/provide-etcd.ts";
import { trixieFolder } from "../dev/servers/trixie.ts";

// The real servers that other tests start. When the process that started a server has ended, no process, mount or folder of the
// server is left.

const stops: (() => Promise<void>)[] = [];

beforeAll(async () => void (await trixieFolder()), 300_000);
afterEach(async () => void (await Promise.all(stops.splice(0).map((stop) => stop()))));

const toStop = <T extends { stop(): Promise<void> }>(service: T): T => {
  stops.push(() => service.stop());
  return service;
};
const etcdOf = async (options: EtcdOptions): Promise<EtcdCluster> => toStop(await startEtcd(options));

/** The rows without the fields that the driver adds to the array. */
const rowsOf = (result: unknown): unknown[] => [...(result as unknown[])];

const base64 = (text: string): string => Buffer.from(text).toString("base64");

interface Call {
  /** PEM texts. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string };
  readonly token?: string;
}

/** Sends a request to etcd's JSON gateway. */
async function ask(url: string, body: object, { tls, token }: Call = {}): Promise<Record<string, unknown>> {
  const headers = token === undefined ? {} : { Authorization: token };
  const response = await fetch(url, {
    method: "POST",
    body: JSON.stringify(body),
    headers,
    signal: AbortSignal.timeout(5000),
    ...(tls && { tls }),
  });
  return (await response.json()) as Record<string, unknown>;
}

async function getValue(endpoint: string, key: string, call?: Call): Promise<string | undefined> {
  const { kvs } = (await ask(`${endpoint}/v3/kv/range`, { key: base64(key) }, call)) as { kvs?: { value: string }[] };
  return kvs?.map(({ value }) => Buffer.from(value, "base64").toString())[0];
}

const putValue = (endpoint: string, key: string, value: string, call?: Call): Promise<object> =>
  ask(`${endpoint}/v3/kv/put`, { key: base64(key), value: base64(value) }, call);

interface Status {
  readonly id: string;
  /** "0" without a leader. */
  readonly leader: string;
}

async function statusOf({ clientUrl }: EtcdMember): Promise<Status> {
  const { header, leader } = await ask(`${clientUrl}/v3/maintenance/status`, {});
  return { id: (header as { member_id: string }).member_id, leader: (leader as string | undefined) ?? "0" };
}

/** Ids of the processes whose command line contains the text. */
function processesWith(text: string): string[] {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && readProc(pid, "cmdline").includes(text));
}

function processesWithMount(folder: string): string[] {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && readProc(pid, "mountinfo").includes(folder));
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

/** The name of the folder that a server sees as /srv. Only the name is read: if /tmp is a mount point, the path in mountinfo
 *  begins below it. */
function folderOf(pid: number): string {
  const line =
    readProc(String(pid), "mountinfo")
      .split("\n")
      .find((each) => / \/srv /.test(each)) ?? "";
  const name = /\/(gpu-telemetry-service-\w+)/.exec(line)?.[1];
  if (name === undefined) throw new Error(`process ${pid} has none of our folders: ${line}`);
  return name;
}

/** False also for a process that has ended but is not yet reaped: it has no command line. */
const isAlive = (pid: number): boolean => readProc(String(pid), "cmdline") !== "";

/** True once all threads of the process are stopped, which takes a moment after the signal. */
function isStopped(pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.every((thread) => readProc(String(pid), `task/${thread}/stat`).includes(") T "));
}

const inTmp = (name: string): string => join(tmpdir(), name);

function expectNothingLeft(pids: readonly number[], folders: readonly string[]): void {
  expect(pids.filter(isAlive)).toEqual([]);
  for (const folder of folders) {
    expect(processesWith(folder)).toEqual([]);
    expect(processesWithMount(folder)).toEqual([]);
    expect(existsSync(inTmp(folder))).toBe(false);
  }
}

test("a started etcd answers a put and a get, and no part of it is left after stop", async () => {
  const etcd = await etcdOf({ members: 1 });
  const [endpoint] = etcd.endpoints as [string];
  const [{ pid }] = etcd.members as [EtcdMember];
  await putValue(endpoint, "greeting", "hello");
  expect(await getValue(endpoint, "greeting")).toBe("hello");
  expect(readProc(String(pid), "cmdline").split("\0")[0]).toBe("etcd");
  const folder = folderOf(pid);
  expect(existsSync(inTmp(folder))).toBe(true);
  await etcd.stop();
  expectNothingLeft([pid], [folder]);
  await etcd.stop();
});

test("a cluster elects another leader when its leader is killed, and the killed member joins again", async () => {
  const { members } = await etcdOf({ members: 3 });
  const statuses = await Promise.all(members.map(statusOf));
  const former = members.find((_, index) => statuses[index]?.id === statuses[index]?.leader) as EtcdMember;
  const [other] = members.filter((member) => member !== former) as [EtcdMember];
  const { leader: formerLeader } = await statusOf(other);
  await putValue(other.clientUrl, "before", "1");
  await former.kill();
  const newLeader = await until(async () => {
    const { leader } = await statusOf(other);
    return leader !== "0" && leader !== formerLeader ? leader : undefined;
  });
  expect(newLeader).not.toBe(formerLeader);
  await putValue(other.clientUrl, "while one is down", "2");
  await former.start();
  expect(await statusOf(former)).toEqual({ id: formerLeader, leader: newLeader });
  expect(await getValue(former.clientUrl, "while one is down")).toBe("2");
});

test("a frozen etcd does not answer, and still has its data when it continues", async () => {
  const { members } = await etcdOf({ members: 1 });
  const [member] = members as [EtcdMember];
  await putValue(member.clientUrl, "key", "value");
  member.signal("SIGSTOP");
  await until(() => isStopped(member.pid));
  const answer = await fetch(`${member.clientUrl}/version`, { signal: AbortSignal.timeout(300) }).catch(() => "none");
  expect(answer).toBe("none");
  member.signal("SIGCONT");
  expect(await until(() => getValue(member.clientUrl, "key"))).toBe("value");
});

test("etcd with TLS and a user refuses clients without a certificate or without a token", async () => {
  const etcd = await etcdOf({ members: 1, tls: true, user: { name: "telemetry", password: "a secret" } });
  const [endpoint] = etcd.endpoints as [string];
  const { caFile, certFile, keyFile } = etcd.tls as NonNullable<EtcdCluster["tls"]>;
  const ca = await Bun.file(caFile).text();
  const tls = { ca, cert: await Bun.file(certFile).text(), key: await Bun.file(keyFile).text() };
  expect(endpoint).toStartWith("https://localhost:");
  await expect(putValue(endpoint, "key", "value", { tls: { ca } })).rejects.toThrow();
  expect(await putValue(endpoint, "key", "value", { tls })).toMatchObject({
    message: "etcdserver: user name is empty",
  });
  const signIn = { name: "telemetry", password: "a secret" };
  const { token } = (await ask(`${endpoint}/v3/auth/authenticate`, signIn, { tls })) as { token: string };
  await putValue(endpoint, "key", "value", { tls, token });
  expect(await getValue(endpoint, "key", { tls, token })).toBe("value");
});

test("PostgreSQL has TimescaleDB, keeps a committed row after a kill, and no part of it is left after stop", async () => {
  const server = toStop(await startPostgres());
  const first = new SQL(server.url, { max: 1 });
  await first`create extension timescaledb`;
  await first`create table stored (at timestamptz not null, value int)`;
  await first`select create_hypertable('stored', 'at')`;
  await first`insert into stored values (now(), 42)`;
  const folder = folderOf(server.pid);
  const pidBefore = server.pid;
  await server.kill();
  await first.close({ timeout: 0 }).catch(() => undefined);
  await server.start();
  expect(server.pid).not.toBe(pidBefore);
  const second = new SQL(server.url, { max: 1 });
  expect(rowsOf(await second`select value from stored`)).toEqual([{ value: 42 }]);
  expect(rowsOf(await second`show fsync`)).toEqual([{ fsync: "on" }]);
  await second.close();
  const { pid } = server;
  await server.stop();
  expectNothingLeft([pidBefore, pid], [folder]);
});

for (const [how, endedBy, exitCode] of [
  ["stop", "SIGTERM", 0],
  ["kill -9 of the starter", "SIGKILL", 137],
] as const) {
  test(`a server on small disks reports a full disk, and no disk is left after ${how}`, async () => {
    const script = `
      const { startPostgres } = await import("${import.meta.dir}/../dev/servers/postgres.ts");
      const mebibytes = 1024 ** 2;
      const server = await startPostgres({ diskBytes: { cluster: 192 * mebibytes, tables: 32 * mebibytes } });
      const sql = new Bun.SQL(server.url, { max: 1 });
      await sql\`create table wide (text text) tablespace tables\`;
      const widen = () => sql\`insert into wide select repeat(\${"x"}, 1000) from generate_series(1, 1000)\`;
      await widen();
      server.disks.tables.fill();
      const error = await widen().then(() => "none", ({ errno }) => errno);
      server.disks.tables.free();
      await widen();
      process.once("SIGTERM", () => void server.stop().then(() => process.exit(0)));
      console.log(error, server.pid);`;
    const starter = Bun.spawn([process.execPath, "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    stops.push(async () => {
      starter.kill("SIGKILL");
      await starter.exited;
    });
    const { value } = await starter.stdout.getReader().read();
    const [, error, pid] = /^(\w+) (\d+)\n/.exec(new TextDecoder().decode(value)) ?? [];
    expect(error).toBe("53100");
    const folder = folderOf(Number(pid));
    expect(processesWithMount(`${folder}/tables`)).not.toEqual([]);
    starter.kill(endedBy);
    expect(await starter.exited).toBe(exitCode);
    const isLeft = (): boolean =>
      processesWith(folder).length + processesWithMount(folder).length > 0 || existsSync(inTmp(folder));
    if (exitCode !== 0) await until(() => !isLeft());
    expectNothingLeft([Number(pid)], [folder]);
  });
}

test("provideDatabase creates a new database on the server of DATABASE_URL, and `stop` drops it", async () => {
  const server = toStop(await startPostgres());
  const env = { DATABASE_URL: server.url };
  const one = await provideDatabase(env);
  const two = await provideDatabase(env);
  expect(one.url).not.toBe(two.url);
  const sql = new SQL(one.url, { max: 1 });
  await sql`create table mine (id int)`;
  await one.stop();
  await two.stop();
  const admin = new SQL(server.url, { max: 1 });
  expect(rowsOf(await admin`select datname from pg_database where datname like 'telemetry_test%'`)).toEqual([]);
  await Promise.all([admin.close(), sql.close({ timeout: 0 }).catch(() => undefined)]);
});

test("the endpoints in ETCD_ENDPOINTS are used as they are", async () => {
  const { endpoints } = await provideEtcd({ ETCD_ENDPOINTS: "http://one:2379, http://two:2379" });
  expect(endpoints).toEqual(["http://one:2379", "http://two:2379"]);
});

const children = (pid: number): number[] =>
  readProc(String(pid), `task/${pid}/children`).trim().split(/\s+/).filter(Boolean).map(Number);

/** Starts `bun run services`, and waits until it has printed the URLs. */
async function startServices() {
  const script = `${import.meta.dir}/../scripts/services.ts`;
  const starter = Bun.spawn([process.execPath, script], { stdio: ["ignore", "pipe", "inherit"] });
  stops.push(async () => {
    starter.kill("SIGKILL");
    await starter.exited;
  });
  let printed = "";
  const decoder = new TextDecoder();
  for await (const chunk of starter.stdout) {
    printed += decoder.decode(chunk, { stream: true });
    if (printed.includes("Ctrl-C")) break;
  }
  const [endpoint, url] = [/^ETCD_ENDPOINTS=(\S+)$/m, /^DATABASE_URL=(\S+)$/m].map((line) => line.exec(printed)?.[1]);
  const helpers = children(starter.pid);
  const servers = helpers.flatMap(children);
  return { starter, endpoint: endpoint ?? "", url: url ?? "", helpers, servers, folders: servers.map(folderOf) };
}

for (const [how, endedBy, exitCode] of [
  ["SIGTERM", "SIGTERM", 0],
  ["kill -9", "SIGKILL", 137],
  ["kill -9 of its children and then of itself", "SIGKILL", 137],
] as const) {
  test(`no part of \`bun run services\` is left after ${how}`, async () => {
    const { starter, endpoint, url, helpers, servers, folders } = await startServices();
    await putValue(endpoint, "key", "value");
    expect(await getValue(endpoint, "key")).toBe("value");
    const sql = new SQL(url, { max: 1 });
    expect(rowsOf(await sql`select current_database() as name`)).toEqual([{ name: "telemetry" }]);
    await sql.close({ timeout: 0 });
    expect(folders).toHaveLength(2);
    if (how.includes("children")) for (const pid of helpers) process.kill(pid, "SIGKILL");
    starter.kill(endedBy);
    expect(await starter.exited).toBe(exitCode);
    const pids = [...helpers, ...servers];
    // after kill -9, the kernel and the sweeper processes clean up shortly after the starter's end
    const isLeft = (): boolean => pids.some(isAlive) || folders.some((folder) => processesWith(folder).length > 0);
    if (exitCode !== 0) await until(() => !isLeft());
    expectNothingLeft(pids, folders);
  });
}
