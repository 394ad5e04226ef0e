import { type SimulatedFault, simulatedFaults } from "../../src/pipeline/source/simulated/faults/simulated-fault.ts";

/** When all faults begin. */
export const fromSeconds = 600;
const xid = (code: number, ...minutes: number[]): SimulatedFault => ({
  xids: minutes.map((each) => [each * 60, code]),
});
const values = (metric: string, value: number): SimulatedFault => ({ values: { [metric]: value } });
/** A default rule, and the fault of the simulated fleet that is named after it. */
interface SimulatedCase {
  /** The seconds from the beginning of the fault until it fires, and what fires; of other faults that rightly follow too. */
  readonly told: readonly string[];
  readonly nearMiss: SimulatedFault;
}

/** All but `cluster.silent`, which silences the whole fleet. */
export const cases: Readonly<Record<string, SimulatedCase>> = {
  "device.gone": { told: ["70 device.gone"], nearMiss: { lost: 1, lastsSeconds: 60 } },
  "host.silent": { told: ["70 host.silent"], nearMiss: { strikes: "host", lost: 1, lastsSeconds: 60 } },
  "host.down": {
    told: ["70 host.silent", "310 host.down"],
    nearMiss: { strikes: "host", lost: 1, lastsSeconds: 290 },
  },
  "device.frozen": {
    told: ["60 device.frozen"],
    nearMiss: { hostRuns: "training", isFrozen: true, lastsSeconds: 60 },
  },
  "device.coverage.low": { told: ["3100 device.coverage.low"], nearMiss: { lost: 1 / 12 } },
  // the GPU falls silent afterwards
  "nvidia.xid.reboot": { told: ["0 nvidia.xid.79", "80 device.gone"], nearMiss: { lost: 1, lastsSeconds: 60 } },
  "nvidia.xid.reset": { told: ["0 nvidia.xid.119"], nearMiss: xid(45, 0) },
  "nvidia.xid.memory": { told: ["0 nvidia.xid.48"], nearMiss: xid(63, 0) },
  "nvidia.xid.link": { told: ["0 nvidia.xid.74"], nearMiss: xid(121, 0) },
  "nvidia.xid.config": { told: ["0 nvidia.xid.154"], nearMiss: xid(153, 0) },
  "nvidia.xid.unpublished": { told: ["0 nvidia.xid.171"], nearMiss: xid(161, 0) },
  "nvidia.xid.application": { told: ["0 nvidia.xid.94"], nearMiss: xid(45, 0, 1, 2, 3) },
  "nvidia.xid.again.application": {
    told: ["0 nvidia.xid.13", "300 nvidia.xid.again.application.13"],
    nearMiss: xid(13, 0, 1 / 6),
  },
  "nvidia.xid.again.fatal": {
    told: ["0 nvidia.xid.119", "1200 nvidia.xid.again.fatal"],
    nearMiss: xid(119, 0, 5, 10, 12, 20),
  },
  "nvidia.xid.job": {
    told: ["0 nvidia.xid.31", "0 nvidia.xid.31", "0 nvidia.xid.job"],
    nearMiss: { hostRuns: "training", ...xid(31, 0) },
  },
  "nvidia.xid.uncured": {
    told: [...[0, 1200, 2400].map((each) => `${each} nvidia.xid.119`), "2400 nvidia.xid.uncured.119"],
    nearMiss: { ...simulatedFaults["nvidia.xid.uncured"], resets: [600] },
  },
  "host.remediations": {
    told: [
      "1440 nvidia.xid.uncured.119",
      ...[0, 720, 1440, 2160, 2880].map((each) => `${each} nvidia.xid.119`),
      "2880 nvidia.xid.again.fatal",
      "2940 host.remediations",
    ],
    // the last one is not followed by a reset
    nearMiss: { xids: simulatedFaults["host.remediations"]?.xids ?? [], resets: [60, 780, 1500, 2220] },
  },
  "memory.row-remap.failed": {
    told: ["0 memory.row-remap.failed"],
    nearMiss: values("DCGM_FI_DEV_ROW_REMAP_FAILURE", 0),
  },
  "memory.row-remap.pending": {
    told: ["0 memory.row-remap.pending"],
    nearMiss: values("DCGM_FI_DEV_ROW_REMAP_PENDING", 0),
  },
  "memory.pages-retired.pending": {
    told: ["0 memory.pages-retired.pending"],
    nearMiss: values("DCGM_FI_DEV_RETIRED_PENDING", 0),
  },
  "memory.row-remap.uncorrectable": {
    told: ["0 memory.row-remap.uncorrectable"],
    nearMiss: values("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", 0),
  },
  "memory.row-remap.exhausted": {
    told: ["0 memory.row-remap.exhausted", "0 memory.row-remap.uncorrectable"],
    nearMiss: values("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", 512),
  },
  "memory.ecc.uncorrectable": {
    told: ["0 memory.ecc.uncorrectable"],
    nearMiss: values("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", 0),
  },
  "memory.ecc.uncorrectable.persistent": {
    told: ["0 memory.ecc.uncorrectable.persistent"],
    nearMiss: values("DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", 0),
  },
  "memory.ecc.correctable.storm": {
    told: ["150 memory.ecc.correctable.storm"],
    nearMiss: { rises: { DCGM_FI_DEV_ECC_SBE_VOL_TOTAL: 0.25 } },
  },
  "memory.ecc.correctable.total": {
    told: ["0 memory.ecc.correctable.total"],
    nearMiss: values("DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", 20_000_000),
  },
  "memory.full": {
    told: ["300 memory.full"],
    nearMiss: { ...simulatedFaults["memory.full"], lastsSeconds: 300 },
  },
  "gpu.slowdown.hardware": {
    told: ["500 gpu.slowdown.hardware"],
    nearMiss: { ...simulatedFaults["gpu.slowdown.hardware"], lastsSeconds: 300 },
  },
  "gpu.slowdown.thermal": {
    told: ["250 gpu.slowdown.thermal"],
    nearMiss: { ...simulatedFaults["gpu.slowdown.thermal"], lastsSeconds: 120 },
  },
  "gpu.throttled.thermal": {
    told: ["300 gpu.throttled.thermal"],
    nearMiss: { rises: { DCGM_FI_DEV_THERMAL_VIOLATION: 4e7 } },
  },
  "gpu.throttled.power": {
    told: ["300 gpu.throttled.power"],
    // all GPUs of the job alike
    nearMiss: { ...simulatedFaults["gpu.throttled.power"], strikes: "host" },
  },
  "gpu.temperature.high": {
    told: Array.from({ length: 4 }, () => "300 gpu.temperature.high"),
    nearMiss: { strikes: "host", ...values("DCGM_FI_DEV_GPU_TEMP", 85) },
  },
  "gpu.temperature.critical": {
    told: ["120 gpu.temperature.critical", "300 gpu.temperature.high"],
    nearMiss: { hostRuns: "nothing", ...values("DCGM_FI_DEV_GPU_TEMP", 95) },
  },
  "gpu.temperature.siblings": {
    told: ["600 gpu.temperature.siblings"],
    nearMiss: { ...simulatedFaults["gpu.temperature.siblings"], strikes: "host" },
  },
  "memory.temperature.high": {
    told: ["300 memory.temperature.high"],
    nearMiss: values("DCGM_FI_DEV_MEMORY_TEMP", 95),
  },
  "pcie.replays": { told: ["200 pcie.replays"], nearMiss: { rises: { DCGM_FI_DEV_PCIE_REPLAY_COUNTER: 0.015 } } },
  "pcie.width": { told: ["900 pcie.width"], nearMiss: values("DCGM_FI_DEV_PCIE_LINK_WIDTH", 16) },
  "pcie.generation": {
    told: ["900 pcie.generation"],
    nearMiss: { hostRuns: "nothing", ...values("DCGM_FI_DEV_PCIE_LINK_GEN", 1) },
  },
  "p2p.lost": { told: ["0 p2p.lost"], nearMiss: values("DCGM_EXP_P2P_STATUS", 0) },
  "nvlink.recovery": {
    told: ["0 nvlink.recovery"],
    nearMiss: values("DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", 0),
  },
  "fabric.unhealthy": {
    told: ["60 fabric.unhealthy"],
    nearMiss: { ...simulatedFaults["fabric.unhealthy"], lastsSeconds: 60 },
  },
  "health.failed": {
    told: ["0 health.failed", "300 health.warning"],
    nearMiss: { ...values("DCGM_EXP_GPU_HEALTH_STATUS", 10) },
  },
  "health.warning": {
    told: ["300 health.warning"],
    nearMiss: { ...simulatedFaults["health.warning"], lastsSeconds: 300 },
  },
  // it is waste later
  "held.idle": { told: ["900 held.idle", "7200 held.wasted"], nearMiss: { isHeldIdle: true, lastsSeconds: 900 } },
  // of the cluster; all GPUs have one model here
  "driver.mixed": { told: [], nearMiss: { strikes: "host", driverVersion: "580.95.05", lastsSeconds: 3600 } },
  "held.wasted": { told: ["900 held.idle", "7200 held.wasted"], nearMiss: { isHeldIdle: true, lastsSeconds: 7200 } },
  "job.straggler.sm": {
    told: ["600 job.straggler.sm"],
    nearMiss: { hostRuns: "training", ...values("DCGM_FI_PROF_SM_ACTIVE", 0.7) },
  },
  "job.straggler.power": {
    told: ["600 job.straggler.power"],
    nearMiss: { ...simulatedFaults["job.straggler.power"], strikes: "host" },
  },
};
