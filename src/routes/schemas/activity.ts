import { Type } from "@sinclair/typebox";

/** How far a GPU may lag behind the newest record of its cluster and still count as active. */
export const activeLagMs = 60_000;

/** What a status may say. */
export const statusValues = ["active", "silent"] as const;
export type Status = (typeof statusValues)[number];

/** Whether something reports. Measured against the newest record of the cluster and not against the clock, so that
 *  an imported history is active, and a GPU that fell silent while others report is not. */
export const statusSchema = Type.Union(
  statusValues.map((value) => Type.Literal(value)),
  {
    description: `active: its newest record is at most ${activeLagMs / 1000} s older than the newest of its cluster; else silent`,
    examples: ["active"],
  },
);

/** @param lastSeenAtMs its newest record
 *  @param newestAtMs the newest record of its cluster */
export function statusOf(lastSeenAtMs: number, newestAtMs: number): Status {
  return newestAtMs - lastSeenAtMs <= activeLagMs ? "active" : "silent";
}
