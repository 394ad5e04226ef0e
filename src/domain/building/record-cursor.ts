import type { Gpu, Workload } from "../gpu.ts";

/** Remembers the last record of a GPU and a workload, for `recordAt` of a BatchBuilder. Inputs have many samples for each
 *  record, and only the first of them needs a search. */
export class RecordCursor {
  /** The indexes in the batch of the last record. In the next batch, they are often the same. */
  gpuIndex = -1;
  workloadIndex = 0;
  /** Identifies the batch of the last record. */
  batch: object | undefined;
  timeMs = NaN;
  record = -1;

  constructor(
    readonly gpu: Gpu,
    readonly workload: Workload,
  ) {}
}
