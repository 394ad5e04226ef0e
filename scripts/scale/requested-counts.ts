import { defined } from "../../src/kit/defined.ts";
import { type Counts, isCount, type ManagedRole, maxCount } from "../supervisor/managed-role.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const variables: Readonly<Record<ManagedRole, string>> = {
  streamer: "STREAMER_INSTANCES",
  collector: "COLLECTOR_INSTANCES",
  gateway: "API_GW_INSTANCES",
  coordinator: "COORDINATOR_INSTANCES",
  balancer: "BALANCER_INSTANCES",
};
const defaultCount = 2;

/** The counts for scale-local: INSTANCES of each role that has no variable of its own, and a balancer in front of the gateways.
 *  Without INSTANCES, a role that runs keeps its number, and one that does not run gets 2. A coordinator changes the counts by
 *  itself, so there is one only if COORDINATOR_INSTANCES asks for it.
 *  @param running the counts that were requested last
 *  @returns only the counts that the command sets
 *  @throws Error with a sentence for people */
export function countsForAll(env: Environment, running: Partial<Counts>): Partial<Counts> {
  const each = countIn(env, "INSTANCES");
  const countOf = (role: ManagedRole): number | undefined =>
    countIn(env, variables[role]) ?? each ?? (isRunning(role) ? undefined : defaultCount);
  const isRunning = (role: ManagedRole): boolean => (running[role] ?? 0) > 0;
  const gateway = countOf("gateway");
  const balancer = Math.min(gateway ?? running.gateway ?? 0, 1);
  return defined({
    streamer: countOf("streamer"),
    collector: countOf("collector"),
    gateway,
    balancer: countIn(env, variables.balancer) ?? balancer,
    coordinator: countIn(env, variables.coordinator),
  });
}

/** The count for one role, from its variable or INSTANCES.
 *  @throws Error with a sentence for people */
export function countForRole(role: ManagedRole, env: Environment): Partial<Counts> {
  const variable = variables[role];
  const count = countIn(env, variable) ?? countIn(env, "INSTANCES");
  if (count === undefined) throw new Error(`how many ${role}s? For example: ${variable}=3 bun run scale-${role}s`);
  return { [role]: count };
}

function countIn(env: Environment, variable: string): number | undefined {
  const text = env[variable];
  if (text === undefined || text === "") return undefined;
  const count = /^\d+$/.test(text) ? Number(text) : undefined;
  if (isCount(count)) return count;
  throw new Error(`${variable}=${text} is not usable: expected a whole number from 0 to ${maxCount}`);
}
