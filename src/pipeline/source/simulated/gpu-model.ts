/** The properties of a GPU model that the simulation needs. */
export interface GpuModel {
  readonly name: string;
  /** FB_USED and FB_FREE together: the framebuffer without the part that the driver reserves. */
  readonly memoryMebibytes: number;
  readonly idleWatts: number;
  readonly maxWatts: number;
  readonly idleSmClockMhz: number;
  readonly maxSmClockMhz: number;
  readonly memoryClockMhz: number;
  /** The temperature above which the GPU lowers its clocks. */
  readonly throttleCelsius: number;
  /** The generation of its PCIe link. */
  readonly pcieGeneration: number;
  /** The number of its NVLinks. */
  readonly nvlinks: number;
}

/** Clocks and memory are from the DCGM readings of a real fleet. */
const h100: GpuModel = {
  name: "NVIDIA H100 80GB HBM3",
  memoryMebibytes: 81_007,
  idleWatts: 68,
  maxWatts: 700,
  idleSmClockMhz: 345,
  maxSmClockMhz: 1980,
  memoryClockMhz: 2619,
  throttleCelsius: 85,
  pcieGeneration: 5,
  nvlinks: 18,
};
/** The maximum power is from its data sheet. */
const a100: GpuModel = {
  name: "NVIDIA A100-SXM4-80GB",
  memoryMebibytes: 81_037,
  idleWatts: 56,
  maxWatts: 400,
  idleSmClockMhz: 210,
  maxSmClockMhz: 1410,
  memoryClockMhz: 1593,
  throttleCelsius: 82,
  pcieGeneration: 4,
  nvlinks: 12,
};

/** The kinds of hosts: the model of their GPUs and their driver. A kind that is listed twice is twice as frequent. */
export const hostKinds: readonly { readonly model: GpuModel; readonly driverVersion: string }[] = [
  { model: h100, driverVersion: "535.129.03" },
  { model: h100, driverVersion: "535.129.03" },
  { model: h100, driverVersion: "550.54.15" },
  { model: a100, driverVersion: "535.129.03" },
  { model: a100, driverVersion: "525.105.17" },
];
