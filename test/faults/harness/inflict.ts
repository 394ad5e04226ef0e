import { until, untilResolved } from "../../../dev/until.ts";
import { EtcdClient } from "../../../src/etcd/etcd-client.ts";
import { clientOptions } from "./processes.ts";
import type { Servers } from "./processes.ts";
import type { Direction } from "./network.ts";
import { failOver } from "./fail-over.ts";
import { fillDisk } from "./fill-disk.ts";
import { type Fault, untilDrained } from "./scenario.ts";
import type { Victims } from "./victims.ts";
import type { Worker } from "./workers.ts";

/** The signals that stop the database. SIGKILL acts as a crash, SIGINT is a fast shutdown, and SIGQUIT an immediate one. */
export const databaseSignals = ["SIGKILL", "SIGINT", "SIGQUIT"] as const;

/** How far a clock is ahead of the machine's. Leases last a few seconds. */
export const clockSkewsMs = [-90_000, -4_000, 4_000, 90_000] as const;

/** The directions of a host's connections that work one way. The database is on this machine, and each member of etcd on a host. */
export const directions = {
  "one-way-etcd": ["sending", "receiving"],
  "one-way-collector": ["sending", "receiving", "sending to this machine"],
} as const satisfies Record<string, readonly Direction[]>;

/** Inflicts a fault, and heals it after its duration, or when the run is drained. */
export async function inflict(fault: Fault, victims: Victims): Promise<void> {
  const { servers, record } = victims;
  const waitAndRecord = async (event: string): Promise<void> => {
    await Bun.sleep(fault.lastsMs);
    record(event);
  };
  switch (fault.kind) {
    case "kill":
    case "terminate":
    case "freeze":
    case "clock":
      return inflictOnProcess(fault, victims);
    case "freeze-etcd":
    case "defragment-etcd":
    case "replace-etcd":
      return inflictOnMember(fault, victims);
    case "leader": {
      const leader = await leaderOf(servers);
      const member = servers.etcd.members[leader];
      record(`kill -9 etcd's leader ${member?.name} for ${fault.lastsMs} ms`);
      await member?.kill();
      await waitAndRecord(`start ${member?.name}`);
      return member?.start();
    }
    case "etcd":
      record(`kill -9 all members of etcd for ${fault.lastsMs} ms`);
      await Promise.all(servers.etcd.members.map((member) => member.kill()));
      await waitAndRecord("start all members of etcd");
      await Promise.all(servers.etcd.members.map((member) => member.start()));
      return;
    case "empty-etcd":
      record("etcd comes back empty");
      victims.reportHistoryRemoved();
      await Promise.all(servers.etcd.members.map((member) => member.empty()));
      await Promise.all(servers.etcd.members.map((member) => member.start()));
      return;
    case "renew-certificates":
      await untilUp(victims);
      record("renew the certificates of all servers and clients");
      await Promise.all([servers.etcd.renewCertificates(), victims.atDatabase(() => renewOfDatabase(servers))]);
      return record("the certificates are renewed, and all servers were started again");
    case "partition-etcd":
    case "partition-collector":
    case "partition-streamer": {
      const hosts = hostsOf(servers)[fault.kind];
      const host = hosts[fault.target];
      record(`cut off ${fault.kind.slice("partition-".length)} ${fault.target} for ${fault.lastsMs} ms`);
      await host?.cutOff();
      await waitAndRecord(`reconnect ${fault.kind.slice("partition-".length)} ${fault.target}`);
      return host?.reconnect();
    }
    case "one-way-etcd":
    case "one-way-collector":
      return cutOffOneWay(fault, victims);
    case "freeze-database":
      return victims.atDatabase(async () => {
        record(`SIGSTOP database for ${fault.lastsMs} ms`);
        servers.database.signal("SIGSTOP");
        await waitAndRecord("SIGCONT database");
        servers.database.signal("SIGCONT");
      });
    case "database": {
      const signal = databaseSignals[fault.target % databaseSignals.length];
      return victims.atDatabase(async () => {
        record(`${signal} database for ${fault.lastsMs} ms`);
        await servers.database.kill(signal);
        await waitAndRecord("start database");
        await servers.database.start();
      });
    }
    case "second-pipeline":
      record("start a second pipeline");
      return victims.startSecond();
    case "tables-disk":
      return victims.atDatabase(() => fillDisk("tables", fault, victims));
    case "cluster-disk":
      return victims.atDatabase(() => fillDisk("cluster", fault, victims));
    case "failover":
    case "restore":
      return victims.atDatabase(() => failOver(fault, victims));
    case "exporters":
      throw new Error("this run has no exporters");
  }
}

