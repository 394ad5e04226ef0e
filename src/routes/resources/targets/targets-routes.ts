import { Elysia } from "elysia";
import {
  type ListedTargets,
  type TargetState,
  targetStateNames,
  type TargetStates,
  targetStateSchema,
} from "../../../pipeline/source/target-states.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { nameOf } from "../../http/parameters/common.ts";
import { choice, optional, type ValuesOf } from "../../http/parameters/parameter.ts";
import { listAsOf } from "../../schemas/envelope.ts";

/** The parameters of requests for targets. */
export const targetsQuery = {
  state: optional(
    choice(targetStateNames, {
      description: `Only targets in this state: ${targetStateNames.join(", ")}`,
      example: "down",
    }),
  ),
  cluster_id: optional(nameOf("Only targets of this cluster", "local-cluster")),
};

/** The route that lists the exporters that the pipeline scrapes. */
export function targetsRoutes(states: Pick<TargetStates, "list">) {
  return new Elysia({ name: "targets", prefix: "/api/v1/targets" }).get(
    "",
    async ({ query }) => {
      const listed = await states.list();
      return listAsOf(selectedTargets(listed, query), listed.asOfMs);
    },
    { ...accepts(targetsQuery), detail },
  );
}

/** The targets that a query selects. */
export function selectedTargets(
  { targets }: ListedTargets,
  { state, cluster_id: clusterId }: ValuesOf<typeof targetsQuery>,
): readonly TargetState[] {
  return targets.filter(
    (target) =>
      (state === undefined || target.state === state) && (clusterId === undefined || target.cluster_id === clusterId),
  );
}

const detail = operation({
  id: "listTargets",
  tag: "pipeline",
  access: { scope: "read" },
  summary: "Exporters that the pipeline scrapes",
  description:
    "Each target with its state in words, its dialect, its last scrape and its gaps, ordered by cluster and target. The figures are " +
    "those of the streamer that reads the target, at most 5 s old; they count from when it began to read it. Without etcd, the list " +
    "has only the targets of the process that answers.",
  listAsOf: targetStateSchema,
  errors: [400, 500, 503],
});
