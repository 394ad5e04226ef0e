/** The load that a job puts on a GPU at an instant, as shares of the GPU's capacity, 0 to 1. */
export interface Demand {
  readonly utilization: number;
  readonly memoryBandwidth: number;
  readonly tensor: number;
  readonly memoryShare: number;
  readonly decoder: number;
  readonly encoder: number;
}

/** The load if nothing runs. */
export const noDemand: Demand = {
  utilization: 0,
  memoryBandwidth: 0,
  tensor: 0,
  memoryShare: 0,
  decoder: 0,
  encoder: 0,
};

/** The holder of a GPU, such as a job. */
export interface Occupant {
  /** Returns the load that the occupant puts on one of its GPUs now.
   *  @param clock the GPU's clock while it works for this occupant, as a share of its full clock */
  demandOf(clock: number): Demand;
}
