/** What a job asks of a GPU at an instant; shares are of the GPU's full ability, 0 to 1. */
export interface Demand {
  readonly utilization: number;
  readonly memoryBandwidth: number;
  readonly tensor: number;
  readonly memoryShare: number;
  readonly decoder: number;
  readonly encoder: number;
}

/** Nothing runs. */
export const noDemand: Demand = {
  utilization: 0,
  memoryBandwidth: 0,
  tensor: 0,
  memoryShare: 0,
  decoder: 0,
  encoder: 0,
};

/** Whoever holds a GPU. */
export interface Occupant {
  /** What it asks of one of its GPUs now.
   *  @param clock share of its clock that the GPU was given to this occupant with */
  demandOf(clock: number): Demand;
}
