import {
  compareTargetPlaces,
  type ListedTargets,
  targetKinds,
  type TargetPlace,
  targetPlace,
  type TargetState,
  targetStateNames,
} from "../../../pipeline/source/target-states.ts";
import { type ListPage, pageOf } from "../../http/list-page.ts";
import { limit, nameOf } from "../../http/parameters/common.ts";
import { cursorParameter } from "../../http/parameters/cursor.ts";
import { choice, optional, type ValuesOf } from "../../http/parameters/parameter.ts";

/** The parameters that select targets. */
export const targetsQuery = {
  state: optional(
    choice(targetStateNames, {
      description: `Only targets in this state: ${targetStateNames.join(", ")}`,
      example: "down",
    }),
  ),
  kind: optional(
    choice(targetKinds, {
      description: `Only live sources of this kind: ${targetKinds.join(", ")}`,
      example: "exporter",
    }),
  ),
  cluster_id: optional(nameOf("Only targets of this cluster", "local-cluster")),
};

/** The parameters of requests for a part of the targets. */
export const targetPageQuery = {
  ...targetsQuery,
  limit: limit({ byDefault: 1000 }),
  cursor: cursorParameter({
    maxLength: 4096,
    following: "the targets that follow",
    example: ["local-cluster", "mtv5-dgx1-hgpu-001:9400", "scrape:local-cluster:mtv5-dgx1-hgpu-001:9400"],
    positionOf: ([cluster, target, sourceId]): TargetPlace | undefined =>
      [cluster, target, sourceId].every((part) => typeof part === "string")
        ? [String(cluster), String(target), String(sourceId)]
        : undefined,
  }),
};

/** The targets that a query selects. */
export function selectedTargets(
  { targets }: ListedTargets,
  { state, kind, cluster_id: clusterId }: ValuesOf<typeof targetsQuery>,
): readonly TargetState[] {
  return targets.filter(
    (target) =>
      (state === undefined || target.state === state) &&
      (kind === undefined || target.kind === kind) &&
      (clusterId === undefined || target.cluster_id === clusterId),
  );
}

/** The part of the selected targets that a query asks for. */
export function targetPage(listed: ListedTargets, query: ValuesOf<typeof targetPageQuery>): ListPage<TargetState> {
  const { limit: max, cursor } = query;
  return pageOf(selectedTargets(listed, query), targetPlace, { limit: max, cursor, compare: compareTargetPlaces });
}
