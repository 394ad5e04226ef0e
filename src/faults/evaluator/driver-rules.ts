import { type Rule, type RuleOf, rulesOf } from "../rules/rule.ts";
import { oughtToReport } from "./absence-rules.ts";
import type { ClusterState, DeviceState } from "./state.ts";
import type { Transitions } from "./transitions.ts";

/** Judges which versions of the driver the devices of one model in one cluster have. */
export class DriverRules {
  private readonly rules: readonly RuleOf<"drivers">[];

  constructor(
    rules: readonly Rule[],
    private readonly transitions: Transitions,
  ) {
    this.rules = rulesOf(rules, "drivers");
  }

  advance(clusters: Iterable<ClusterState>, devices: Iterable<DeviceState>, nowMs: number): void {
    if (this.rules.length === 0) return;
    const reporting = [...devices].filter((device) => device.driverVersion !== "" && oughtToReport(device));
    const byCluster = Map.groupBy(reporting, ({ clusterId }) => clusterId);
    for (const cluster of clusters) {
      const models = Map.groupBy(byCluster.get(cluster.clusterId) ?? [], ({ modelName }) => modelName);
      for (const rule of this.rules) this.judge(cluster, models, { rule, nowMs });
    }
  }

  private judge(
    cluster: ClusterState,
    models: ReadonlyMap<string, readonly DeviceState[]>,
    { rule, nowMs: atMs }: { readonly rule: RuleOf<"drivers">; readonly nowMs: number },
  ): void {
    const told = cluster.faults.filter((fault) => fault.rule === rule.id).map(({ name }) => name);
    const names = new Set([...told, ...Array.from(models.keys(), (model) => nameOf(rule, model))]);
    for (const name of names) {
      const counts = versionsOf(models.get(name.slice(nameOf(rule, "").length)) ?? []);
      const isBad = counts.size > 1;
      if (!isBad && !told.includes(name)) continue;
      const texts = Array.from(counts, ([version, count]) => `${version} on ${count}`).sort();
      const why = (): string =>
        isBad
          ? `GPUs of the model have ${counts.size} driver versions: ${texts.join(", ")}.`
          : "They have one version.";
      const subject = { kind: "cluster", clusterId: cluster.clusterId, hostname: "", uuid: "", job: "" } as const;
      this.transitions.judge(
        cluster,
        { isBad, isClear: !isBad, value: counts.size, atMs, mayRaise: true, why },
        {
          ...{ rule, name, beginning: () => ({ subject, holders: [] }) },
          durations: { forMs: rule.for_seconds * 1000, resolveForMs: 0, maxGapMs: Infinity },
        },
      );
    }
  }
}

const nameOf = ({ id }: Rule, model: string): string => `${id}:${model}`;

function versionsOf(devices: readonly DeviceState[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { driverVersion } of devices) counts.set(driverVersion, (counts.get(driverVersion) ?? 0) + 1);
  return counts;
}
