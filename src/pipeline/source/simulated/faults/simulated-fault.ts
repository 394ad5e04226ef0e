/** What a fault does to a GPU while it lasts. Metrics have their DCGM names. */
export interface FaultEffect {
  /** These metrics have these values. */
  readonly values?: Readonly<Record<string, number>>;
  /** These counters rise by so much more in a second. */
  readonly rises?: Readonly<Record<string, number>>;
  /** XIDs, each so many seconds after the beginning. */
  readonly xids?: readonly (readonly [seconds: number, code: number])[];
  /** Resets, each so many seconds after the beginning: the counters of the driver begin again. */
  readonly resets?: readonly number[];
  /** The share of readings that are lost, evenly spread; 1: the GPU is silent, but first its XIDs are read once. */
  readonly lost?: number;
  /** All values stay as they are. */
  readonly isFrozen?: boolean;
  /** The GPU reports this version of the driver. */
  readonly driverVersion?: string;
  /** A workload holds the GPU and does nothing. */
  readonly isHeldIdle?: boolean;
}

/** A fault that a simulated fleet can have. */
export interface SimulatedFault extends FaultEffect {
  /** `gpu` if absent. */
  readonly strikes?: "gpu" | "two gpus" | "host" | "cluster";
  /** What the host does meanwhile: all its GPUs run one job at full load, or none. Absent: it goes on as before. */
  readonly hostRuns?: "training" | "nothing";
  /** Absent: until the simulation ends. */
  readonly lastsSeconds?: number;
}

const minutes = (...list: readonly number[]): number[] => list.map((each) => each * 60);
const xids = (code: number, seconds: readonly number[]): NonNullable<FaultEffect["xids"]> =>
  seconds.map((each) => [each, code]);
const healthStatus = "DCGM_EXP_GPU_HEALTH_STATUS";

/** The faults by their names: each is named after the rule that ought to find it (docs/faults.md). */
export const simulatedFaults: Readonly<Record<string, SimulatedFault>> = {
  "device.gone": { lost: 1 },
  "host.silent": { strikes: "host", lost: 1, lastsSeconds: 180 },
  "host.down": { strikes: "host", lost: 1 },
  "cluster.silent": { strikes: "cluster", lost: 1 },
  "device.frozen": { hostRuns: "training", isFrozen: true },
  "device.coverage.low": { lost: 1 / 6 },
  // 79: fallen off the bus
  "nvidia.xid.reboot": { xids: xids(79, [0]), lost: 1 },
  "nvidia.xid.reset": { xids: xids(119, [0]) },
  "nvidia.xid.memory": { xids: xids(48, [0]) },
  "nvidia.xid.link": { xids: xids(74, [0]) },
  "nvidia.xid.config": { xids: xids(154, [0]) },
  "nvidia.xid.unpublished": { xids: xids(171, [0]) },
  "nvidia.xid.application": { hostRuns: "training", xids: xids(94, [0]) },
  "nvidia.xid.again.application": { hostRuns: "training", xids: xids(13, minutes(0, 5)) },
  "nvidia.xid.again.fatal": { xids: xids(119, minutes(0, 5, 10, 15, 20)) },
  "nvidia.xid.job": { strikes: "two gpus", hostRuns: "training", xids: xids(31, [0]) },
  "nvidia.xid.uncured": { xids: xids(119, minutes(0, 20, 40)), resets: minutes(10, 30) },
  "host.remediations": { xids: xids(119, minutes(0, 12, 24, 36, 48)), resets: minutes(1, 13, 25, 37, 49) },
  "memory.row-remap.failed": { values: { DCGM_FI_DEV_ROW_REMAP_FAILURE: 1 } },
  "memory.row-remap.pending": { values: { DCGM_FI_DEV_ROW_REMAP_PENDING: 1 } },
  "memory.pages-retired.pending": { values: { DCGM_FI_DEV_RETIRED_PENDING: 1 } },
  "memory.row-remap.uncorrectable": { values: { DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS: 1 } },
  "memory.row-remap.exhausted": { values: { DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS: 513 } },
  "memory.ecc.uncorrectable": { values: { DCGM_FI_DEV_ECC_DBE_VOL_TOTAL: 1 } },
  "memory.ecc.uncorrectable.persistent": { values: { DCGM_FI_DEV_ECC_DBE_AGG_TOTAL: 1 } },
  "memory.ecc.correctable.storm": { rises: { DCGM_FI_DEV_ECC_SBE_VOL_TOTAL: 2 } },
  "memory.ecc.correctable.total": { values: { DCGM_FI_DEV_ECC_SBE_AGG_TOTAL: 20_000_001 } },
  "memory.full": { values: { DCGM_FI_DEV_FB_USED: 79_500, DCGM_FI_DEV_FB_FREE: 1_500 } },
  "gpu.slowdown.hardware": { values: { DCGM_FI_DEV_CLOCK_THROTTLE_REASONS: 0x40 } },
  "gpu.slowdown.thermal": { values: { DCGM_FI_DEV_CLOCK_THROTTLE_REASONS: 0x20 } },
  "gpu.throttled.thermal": { rises: { DCGM_FI_DEV_THERMAL_VIOLATION: 1e8 } },
  "gpu.throttled.power": { hostRuns: "training", rises: { DCGM_FI_DEV_POWER_VIOLATION: 6e8 } },
  // the fans of the host have failed
  "gpu.temperature.high": { strikes: "host", values: { DCGM_FI_DEV_GPU_TEMP: 88 } },
  "gpu.temperature.critical": { hostRuns: "nothing", values: { DCGM_FI_DEV_GPU_TEMP: 97 } },
  "gpu.temperature.siblings": { hostRuns: "training", values: { DCGM_FI_DEV_GPU_TEMP: 84 } },
  "memory.temperature.high": { values: { DCGM_FI_DEV_MEMORY_TEMP: 97 } },
  "pcie.replays": { rises: { DCGM_FI_DEV_PCIE_REPLAY_COUNTER: 0.1 } },
  "pcie.width": { values: { DCGM_FI_DEV_PCIE_LINK_WIDTH: 8 } },
  "pcie.generation": { hostRuns: "training", values: { DCGM_FI_DEV_PCIE_LINK_GEN: 1 } },
  // 4: not supported
  "p2p.lost": { values: { DCGM_EXP_P2P_STATUS: 4 } },
  "nvlink.recovery": { values: { DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL: 1 } },
  "fabric.unhealthy": { values: { DCGM_FI_DEV_FABRIC_HEALTH_SUMMARY: 2 } },
  "health.failed": { values: { [healthStatus]: 20 } },
  "health.warning": { values: { [healthStatus]: 10 } },
  "driver.mixed": { strikes: "host", driverVersion: "580.95.05" },
  "held.idle": { isHeldIdle: true },
  "held.wasted": { isHeldIdle: true },
  "job.straggler.sm": { hostRuns: "training", values: { DCGM_FI_PROF_SM_ACTIVE: 0.35 } },
  "job.straggler.power": { hostRuns: "training", values: { DCGM_FI_DEV_POWER_USAGE: 240 } },
};
