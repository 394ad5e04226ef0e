import { afterAll, beforeAll, expect, test } from "bun:test";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { until } from "../../dev/until.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import type { FaultNews } from "../../src/faults/stored-fault.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { createDatabase } from "../support/postgres-database.ts";
import { endAll, leaderAfter, leadingProcess, leads } from "./leading-process.ts";

// Processes without etcd, each with a simulated cluster of its own, share a database. One of them evaluates the faults of all clusters.

const fault = "memory.row-remap.failed";
const leaseSeconds = 3;
let server: ProvidedDatabase;
let url: string;
let opened: OpenStore;
const started: PipelineProcess[] = [];

beforeAll(async () => {
  server = await provideDatabase();
  url = await createDatabase(server, "shared", { plain: true });
  opened = await openPostgresStore({ url, migrate: true });
}, 300_000);
afterAll(async () => {
  await endAll(started);
  await opened.close();
  await server.stop();
}, 60_000);

/** Starts a process whose cluster has a fault from its second second on. */
async function start(cluster: string, roles = "all"): Promise<PipelineProcess> {
  const process = startPipeline({
    ...{ DATABASE_URL: url, SERVICE_LEASE_SECONDS: String(leaseSeconds), ROLE: roles, SIM_FAULTS: `${fault}@2s` },
    // another seed makes other GPUs
    ...{ CLUSTER_ID: cluster, SIM_SEED: String(started.length), SIM_HOSTS: "2", SIM_GPUS_PER_HOST: "2" },
    SIM_INTERVAL: "500ms",
  });
  started.push(process);
  await urlOf(process);
  return process;
}

async function told(): Promise<readonly FaultNews[]> {
  return (await new SqlFaultStore(opened.client).queries.news({ after: 0, limit: 1000 })).news;
}

const isTold = (cluster: string): Promise<boolean> =>
  until(async () => (await told()).some(({ fault: { subject } }) => subject.clusterId === cluster));

test("of processes that share a database without etcd one leads, for all clusters; each fault is told once when it is killed, frozen and thawed", async () => {
  await Promise.all([start("one"), start("two", "streamer,collector")]);
  const first = await leaderAfter(0, opened.client, started);
  await Promise.all([isTold("one"), isTold("two")]);
  expect(started.filter((each) => each.output().includes("this process evaluates faults"))).toEqual([first.process]);

  await stopPipeline(first.process, "SIGKILL");
  const killedMs = performance.now();
  const second = await leaderAfter(first.term, opened.client, started);
  expect(performance.now() - killedMs).toBeLessThan(5000);

  await start("three");
  second.process.subprocess.kill("SIGSTOP");
  const third = await leaderAfter(second.term, opened.client, started);
  await isTold("three");
  second.process.subprocess.kill("SIGCONT");
  await until(async () => !(await leads(second.process)) && (await leads(third.process)));
  // a term for each leader: no process has taken the evaluation from another one
  expect([first.term, second.term, third.term, (await leadingProcess(opened.client, started))?.term]).toEqual([
    1, 2, 3, 3,
  ]);

  const news = await told();
  expect(news.map(({ change }) => change.sequence)).toEqual(news.map((_, index) => index + 1));
  const states = news.map(({ fault: { subject, name }, change }) => `${subject.clusterId} ${name} ${change.state}`);
  expect(states.toSorted()).toEqual(["one", "three", "two"].map((cluster) => `${cluster} ${fault} firing`));
}, 120_000);
