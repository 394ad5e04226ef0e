import { randomFrom } from "../../support/random.ts";

/** One disturbance: what is done to whom and when, and how long it lasts. */
export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Index among the things of its kind. */
  readonly target: number;
  readonly lastsMs: number;
}

/** `kill`, `terminate` and `freeze` take a pipeline process, `leader` the etcd member that leads just then. A full disk is
 *  that of the database's tables alone, or that of everything the server has, with its log. */
export const faultKinds = [
  "kill",
  "terminate",
  "freeze",
  "leader",
  "partition-etcd",
  "partition-collector",
  "database",
  "tables-disk",
  "cluster-disk",
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface ScenarioOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly leaseSeconds: number;
  readonly kinds: readonly FaultKind[];
  readonly targets: Readonly<Record<FaultKind, number>>;
  /** The kind of the first fault; absent: drawn, as those of the others. */
  readonly first?: FaultKind | undefined;
}

/** Things that only one fault at a time may disturb: with two of three members away there is no etcd to judge. */
const exclusive: readonly (readonly FaultKind[])[] = [
  ["leader", "partition-etcd"],
  ["database", "tables-disk", "cluster-disk"],
];

/** Draws the faults of a run, the same ones for the same seed: on average one a second, several at a time. */
export function drawScenario({ seed, durationMs, leaseSeconds, kinds, targets, first }: ScenarioOptions): Fault[] {
  const random = randomFrom(seed);
  const faults: Fault[] = [];
  const busyUntilMs = new Map<string, number>();
  let atMs = 800;
  while (atMs < durationMs) {
    const drawn = kinds[Math.floor(random() * kinds.length)] as FaultKind;
    const kind = faults.length === 0 ? (first ?? drawn) : drawn;
    const target = Math.floor(random() * targets[kind]);
    const lastsMs = lengthOf(kind, random(), leaseSeconds);
    const group = exclusive.findIndex((members) => members.includes(kind));
    const key = group === -1 ? `${kind}/${target}` : `group ${group}`;
    // a cluster that has just healed gets a moment to elect and catch up
    if ((busyUntilMs.get(key) ?? 0) <= atMs) {
      faults.push({ atMs, kind, target, lastsMs });
      busyUntilMs.set(key, atMs + lastsMs + 1500);
    }
    atMs += Math.round(200 + random() * 1400);
  }
  return faults;
}

function lengthOf(kind: FaultKind, chance: number, leaseSeconds: number): number {
  switch (kind) {
    case "kill":
    case "terminate":
      return 0;
    case "freeze":
      return Math.round(leaseSeconds * 1000 * (1.1 + chance)); // longer than the lease: others take over meanwhile
    case "partition-etcd":
    case "partition-collector":
      return Math.round(500 + chance * leaseSeconds * 2000);
    default:
      return Math.round(200 + chance * 2500);
  }
}
