import { describe, expect, test } from "bun:test";
import type { StateSpan } from "../../src/domain/inventory.ts";
import { FaultEvaluator } from "../../src/faults/evaluator/evaluator.ts";
import type { FaultChange } from "../../src/faults/fault.ts";
import {
  catalogue,
  changesTo,
  held,
  play,
  recordOf,
  rules,
  type Said,
  type Script,
  startMs,
} from "./scripted-fleet.ts";

/** All changes, as the second, state and name of each. */
const told = (changes: readonly FaultChange[]): string[] =>
  changes.map(({ atMs, state, name }) => `${(atMs - startMs) / 1000} ${state} ${name}`);
const hot: Said = { metrics: { temperature: 90 } };
const xid = (code: number): Said => ({ metrics: { xid_error: code } });
/** One GPU says something in these seconds. */
const during = (fromSecond: number, toSecond: number, said: Said | "silent"): Script => {
  return (_, seconds) => (seconds >= fromSecond && seconds < toSecond ? said : undefined);
};
const maintenance = (fromSecond: number, toSecond: number, uuid = ""): StateSpan => ({
  ...{ clusterId: "c1", hostname: "host-0", uuid, state: "maintenance" },
  ...{ fromMs: startMs + fromSecond * 1000, toMs: startMs + toSecond * 1000 },
});

describe("a fault of a value", () => {
  test("is pending, fires and is resolved, each once, with what is needed to act", () => {
    const changes = play({
      script: (_, seconds) => ({ ...(seconds >= 100 && seconds < 600 ? hot : {}), occupants: held("train-0") }),
      seconds: 900,
      gpus: 1,
    });
    expect(told(changes)).toEqual([
      "100 pending gpu.temperature.high",
      "400 firing gpu.temperature.high",
      "660 resolved gpu.temperature.high",
    ]);
    expect(changes[1]).toEqual({
      id: `gpu.temperature.high@c1/GPU-0@${startMs + 100_000}`,
      name: "gpu.temperature.high",
      rule: "gpu.temperature.high",
      state: "firing",
      severity: "warning",
      summary: "The GPU is hot",
      subject: { kind: "device", clusterId: "c1", hostname: "host-0", uuid: "GPU-0", job: "" },
      startedAtMs: startMs + 100_000,
      atMs: startMs + 400_000,
      holders: held("train-0"),
      value: 90,
      why: "The value of temperature is 90; above 85 is bad.",
      action: "Check the fans, the air flow and the inlet temperature.",
      runbook: "docs/faults.md#gputemperaturehigh",
    });
  });

  test("that does not last ends without firing", () => {
    const changes = play({ script: during(100, 300, hot), seconds: 900, gpus: 1 });
    expect(told(changes)).toEqual(["100 pending gpu.temperature.high", "300 resolved gpu.temperature.high"]);
  });

  test("stays while the value is between the two limits, or returns within the time of the end", () => {
    const degrees = (seconds: number): number => {
      if (seconds < 100) return 60;
      if (seconds < 500) return 90;
      // 83 is neither above 85 nor at most 82; then single cool values
      if (seconds < 1500) return seconds % 100 < 50 ? 83 : 86;
      if (seconds < 2500) return seconds % 60 === 0 ? 84 : 80;
      return 80;
    };
    const script: Script = (_, seconds) => ({ metrics: { temperature: degrees(seconds) } });
    expect(told(play({ script, seconds: 3000, gpus: 1 }))).toEqual([
      "100 pending gpu.temperature.high",
      "400 firing gpu.temperature.high",
      "2530 resolved gpu.temperature.high",
    ]);
  });

  test("that is pending begins its time again after a long gap", () => {
    const script: Script = (_, seconds) =>
      seconds > 200 && seconds < 600 ? "silent" : seconds < 100 ? undefined : hot;
    expect(changesTo("firing", play({ script, seconds: 1000, gpus: 1 }))).toContain("900 gpu.temperature.high");
  });

  test("that is pending ends when its device sends no more records: of the past after 10 minutes, of the present after an hour", () => {
    const endOf = (recordedSeconds: number): readonly string[] => {
      const evaluator = new FaultEvaluator({ rules, catalogue });
      const changes = [...evaluator.advance(startMs), ...evaluator.observe(recordOf(0, recordedSeconds, hot))];
      for (let seconds = 10; seconds <= 7200; seconds += 10) {
        changes.push(...evaluator.advance(startMs + seconds * 1000));
        // the host's other device goes on
        changes.push(...evaluator.observe(recordOf(1, seconds)));
      }
      return told(changes.filter(({ name }) => name === "gpu.temperature.high"));
    };
    const aYear = 365 * 86_400;
    expect(endOf(-aYear)).toEqual([`-${aYear} pending gpu.temperature.high`, "610 resolved gpu.temperature.high"]);
    expect(endOf(0)).toEqual(["0 pending gpu.temperature.high", "3610 resolved gpu.temperature.high"]);
  });

  test("that is acknowledged is resolved when its condition ends", () => {
    const changes = play({
      script: during(100, 600, hot),
      seconds: 900,
      gpus: 1,
      then: (evaluator, seconds) => {
        const [fault] = evaluator.active();
        return seconds === 450 ? evaluator.acknowledge(fault?.id ?? "", "ada", startMs + 450_000) : [];
      },
    });
    expect(told(changes).slice(2)).toEqual([
      "450 acknowledged gpu.temperature.high",
      "660 resolved gpu.temperature.high",
    ]);
    expect(changes[2]?.why).toBe("Acknowledged by ada.");
  });
});

