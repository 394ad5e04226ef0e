/** Shares of a simulated fleet's GPUs, from 0 to 1. These GPUs have more than one row for a metric in the exporter's output.
 *  `mig`, `timeSlicing` and `vgpu` exclude each other: their sum is at most 1. */
export interface DeviceShares {
  /** GPUs that are divided into MIG instances. */
  readonly mig: number;
  /** GPUs that several pods share. */
  readonly timeSlicing: number;
  /** GPUs that several virtual GPUs share. */
  readonly vgpu: number;
  /** GPUs with labelled series: those of NVLinks, XID errors, clock events and health watches. */
  readonly series: number;
}

/** A fleet in which each GPU has one row for each metric. */
export const noShares: DeviceShares = { mig: 0, timeSlicing: 0, vgpu: 0, series: 0 };
