import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import type { FaultNews } from "../../src/faults/stored-fault.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { EtcdHotTier } from "../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { recordOf } from "../fault-rules/scripted-fleet.ts";
import { createDatabase } from "../support/postgres-database.ts";
import { endAll, leaderAfter, leads } from "./leading-process.ts";

// Two coordinators in processes of their own evaluate what this process stores and writes to the hot tier. The one that leads is killed
// and frozen while XIDs come in every half second and faults are acknowledged.

/** Four that are fatal for each GPU; five would be another fault. */
const codes = [79, 95, 119, 64];
const gpus = 8;
const everyMs = 500;
const topic = `faults-${crypto.randomUUID().slice(0, 8)}`;

let etcd: ProvidedEtcd;
let server: ProvidedDatabase;
let client: EtcdClient;
let url: string;
let opened: OpenStore;
/** The alerts that a receiver of webhooks was sent, by delivery. */
const deliveries = new Map<string, readonly string[]>();
let receiver: ReturnType<typeof startReceiver>;
let faults: SqlFaultStore;
const started: PipelineProcess[] = [];

function startReceiver() {
  return Bun.serve({
    ...{ port: 0, hostname: "localhost" },
    fetch: async (request) => {
      const { alerts } = (await request.json()) as { alerts: { status: string; labels: Record<string, string> }[] };
      const told = alerts.map(({ status, labels }) => `${labels.uuid} ${labels.alertname} ${status}`);
      deliveries.set(request.headers.get("X-Telemetry-Delivery") ?? "", told);
      return new Response();
    },
  });
}

beforeAll(async () => {
  receiver = startReceiver();
  [etcd, server] = await Promise.all([provideEtcd(), provideDatabase()]);
  client = new EtcdClient({ endpoints: etcd.endpoints });
  url = await createDatabase(server, "leaders", { plain: true });
  opened = await openPostgresStore({ url, migrate: true });
  faults = new SqlFaultStore(opened.client);
}, 300_000);
afterAll(async () => {
  await endAll(started);
  client.close();
  await receiver.stop(true);
  await opened.close();
  await Promise.all([etcd.stop(), server.stop()]);
}, 60_000);

async function startCoordinator(): Promise<void> {
  const process = startPipeline({
    ROLE: "coordinator",
    ETCD_ENDPOINTS: etcd.endpoints.join(","),
    DATABASE_URL: url,
    QUEUE_TOPIC: topic,
    SERVICE_LEASE_SECONDS: "3",
    FAULT_WEBHOOK_URL: `http://localhost:${receiver.port}/`,
  });
  started.push(process);
  await urlOf(process);
}

/** Stores a record of each GPU every half second: with each time, another GPU has another XID. */
async function report(stopped: AbortSignal): Promise<number> {
  const noReports = { onCoalesced: () => undefined, onRefused: () => undefined };
  const hotTier = new EtcdHotTier({ client, topic, clock, windowSeconds: 60, ...noReports });
  const xids = new Array<number>(gpus).fill(0);
  let told = 0;
  for (let round = 0; !stopped.aborted; round += 1) {
    // the first record of a GPU says what happened before
    if (round > 4 && told < gpus * codes.length) {
      xids[told % gpus] = codes[Math.floor(told / gpus)] as number;
      told += 1;
    }
    const records = xids.map((xid, gpu) => {
      const { gpu: device, metrics } = recordOf(gpu, round * 10);
      const { uuid, hostname, clusterId } = device;
      return { uuid, hostname, clusterId, timeMs: Date.now(), metrics: { ...metrics, xid_error: xid } };
    });
    const batch = makeBatch(records);
    await opened.store.ingest(messageOf(`round-${round}`, batch));
    await hotTier.write(batch);
    await Bun.sleep(everyMs);
  }
  return told;
}

/** Asks for the acknowledgement of a GPU's first XID. */
async function acknowledge(uuid: string): Promise<number> {
  const [fault] = (await faults.queries.faults({ uuid, name: `nvidia.xid.${codes[0]}`, limit: 1 })).faults;
  return faults.orders.acknowledge({ faultId: fault?.id ?? "", by: "anna", comment: "seen" });
}

test("across leaders that are killed and frozen, each change is told once and each XID is told, to a webhook too (I11)", async () => {
  await Promise.all([startCoordinator(), startCoordinator()]);
  const first = await leaderAfter(0, opened.client, started);
  const stop = new AbortController();
  const reporting = report(stop.signal);
  await until(async () => (await faults.queries.faults({ limit: 3 })).faults.length === 3);
  const requests = [await acknowledge("GPU-0")];
  await stopPipeline(first.process, "SIGKILL");
  const [second] = await Promise.all([leaderAfter(first.term, opened.client, started), startCoordinator()]);
  requests.push(await acknowledge("GPU-1"));
  await Bun.sleep(1500);
  second.process.subprocess.kill("SIGSTOP");
  requests.push(await acknowledge("GPU-2"));
  const third = await leaderAfter(second.term, opened.client, started);
  second.process.subprocess.kill("SIGCONT");
  await until(async () => !(await leads(second.process)) && (await leads(third.process)));
  await stopPipeline(third.process, "SIGKILL");
  await leaderAfter(third.term, opened.client, started);
  const isTold = async () => (await newsOfAll()).filter(({ change }) => change.state === "firing").length;
  await until(async () => (await isTold()) >= gpus * codes.length, { timeoutMs: 30_000 });
  await until(async () => (await faults.ledger.requests(10)).length === 0);
  stop.abort();
  expect(await reporting).toBe(gpus * codes.length);
  const outcomes = await Promise.all(requests.map(async (id) => (await faults.queries.request(id))?.outcome));
  expect(outcomes).toEqual(["done", "done", "done"]);
  judge(await newsOfAll());
  const sent = () => [...deliveries.values()].flat();
  await until(() => sent().length >= gpus * codes.length + 3);
  // what is sent again by a successor comes with its notes of the last seconds
  await Bun.sleep(2000);
  // a request that is repeated has its name, and takes the place of the one before
  expect(sent()).toHaveLength(gpus * codes.length + 3);
  expect(new Set(sent()).size).toBe(gpus * codes.length + 3);
}, 120_000);

async function newsOfAll(): Promise<readonly FaultNews[]> {
  return (await faults.queries.news({ after: 0, limit: 10_000 })).news;
}

/** I11: the changes are numbered without a gap; of each fault, each state is told once; each XID of each GPU is one fault. */
function judge(news: readonly FaultNews[]): void {
  expect(news.map(({ change }) => change.sequence)).toEqual(news.map((_, index) => index + 1));
  const states = Map.groupBy(news, ({ fault }) => `${fault.subject.uuid} ${fault.name}`);
  const expected = Array.from({ length: gpus }, (_, gpu) =>
    codes.map((code) => `GPU-${gpu} nvidia.xid.${code}`),
  ).flat();
  expect([...states.keys()].toSorted()).toEqual(expected.toSorted());
  const told = [...states.values()].map((changes) => changes.map(({ change }) => change.state).join());
  expect(told.filter((each) => each === "firing,acknowledged,resolved")).toHaveLength(3);
  expect(told.filter((each) => each === "firing")).toHaveLength(told.length - 3);
}
