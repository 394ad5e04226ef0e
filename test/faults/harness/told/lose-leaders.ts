import type { PostgresClient } from "../../../../src/db/postgres-client.ts";
import { inflict } from "../inflict.ts";
import { drawScenario, type Fault, type ScenarioOptions } from "../scenario.ts";
import type { Victims } from "../victims.ts";
import type { Worker } from "../workers.ts";

/** The first loss comes this much later than the first fault of a run: by then, some faults are told. */
const laterMs = 1200;
/** A successor leads for so long before it is lost, too. */
const leadsMs = 1500;

/** Draws the losses of leaders: the coordinator that evaluates at the time of the fault is killed, terminated or frozen. Faults that
 *  hit any process hit that one too seldom. */
export function drawLosses(options: Pick<ScenarioOptions, "seed" | "durationMs" | "leaseSeconds">): Fault[] {
  const { seed, durationMs, leaseSeconds } = options;
  const kinds = ["kill", "terminate", "freeze"] as const;
  let ledMs = 0;
  // a seed of its own: faults of the same times and kinds would come together
  return drawScenario({ ...options, seed: -seed, durationMs: durationMs - laterMs, kinds, targets: {} }).flatMap(
    (fault) => {
      if (fault.atMs < ledMs) return [];
      ledMs = fault.atMs + Math.max(fault.lastsMs, leaseSeconds * 1000) + leadsMs;
      return { ...fault, atMs: fault.atMs + laterMs };
    },
  );
}

/** Inflicts such a fault on the coordinator that evaluates, or on the first one if the database does not say which one that is. */
export async function loseLeader(
  fault: Fault,
  victims: Omit<Victims, "atDatabase" | "drained">,
  { coordinators, database }: { readonly coordinators: readonly Worker[]; readonly database: PostgresClient },
): Promise<void> {
  const [row] = await database.query<{ leader: string }>("select leader from fault_leader").catch(() => []);
  const leader = coordinators.find(({ pid }) => row?.leader.includes(`:${pid}:`));
  victims.record(leader === undefined ? "it is not known who leads" : `${leader.name} leads`);
  const workers = leader === undefined ? coordinators : [leader];
  await inflict(fault, { ...victims, workers, atDatabase: (work) => work(), drained: Promise.resolve() });
}
