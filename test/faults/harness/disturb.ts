import { collectors, etcdMembers, type Servers, streamers } from "./processes.ts";
import { databaseSignals, inflict } from "./inflict.ts";
import { drawScenario, type Fault, type FaultKind, faultKinds } from "./scenario.ts";
import type { Victims } from "./victims.ts";

export interface DisturbanceOptions {
  readonly seed: number;
  /** The time during which faults start. */
  readonly durationMs: number;
  readonly leaseSeconds: number;
  /** The kind of the first fault; undefined: drawn at random. */
  readonly first: FaultKind | undefined;
}

/** Draws faults for these servers and the pipeline that uses them. Without a network, only the first fault
 *  can be a partition, if `first` asks for one. */
export function drawFaults({ network }: Servers, options: DisturbanceOptions): Fault[] {
  const workers = collectors + streamers;
  const targets = {
    ...{ kill: workers, terminate: workers, freeze: workers, leader: 1 },
    ...{ "partition-etcd": etcdMembers, "partition-collector": collectors },
    ...{ database: databaseSignals.length, "tables-disk": 1, "cluster-disk": 1, failover: 1, restore: 1 },
  };
  const kinds = network === undefined ? faultKinds.filter((kind) => !kind.startsWith("partition")) : faultKinds;
  return drawScenario({ ...options, kinds, targets });
}

/** Inflicts every fault at its time; resolves when all have healed. An error of the harness counts as a violation. */
export async function disturb(faults: readonly Fault[], victims: Omit<Victims, "atDatabase">): Promise<void> {
  const atDatabase = oneAfterTheOther();
  await Promise.all(
    faults.map(async (fault) => {
      await Bun.sleep(fault.atMs);
      await inflict(fault, { ...victims, atDatabase }).catch((error: Error) =>
        victims.reportViolations(`the harness: ${fault.kind}: ${error.message}`),
      );
    }),
  );
}

function oneAfterTheOther(): (work: () => Promise<void>) => Promise<void> {
  let last = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}
