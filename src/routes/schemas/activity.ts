import { Type } from "@sinclair/typebox";
import { inventoryStates } from "../../domain/inventory.ts";

/** A GPU is active if it has reported until so long before its cluster's GPUs have, or later. */
export const activeLagMs = 60_000;

/** The values of a status. */
export const statusValues = ["active", "silent"] as const;
export type Status = (typeof statusValues)[number];

/** Whether a GPU, host or cluster reports. Its newest record is compared with the cluster's newest record, not with the clock; a record
 *  of the future counts as one of the instant at which it arrived. GPUs that report until the end of an imported history are therefore active, and a GPU that stops while others
 *  continue is silent. */
export const statusSchema = Type.Union(
  statusValues.map((value) => Type.Literal(value)),
  {
    description: `active if the newest record is at most ${activeLagMs / 1000} s older than the newest record of the cluster; otherwise silent. A record of the future counts as one of the instant at which it arrived`,
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

/** @param reportedAtMs until when the GPU has reported: the instant of its newest record, at most that of its arrival
 *  @param newestAtMs the greatest one in the cluster, at most the present */
export function statusOf(reportedAtMs: number, newestAtMs: number): Status {
  return newestAtMs - reportedAtMs <= activeLagMs ? "active" : "silent";
}
