import type { GpuBounds } from "../../../../domain/gpu-bounds.ts";

/** True if what reads the history may skip hours in which no GPU has records. To a caller with bounds, the number of statements, and so the
 *  time that an answer takes, would tell of the records of others.
 *  @param bounds those of the caller; undefined: none */
export function skipsEmptyHours(bounds: GpuBounds | undefined): boolean {
  return bounds === undefined;
}
