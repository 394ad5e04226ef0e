/** What the supervisor runs: the roles of the pipeline, in the order in which data passes through them, and the balancer. */
export const managedRoles = ["streamer", "collector", "gateway", "coordinator", "balancer"] as const;
export type ManagedRole = (typeof managedRoles)[number];

/** How many processes of each role there should be. */
export type Counts = Readonly<Record<ManagedRole, number>>;

/** A role's processes listen on consecutive ports; the ranges are 100 apart. */
export const maxCount = 100;

/** The variable with the port of a role's first process, and its default. */
export const portSettings: Readonly<Record<ManagedRole, { readonly variable: string; readonly first: number }>> = {
  streamer: { variable: "STREAMER_PORT", first: 9100 },
  collector: { variable: "COLLECTOR_PORT", first: 9200 },
  gateway: { variable: "PORT", first: 8080 },
  coordinator: { variable: "COORDINATOR_PORT", first: 9300 },
  balancer: { variable: "BALANCER_PORT", first: 8000 },
};

/** True for the name of a role that the supervisor runs. */
export function isManagedRole(name: string): name is ManagedRole {
  return managedRoles.some((role) => role === name);
}

/** True for a number of processes that a role may have. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maxCount;
}
