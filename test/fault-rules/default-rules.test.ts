import { describe, expect, test } from "bun:test";
import { changesTo, held, play, rules, type Said, type Scenario, type Script } from "./scripted-fleet.ts";

// Of each default rule: what fires, and only that; and what nearly does.

interface Case {
  readonly fires: Scenario;
  /** The second at which it fires, and the name; what else fires, rightly. */
  readonly told: readonly string[];
  readonly nearMiss: Scenario;
}

const hour = 3600;
/** GPU 0 says something from a second on, until before another one. */
const from = (second: number, said: Said | "silent", until = Infinity): Script => {
  return (gpu, seconds) => (gpu === 0 && seconds >= second && seconds < until ? said : undefined);
};
const metrics = (values: Readonly<Record<string, number>>): Said => ({ metrics: values });
/** The metric of GPU 0 is a function of the seconds. */
const varying = (metric: string, valueOf: (seconds: number) => number): Script => {
  return (gpu, seconds) => (gpu === 0 ? metrics({ [metric]: valueOf(seconds) }) : undefined);
};
const xid = (code: number, second = 100): Script => from(second, metrics({ xid_error: code }));
/** XIDs of GPU 0 at these seconds, as the exporter counts them. */
const xids = (code: number, at: readonly number[]): Script => {
  return (gpu, seconds) => {
    const count = at.filter((each) => each <= seconds).length;
    return gpu === 0 ? { custom: { [`xid_errors_total{xid="${code}"}`]: count } } : undefined;
  };
};
const knownBefore: Scenario = { script: xid(79, 0), seconds: 600 };
const threshold = (metric: string, { bad, good, at }: { bad: number; good: number; at: string }): Case => ({
  fires: { script: from(100, metrics({ [metric]: bad })), seconds: 900 },
  told: [at],
  nearMiss: { script: from(100, metrics({ [metric]: good })), seconds: 900 },
});
const bits = (mask: number, windowSeconds: number, at: string): Case => ({
  fires: { script: from(100, metrics({ clock_event_reasons: mask | 4 })), seconds: 900 },
  told: [at],
  // 4: the power limit, as usual; the bit itself in every second record
  nearMiss: {
    script: varying("clock_event_reasons", (seconds) => (seconds % 20 === 0 ? mask | 4 : 4)),
    seconds: 3 * windowSeconds,
  },
});
/** All GPUs run one job; GPU 0 has another value of a metric. */
const straggling = (metric: string, value: number, until = Infinity): Script => {
  return (gpu, seconds) => ({
    occupants: held(`train-${gpu}`),
    ...(gpu === 0 && seconds >= 100 && seconds < until ? metrics({ [metric]: value }) : {}),
  });
};

