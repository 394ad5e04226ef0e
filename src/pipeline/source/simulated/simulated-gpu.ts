import { type Gpu, noWorkload, type Workload } from "../../../domain/gpu.ts";
import type { Cooling } from "./cooling.ts";
import { type Demand, noDemand, type Occupant } from "./demand.ts";
import type { GpuFault } from "./faults/gpu-fault.ts";
import type { GpuModel } from "./gpu-model.ts";
import type { Random } from "./random.ts";
import type { HealthReadings, Readings } from "./simulated-metrics.ts";

/** The parts of a simulated GPU. */
export interface GpuBuild {
  readonly gpu: Gpu;
  readonly model: GpuModel;
  readonly cooling: Cooling;
  readonly random: Random;
  /** True in a fleet with chosen faults: it has no others, and its readings include `healthMetrics`. */
  readonly isChecked: boolean;
}

/** A simulated GPU: load draws power, power heats the GPU slowly, heat lowers its clocks, and lower clocks draw less power. */
export class SimulatedGpu {
  gpu: Gpu;
  workload: Workload = noWorkload;
  pcieReplays = 0;
  fault: GpuFault | undefined;
  private xidCode = 0;
  private readonly xidCounts = new Map<number, number>();
  private holder: Occupant | undefined;
  private demand: Demand = noDemand;
  private silentForSeconds = 0;
  private occupantClock = 1;
  private clock = 1;
  private powerWatts: number;
  private celsius: number;
  private memoryCelsius: number;
  private memoryMebibytes = idleMemoryMebibytes;
  private energyMillijoules = 0;
  private throttledNanoseconds = 0;
  private cappedNanoseconds = 0;
  private correctedErrors = 0;
  private readonly celsiusPerWatt: number;

  constructor(private readonly build: GpuBuild) {
    const { gpu, model, cooling, random, isChecked } = build;
    this.gpu = gpu;
    // at full power and with working fans, most GPUs stay 7 to 26 degrees below throttling; one in twenty has bad contact with
    // its heat sink
    const riseCelsius = random.between(38, 48) + (random.chance(0.05) && !isChecked ? 16 : 0);
    this.celsiusPerWatt = riseCelsius / model.maxWatts;
    this.powerWatts = model.idleWatts * random.between(0.97, 1.08);
    this.celsius = cooling.airCelsius + this.powerWatts * this.celsiusPerWatt;
    this.memoryCelsius = this.celsius + 2;
    // drawn and not used, so that what is drawn after it stays the same
    random.between(0, 1);
  }

  get isFree(): boolean {
    return this.holder === undefined;
  }

  /** True while the GPU emits no readings. */
  get isSilent(): boolean {
    return this.silentForSeconds > 0 || this.fault?.isSilent === true;
  }

  /** The code of the last XID error until the GPU is reset, else 0. */
  get xid(): number {
    return this.xidCode;
  }