test("missing records are told when they begin after hours, and resolved when they arrive again", () => {
  const script: Script = (gpu, seconds) =>
    gpu === 0 && seconds >= 20_000 && seconds < 40_000 && seconds % 50 === 0 ? "silent" : undefined;
  const changes = play({ script, seconds: 50_000, gpus: 2 });
  expect(told(changes)).toEqual(["22290 firing device.coverage.low", "42690 resolved device.coverage.low"]);
  expect(changes[0]?.value).toBeLessThan(0.9);
});

test("a longer interval between scrapes is no loss", () => {
  const script: Script = (_, seconds) => (seconds >= 10_000 && seconds % 30 !== 0 ? "silent" : undefined);
  expect(told(play({ script, seconds: 20_000, gpus: 2 }))).toEqual([]);
});

test("a straggler is none when its job is over", () => {
  const script: Script = (gpu, seconds) => ({
    metrics: { sm_active: gpu === 0 && seconds >= 100 ? 0.2 : 0.7 },
    occupants: seconds < 1000 ? held(`train-${gpu}`) : held(`other${gpu}-0`),
  });
  expect(told(play({ script, seconds: 1500 }))).toEqual([
    "100 pending job.straggler.sm",
    "700 firing job.straggler.sm",
    "1000 resolved job.straggler.sm",
  ]);
});

test("a job of a batch system is known by its label, also without pods", () => {
  // two jobs on the GPUs of two hosts each, and XID 31 on two GPUs of the first
  const script: Script = (gpu, seconds) => ({
    metrics: {
      sm_active: gpu === 0 && seconds >= 100 ? 0.2 : 0.7,
      xid_error: seconds >= 200 && (gpu === 0 || gpu === 5) ? 31 : 0,
    },
    properties: { hpc_job: gpu % 4 < 2 ? "4711" : "4712", job: "dcgm" },
  });
  const changes = play({ script, seconds: 900 }).filter(({ state }) => state === "firing");
  expect(changes.map(({ name, subject }) => `${name} ${subject.job}`)).toEqual([
    "nvidia.xid.31 ",
    "nvidia.xid.31 ",
    "nvidia.xid.job:4711 4711",
    "job.straggler.sm ",
  ]);
});

test("what to do about a health watch follows from its error code", () => {
  const actionAt = (code: string): string | undefined => {
    const series = `gpu_health_status{health_error_code="${code}",health_watch="NVLINK"}`;
    const script: Script = (gpu, seconds) =>
      gpu === 0 && seconds >= 100 ? { metrics: { gpu_health_status: 20 }, custom: { [series]: 20 } } : undefined;
    return play({ script, seconds: 200 }).find(({ name }) => name === "health.failed")?.action;
  };
  expect(actionAt("DCGM_FR_NVLINK_DOWN")).toBe(
    "Drain the node and reboot it. If a link is down again, inspect the hardware.",
  );
  expect(actionAt("DCGM_FR_PENDING_ROW_REMAP")).toBe("Drain the pods of this GPU, then reset it.");
  expect(actionAt("DCGM_FR_UNKNOWN")).toBe(
    "Look the error code up in DCGM's documentation, and run the diagnostics of the GPU (dcgmi diag -r 3).",
  );
});

