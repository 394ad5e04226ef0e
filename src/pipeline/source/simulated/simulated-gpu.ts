import { type Gpu, noWorkload, type Workload } from "../../../domain/gpu.ts";
import type { Cooling } from "./cooling.ts";
import { type Demand, noDemand, type Occupant } from "./demand.ts";
import type { GpuModel } from "./gpu-model.ts";
import type { Random } from "./random.ts";
import type { Readings } from "./simulated-metrics.ts";

/** The parts of a simulated GPU. */
export interface GpuBuild {
  readonly gpu: Gpu;
  readonly model: GpuModel;
  readonly cooling: Cooling;
  readonly random: Random;
}

/** A simulated GPU: load draws power, power heats the GPU slowly, heat lowers its clocks, and lower clocks draw less power. */
export class SimulatedGpu {
  readonly gpu: Gpu;
  workload: Workload = noWorkload;
  /** The code of the last XID error until the GPU is repaired, else 0. */
  xid = 0;
  pcieReplays = 0;
  private holder: Occupant | undefined;
  private demand: Demand = noDemand;
  private silentForSeconds = 0;
  private occupantClock = 1;
  private clock = 1;
  private powerWatts: number;
  private celsius: number;
  private memoryCelsius: number;
  private memoryMebibytes = idleMemoryMebibytes;
  private energyMillijoules: number;
  private throttledNanoseconds = 0;
  private readonly celsiusPerWatt: number;

  constructor(private readonly build: GpuBuild) {
    const { gpu, model, cooling, random } = build;
    this.gpu = gpu;
    // at full power and with working fans, most GPUs stay 7 to 26 degrees below throttling; one in twenty has bad contact with
    // its heat sink
    const riseCelsius = random.between(38, 48) + (random.chance(0.05) ? 16 : 0);
    this.celsiusPerWatt = riseCelsius / model.maxWatts;
    this.powerWatts = model.idleWatts * random.between(0.97, 1.08);
    this.celsius = cooling.airCelsius + this.powerWatts * this.celsiusPerWatt;
    this.memoryCelsius = this.celsius + 2;
    this.energyMillijoules = Math.round(random.between(1e9, 1e12));
  }

  get isFree(): boolean {
    return this.holder === undefined;
  }

  /** True while the GPU emits no readings. */
  get isSilent(): boolean {
    return this.silentForSeconds > 0;
  }

  get nvlinks(): number {
    return this.build.model.nvlinks;
  }

  get occupant(): Occupant | undefined {
    return this.holder;
  }

  /** @param clock the GPU's clock while it works for this occupant, as a share of its full clock; below 1, the GPU slows down
   *  the whole job */
  assign(occupant: Occupant, workload: Workload, clock: number): void {
    this.holder = occupant;
    this.workload = workload;
    this.occupantClock = clock;
  }

  release(): void {
    this.holder = undefined;
    this.workload = noWorkload;
    this.occupantClock = 1;
  }

  /** Stops the readings for this long; the GPU's work continues. */
  silence(seconds: number): void {
    this.silentForSeconds = seconds;
  }

  /** Lets time pass; a step of any length is numerically stable. */
  advance(seconds: number): void {
    this.silentForSeconds = Math.max(0, this.silentForSeconds - seconds);
    this.demand = this.holder?.demandOf(this.occupantClock) ?? noDemand;
    const { model } = this.build;
    const throttling = this.throttling();
    this.clock = this.occupantClock * (1 - throttling);
    this.throttledNanoseconds += throttling > 0 ? Math.round(seconds * 1e9) : 0;
    const load = this.demand.utilization * (0.75 + 0.25 * Math.min(1, this.demand.tensor * 2));
    const dynamicWatts = (model.maxWatts - model.idleWatts) * load * this.clock ** 2;
    const wantedWatts = (model.idleWatts + dynamicWatts) * this.build.random.between(0.985, 1.015);
    this.powerWatts += (Math.min(wantedWatts, model.maxWatts) - this.powerWatts) * approach(seconds, powerLagSeconds);
    this.energyMillijoules += Math.round(this.powerWatts * seconds * 1000);
    this.heat(seconds);
    const wantedMebibytes =
      idleMemoryMebibytes + this.demand.memoryShare * (model.memoryMebibytes - idleMemoryMebibytes);
    this.memoryMebibytes += (wantedMebibytes - this.memoryMebibytes) * approach(seconds, memoryLagSeconds);
  }