const cases: Readonly<Record<string, Case>> = {
  "device.gone": {
    fires: { script: from(100, "silent"), seconds: 600 },
    told: ["170 device.gone"],
    nearMiss: { script: from(100, "silent", 150), seconds: 600 },
  },
  "host.silent": {
    fires: { script: (gpu, seconds) => (gpu < 4 && seconds >= 200 ? "silent" : undefined), seconds: 400 },
    told: ["270 host.silent"],
    nearMiss: {
      script: (gpu, seconds) => (gpu < 4 && seconds >= 200 && seconds < 250 ? "silent" : undefined),
      seconds: 400,
    },
  },
  "host.down": {
    fires: { script: (gpu, seconds) => (gpu < 4 && seconds >= 200 ? "silent" : undefined), seconds: 900 },
    told: ["270 host.silent", "510 host.down"],
    nearMiss: {
      script: (gpu, seconds) => (gpu < 4 && seconds >= 200 && seconds < 490 ? "silent" : undefined),
      seconds: 900,
    },
  },
  "cluster.silent": {
    fires: { script: (_, seconds) => (seconds >= 200 ? "silent" : undefined), seconds: 900 },
    told: ["500 cluster.silent"],
    nearMiss: { script: (_, seconds) => (seconds >= 200 && seconds < 480 ? "silent" : undefined), seconds: 900 },
  },
  "device.frozen": {
    fires: {
      script: from(100, metrics({ power_draw: 400, total_energy_mj: 2e12, tensor_active: 0.5, sm_active: 0.7 })),
      seconds: 600,
    },
    told: ["160 device.frozen"],
    nearMiss: {
      // the power alone stays the same
      script: from(100, metrics({ power_draw: 400 })),
      seconds: 600,
    },
  },
  "device.coverage.low": {
    fires: { script: (gpu, seconds) => (gpu === 0 && seconds % 70 === 0 ? "silent" : undefined), seconds: 2 * hour },
    told: ["3720 device.coverage.low"],
    nearMiss: {
      script: (gpu, seconds) => (gpu === 0 && seconds % 130 === 0 ? "silent" : undefined),
      seconds: 3 * hour,
    },
  },
  "nvidia.xid.reboot": { fires: { script: xid(79), seconds: 600 }, told: ["100 nvidia.xid.79"], nearMiss: knownBefore },
  "nvidia.xid.reset": {
    fires: { script: xid(119), seconds: 600 },
    told: ["100 nvidia.xid.119"],
    nearMiss: { script: xid(119, 0), seconds: 600 },
  },
  "nvidia.xid.memory": {
    fires: { script: xid(48), seconds: 600 },
    told: ["100 nvidia.xid.48"],
    nearMiss: { script: xid(63), seconds: 600 },
  },
  "nvidia.xid.link": {
    fires: { script: xids(145, [100]), seconds: 600 },
    told: ["100 nvidia.xid.145"],
    nearMiss: { script: xid(121), seconds: 600 },
  },
  "nvidia.xid.config": {
    fires: { script: xid(154), seconds: 600 },
    told: ["100 nvidia.xid.154"],
    nearMiss: { script: xid(153), seconds: 600 },
  },
  "nvidia.xid.unpublished": {
    fires: { script: xid(999), seconds: 600 },
    told: ["100 nvidia.xid.999"],
    nearMiss: { script: xid(161), seconds: 600 },
  },
  "nvidia.xid.application": {
    fires: { script: xid(94), seconds: 600 },
    told: ["100 nvidia.xid.94"],
    nearMiss: { script: xids(45, [100, 110, 120, 300]), seconds: 600 },
  },
  "nvidia.xid.again.application": {
    fires: { script: xids(13, [100, 200]), seconds: 600 },
    told: ["100 nvidia.xid.13", "200 nvidia.xid.again.application.13"],
    // one burst, and another code
    nearMiss: {
      script: (gpu, seconds) =>
        seconds < 300 ? xids(13, [100, 110, 120])(gpu, seconds) : xids(11, [100, 400])(gpu, seconds),
      seconds: 600,
    },
  },
  "nvidia.xid.again.fatal": {
    fires: { script: xids(119, [100, 400, 700, 1000, 1300]), seconds: 1500 },
    told: ["100 nvidia.xid.119", "1300 nvidia.xid.again.fatal"],
    // the third and fourth are one burst
    nearMiss: { script: xids(119, [100, 400, 700, 850, 1300]), seconds: 1500 },
  },
  "nvidia.xid.job": {
    fires: {
      script: (gpu, seconds) => ({
        occupants: held(`train-${gpu}`),
        ...(gpu < 2 && seconds >= 100 + 50 * gpu ? metrics({ xid_error: 31 }) : {}),
      }),
      seconds: 600,
    },
    told: ["100 nvidia.xid.31", "150 nvidia.xid.31", "150 nvidia.xid.job:team/train"],
    // two jobs
    nearMiss: {
      script: (gpu, seconds) => ({
        occupants: held(`train${gpu}-0`),
        ...(gpu < 2 && seconds >= 100 + 50 * gpu ? metrics({ xid_error: 31 }) : {}),
      }),
      seconds: 600,
    },
  },
  "nvidia.xid.uncured": {
    fires: { script: remedied([1, 2, 3]), seconds: 3 * hour + 600 },
    told: ["3600 nvidia.xid.119", "7200 nvidia.xid.119", "10800 nvidia.xid.119", "10800 nvidia.xid.uncured.119"],
    nearMiss: { script: remedied([1, 2]), seconds: 3 * hour },
  },
  "host.remediations": {
    fires: { script: remedied([1, 2, 3, 4, 5]), seconds: 5 * hour + 600, gpus: 8 },
    told: [
      ...[1, 2, 3].map((each) => `${each * hour} nvidia.xid.119`),
      "10800 nvidia.xid.uncured.119",
      "14400 nvidia.xid.119",
      "18000 nvidia.xid.119",
      "18000 nvidia.xid.again.fatal",
      "18060 host.remediations",
    ],
    nearMiss: { script: remedied([1, 2, 3, 4]), seconds: 5 * hour + 600 },
  },
  "memory.row-remap.failed": threshold("row_remap_failure", { bad: 1, good: 0, at: "100 memory.row-remap.failed" }),
  "memory.row-remap.pending": threshold("row_remap_pending", { bad: 1, good: 0, at: "100 memory.row-remap.pending" }),
  "memory.pages-retired.pending": threshold("retired_pages_pending", {
    bad: 1,
    good: 0,
    at: "100 memory.pages-retired.pending",
  }),
  "memory.row-remap.uncorrectable": {
    ...threshold("uncorrectable_remapped_rows", { bad: 1, good: 0, at: "100 memory.row-remap.uncorrectable" }),
    // remapped long before
    nearMiss: { script: from(0, metrics({ uncorrectable_remapped_rows: 4 })), seconds: 600 },
  },
  "memory.row-remap.exhausted": {
    fires: { script: from(0, metrics({ uncorrectable_remapped_rows: 513 })), seconds: 600 },
    told: ["0 memory.row-remap.exhausted"],
    nearMiss: { script: from(0, metrics({ uncorrectable_remapped_rows: 512 })), seconds: 600 },
  },
  "memory.ecc.uncorrectable": {
    ...threshold("ecc_dbe_volatile_total", { bad: 1, good: 0, at: "100 memory.ecc.uncorrectable" }),
    nearMiss: { script: from(0, metrics({ ecc_dbe_volatile_total: 1 })), seconds: 600 },
  },
  "memory.ecc.uncorrectable.persistent": {
    ...threshold("ecc_dbe_aggregate_total", { bad: 1, good: 0, at: "100 memory.ecc.uncorrectable.persistent" }),
    nearMiss: { script: from(0, metrics({ ecc_dbe_aggregate_total: 1 })), seconds: 600 },
  },
  "memory.ecc.correctable.storm": {
    fires: { script: varying("ecc_sbe_volatile_total", (seconds) => seconds * 2), seconds: 900 },
    told: ["160 memory.ecc.correctable.storm"],
    nearMiss: { script: varying("ecc_sbe_volatile_total", (seconds) => seconds / 4), seconds: 4 * hour },
  },
  "memory.ecc.correctable.total": threshold("ecc_sbe_aggregate_total", {
    bad: 20_000_001,
    good: 20_000_000,
    at: "100 memory.ecc.correctable.total",
  }),
  "memory.full": {
    fires: { script: from(100, metrics({ memory_used_mb: 77_000, memory_free_mb: 3000 })), seconds: 900 },
    told: ["400 memory.full"],
    nearMiss: { script: from(100, metrics({ memory_used_mb: 77_000, memory_free_mb: 3000 }), 400), seconds: 900 },
  },
  "gpu.slowdown.hardware": bits(0x40, 600, "600 gpu.slowdown.hardware"),
  "gpu.slowdown.thermal": bits(0x20, 300, "350 gpu.slowdown.thermal"),
  "gpu.throttled.thermal": {
    fires: { script: varying("thermal_violation_ns", (seconds) => seconds * 1e8), seconds: 900 },
    told: ["310 gpu.throttled.thermal"],
    nearMiss: { script: varying("thermal_violation_ns", (seconds) => seconds * 4e7), seconds: 900 },
  },
  "gpu.throttled.power": {
    fires: { script: varying("power_violation_ns", (seconds) => seconds * 5e8), seconds: 900 },
    told: ["310 gpu.throttled.power"],
    // all alike
    nearMiss: { script: (_, seconds) => metrics({ power_violation_ns: seconds * 5e8 }), seconds: 900 },
  },
  "gpu.temperature.high": {
    ...threshold("temperature", { bad: 86, good: 85, at: "400 gpu.temperature.high" }),
    fires: { script: from(100, metrics({ temperature: 86 })), seconds: 600 },
  },
  "gpu.temperature.critical": {
    fires: {
      script: (_, seconds) => metrics({ temperature: seconds >= 100 && seconds < 300 ? 96 : 60 }),
      seconds: 400,
      gpus: 1,
    },
    told: ["220 gpu.temperature.critical"],
    nearMiss: {
      script: (_, seconds) => metrics({ temperature: seconds >= 100 && seconds < 220 ? 96 : 60 }),
      seconds: 400,
      gpus: 1,
    },
  },
  "gpu.temperature.siblings": {
    fires: { script: from(100, metrics({ temperature: 75 })), seconds: 900 },
    told: ["700 gpu.temperature.siblings"],
    // the others are idle
    nearMiss: {
      script: (gpu) => metrics(gpu === 0 ? { temperature: 75 } : { gpu_utilization: 0, temperature: 40 }),
      seconds: 900,
    },
  },
  "memory.temperature.high": threshold("memory_temperature", { bad: 96, good: 95, at: "400 memory.temperature.high" }),
  "pcie.replays": {
    fires: { script: varying("pcie_replay_total", (seconds) => (seconds < 100 ? 3 : 24)), seconds: 600 },
    told: ["100 pcie.replays"],
    nearMiss: { script: varying("pcie_replay_total", (seconds) => (seconds < 100 ? 3 : 23)), seconds: 600 },
  },
  "pcie.width": {
    fires: { script: from(100, { custom: lanes(8) }), seconds: 1200 },
    told: ["1000 pcie.width"],
    nearMiss: { script: from(100, { custom: lanes(8) }, 1000), seconds: 1200 },
  },
  "pcie.generation": {
    fires: { script: from(100, { custom: generation(3) }), seconds: 1200 },
    told: ["1000 pcie.generation"],
    // idle
    nearMiss: {
      script: from(100, { custom: generation(1), ...metrics({ gpu_utilization: 49 }) }),
      seconds: 1200,
    },
  },
  "p2p.lost": {
    fires: { script: varying("p2p_status", (seconds) => (seconds < 100 ? 0 : 4)), seconds: 600 },
    told: ["100 p2p.lost"],
    // it never had a path
    nearMiss: { script: varying("p2p_status", () => 4), seconds: 600 },
  },
  "nvlink.recovery": {
    ...threshold("nvlink_recovery_error_total", { bad: 1, good: 0, at: "100 nvlink.recovery" }),
    nearMiss: { script: varying("nvlink_recovery_error_total", (seconds) => (seconds < 100 ? 7 : 0)), seconds: 600 },
  },
  "fabric.unhealthy": {
    fires: { script: from(100, { custom: { DCGM_FI_DEV_FABRIC_HEALTH_SUMMARY: 2 } }), seconds: 600 },
    told: ["160 fabric.unhealthy"],
    nearMiss: { script: from(100, { custom: { DCGM_FI_DEV_FABRIC_HEALTH_SUMMARY: 2 } }, 160), seconds: 600 },
  },
  "health.failed": {
    fires: { script: from(100, metrics({ gpu_health_status: 20 }), 200), seconds: 600 },
    told: ["100 health.failed"],
    nearMiss: { script: from(100, metrics({ gpu_health_status: 10 }), 200), seconds: 600 },
  },
  "health.warning": threshold("gpu_health_status", { bad: 10, good: 0, at: "400 health.warning" }),
  "driver.mixed": {
    fires: {
      script: (gpu, seconds) => (gpu > 3 && seconds >= 100 ? { driverVersion: "2" } : undefined),
      seconds: 4000,
    },
    told: ["3710 driver.mixed:H100"],
    nearMiss: {
      script: (gpu, seconds) => (gpu > 3 && seconds >= 100 && seconds < 3700 ? { driverVersion: "2" } : undefined),
      seconds: 8000,
    },
  },
  "held.idle": {
    fires: { script: from(100, { ...metrics({ gpu_utilization: 0 }), occupants: held("notebook") }), seconds: hour },
    told: ["1000 held.idle"],
    nearMiss: { script: from(100, metrics({ gpu_utilization: 0 })), seconds: hour },
  },
  "held.wasted": {
    fires: {
      script: from(100, { ...metrics({ gpu_utilization: 0 }), occupants: held("notebook") }),
      seconds: 3 * hour,
    },
    told: ["1000 held.idle", "7300 held.wasted"],
    // it is used once in an hour
    nearMiss: {
      script: (gpu, seconds) =>
        gpu === 0
          ? { ...metrics({ gpu_utilization: seconds % hour === 0 ? 50 : 0 }), occupants: held("notebook") }
          : undefined,
      seconds: 4 * hour,
    },
  },
  "job.straggler.sm": {
    fires: { script: straggling("sm_active", 0.4), seconds: 900 },
    told: ["700 job.straggler.sm"],
    nearMiss: { script: straggling("sm_active", 0.6), seconds: 900 },
  },
  "job.straggler.power": {
    fires: { script: straggling("power_draw", 250), seconds: 900 },
    told: ["700 job.straggler.power"],
    nearMiss: { script: straggling("power_draw", 250, 600), seconds: 900 },
  },
};

