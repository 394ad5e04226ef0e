import { parseConfig } from "../../src/config/parse-config.ts";
import { openEtcd } from "../../src/etcd/open-etcd.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { within } from "../../src/kit/within.ts";
import { EtcdTargetStates } from "../../src/pipeline/source/states/etcd/etcd-target-states.ts";
import type { TargetState } from "../../src/pipeline/source/target-states.ts";
import { environmentOf, type Settings } from "../supervisor/child-settings.ts";

const timeoutMs = 2000;

/** The exporters and other live sources, as the streamers report them in etcd; empty if etcd does not answer. */
export async function readTargets(settings: Settings): Promise<readonly TargetState[]> {
  const config = parseConfig(environmentOf({ role: "streamer", number: 1, socket: "" }, settings));
  const client = openEtcd(config);
  if (client === undefined) return [];
  const { queueTopic: topic, serviceLeaseSeconds: leaseSeconds } = config;
  const states = new EtcdTargetStates({ client, clock, topic, instanceId: "scale-status", leaseSeconds });
  try {
    return (await within(clock, timeoutMs, () => states.list())).targets;
  } catch {
    return [];
  } finally {
    client.close();
  }
}

/** Says that exporters do not answer; undefined if all do. The processes are well then, but nothing arrives. */
export function targetsText(targets: readonly Pick<TargetState, "kind" | "state">[]): string | undefined {
  const exporters = targets.filter(({ kind }) => kind === "exporter");
  const down = exporters.filter(({ state }) => state === "down").length;
  if (down === 0) return undefined;
  const which = down === exporters.length ? "no exporter answers" : "some exporters do not answer";
  return `${which}: ${down} of ${exporters.length} down; bun run telemetry targets says why`;
}