  /** The values that DCGM would report now: whole percents, degrees, MHz and MiB, power to the milliwatt, ratios to six
   *  decimals. */
  readings(): Readings {
    const { model } = this.build;
    const { demand } = this;
    const usedMebibytes = Math.round(this.memoryMebibytes);
    return {
      DCGM_FI_DEV_GPU_UTIL: Math.round(demand.utilization * 100),
      DCGM_FI_DEV_MEM_COPY_UTIL: Math.round(demand.memoryBandwidth * 100),
      DCGM_FI_DEV_POWER_USAGE: rounded(this.powerWatts, 3),
      DCGM_FI_DEV_GPU_TEMP: Math.round(this.celsius),
      DCGM_FI_DEV_FB_USED: usedMebibytes,
      DCGM_FI_DEV_FB_FREE: model.memoryMebibytes - usedMebibytes,
      DCGM_FI_DEV_DEC_UTIL: Math.round(demand.decoder * 100),
      DCGM_FI_DEV_ENC_UTIL: Math.round(demand.encoder * 100),
      DCGM_FI_DEV_SM_CLOCK: this.isFree ? model.idleSmClockMhz : clockStep(model.maxSmClockMhz * this.clock),
      DCGM_FI_DEV_MEM_CLOCK: model.memoryClockMhz,
      DCGM_FI_DEV_MEMORY_TEMP: Math.round(this.memoryCelsius),
      DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION: this.energyMillijoules,
      DCGM_FI_DEV_XID_ERRORS: this.xid,
      DCGM_FI_DEV_PCIE_REPLAY_COUNTER: this.pcieReplays,
      DCGM_FI_PROF_PIPE_TENSOR_ACTIVE: rounded(demand.tensor * this.clock, 6),
      DCGM_FI_PROF_DRAM_ACTIVE: rounded(demand.memoryBandwidth * 0.9, 6),
      DCGM_FI_DEV_THERMAL_VIOLATION: this.throttledNanoseconds,
    };
  }

  /** Share by which heat lowers the clock: 0 below the threshold, then more with each degree, at most 0.6. */
  private throttling(): number {
    const tooHotCelsius = this.celsius - this.build.model.throttleCelsius;
    return Math.min(0.6, Math.max(0, tooHotCelsius * 0.06));
  }

  private heat(seconds: number): void {
    const steadyCelsius = this.build.cooling.airCelsius + this.powerWatts * this.celsiusPerWatt;
    this.celsius += (steadyCelsius - this.celsius) * approach(seconds, heatLagSeconds);
    const memorySteadyCelsius = this.celsius + 2 + 10 * this.demand.memoryBandwidth;
    this.memoryCelsius += (memorySteadyCelsius - this.memoryCelsius) * approach(seconds, heatLagSeconds);
  }
}

const idleMemoryMebibytes = 4;
const powerLagSeconds = 1.2;
const heatLagSeconds = 25;
const memoryLagSeconds = 1;

/** How far a first-order lag moves towards the steady state in this time: 0 to 1. */
function approach(seconds: number, lagSeconds: number): number {
  return 1 - Math.exp(-seconds / lagSeconds);
}

/** Rounds a clock to the steps in which clocks change: 15 MHz. */
function clockStep(mhz: number): number {
  return Math.round(mhz / 15) * 15;
}

function rounded(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
