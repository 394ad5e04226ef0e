import { beforeAll, describe, expect, test } from "bun:test";
import type { FaultChange } from "../../src/faults/fault.ts";
import type { StruckFault } from "../../src/pipeline/source/simulated/faults/fleet-faults.ts";
import { type SimulatedFault, simulatedFaults } from "../../src/pipeline/source/simulated/faults/simulated-fault.ts";
import { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import { rules, startMs } from "./scripted-fleet.ts";
import { run } from "./simulated-run.ts";

// Each default rule, on a simulated fleet that has its fault. One fleet has them all, each on a host of its own.

/** When all faults begin. */
const fromSeconds = 600;
const xid = (code: number, ...minutes: number[]): SimulatedFault => ({
  xids: minutes.map((each) => [each * 60, code]),
});
const values = (metric: string, value: number): SimulatedFault => ({ values: { [metric]: value } });
const hour = 3600;

interface Case {
  /** The seconds from the beginning of the fault until it fires, and what fires; of other faults that rightly follow too. */
  readonly told: readonly string[];
  readonly nearMiss: SimulatedFault;
}

const cases: Readonly<Record<string, Case>> = {
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

/** A fleet with faults, each on a host of its own; two hosts have none. */
class FaultyFleet {
  private struck: readonly StruckFault[] = [];
  changes: readonly FaultChange[] = [];

  async play(faults: Readonly<Record<string, SimulatedFault>>, seconds: number): Promise<void> {
    const toSeconds = Infinity;
    const chosenFaults = Object.entries(faults).map(([name, fault]) => ({ name, fault, fromSeconds, toSeconds }));
    const fleet = { hosts: chosenFaults.length + 2, gpusPerHost: 4, seed: 1, chosenFaults };
    this.struck = new SimulatedFleet({ ...fleet, intervalMs: 10_000, clusterId: "sim" }).struck;
    const { changes } = await run({ ...fleet, seconds: fromSeconds + seconds });
    this.changes = changes.filter(({ state }) => state === "firing");
  }

  /** What fires on what has the fault, with its time; `elsewhere`: on the other GPUs of its host. */
  of(name: string): { mine: FaultChange[]; elsewhere: FaultChange[] } {
    const struck = this.struck.find((each) => each.name === name);
    const uuids = new Set(struck?.gpus.map(({ gpu }) => gpu.uuid));
    const there = this.changes.filter((change) => hostOf(change) === struck?.host.hostname);
    const [mine, elsewhere] = [true, false].map((isMine) =>
      there.filter(({ subject }) => (subject.kind !== "device" || uuids.has(subject.uuid)) === isMine),
    ) as [FaultChange[], FaultChange[]];
    return { mine, elsewhere };
  }

  /** What fires on hosts without a fault. */
  get ofHealthyHosts(): FaultChange[] {
    const hostnames = new Set(this.struck.map(({ host }) => host.hostname));
    return this.changes.filter((change) => !hostnames.has(hostOf(change)));
  }
}

/** The job that a fault runs on its host is named after the host. */
const hostOf = ({ subject }: FaultChange): string => subject.hostname || subject.job.replace("training/llm-train-", "");
const toldOf = ({ atMs, name }: FaultChange): string =>
  `${(atMs - startMs) / 1000 - fromSeconds} ${name.replace(/:.*/, "")}`;

const without = (names: readonly string[]): string[] => names.filter((name) => name !== "cluster.silent").sort();

test("every default rule has a simulated fault, and its cases here", () => {
  const ids = rules.map(({ id }) => id).sort();
  expect(Object.keys(simulatedFaults).sort()).toEqual(ids);
  expect(Object.keys(cases).sort()).toEqual(without(ids));
});

describe("a default rule fires on the simulated fleet's fault, in its time, and nothing else does", () => {
  const fleet = new FaultyFleet();
  beforeAll(() => {
    const faults = Object.entries(simulatedFaults).filter(([id]) => id in cases);
    return fleet.play(Object.fromEntries(faults), 2 * hour + 300);
  }, 60_000);

  for (const [id, { told }] of Object.entries(cases)) {
    test(id, () => {
      const { mine, elsewhere } = fleet.of(id);
      expect(mine.map(toldOf).sort()).toEqual([...told].sort());
      expect(elsewhere).toEqual([]);
    });
  }
  test("hosts without a fault", () => {
    expect(fleet.changes.length).toBeGreaterThan(40);
    const ofClusters = fleet.ofHealthyHosts.map((change) => `${toldOf(change)} ${change.subject.kind} ${change.why}`);
    expect(ofClusters).toEqual([expect.stringMatching(/^3610 driver.mixed cluster .* 580\.95\.05 on 4\.$/)]);
  });
});

describe("a default rule does not fire on what nearly is its fault", () => {
  const fleet = new FaultyFleet();
  beforeAll(() => {
    return fleet.play(Object.fromEntries(Object.entries(cases).map(([id, { nearMiss }]) => [id, nearMiss])), 2 * hour);
  }, 60_000);

  for (const id of Object.keys(cases)) {
    test(id, () => {
      const { mine, elsewhere } = fleet.of(id);
      expect(mine.filter(({ rule }) => rule === id)).toEqual([]);
      expect(elsewhere).toEqual([]);
    });
  }
});

test("cluster.silent: a cluster that is silent, and one that was for a moment", async () => {
  const silent = { name: "cluster.silent", fault: simulatedFaults["cluster.silent"] as SimulatedFault };
  const fleet = { hosts: 2, gpusPerHost: 4, seed: 1, seconds: 1800 };
  const firing = async (toSeconds: number): Promise<string[]> => {
    const { changes } = await run({ ...fleet, chosenFaults: [{ ...silent, fromSeconds, toSeconds }] });
    return changes.filter(({ state }) => state === "firing").map(toldOf);
  };
  expect(await firing(Infinity)).toEqual(["300 cluster.silent"]);
  expect(await firing(fromSeconds + 290)).toEqual([]);
});
