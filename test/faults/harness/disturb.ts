import { collectors, coordinators, etcdMembers, type Servers, streamers } from "./processes.ts";
import { clockSkewsMs, databaseSignals, directions, inflict } from "./inflict.ts";
import {
  drawScenario,
  type Fault,
  type FaultKind,
  faultKinds,
  kindsOfScrapes,
  needsNetwork,
  untilDrained,
} from "./scenario.ts";
import type { Victims } from "./victims.ts";

export interface DisturbanceOptions {
  readonly seed: number;
  /** The time during which faults start. */
  readonly durationMs: number;
  readonly leaseSeconds: number;
  /** The kind of the first fault; absent: drawn at random. */
  readonly first?: FaultKind | undefined;
  /** True: no fault lasts longer than a few seconds. */
  readonly isBrief?: boolean;
  /** The kind of all faults; absent: each is drawn. */
  readonly only?: FaultKind | undefined;
  /** The kinds that the run does not have; absent: none. */
  readonly without?: (kind: FaultKind) => boolean;
}

/** True if the database is older after the fault. */
export const losesData = (kind: FaultKind): boolean => kind === "failover" || kind === "restore";

/** Draws faults for these servers and the pipeline that uses them. Without a network, only the first fault
 *  can be a partition, if `first` asks for one. If the first one is a second pipeline, the database loses nothing, so that both
 *  can be judged. */
export function drawFaults({ network, etcd, etcdUser }: Servers, options: DisturbanceOptions): Fault[] {
  const workers = collectors + streamers + coordinators;
  const targets = {
    ...{ kill: workers, terminate: workers, freeze: workers, clock: workers * clockSkewsMs.length, leader: 1 },
    ...{ "freeze-etcd": etcdMembers, "defragment-etcd": etcdMembers, "replace-etcd": etcdMembers },
    "empty-etcd": 1,
    ...{ "partition-etcd": etcdMembers, "partition-collector": collectors },
    ...{ "one-way-etcd": etcdMembers * directions["one-way-etcd"].length },
    ...{ "one-way-collector": collectors * directions["one-way-collector"].length },
    ...{ database: databaseSignals.length, "tables-disk": 1, "cluster-disk": 1, failover: 1, restore: 1 },
    ...{ "second-pipeline": 1, "renew-certificates": 1 },
  };
  // an empty etcd has no users
  const ofFiles = faultKinds.filter(
    (kind) =>
      !kindsOfScrapes.has(kind) &&
      (kind !== "empty-etcd" || etcdUser === undefined) &&
      (kind !== "renew-certificates" || etcd.tls !== undefined),
  );
  const possible = network === undefined ? ofFiles.filter((kind) => !needsNetwork(kind)) : ofFiles;
  if (options.only !== undefined) return drawScenario({ ...options, kinds: [options.only], targets });
  const { without = (kind) => options.first === "second-pipeline" && losesData(kind) } = options;
  const kinds = possible.filter((kind) => !without(kind));
  return drawScenario({ ...options, kinds, targets });
}

/** What a run adds to the infliction of its faults. */
interface Course {
  /** Inflicts the faults that only some runs have. It returns undefined for others. */
  readonly special?: (fault: Fault) => Promise<void> | undefined;
  /** Called when all faults have healed but those that last until the run is drained: resolves when it is drained, or stuck. */
  readonly drain?: () => Promise<void>;
}

/** Inflicts every fault at its time, and drains the run; resolves when all have healed. An error of the harness counts as a violation. */
export async function disturb(
  faults: readonly Fault[],
  victims: Omit<Victims, "atDatabase" | "drained">,
  { special = () => undefined, drain = () => Promise.resolve() }: Course,
): Promise<void> {
  const drained = Promise.withResolvers<void>();
  const all = { ...victims, atDatabase: oneAfterTheOther(), drained: drained.promise };
  const inflictAll = (some: readonly Fault[]): Promise<unknown> =>
    Promise.all(
      some.map(async (fault) => {
        await Bun.sleep(fault.atMs);
        await (special(fault) ?? inflict(fault, all)).catch((error: Error) =>
          victims.reportViolations(`the harness: ${fault.kind}: ${error.message}`),
        );
      }),
    );
  const lasting = inflictAll(faults.filter(({ lastsMs }) => lastsMs === untilDrained));
  await inflictAll(faults.filter(({ lastsMs }) => lastsMs !== untilDrained));
  await drain().finally(() => drained.resolve());
  await lasting;
}

function oneAfterTheOther(): (work: () => Promise<void>) => Promise<void> {
  let last = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}
