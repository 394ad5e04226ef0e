import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { startEtcd } from "../dev/servers/etcd.ts";
import { startPostgres } from "../dev/servers/postgres.ts";
import { openSlowProxy } from "../dev/slow-proxy.ts";
import { EtcdClient } from "../src/etcd/etcd-client.ts";
import { EtcdScalingRecords } from "../src/scaling/coordinator/etcd/etcd-scaling-records.ts";
import type { RecordedScaling } from "../src/scaling/coordinator/scaling-records.ts";
import { Starter } from "./autoscale/starter.ts";

//   bun bench/autoscale.ts [--hosts N]
// Real processes: the load rises tenfold, and falls again. Two coordinators decide how many collectors there are; the leader is killed
// while it scales up. Each collector stores one message at a time in a database that answers 20 ms late, so that the number of
// collectors decides, not the processor. Prints the figures every 5 s. Exits with 1 if the oldest message is not younger than 10 s
// within 60 s after the rise, if the count changes its direction more than once, or if a decision was made twice.

const { values } = parseArgs({ options: { hosts: { type: "string", default: "1" } } });
/** Hosts of the fleet before the load rises; each has 8 GPUs, and gives a message a second. */
const hosts = Number(values.hosts);
const rises = 45;
const falls = 165;
const ends = 300;

const folder = await mkdtemp(join(tmpdir(), "telemetry-autoscale-"));
const [etcd, database] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
const slowUrl = new URL(database.url);
const slow = await openSlowProxy({ host: slowUrl.hostname, port: Number(slowUrl.port), delayMs: 20 });
slowUrl.host = `127.0.0.1:${slow.port}`;
const shared = {
  ETCD_ENDPOINTS: etcd.endpoints.join(","),
  LOG_LEVEL: "warn",
  SERVICE_LEASE_SECONDS: "5",
  DATA_DIR: folder,
};
const starter = new Starter(join(folder, "supervisor.sock"), (name) =>
  startPipeline({
    ...shared,
    ROLE: "collector",
    COLLECTOR_WORKERS: "1",
    DATABASE_URL: slowUrl.href,
    INSTANCE_NAME: name,
  }),
);
const others: PipelineProcess[] = [];
const start = (env: Record<string, string>): PipelineProcess => {
  const started = startPipeline({ ...shared, ...env });
  others.push(started);
  return started;
};
const stream = (seed: string, count: number): PipelineProcess => {
  starter.counts.streamer += 1;
  const fleet = { SIM_HOSTS: String(count), SIM_GPUS_PER_HOST: "8", SIM_SEED: seed, CLUSTER_ID: `fleet-${seed}` };
  return start({ ...fleet, ROLE: "streamer", BATCH_SIZE: "140" });
};
const coordinate = (name: string): PipelineProcess =>
  start({ ROLE: "coordinator", EXECUTOR: "local", SUPERVISOR_SOCKET: starter.socket, INSTANCE_NAME: name });

const client = new EtcdClient({ endpoints: etcd.endpoints });
const records = new EtcdScalingRecords({ client, topic: "telemetry" });
const ages: { readonly second: number; readonly age: number }[] = [];

function show(second: number, { state, leader }: RecordedScaling): void {
  const { queue = {} } = state?.signals ?? {};
  const value = (name: string): string => queue[name]?.value.toFixed(1) ?? "?";
  const age = queue["oldest_age_seconds"]?.value;
  if (age !== undefined) ages.push({ second, age });
  const collectors = `${state?.actual["collector"] ?? "?"}/${state?.desired["collector"] ?? "?"}`;
  const code = state?.newest.find(({ role }) => role === "collector")?.code;
  const figures = ["arrival_per_second", "drain_per_second", "waiting_messages", "oldest_age_seconds"].map(value);
  process.stdout.write(
    `${[`${second} s`, ...figures, collectors, code ?? "", leader?.term ?? "no leader"].join("\t")}\n`,
  );
}

/** Kills the coordinator whose process id the leader's id names. */
async function killLeader(coordinators: readonly PipelineProcess[]): Promise<void> {
  const { leader } = await records.read(1);
  const found = coordinators.find(({ subprocess }) => leader?.instanceId.includes(`:${subprocess.pid}:`));
  if (found !== undefined) await stopPipeline(found, "SIGKILL");
  process.stdout.write("the leader was killed\n");
}

function faultsOf({ changes }: RecordedScaling): string[] {
  const collectors = changes.filter(({ role }) => role === "collector").toReversed();
  const reversals = collectors.filter(
    ({ direction }, index) => index > 0 && direction !== collectors[index - 1]?.direction,
  );
  const repeated = collectors.filter(({ from }, index) => index > 0 && from !== collectors[index - 1]?.to);
  const late = ages.filter(({ second, age }) => second > rises && second < falls && age >= 10).at(-1)?.second ?? rises;
  return [
    ...(late - rises <= 60 ? [] : [`the oldest message was 10 s old or older until ${late - rises} s after the rise`]),
    ...(reversals.length <= 1 ? [] : [`the count changed its direction ${reversals.length} times`]),
    ...(repeated.length === 0 ? [] : [`${repeated.length} decisions do not begin where the one before ended`]),
    ...(collectors.some(({ direction }) => direction === "down") ? [] : ["the count did not fall"]),
  ];
}

try {
  starter.scale("collector", 1);
  await starter.running[0]?.waitFor(/health\s+http/);
  stream("1", hosts);
  const coordinators = [coordinate("coordinator-1"), coordinate("coordinator-2")];
  await Promise.all(coordinators.map((each) => urlOf(each)));
  process.stdout.write("time\tarrive\tstored\twaiting\tage\tlive/decided\treason\tterm\n");
  let more: PipelineProcess | undefined;
  for (let second = 0; second < ends; second += 5) {
    if (second === rises) more = stream("2", 9 * hosts);
    if (second === rises + 15) await killLeader(coordinators);
    if (second === falls && more !== undefined) {
      starter.counts.streamer -= 1;
      await stopPipeline(more);
    }
    await Bun.sleep(5000);
    show(second + 5, await records.read(1));
  }
  const faults = faultsOf(await records.read(1000));
  process.stdout.write(faults.length === 0 ? "ok\n" : `${faults.join("\n")}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  for (const each of [...others, ...starter.running]) await stopPipeline(each, "SIGKILL");
  await starter.stop();
  client.close();
  await slow.close();
  await Promise.all([etcd.stop(), database.stop()]);
  await rm(folder, { recursive: true, force: true });
}
