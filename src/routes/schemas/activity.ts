import { Type } from "@sinclair/typebox";
import { inventoryStates } from "../../domain/inventory.ts";

/** A GPU is active if its newest record is at most this much older than its cluster's newest record. */
export const activeLagMs = 60_000;

/** The values of a status. */
export const statusValues = ["active", "silent"] as const;
export type Status = (typeof statusValues)[number];

/** Whether a GPU, host or cluster reports. Its newest record is compared with the cluster's newest record that is not of
 *  the future, not with the clock. GPUs that report until the end of an imported history are therefore active, and a GPU that stops while others
 *  continue is silent. */
export const statusSchema = Type.Union(
  statusValues.map((value) => Type.Literal(value)),
  {
    description: `active if the newest record is at most ${activeLagMs / 1000} s older than the newest record of the cluster that does not lie in the future; otherwise silent`,
    examples: ["active"],
  },
);

/** The state of a GPU or host in the inventory. */
export const stateSchema = Type.Optional(
  Type.Union(
    inventoryStates.map((state) => Type.Literal(state)),
    {
      description:
        "active: it is expected to report; maintenance: it need not report for a while; decommissioned: it is gone until it reports " +
        "again. Absent until the gateway has read the inventory",
      examples: ["active"],
    },
  ),
);

/** @param lastSeenAtMs instant of the GPU's newest record
 *  @param newestAtMs instant of the cluster's newest record, at most the present */
export function statusOf(lastSeenAtMs: number, newestAtMs: number): Status {
  return newestAtMs - lastSeenAtMs <= activeLagMs ? "active" : "silent";
}
