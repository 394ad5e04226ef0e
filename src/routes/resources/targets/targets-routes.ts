import { formatTimestamp } from "../../../domain/timestamp.ts";
import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import { type TargetStates, targetStateSchema } from "../../../pipeline/source/target-states.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { targetPage, targetPageQuery } from "./targets-query.ts";

/** The route that lists the exporters that the pipeline scrapes, and its other live sources. */
export function targetsRoutes(states: Pick<TargetStates, "list">) {
  return new Elysia({ name: "targets", prefix: "/api/v1/targets" }).get(
    "",
    async ({ request, query }) => {
      const listed = await states.list();
      const { elements, next, total } = targetPage(listed, query);
      const more = { as_of: formatTimestamp(listed.asOfMs), total, next_cursor: next };
      return listInFormat(request, { elements, schema: targetStateSchema, more });
    },
    { ...accepts(targetPageQuery), ...rowsUnread, detail },
  );
}

const detail = operation({
  id: "listTargets",
  tag: "pipeline",
  access: { scope: "read", selectors: "refused" },
  summary: "Exporters that the pipeline scrapes, and its other live sources",
  description:
    "Each target with its state in words, its dialect, its last scrape and its gaps, ordered by cluster and target; nvidia-smi and the simulated fleet are listed as well; their readings count as scrapes. The figures come " +
    "from the streamer that reads the target, are at most 5 s old, and count from when it began to read it. Without etcd, the list has only the targets of the process that answers.",
  partAsOf: targetStateSchema,
  errors: [400, 500, 503],
});