/** Inflicts a fault on one of these processes. A worker restarts its process after a kill or a termination. */
export async function inflictOnProcess(
  { kind, target, lastsMs }: Fault,
  { workers, record }: Pick<Victims, "workers" | "record">,
): Promise<void> {
  const worker = workers[target % workers.length] as Worker;
  if (kind === "clock") {
    const skewMs = clockSkewsMs[Math.floor(target / workers.length) % clockSkewsMs.length] as number;
    record(`kill -9 ${worker.name}, whose clock is then ${skewMs / 1000} s ahead`);
    worker.setClock(skewMs);
  }
  if (kind === "kill") record(`kill -9 ${worker.name}`);
  if (kind === "terminate") record(`SIGTERM ${worker.name}`);
  if (kind !== "freeze") return worker.signal(kind === "terminate" ? "SIGTERM" : "SIGKILL");
  record(`SIGSTOP ${worker.name} for ${lastsMs} ms`);
  worker.signal("SIGSTOP");
  await Bun.sleep(lastsMs);
  record(`SIGCONT ${worker.name}`);
  worker.signal("SIGCONT");
}

async function inflictOnMember({ kind, target, lastsMs }: Fault, victims: Victims): Promise<void> {
  const { servers, record, drained } = victims;
  const { members } = servers.etcd;
  const first = target % members.length;
  if (kind === "defragment-etcd") {
    // one after the other: each has the watches of some processes
    for (let index = first; index < first + members.length; index += 1) {
      await compactWithout(index % members.length, victims);
    }
    return;
  }
  const member = members[first];
  record(`${kind} ${member?.name}`);
  if (kind === "replace-etcd") {
    await member?.replace();
    return record(`${member?.name} is replaced`);
  }
  member?.signal("SIGSTOP");
  await (lastsMs === untilDrained ? drained : Bun.sleep(lastsMs));
  member?.signal("SIGCONT");
  record(`SIGCONT ${member?.name} after ${durationText(lastsMs)}`);
}

/** A process that is only starting has not read the old certificates yet. */
const upMaxMs = 30_000;

/** Waits until all processes are up; or waits no longer. */
async function untilUp({ workers }: Victims): Promise<void> {
  const areUp = (): boolean => workers.every(({ url }) => url !== undefined);
  await until(areUp, { timeoutMs: upMaxMs }).catch(() => undefined);
}

/** Open connections would go on with the old certificates. */
async function renewOfDatabase({ database }: Servers): Promise<void> {
  await database.renewCertificates();
  await database.kill("SIGINT");
  await database.start();
}

/** The time in which the watches at a member miss changes that are then compacted. */
const missedMs = 1000;

/** Upkeep while a member does not answer: the watches that it had come back to a history that is gone. The member is frozen at first,
 *  because its watches would otherwise resume at other members before the compaction. */
async function compactWithout(downIndex: number, victims: Victims): Promise<void> {
  const { servers, record, reportHistoryRemoved } = victims;
  const { etcd } = servers;
  const down = etcd.members[downIndex];
  const others = etcd.members.filter((member) => member !== down);
  const client = new EtcdClient(clientOptions(servers, others));
  record(`SIGSTOP ${down?.name}, and compact etcd's history`);
  // the judge's watch may lose what each compaction removes: the next member that is down may be the one that the watch moved to
  reportHistoryRemoved();
  down?.signal("SIGSTOP");
  try {
    await Bun.sleep(missedMs);
    // the others may have to elect a leader first
    await untilResolved(async () => client.compact((await client.databaseSize()).revision), { timeoutMs: 60_000 });
    for (const other of others) await other.defragment();
  } finally {
    client.close();
    await down?.kill();
    await down?.start();
  }
  record(`${down?.name} was killed, and is started`);
}

async function cutOffOneWay({ kind, target, lastsMs }: Fault, victims: Victims): Promise<void> {
  const { servers, collectors, record } = victims;
  // not every run has a collector on each of the hosts
  const hosts = kind === "one-way-etcd" ? servers.etcdHosts : servers.collectorHosts.slice(0, collectors.length);
  const index = target % hosts.length;
  const possible: readonly Direction[] = directions[kind === "one-way-etcd" ? kind : "one-way-collector"];
  const direction = possible[Math.floor(target / hosts.length) % possible.length] as Direction;
  const name = `${kind.slice("one-way-".length)} ${index}`;
  record(`${name} stops ${direction} for ${durationText(lastsMs)}`);
  await hosts[index]?.cutOffOneWay(direction);
  await (lastsMs === untilDrained ? victims.drained : Bun.sleep(lastsMs));
  record(`reconnect ${name}`);
  await hosts[index]?.reconnect();
}

const durationText = (ms: number): string => (ms === untilDrained ? "the whole run" : `${ms} ms`);

function hostsOf({ etcdHosts, collectorHosts, streamerHosts }: Servers) {
  return {
    "partition-etcd": etcdHosts,
    "partition-collector": collectorHosts,
    "partition-streamer": streamerHosts,
  } as const;
}

/** The index of the member that leads now; 0 if no member reports that it leads. */
async function leaderOf(servers: Servers): Promise<number> {
  for (const [index, member] of servers.etcd.members.entries()) {
    const client = new EtcdClient(clientOptions(servers, [member]));
    const leads = await client.isLeader().catch(() => false);
    client.close();
    if (leads) return index;
  }
  return 0;
}
