import type { StoredRecord } from "../../../src/domain/query.ts";
import type { FleetMember } from "../../../src/routes/fleet/fleet.ts";
import type { FleetGpu } from "../../../src/routes/schemas/gpu.ts";
import { LiveFeed } from "../../../src/routes/live/live-feed.ts";
import { SharedTopics } from "../../../src/routes/live/shared-topic.ts";
import { subscriptionRequestOf } from "../../../src/routes/live/subscription-request.ts";
import { Subscription } from "../../../src/routes/live/subscription.ts";

const startMs = Date.UTC(2025, 6, 18);

const gpu: FleetGpu = {
  ...{ uuid: "GPU-a", gpuId: 0, device: "nvidia0", modelName: "H100", hostname: "host", clusterId: "cluster" },
  ...{ driverVersion: "535", properties: {}, firstSeenAtMs: startMs, lastSeenAtMs: startMs, reportedAtMs: startMs },
};

/** The record of `GPU-a` at `second` seconds after the start. */
export function recordAt(second: number): StoredRecord {
  return { occupants: [], gpu, timeMs: startMs + second * 1000, metrics: { temperature: second }, custom: {} };
}

/** The short form of a message to a client. An update has its origin and the second of its record, such as `replay 2`. Another
 *  message has its type and, if there is one, its count, such as `skipped 1`. */
export function shortForm(text: string): string {
  const message = JSON.parse(text) as Record<string, unknown> & { readonly type: string };
  if (message.type !== "telemetry_update") return [message.type, message["count"]].join(" ").trim();
  const origin = ["snapshot", "replay"].find((name) => name in message) ?? "update";
  return `${origin} ${(Date.parse(message["timestamp"] as string) - startMs) / 1000}`;
}

/** Opens shared topics over a feed without a fleet. `update` sends the feed the record of `GPU-a` at the given second. */
export function openTopics(publish: (topic: string, text: string) => void) {
  const listeners: ((members: readonly FleetMember[]) => void)[] = [];
  const feed = new LiveFeed({ onMembers: (listener) => void listeners.push(listener) });
  const topics = new SharedTopics({ publish });
  const update = (second: number): void => {
    for (const listener of listeners) listener([{ gpu, record: recordAt(second) }]);
  };
  const subscribe = (id: string, onWaiting: () => void = () => undefined): Subscription =>
    new Subscription({
      ...{ id, request: subscriptionRequestOf({}, id, { key: "", feed }), topics, onWaiting },
      onSkipped: () => undefined,
      onEnd: () => undefined,
    });
  return { update, subscribe };
}