  /** How often each XID error has occurred, if the readings include `healthMetrics`. */
  get countedXids(): ReadonlyMap<number, number> | undefined {
    return this.build.isChecked ? this.xidCounts : undefined;
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

  raiseXid(code: number): void {
    this.xidCode = code;
    this.xidCounts.set(code, (this.xidCounts.get(code) ?? 0) + 1);
  }

  /** The energy counter begins, as after a boot. When a fleet starts again, its GPUs have used since then what their counters say. */
  beginEnergy(): void {
    this.energyMillijoules = 0;
  }

  /** Resets the GPU: the counters of its driver begin again. */
  reset(): void {
    this.xidCode = 0;
    this.pcieReplays = 0;
    this.energyMillijoules = 0;
    this.throttledNanoseconds = 0;
    this.cappedNanoseconds = 0;
    this.correctedErrors = 0;
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
    this.cappedNanoseconds += wantedWatts > model.maxWatts ? Math.round(seconds * cappedShare * 1e9) : 0;
    this.powerWatts += (Math.min(wantedWatts, model.maxWatts) - this.powerWatts) * approach(seconds, powerLagSeconds);
    this.energyMillijoules += Math.round(this.powerWatts * seconds * 1000);
    this.heat(seconds);
    if (this.build.isChecked && this.build.random.chance(seconds / meanSecondsToCorrectedError))
      this.correctedErrors += 1;
    const wantedMebibytes =
      idleMemoryMebibytes + this.demand.memoryShare * (model.memoryMebibytes - idleMemoryMebibytes);
    this.memoryMebibytes += (wantedMebibytes - this.memoryMebibytes) * approach(seconds, memoryLagSeconds);
  }

  /** The values that DCGM would report now: whole percents, degrees, MHz and MiB, power to the milliwatt, ratios to six
   *  decimals. */
  readings(): Readings & Partial<HealthReadings> {
    const readings = this.build.isChecked ? { ...this.measured(), ...this.health() } : this.measured();
    return this.fault?.applied(readings) ?? readings;
  }

  private measured(): Readings {
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
      DCGM_FI_DEV_XID_ERRORS: this.xidCode,
      DCGM_FI_DEV_PCIE_REPLAY_COUNTER: this.pcieReplays,
      DCGM_FI_PROF_PIPE_TENSOR_ACTIVE: rounded(demand.tensor * this.clock, 6),
      DCGM_FI_PROF_DRAM_ACTIVE: rounded(demand.memoryBandwidth * 0.9, 6),
      DCGM_FI_DEV_THERMAL_VIOLATION: this.throttledNanoseconds,
    };
  }

  private health(): HealthReadings {
    const { demand } = this;
    const { pcieGeneration } = this.build.model;
    return {
      DCGM_FI_PROF_SM_ACTIVE: rounded(demand.utilization * 0.87, 6),
      DCGM_FI_DEV_CLOCK_THROTTLE_REASONS: this.clockReasons(),
      DCGM_FI_DEV_POWER_VIOLATION: this.cappedNanoseconds,
      DCGM_FI_DEV_ECC_SBE_VOL_TOTAL: this.correctedErrors,
      DCGM_FI_DEV_ECC_DBE_VOL_TOTAL: 0,
      DCGM_FI_DEV_ECC_SBE_AGG_TOTAL: earlierErrors + this.correctedErrors,
      DCGM_FI_DEV_ECC_DBE_AGG_TOTAL: 0,
      DCGM_FI_DEV_ROW_REMAP_FAILURE: 0,
      DCGM_FI_DEV_ROW_REMAP_PENDING: 0,
      DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS: 0,
      DCGM_FI_DEV_RETIRED_PENDING: 0,
      DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL: 0,
      DCGM_FI_DEV_FABRIC_HEALTH_SUMMARY: 1,
      DCGM_EXP_GPU_HEALTH_STATUS: 0,
      DCGM_EXP_P2P_STATUS: 0,
      DCGM_FI_DEV_PCIE_LINK_WIDTH: pcieLanes,
      DCGM_FI_DEV_PCIE_MAX_LINK_WIDTH: pcieLanes,
      // idle GPUs lower the speed of the link
      DCGM_FI_DEV_PCIE_LINK_GEN: demand.utilization > 0 ? pcieGeneration : 1,
      DCGM_FI_DEV_PCIE_MAX_LINK_GEN: pcieGeneration,
    };
  }

  /** The bits of NVML's clock event reasons.
   *  Source: https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html */
  private clockReasons(): number {
    if (this.throttling() > 0) return 0x20;
    if (this.powerWatts > 0.98 * this.build.model.maxWatts) return 0x4;
    return this.isFree ? 0x1 : 0;
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
const pcieLanes = 16;
/** The share of its time that a GPU at its power limit spends below its clocks. */
const cappedShare = 0.5;
const meanSecondsToCorrectedError = 3600;
/** The corrected memory errors of a GPU's life before the simulation. */
const earlierErrors = 900;
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
