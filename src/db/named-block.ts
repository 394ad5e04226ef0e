import { decodePart } from "../domain/block/named-part.ts";

/** Decodes something of the store.
 *  @param what its name, such as "the block of gpu_key 1 from 2025-07-18T00:00:00.000Z"
 *  @throws UndecodableBlock, which names it */
export function decodeNamed<T>(what: () => string, decode: () => T): T {
  return decodePart(() => `${what()} cannot be read`, decode);
}

/** The name of a block: its key in the table. */
export function nameOfBlock({ gpuKey, fromMs }: { readonly gpuKey: number; readonly fromMs: number }): string {
  return `the block of gpu_key ${gpuKey} from ${new Date(fromMs).toISOString()}`;
}

/** The name of a row of rollups: its key in the table. */
export function nameOfRollups({ firstKey, hour }: { readonly firstKey: number; readonly hour: number }): string {
  return `the row of rollups with first_key ${firstKey} from ${new Date(hour).toISOString()}`;
}
