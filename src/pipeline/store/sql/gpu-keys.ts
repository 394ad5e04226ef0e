import { gpuKeyOf } from "../../../domain/gpu-key.ts";

/** Twice the largest fleet that was measured (100,000 GPUs); the keys take about 20 MB then. */
const maxKeys = 200_000;

/** Computes the keys of GPUs, each once: a hash takes several times as long as a look-up, and a batch may have thousands of GPUs.
 *  A key follows from the uuid alone, so what is remembered is right for every database. */
export class GpuKeys {
  private readonly keys = new Map<string, number>();

  of(uuid: string): number {
    const known = this.keys.get(uuid);
    if (known !== undefined) return known;
    if (this.keys.size >= maxKeys) this.keys.clear();
    const key = gpuKeyOf(uuid);
    this.keys.set(uuid, key);
    return key;
  }
}
