import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import { withLabelCells } from "./gpu-cache.ts";

/** Attributes that a batch's rows report like samples, such as the serial number in a long row of DCGM_FI_DEV_SERIAL. Each
 *  becomes the driver version or a property of its GPU in the batch. An attribute of a GPU without records in the batch is
 *  dropped. */
export class ReportedAttributes {
  private readonly cellsOfUuid = new Map<string, Map<string, string>>();

  report(uuid: string, name: string, value: string): void {
    const cells = this.cellsOfUuid.get(uuid) ?? new Map<string, string>();
    cells.set(name, value);
    this.cellsOfUuid.set(uuid, cells);
  }

  /** Adds the reported attributes to the batch's GPUs, and deletes them from this object. */
  apply(builder: BatchBuilder): void {
    for (const [uuid, cells] of this.cellsOfUuid) {
      const gpu = builder.gpuOf(uuid);
      if (gpu !== undefined) builder.gpuIndex({ ...gpu, ...withLabelCells(gpu, [...cells]) });
    }
    this.cellsOfUuid.clear();
  }
}