function lanes(count: number): Record<string, number> {
  return { DCGM_FI_DEV_PCIE_LINK_WIDTH: count, DCGM_FI_DEV_PCIE_MAX_LINK_WIDTH: 16 };
}

function generation(now: number): Record<string, number> {
  return { DCGM_FI_DEV_PCIE_LINK_GEN: now, DCGM_FI_DEV_PCIE_MAX_LINK_GEN: 5 };
}

/** GPU 0 has XID 119 at these hours, and is reset a minute later. */
function remedied(hours: readonly number[]): Script {
  return (gpu, seconds) => {
    const count = hours.filter((each) => each * hour <= seconds).length;
    const resetAt = hours.findLast((each) => each * hour + 60 <= seconds);
    const energy = resetAt === undefined ? 1e12 + seconds : seconds - resetAt * hour;
    if (gpu !== 0) return undefined;
    return { metrics: { total_energy_mj: energy }, custom: { [`xid_errors_total{xid="119"}`]: count } };
  };
}

test("every default rule has its cases", () => {
  expect(rules.map(({ id }) => id).sort()).toEqual(Object.keys(cases).sort());
});

describe("a default rule fires on its fault, in its time, once, and nothing else does", () => {
  for (const [id, { fires, told }] of Object.entries(cases)) {
    test(id, () => {
      expect(changesTo("firing", play(fires))).toEqual([...told]);
    });
  }
});

describe("a default rule does not fire on what nearly is its fault", () => {
  for (const [id, { nearMiss }] of Object.entries(cases)) {
    test(id, () => {
      const firing = play(nearMiss).filter(({ state, rule }) => state === "firing" && rule === id);
      expect(firing).toEqual([]);
    });
  }
});
