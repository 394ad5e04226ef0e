import { metrics } from "../../domain/metrics.ts";
import type { SubscriptionRequest } from "./shared-topic.ts";
import type { LiveFilter } from "./live-feed.ts";
import type { Filters } from "./messages.ts";

/** What a checked subscription asks for, in one form for all who ask for the same. */
export function subscriptionRequestOf(filters: Filters, clientId: string | undefined): SubscriptionRequest {
  const asked = filters.metrics === undefined ? undefined : new Set<string>(filters.metrics);
  return {
    filter: filterOf(filters),
    metrics: asked && metrics.flatMap(({ name }) => (asked.has(name) ? [name] : [])),
    clientId,
  };
}

function filterOf({
  gpu_uuid,
  gpu_uuids = [],
  hostname,
  cluster,
  cluster_id = cluster,
  namespace,
}: Filters): LiveFilter {
  const gpuUuids = [...new Set(gpu_uuid === undefined ? gpu_uuids : [gpu_uuid, ...gpu_uuids])].sort();
  return {
    ...(gpuUuids.length === 0 ? {} : { gpuUuids }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(cluster_id === undefined ? {} : { clusterId: cluster_id }),
    ...(namespace === undefined ? {} : { namespace }),
  };
}
