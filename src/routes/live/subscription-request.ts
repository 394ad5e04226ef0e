import { type GpuSelector, selectorKey } from "../../domain/gpu-selector.ts";
import { metrics } from "../../domain/metrics.ts";
import { selectorOf } from "../schemas/gpu-selector.ts";
import type { SubscriptionFilters } from "./messages.ts";

/** What a subscription asks for. */
export interface SubscriptionRequest {
  readonly selector: GpuSelector;
  /** Metric names in the catalogue's order; undefined: all. */
  readonly metrics: readonly string[] | undefined;
  /** The id that the client chose for the subscription, sent with each of its updates; undefined if it chose none. */
  readonly clientId: string | undefined;
  /** The same text for requests that ask for the same: their subscriptions share a topic. */
  readonly key: string;
}

/** Makes one request of all messages that ask for the same, in whatever order they name GPUs and metrics. */
export function subscriptionRequestOf(filters: SubscriptionFilters, clientId: string | undefined): SubscriptionRequest {
  const selector = selectorFrom(filters);
  const requested = filters.metrics === undefined ? undefined : new Set<string>(filters.metrics);
  const names = requested && metrics.flatMap(({ name }) => (requested.has(name) ? [name] : []));
  return {
    selector,
    metrics: names,
    clientId,
    key: JSON.stringify([selectorKey(selector), names, clientId]),
  };
}

/** The selector that a message's filters make. `cluster` and `cluster_id` mean the same, and the message has been checked
 *  to give them the same value. */
function selectorFrom({ gpu_uuid, gpu_uuids = [], cluster, cluster_id = cluster, ...others }: SubscriptionFilters) {
  const uuids = [...new Set(gpu_uuid === undefined ? gpu_uuids : [gpu_uuid, ...gpu_uuids])].sort();
  const { hostname, namespace } = others;
  const selector = selectorOf({ cluster_id, hostname, namespace });
  return uuids.length === 0 ? selector : { ...selector, uuids };
}
