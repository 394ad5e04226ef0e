import { parseArgs } from "node:util";
import { localPipeline } from "../dev/local-pipeline.ts";
import { startEtcd } from "../dev/servers/etcd.ts";
import { startPostgres } from "../dev/servers/postgres.ts";
import { openSlowProxy } from "../dev/slow-proxy.ts";
import { SupervisorClient } from "../scripts/scale/supervisor-client.ts";
import { EtcdClient } from "../src/etcd/etcd-client.ts";
import { EtcdScalingRecords } from "../src/scaling/coordinator/etcd/etcd-scaling-records.ts";
import type { RecordedScaling } from "../src/scaling/coordinator/scaling-records.ts";

//   bun bench/autoscale.ts [--hosts N] [--seconds N]
// scale-local with two coordinators: the load rises tenfold, and falls again 135 s before the end. The coordinators decide how many
// collectors there are, and the supervisor starts and stops them; the leader is killed while it scales up. Each collector stores one
// message at a time in a database that answers 20 ms late, so that the number of collectors decides, not the processor. Prints the
// figures every 5 s. Exits with 1 if the oldest message is not younger than 10 s within 60 s after the rise, if the count changes its
// direction more than once, or if a decision was made twice.

const options = { hosts: { type: "string", default: "1" }, seconds: { type: "string", default: "300" } } as const;
const { values } = parseArgs({ options });
/** Hosts of the fleet before the load rises; each has 8 GPUs, and gives a message a second. */
const hosts = Number(values.hosts);
const ends = Number(values.seconds);
const rises = 45;
/** Collectors may be stopped one by one, one a minute: after the fall, there is time for two. */
const falls = ends - 135;
if (!(hosts >= 1) || !(falls >= rises + 60))
  throw new Error("expected --hosts of at least 1, --seconds of at least 240");

const [etcd, database] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
const slowUrl = new URL(database.url);
const slow = await openSlowProxy({ host: slowUrl.hostname, port: Number(slowUrl.port), delayMs: 20 });
slowUrl.host = `127.0.0.1:${slow.port}`;
const pipeline = await localPipeline({
  ...{ ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: slowUrl.href },
  ...{ LOG_LEVEL: "warn", SERVICE_LEASE_SECONDS: "5", COLLECTOR_WORKERS: "1", BATCH_SIZE: "140" },
  ...{ SCALING_STREAMER_MAX: "1", SCALING_GATEWAY_MIN: "1", SCALING_GATEWAY_MAX: "1" },
});
const supervisor = new SupervisorClient(pipeline.paths);
const client = new EtcdClient({ endpoints: etcd.endpoints });
const records = new EtcdScalingRecords({ client, topic: "telemetry" });
const ages: { readonly second: number; readonly age: number }[] = [];

const fleetOf = (count: number): Record<string, string> => ({ SIM_HOSTS: String(count), SIM_GPUS_PER_HOST: "8" });

/** Starts the streamer again with another fleet. */
async function stream(count: number): Promise<void> {
  await supervisor.restart("streamer-1", fleetOf(count));
  process.stdout.write(`the fleet has ${count} hosts\n`);
}

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

/** Kills the coordinator whose process id the leader's id names. The supervisor starts it again. */
async function killLeader(): Promise<void> {
  const { leader } = await records.read(1);
  const { instances } = await supervisor.status();
  const found = instances.find(({ pid }) => pid !== undefined && leader?.instanceId.includes(`:${pid}:`));
  if (found?.pid === undefined) throw new Error(`no process of the supervisor is the leader ${leader?.instanceId}`);
  process.kill(found.pid, "SIGKILL");
  process.stdout.write(`the leader, ${found.name}, was killed\n`);
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
  const instances = { INSTANCES: "1", BALANCER_INSTANCES: "0", COORDINATOR_INSTANCES: "2" };
  const started = await pipeline.type("local", { ...instances, ...fleetOf(hosts) });
  process.stdout.write(started.output);
  if (started.code !== 0) throw new Error("the pipeline did not start");
  process.stdout.write("time\tarrive\tstored\twaiting\tage\tlive/decided\treason\tterm\n");
  for (let second = 0; second < ends; second += 5) {
    if (second === rises) await stream(10 * hosts);
    if (second === rises + 15) await killLeader();
    if (second === falls) await stream(hosts);
    await Bun.sleep(5000);
    show(second + 5, await records.read(1));
  }
  const faults = faultsOf(await records.read(1000));
  process.stdout.write(faults.length === 0 ? "ok\n" : `${faults.join("\n")}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  await pipeline.remove();
  client.close();
  await slow.close();
  await Promise.all([etcd.stop(), database.stop()]);
}
