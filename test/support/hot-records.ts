import { until } from "../../dev/until.ts";
import type { RecordBatch } from "../../src/domain/batch.ts";
import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import type { Gpu, Workload } from "../../src/domain/gpu.ts";
import { metricIndexOf } from "../../src/domain/metrics.ts";
import { FleetMembers } from "../../src/routes/fleet/fleet-members.ts";
import type { FleetMember } from "../../src/routes/fleet/fleet.ts";
import type { HotTier } from "../../src/pipeline/hot/hot-tier.ts";

/** A record of a GPU, as a test writes it to the hot tier. */
export interface HotRecord {
  readonly gpu: Gpu;
  readonly timeMs: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly workload?: Workload;
}

/** 2025-07-18T20:42:34Z */
export const t0 = Date.UTC(2025, 6, 18, 20, 42, 34);

/** A GPU for a test. */
export function gpuAt(hostname: string, gpuId: number, more: Partial<Gpu> = {}): Gpu {
  const place = { clusterId: "c/1", hostname, gpuId };
  const attributes = {
    device: `nvidia${gpuId}`,
    modelName: "NVIDIA H100",
    driverVersion: "535",
    properties: { job: "x" },
  };
  return { uuid: `GPU-${hostname}-${gpuId}`, ...place, ...attributes, ...more };
}

/** A batch of these records. */
export function hotBatch(records: readonly HotRecord[]): RecordBatch {
  const builder = new BatchBuilder();
  for (const { gpu, timeMs, metrics, workload } of records) {
    const workloadIndex = workload === undefined ? 0 : builder.workloadIndex(workload);
    const row = builder.record(builder.gpuIndex(gpu), timeMs, workloadIndex);
    for (const [name, value] of Object.entries(metrics)) {
      const index = metricIndexOf(name);
      if (index === undefined) builder.setCustom(row, name, value);
      else builder.set(row, index, value);
    }
  }
  return builder.build();
}

/** Follows a hot tier as a gateway does. */
export class Follower {
  readonly members = new FleetMembers();
  readonly calls: string[] = [];
  readonly stop: () => Promise<void>;

  constructor(hotTier: HotTier) {
    this.stop = hotTier.follow({
      onChanges: (changes) => void this.members.merge(changes),
      onFollowing: (afterGap) => void this.calls.push(afterGap ? "following after a gap" : "following"),
      onInterrupted: () => void this.calls.push("interrupted"),
    });
  }

  async until(condition: (members: FleetMembers) => boolean): Promise<void> {
    await until(() => condition(this.members));
  }

  /** Waits until a GPU's newest record has this instant and at least this many metrics. */
  async newest(uuid: string, timeMs: number, metrics = 1): Promise<FleetMember> {
    await this.until((members) => {
      const record = members.get(uuid)?.record;
      return record?.timeMs === timeMs && Object.keys(record.metrics).length >= metrics;
    });
    return this.members.get(uuid) as FleetMember;
  }
}
