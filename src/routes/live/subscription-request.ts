import { type GpuSelector, selectorKey } from "../../domain/gpu-selector.ts";
import { type MetricChoice, readMetricChoice } from "../../domain/metric-choice.ts";
import { selectorOf } from "../schemas/gpu-selector.ts";
import type { Feed } from "./live-feed.ts";
import type { LiveView } from "./live-view.ts";
import type { SubscriptionFilters } from "./messages.ts";

/** A client's request for a subscription. */
export interface SubscriptionRequest {
  readonly selector: GpuSelector;
  /** The updates that the client may see. */
  readonly feed: Feed;
  /** Undefined: all metrics. */
  readonly metrics: MetricChoice | undefined;
  /** The id that the client chose for the subscription, sent with each of its updates; undefined if the client chose none. */
  readonly clientId: string | undefined;
  /** Equal requests have the same key; their subscriptions share a topic. */
  readonly key: string;
}

/** Makes a request from a message's filters, and what the client may see. The order in which they name GPUs and metrics does not matter. */
export function subscriptionRequestOf(
  filters: SubscriptionFilters,
  clientId: string | undefined,
  { key, feed }: Pick<LiveView, "key" | "feed">,
): SubscriptionRequest {
  const selector = selectorFrom(filters);
  const metrics = choiceOf(filters);
  return {
    selector,
    feed,
    metrics,
    clientId,
    key: JSON.stringify([selectorKey(selector), metrics?.key, clientId, key]),
  };
}

/** The metrics that a message's filters name, whose names `readMessage` has checked. */
function choiceOf({ metrics }: SubscriptionFilters): MetricChoice | undefined {
  const choice = metrics && readMetricChoice(metrics);
  return choice === undefined || "unknown" in choice ? undefined : choice.sorted();
}

/** Makes a selector from a message's filters. `cluster` and `cluster_id` mean the same; if a message has both,
 *  `readMessage` has checked that they have the same value. */
function selectorFrom({ gpu_uuid, gpu_uuids = [], cluster, cluster_id = cluster, ...others }: SubscriptionFilters) {
  const uuids = [...new Set(gpu_uuid === undefined ? gpu_uuids : [gpu_uuid, ...gpu_uuids])].sort();
  const { parent_uuid, hostname, namespace } = others;
  const selector = selectorOf({ parent_uuid, cluster_id, hostname, namespace });
  return uuids.length === 0 ? selector : { ...selector, uuids };
}
