import type { RecordBatch, RejectedInput } from "../src/domain/batch.ts";
import { BatchBuilder } from "../src/domain/batch-builder.ts";
import { noWorkload, type Workload } from "../src/domain/gpu.ts";
import { metricIndexOf } from "../src/domain/metrics.ts";
import type { IngestMessage } from "../src/pipeline/store/telemetry-store.ts";

/** A record as a test writes it. Metrics outside the catalogue become custom values. */
export interface TestRecord {
  readonly uuid: string;
  readonly timeMs: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly hostname?: string;
  /** The index on its host; 0 by default. */
  readonly gpuId?: number;
  readonly clusterId?: string;
  readonly modelName?: string;
  readonly driverVersion?: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly workload?: Workload;
  /** Further workloads that share the GPU. */
  readonly sharing?: readonly Workload[];
}

/** A batch of records and rejected inputs. */
export function makeBatch(records: readonly TestRecord[], rejected: readonly RejectedInput[] = []): RecordBatch {
  const builder = new BatchBuilder();
  for (const { uuid, timeMs, metrics, hostname = "host-a", clusterId = "cluster", ...more } of records) {
    const { modelName = "NVIDIA H100", driverVersion = "535", workload = noWorkload, sharing = [] } = more;
    const { gpuId = 0, properties = { job: 'a "quoted" \\ job' } } = more;
    const gpu = {
      uuid,
      clusterId,
      hostname,
      gpuId,
      device: `nvidia${gpuId}`,
      modelName,
      driverVersion,
      properties,
    };
    const gpuIndex = builder.gpuIndex(gpu);
    const record = builder.record(gpuIndex, timeMs, builder.workloadIndex(workload));
    for (const each of sharing) builder.record(gpuIndex, timeMs, builder.workloadIndex(each));
    for (const [name, value] of Object.entries(metrics)) {
      const index = metricIndexOf(name);
      if (index === undefined) builder.setCustom(record, name, value);
      else builder.set(record, index, value);
      builder.count("rows");
    }
  }
  rejected.forEach((input) => builder.reject(input));
  return builder.build();
}

/** A message with a batch. By default, the message's id is also the id of its source. */
export function messageOf(
  id: string,
  batch: RecordBatch,
  range: { source?: string; from?: number; to?: number } = {},
): IngestMessage {
  const { source = id, from = 0, to = 10 } = range;
  return {
    messageId: id,
    idempotencyKey: `key of ${id}`,
    source: { sourceId: source, from: { offset: from, line: from }, to: { offset: to, line: to } },
    batch,
  };
}
