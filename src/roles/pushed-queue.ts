import { NoCollector } from "../pipeline/source/push.ts";
import type { QueuePushIntakeOptions } from "../pipeline/stream/push-intake.ts";
import type { SharedParts } from "./shared-parts.ts";

/** The queue that pushes are published to. Without etcd it is in this process, and refuses them if no collector reads it here. */
export function pushedQueue({
  config,
  etcd,
  queue,
}: Pick<SharedParts, "config" | "etcd" | "queue">): QueuePushIntakeOptions["queue"] {
  if (etcd !== undefined || config.roles.includes("collector")) return queue;
  const refuse = (): Promise<never> =>
    Promise.reject(
      new NoCollector(
        "No collector would store a push to this gateway, because its queue is in its memory; start it with ROLE=collector,gateway, or set ETCD_ENDPOINTS for it and for collectors",
      ),
    );
  return { publish: refuse, stats: refuse };
}
