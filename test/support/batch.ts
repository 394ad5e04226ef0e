import type { RecordBatch, RejectedInput } from "../../src/domain/batch.ts";
import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import { noWorkload, type Workload } from "../../src/domain/gpu.ts";
import { metricIndexOf } from "../../src/domain/metrics.ts";

/** A record as a test writes it; metrics outside the catalogue become custom values. */
export interface TestRecord {
  readonly uuid: string;
  readonly timeMs: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly hostname?: string;
  readonly workload?: Workload;
}

/** A batch of records and rejected inputs. */
export function makeBatch(records: readonly TestRecord[], rejected: readonly RejectedInput[] = []): RecordBatch {
  const builder = new BatchBuilder();
  for (const { uuid, timeMs, metrics, hostname = "host-a", workload = noWorkload } of records) {
    const gpu = {
      uuid,
      clusterId: "cluster",
      hostname,
      gpuId: 0,
      device: "nvidia0",
      modelName: "NVIDIA H100",
      driverVersion: "535",
      properties: { job: 'a "quoted" \\ job' },
    };
    const row = builder.row(builder.gpuIndex(gpu), timeMs, builder.workloadIndex(workload));
    for (const [name, value] of Object.entries(metrics)) {
      const index = metricIndexOf(name);
      if (index === undefined) builder.setCustom(row, name, value);
      else builder.set(row, index, value);
      builder.count("rows");
    }
  }
  rejected.forEach((input) => builder.reject(input));
  return builder.build();
}
