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

/** The counts for scale-local: INSTANCES (2) of each role that has no variable of its own, and a balancer in front of the gateways.
 *  A coordinator changes the counts by itself, so there is one only if COORDINATOR_INSTANCES asks for it.
 *  @throws Error with a sentence for people */
export function countsForAll(env: Environment): Partial<Counts> {
  const each = countIn(env, "INSTANCES") ?? defaultCount;
  const gateway = countIn(env, variables.gateway) ?? each;
  const coordinator = countIn(env, variables.coordinator);
  return {
    streamer: countIn(env, variables.streamer) ?? each,
    collector: countIn(env, variables.collector) ?? each,
    gateway,
    balancer: countIn(env, variables.balancer) ?? Math.min(gateway, 1),
    ...(coordinator === undefined ? {} : { coordinator }),
  };
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
