import { randomFrom } from "../../support/random.ts";

/** A fault to inflict. */
export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Index among the possible targets of its kind. */
  readonly target: number;
  readonly lastsMs: number;
}

/** `kill`, `terminate` and `freeze` signal a pipeline process, and `clock` kills it and sets its clock. `leader` kills the etcd member
 *  that leads at that time, `freeze-etcd` freezes one, `defragment-etcd` freezes each in turn,
 *  compacts etcd's history, defragments the others and kills it, and `replace-etcd` puts an empty one in its
 *  place; `empty-etcd` removes the data of all members. `partition-etcd` and `partition-collector` disconnect a host, `one-way-etcd` and `one-way-collector` in one direction.
 *  `database` stops the database, `freeze-database` freezes it, `tables-disk` fills the disk of its tables, and `cluster-disk` fills the disk of its other data and its write-ahead log. `failover` kills the database, and a
 *  standby that had lagged takes over; `restore` kills it, and an older backup takes over.
 *  `renew-certificates` puts certificates of another authority in place of all, for servers and clients, and starts all servers again; only if
 *  the servers have TLS. `second-pipeline` starts another pipeline on the same etcd. Only for scrapes: `etcd` kills all members of etcd,
 *  `partition-streamer` disconnects a streamer, and `exporters` stops a part of the exporters. */
export const faultKinds = [
  "kill",
  "terminate",
  "freeze",
  "clock",
  "leader",
  "freeze-etcd",
  "defragment-etcd",
  "replace-etcd",
  "empty-etcd",
  "partition-etcd",
  "one-way-etcd",
  "partition-collector",
  "one-way-collector",
  "database",
  "freeze-database",
  "tables-disk",
  "cluster-disk",
  "failover",
  "restore",
  "second-pipeline",
  "renew-certificates",
  "etcd",
  "partition-streamer",
  "exporters",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** The kinds that only runs with scrapes have. */
export const kindsOfScrapes: ReadonlySet<FaultKind> = new Set(["etcd", "partition-streamer", "exporters"] as const);

/** True if the fault disconnects a host. */
export const needsNetwork = (kind: FaultKind): boolean => /^(?:partition|one-way)-/.test(kind);

export interface ScenarioOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly leaseSeconds: number;
  readonly kinds: readonly FaultKind[];
  /** The number of possible targets of each kind. */
  readonly targets: Readonly<Partial<Record<FaultKind, number>>>;
  /** The kind of the first fault; absent: drawn at random. */
  readonly first?: FaultKind | undefined;
  /** True: no fault lasts longer than a few seconds. */
  readonly isBrief?: boolean;
}

/** Groups of kinds. Only one fault of a group may be active at a time: with two of three members down, etcd does not answer, and
 *  there is only one database. */
const exclusive: readonly (readonly FaultKind[])[] = [
  [
    ...(["leader", "freeze-etcd", "defragment-etcd", "replace-etcd", "empty-etcd"] as const),
    ...(["partition-etcd", "one-way-etcd", "etcd", "renew-certificates"] as const),
  ],
  ["database", "freeze-database", "tables-disk", "cluster-disk", "failover", "restore"],
];

/** Draws the faults of a run: about one per second, or fewer if their targets are busy. Several faults may be active at a time.
 *  Equal options give equal faults. */
export function drawScenario({
  seed,
  durationMs,
  leaseSeconds,
  kinds,
  targets,
  first,
  isBrief = false,
}: ScenarioOptions): Fault[] {
  const random = randomFrom(seed);
  const faults: Fault[] = [];
  const busyUntilMs = new Map<string, number>();
  let atMs = 800;
  while (atMs < durationMs) {
    const drawn = kinds[Math.floor(random() * kinds.length)] as FaultKind;
    const kind = faults.length === 0 ? (first ?? drawn) : drawn;
    const target = Math.floor(random() * (targets[kind] ?? 1));
    const chance = random();
    const lastsMs = durationOf(kind, isBrief ? chance * lastingFrom : chance, leaseSeconds);
    const key = busyKey(kind, target, targets["partition-collector"] ?? 1);
    // a target that has just healed gets time to recover: a cluster, for example, must elect a leader and catch up
    if ((busyUntilMs.get(key) ?? 0) <= atMs) {
      faults.push({ atMs, kind, target, lastsMs });
      busyUntilMs.set(key, atMs + lastsMs + 1500);
    }
    atMs += Math.round(200 + random() * 1400);
  }
  return faults;
}

/** A fault is not inflicted while another one of its key is. */
function busyKey(kind: FaultKind, target: number, collectors: number): string {
  const group = exclusive.findIndex((members) => members.includes(kind));
  if (group !== -1) return `group ${group}`;
  return kind.endsWith("-collector") ? `collector ${target % collectors}` : `${kind}/${target}`;
}

/** Up to twice the lease. */
const beyondLease = (chance: number, leaseSeconds: number): number => Math.round(500 + chance * leaseSeconds * 2000);
/** Some faults last longer than the calls that they hold up. */
const lastingFrom = 0.6;
/** Longer than a call to the database may take, see `withShortLimit`. */
const beyondCallsMs = 14_000;
/** The duration of a fault of one member of etcd that heals only when the run is drained: a pipeline has to do without the member. */
export const untilDrained = Infinity;

function durationOf(kind: FaultKind, chance: number, leaseSeconds: number): number {
  switch (kind) {
    case "kill":
    case "terminate":
    case "second-pipeline":
    case "clock":
      return 0;
    case "replace-etcd":
    case "empty-etcd":
    case "renew-certificates":
      return 3000; // about the time that it takes
    case "defragment-etcd":
      return 8000;
    case "freeze":
      return Math.round(leaseSeconds * 1000 * (1.1 + chance)); // longer than the lease, so that other processes take over
    case "freeze-etcd":
    case "one-way-etcd":
      return chance < lastingFrom ? beyondLease(chance, leaseSeconds) : untilDrained;
    case "freeze-database":
    case "one-way-collector":
      return chance < lastingFrom ? beyondLease(chance, leaseSeconds) : beyondCallsMs;
    case "partition-etcd":
    case "partition-collector":
    case "partition-streamer":
    case "etcd":
      return beyondLease(chance, leaseSeconds);
    default:
      return Math.round(200 + chance * 2500);
  }
}