describe("an XID", () => {
  test("does not end when the gauge falls, but when the GPU is reset", () => {
    const script: Script = (_, seconds) => {
      const total_energy_mj = seconds < 1000 ? 1e12 + seconds : seconds;
      return { metrics: { total_energy_mj, xid_error: seconds >= 100 && seconds < 300 ? 79 : 0 } };
    };
    const changes = play({ script, seconds: 1500, gpus: 1 });
    expect(told(changes)).toEqual(["100 firing nvidia.xid.79", "1000 resolved nvidia.xid.79"]);
    expect(changes[0]).toMatchObject({
      summary: "XID 79: GPU has fallen off the bus",
      severity: "critical",
      value: 79,
    });
    expect(changes[0]?.action).toStartWith("Drain and cordon the node, then reboot it.");
  });

  test("ends at a reboot that is told, on its host", () => {
    const changes = play({
      script: (gpu, seconds) => (gpu % 4 === 0 && seconds >= 100 ? xid(79) : undefined),
      seconds: 300,
      then: (evaluator, seconds) => {
        const place = { clusterId: "c1", hostname: "host-1", uuid: "" };
        return seconds === 200 ? evaluator.endByBoundary(place, "reboot", startMs + 200_000) : [];
      },
    });
    const resolved = changes.filter(({ state }) => state === "resolved");
    expect(resolved.map(({ subject, why }) => [subject.uuid, why])).toEqual([["GPU-4", "The node was rebooted."]]);
  });

  test("ends when it is acknowledged, and fires again when it comes again", () => {
    const changes = play({
      script: (_, seconds) => ({ custom: { 'xid_errors_total{xid="79"}': seconds < 100 ? 0 : seconds < 600 ? 1 : 2 } }),
      seconds: 900,
      gpus: 1,
      then: (evaluator, seconds) => {
        const [fault] = evaluator.active();
        return seconds === 300 ? evaluator.acknowledge(fault?.id ?? "", "ada", startMs + 300_000) : [];
      },
    });
    expect(told(changes)).toEqual([
      "100 firing nvidia.xid.79",
      "300 acknowledged nvidia.xid.79",
      "300 resolved nvidia.xid.79",
      "600 firing nvidia.xid.79",
    ]);
  });

  test("that comes again in the burst in which it was acknowledged is not told again", () => {
    const count = (seconds: number): number => Math.min(4, Math.max(0, Math.floor(seconds / 100)));
    const changes = play({
      script: (_, seconds) => ({ custom: { 'xid_errors_total{xid="79"}': count(seconds) } }),
      seconds: 900,
      gpus: 1,
      then: (evaluator, seconds) => {
        const [fault] = evaluator.active();
        return seconds === 150 ? evaluator.acknowledge(fault?.id ?? "", "ada", startMs + 150_000) : [];
      },
    });
    expect(changesTo("firing", changes)).toEqual(["100 nvidia.xid.79"]);
  });

  test("that an exporter has counted before the first record is not new", () => {
    const script: Script = () => ({ custom: { 'xid_errors_total{xid="79"}': 3, 'xid_errors{xid="48"}': 1 } });
    expect(play({ script, seconds: 100 })).toEqual([]);
  });

  test("of a program ends with its job, and names the job that held the GPU before", () => {
    const changes = play({
      script: (_, seconds) => ({
        occupants: seconds < 100 ? held("train-0") : seconds < 200 ? [] : held("other-0"),
        ...(seconds >= 100 ? xid(31) : {}),
      }),
      seconds: 300,
      gpus: 1,
    });
    expect(told(changes)).toEqual(["100 firing nvidia.xid.31", "120 resolved nvidia.xid.31"]);
    expect(changes[0]?.holders).toEqual(held("train-0"));
  });

  test("that several metrics report is told once; one of a window is told again after it left the window", () => {
    const script: Script = (_, seconds) => {
      const isInWindow = (seconds >= 100 && seconds < 400) || seconds >= 4000;
      return {
        metrics: { xid_error: seconds >= 100 ? 94 : 0 },
        custom: isInWindow ? { 'xid_errors{window_size_in_ms="300000",xid="94"}': 1 } : {},
      };
    };
    expect(changesTo("firing", play({ script, seconds: 4100, gpus: 1 }))).toEqual([
      "100 nvidia.xid.94",
      "4000 nvidia.xid.94",
    ]);
  });

  test("again on GPUs of one job is the program's, not the GPU's", () => {
    const script: Script = (gpu, seconds) => ({
      occupants: held(`train-${gpu}`),
      custom: { 'xid_errors_total{xid="31"}': gpu > 1 || seconds < 100 + gpu ? 0 : seconds < 300 ? 1 : 2 },
    });
    const rulesTold = new Set(play({ script, seconds: 600 }).map(({ rule }) => rule));
    expect([...rulesTold].sort()).toEqual(["nvidia.xid.application", "nvidia.xid.job"]);
  });
});

