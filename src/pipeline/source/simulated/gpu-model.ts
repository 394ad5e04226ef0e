/** What the physics needs to know of a GPU model. */
export interface GpuModel {
  readonly name: string;
  /** FB_USED and FB_FREE together: the framebuffer without what the driver reserves. */
  readonly memoryMebibytes: number;
  readonly idleWatts: number;
  readonly maxWatts: number;
  readonly idleSmClockMhz: number;
  readonly maxSmClockMhz: number;
  readonly memoryClockMhz: number;
  /** Above it the GPU lowers its clocks. */
  readonly throttleCelsius: number;
}

/** The models of the fleet, each with the drivers that its hosts run; a model twice in the list is twice as frequent.
 *  H100: as the DCGM readings of a real fleet have it (345 and 1980 MHz, 81,007 MiB, 66 W idle); A100: its data sheet. */
const h100: GpuModel = {
  name: "NVIDIA H100 80GB HBM3",
  memoryMebibytes: 81_007,
  idleWatts: 68,
  maxWatts: 700,
  idleSmClockMhz: 345,
  maxSmClockMhz: 1980,
  memoryClockMhz: 2619,
  throttleCelsius: 85,
};
const a100: GpuModel = {
  name: "NVIDIA A100-SXM4-80GB",
  memoryMebibytes: 81_037,
  idleWatts: 56,
  maxWatts: 400,
  idleSmClockMhz: 210,
  maxSmClockMhz: 1410,
  memoryClockMhz: 1593,
  throttleCelsius: 82,
};

/** What a host may be: its GPUs' model and its driver, more likely ones more often. */
export const hostKinds: readonly { readonly model: GpuModel; readonly driverVersion: string }[] = [
  { model: h100, driverVersion: "535.129.03" },
  { model: h100, driverVersion: "535.129.03" },
  { model: h100, driverVersion: "550.54.15" },
  { model: a100, driverVersion: "535.129.03" },
  { model: a100, driverVersion: "525.105.17" },
];
