import { Type } from "@sinclair/typebox";

/** How far a GPU may be behind the newest record of its cluster and still count as active. */
export const activeLagMs = 60_000;

/** The values of a status. */
export const statusValues = ["active", "silent"] as const;
export type Status = (typeof statusValues)[number];

/** Whether a GPU, host or cluster reports. Compared with the newest record of the cluster and not with the clock: GPUs of
 *  an imported history are active, and a GPU that stopped reporting while others report is silent. */
export const statusSchema = Type.Union(
  statusValues.map((value) => Type.Literal(value)),
  {
    description: `active: its newest record is at most ${activeLagMs / 1000} s older than the newest record of its cluster; otherwise silent`,
    examples: ["active"],
  },
);

/** @param lastSeenAtMs its newest record
 *  @param newestAtMs the newest record of its cluster */
export function statusOf(lastSeenAtMs: number, newestAtMs: number): Status {
  return newestAtMs - lastSeenAtMs <= activeLagMs ? "active" : "silent";
}