describe("maintenance", () => {
  test("of a host raises nothing, and tells its faults as suppressed and afterwards again", () => {
    const changes = play({
      script: (gpu, seconds) => {
        if (gpu === 0 && seconds >= 100 && seconds < 200) return xid(79);
        if (gpu === 1 && seconds >= 1000 && seconds < 1800)
          return { metrics: { temperature: 99, row_remap_failure: 1, xid_error: 48 } };
        return gpu === 2 && seconds >= 1000 && seconds < 1900 ? "silent" : undefined;
      },
      seconds: 3000,
      spans: [maintenance(900, 2000)],
    });
    expect(told(changes)).toEqual([
      "100 firing nvidia.xid.79",
      "900 suppressed nvidia.xid.79",
      "2000 firing nvidia.xid.79",
    ]);
    expect(changes[1]?.why).toBe("It is under maintenance.");
  });

  test("of one GPU does not excuse the others", () => {
    const script: Script = (gpu, seconds) => (gpu < 2 && seconds >= 1000 ? "silent" : undefined);
    const changes = play({ script, seconds: 1500, spans: [maintenance(900, 2000, "GPU-0")] });
    expect(changes.map(({ name, subject }) => [name, subject.uuid])).toEqual([["device.gone", "GPU-1"]]);
  });

  test("does not end the silence of a GPU", () => {
    const script: Script = (gpu, seconds) => (gpu === 0 && seconds >= 200 && seconds < 3000 ? "silent" : undefined);
    expect(told(play({ script, seconds: 3100, spans: [maintenance(900, 2000)] }))).toEqual([
      "270 firing device.gone",
      "900 suppressed device.gone",
      "2000 firing device.gone",
      "3010 resolved device.gone",
    ]);
  });

  test("does not hide an acknowledgement, which is told once", () => {
    const changes = play({
      script: (_, seconds) => ({ metrics: { row_remap_failure: seconds >= 100 ? 1 : 0 } }),
      seconds: 3000,
      gpus: 1,
      spans: [maintenance(900, 2000)],
      then: (evaluator, seconds) => {
        const [fault] = evaluator.active();
        return seconds === 1500 ? evaluator.acknowledge(fault?.id ?? "", "ada", startMs + 1_500_000) : [];
      },
    });
    expect(told(changes)).toEqual([
      "100 firing memory.row-remap.failed",
      "900 suppressed memory.row-remap.failed",
      "1500 acknowledged memory.row-remap.failed",
    ]);
  });

  test("lets a fault end that began before", () => {
    const script = during(100, 1000, hot);
    expect(told(play({ script, seconds: 1500, gpus: 1, spans: [maintenance(900, 2000)] }))).toEqual([
      "100 pending gpu.temperature.high",
      "400 firing gpu.temperature.high",
      "900 suppressed gpu.temperature.high",
      "1060 resolved gpu.temperature.high",
    ]);
  });

  test("ends a fault that counts, although the counts are forgotten", () => {
    const script: Script = (_, seconds) => ({ metrics: { ecc_dbe_volatile_total: seconds < 850 ? 0 : 1 } });
    const changes = play({ script, seconds: 1500, gpus: 1, spans: [maintenance(900, 2000)] });
    expect(changes.at(-1)).toMatchObject({ state: "resolved", name: "memory.ecc.uncorrectable" });
  });
});

describe("late, repeated and strange records", () => {
  const begun = (): FaultEvaluator => {
    const evaluator = new FaultEvaluator({ rules, catalogue });
    evaluator.advance(startMs);
    evaluator.observe(recordOf(0, 0));
    return evaluator;
  };

  test("a late record has no effect", () => {
    const evaluator = begun();
    evaluator.observe(recordOf(0, 20));
    const before = evaluator.save();
    expect(evaluator.observe(recordOf(0, 10, { metrics: { xid_error: 79, row_remap_failure: 1 } }))).toEqual([]);
    expect(evaluator.save()).toEqual(before);
  });

  test("a repeated record has no effect", () => {
    const evaluator = begun();
    const bad = recordOf(0, 20, { metrics: { xid_error: 79, row_remap_failure: 1, ecc_dbe_volatile_total: 4 } });
    expect(
      evaluator
        .observe(bad)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(["memory.ecc.uncorrectable", "memory.row-remap.failed", "nvidia.xid.79"]);
    const before = evaluator.save();
    expect(evaluator.observe(bad)).toEqual([]);
    expect(evaluator.save()).toEqual(before);
  });

  test("the other part of a record is judged too", () => {
    const evaluator = begun();
    const { metrics, ...rest } = recordOf(0, 20, { metrics: { row_remap_failure: 1 } });
    const { row_remap_failure = 0, ...others } = metrics;
    expect(evaluator.observe({ ...rest, metrics: others })).toEqual([]);
    const changes = evaluator.observe({ ...rest, metrics: { row_remap_failure } });
    expect(changes.map(({ name }) => name)).toEqual(["memory.row-remap.failed"]);
  });

  test("a smaller value of the same instant does not end what the greater one began", () => {
    const evaluator = begun();
    expect(told(evaluator.observe(recordOf(0, 20, hot)))).toEqual(["20 pending gpu.temperature.high"]);
    expect(evaluator.observe(recordOf(0, 20))).toEqual([]);
  });

  test("a record of the far future does not make those of the present late", () => {
    const evaluator = begun();
    expect(evaluator.observe(recordOf(0, 86_400))).toEqual([]);
    expect(evaluator.observe(recordOf(0, 20, { metrics: { row_remap_failure: 1 } }))).toHaveLength(1);
  });

  test("a MIG instance and a board that was replaced are not missed", () => {
    const script: Script = (gpu, seconds) => {
      if (gpu === 0) return seconds < 300 ? { uuid: "GPU-a:mig:1:1g.10gb" } : "silent";
      return gpu === 1 && seconds >= 300 ? { uuid: "GPU-new" } : undefined;
    };
    expect(told(play({ script, seconds: 900 }))).toEqual([]);
  });

  test("a host whose clock is wrong is not silent, nor are the others", () => {
    for (const offSeconds of [-200, 200]) {
      const evaluator = new FaultEvaluator({ rules, catalogue });
      const changes: FaultChange[] = [];
      for (let at = 0; at < 2000; at += 10) {
        changes.push(...evaluator.advance(startMs + at * 1000));
        for (let gpu = 0; gpu < 12; gpu += 1) {
          changes.push(...evaluator.observe(recordOf(gpu, gpu < 4 ? at + offSeconds : at)));
        }
      }
      expect(told(changes)).toEqual([]);
    }
  });

  test("a pipeline that stops and catches up raises no silence of hosts", () => {
    const evaluator = new FaultEvaluator({ rules, catalogue });
    const changes: FaultChange[] = [];
    const observe = (gpu: number, seconds: number): void =>
      void changes.push(...evaluator.observe(recordOf(gpu, seconds)));
    for (let at = 0; at <= 600; at += 10) {
      changes.push(...evaluator.advance(startMs + at * 1000));
      for (let gpu = 0; gpu < 8; gpu += 1) observe(gpu, at);
    }
    // 200 s later, one host's records arrive 50 s before the other's
    for (const [now, gpus] of [
      [800, [0, 1, 2, 3]],
      [850, [4, 5, 6, 7]],
    ] as const) {
      for (const gpu of gpus) for (let at = 610; at <= now; at += 10) observe(gpu, at);
      for (let at = now; at < now + 50; at += 10) changes.push(...evaluator.advance(startMs + at * 1000));
    }
    expect(told(changes)).toEqual([]);
  });

  test("the faults of a rule that is disabled, and of a device that is gone for a week, are resolved", () => {
    const evaluator = begun();
    evaluator.observe(recordOf(0, 10, { metrics: { row_remap_failure: 1 } }));
    const without = rules.map((rule) => ({ ...rule, enabled: rule.id !== "memory.row-remap.failed" }));
    const next = new FaultEvaluator({ rules: without, catalogue, state: evaluator.save() });
    expect(told(next.advance(startMs + 20_000))).toEqual(["20 resolved memory.row-remap.failed"]);
    expect(told(evaluator.advance(startMs + 8 * 86_400_000))).toContain("691200 resolved memory.row-remap.failed");
    expect(evaluator.save().devices).toEqual([]);
  });
});
