import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { trixieFolder } from "../../dev/servers/trixie.ts";
import { prometheusRules } from "../../src/faults/prometheus/prometheus-rules.ts";
import { runbookOf } from "../../src/faults/rules/rule.ts";
import { catalogue, rules } from "./scripted-fleet.ts";
import { makeDataDir } from "../../dev/empty-store.ts";

const text = prometheusRules(rules, catalogue);
let promtool: string;
let folder: string;

beforeAll(async () => {
  promtool = join(await trixieFolder(["prometheus"]), "usr/bin/promtool");
  folder = await mkdtemp(join(tmpdir(), "prometheus-rules-"));
  await writeFile(join(folder, "rules.yaml"), text);
}, 120_000);
afterAll(() => rm(folder, { recursive: true }));

function run(...args: string[]): { status: number; output: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([promtool, ...args], { cwd: folder });
  return { status: exitCode, output: `${stdout.toString()}${stderr.toString()}` };
}

test("promtool accepts the rules and the alert of a pipeline without evaluation, and the rules that are not there are named with the reason", () => {
  const { status, output } = run("check", "rules", "--lint-fatal", "rules.yaml");
  expect(output).toContain(`SUCCESS: ${rules.length - 3 + 1} rules found`);
  expect(status).toBe(0);
  expect(text.match(/^# \S+ is (?:not here: .+|disabled\.)$/gm)).toEqual([
    "# device.coverage.low is not here: it counts the expected records of each GPU, and Prometheus does not know its interval.",
    "# nvidia.xid.uncured is not here: it counts resets and reboots between XIDs, which is a sequence of events.",
    "# host.remediations is not here: it counts resets and reboots that followed XIDs, which is a sequence of events.",
  ]);
});

test("a changed threshold is in the rules, and a disabled rule is not", () => {
  const changed = rules.map((rule) => {
    if (rule.id === "held.idle") return { ...rule, enabled: false };
    return rule.id === "gpu.temperature.high" ? { ...rule, above: 91 } : rule;
  });
  const rewritten = prometheusRules(changed, catalogue);
  expect(rewritten).toContain("expr: (DCGM_FI_DEV_GPU_TEMP or DCGM_FI_DEV_GPU_TEMP_CELSIUS) > 91\n");
  expect(rewritten).toContain("# held.idle is disabled.");
  expect(rewritten).not.toContain("alert: HeldIdle");
  expect(rewritten).not.toContain("runbook_url");
});

test("with FAULT_RUNBOOK_URL, each alert has a link to its runbook", () => {
  const linked = prometheusRules(rules, catalogue, "https://wiki.example.org/gpu#");
  expect(linked).toContain("runbook_url: https://wiki.example.org/gpu#gputemperaturehigh\n");
  expect(linked.match(/runbook_url: /g)).toHaveLength(linked.match(/- alert: /g)?.length ?? 0);
});

test("telemetry faults rules --prometheus prints them, with the changes of FAULT_RULES_FILE", async () => {
  const file = join(folder, "changes.yaml");
  await writeFile(file, "gpu.temperature.high: { above: 91 }");
  const command = [process.execPath, "scripts/telemetry.ts", "faults", "rules", "--prometheus"];
  const { stdout } = Bun.spawnSync(command, { env: { ...process.env, FAULT_RULES_FILE: file } });
  const line = "expr: (DCGM_FI_DEV_GPU_TEMP or DCGM_FI_DEV_GPU_TEMP_CELSIUS)";
  expect(stdout.toString()).toBe(text.replace(`${line} > 85`, `${line} > 91`));
});

type Labels = Readonly<Record<string, string>>;
/** A GPU's series: its name, its labels besides those of the GPU, and its values a minute. */
type Series = readonly [name: string, labels: Labels, values: string];

interface Case {
  readonly rule: string;
  /** Series of the GPUs, from 0. */
  readonly gpus: readonly (readonly Series[])[];
  /** When the alert is judged; the GPUs that have it, or what else it is of. */
  readonly minute: number;
  readonly of: readonly (number | Labels)[];
  /** When it does not fire yet. */
  readonly notAt: number;
  /** Labels that the alert has besides those of the GPU, and those that it has not. */
  readonly adds?: Labels;
  readonly drops?: readonly string[];
}

const none = {};
const inPod = (pod: string) => ({ exported_namespace: "team", exported_pod: pod, pod: "dcgm-exporter-x7k2p" });
const temperature = (values: string): Series => ["DCGM_FI_DEV_GPU_TEMP", none, values];
const sharing = (value: (gpu: number) => readonly Series[], count = 4): Series[][] =>
  Array.from({ length: count }, (_, gpu) => [...value(gpu)]);

const cases: Readonly<Record<string, Case>> = {
  threshold: {
    rule: "gpu.temperature.high",
    gpus: [[temperature("60x10 90x20")], [temperature("85x30")]],
    minute: 20,
    of: [0],
    notAt: 12,
  },
  "threshold, by the newer name": {
    rule: "gpu.temperature.high",
    gpus: [[["DCGM_FI_DEV_GPU_TEMP_CELSIUS", none, "60x10 90x20"]]],
    ...{ minute: 20, of: [0], notAt: 12 },
  },
  "threshold of a share, in bytes": {
    rule: "memory.full",
    gpus: [
      [
        ["DCGM_FI_DEV_FB_USED_BYTES", none, "10x5 97x20"],
        ["DCGM_FI_DEV_FB_FREE_BYTES", none, "90x5 3x20"],
      ],
      [
        ["DCGM_FI_DEV_FB_USED", none, "90x25"],
        ["DCGM_FI_DEV_FB_FREE", none, "10x25"],
      ],
    ],
    ...{ minute: 20, of: [0], notAt: 8 },
  },
  "threshold while a workload holds the GPU": {
    rule: "held.idle",
    gpus: [
      [["DCGM_FI_DEV_GPU_UTIL", inPod("notebook"), "0x40"]],
      // held by nobody: the pod is the exporter's
      [["DCGM_FI_DEV_GPU_UTIL", { pod: "dcgm-exporter-x7k2p" }, "0x40"]],
      [["DCGM_FI_DEV_GPU_UTIL_RATIO", inPod("train-0"), "0.5x40"]],
    ],
    ...{ minute: 20, of: [0], notAt: 10 },
  },
  rate: {
    rule: "gpu.throttled.thermal",
    gpus: [
      [["DCGM_FI_DEV_GPU_THERMAL_THROTTLE_SECONDS_TOTAL", none, "0x5 0+6x30"]],
      [["DCGM_FI_DEV_THERMAL_VIOLATION", none, "0+1000000000x40"]],
    ],
    ...{ minute: 20, of: [0], notAt: 8 },
  },
  increase: {
    rule: "memory.ecc.uncorrectable",
    gpus: [[["DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", none, "3x10 4x20"]], [["DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", none, "3x30"]]],
    ...{ minute: 13, of: [0], notAt: 9 },
  },
  bits: {
    rule: "gpu.slowdown.hardware",
    gpus: [
      [["DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", none, "4x5 68x30"]],
      [["DCGM_FI_DEV_CLOCKS_EVENT_REASONS", none, "36x35"]],
    ],
    ...{ minute: 20, of: [0], notAt: 8 },
  },
  "absence of a GPU": {
    rule: "device.gone",
    gpus: [[temperature("60x10 stale")], [temperature("60x40")]],
    ...{ minute: 14, of: [0], notAt: 10 },
  },
  "absence of a host": {
    rule: "host.silent",
    gpus: [...sharing(() => [temperature("60x10 stale")]), [temperature("60x40")]],
    ...{ minute: 14, of: [{ instance: "host-0" }], notAt: 10 },
  },
  "absence of a cluster": {
    rule: "cluster.silent",
    gpus: [[temperature("60x10 stale")]],
    ...{ minute: 20, of: [{}], notAt: 13 },
  },
  frozen: {
    rule: "device.frozen",
    gpus: [
      [
        ["DCGM_FI_DEV_POWER_USAGE", none, "300+1x10 400x20"],
        ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", none, "1000+50x10 5000x20"],
        ["DCGM_FI_DEV_GPU_UTIL", none, "99x30"],
      ],
      [
        ["DCGM_FI_DEV_POWER_USAGE", none, "400x30"],
        ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", none, "1000+50x30"],
        ["DCGM_FI_DEV_GPU_UTIL", none, "99x30"],
      ],
    ],
    ...{ minute: 20, of: [0], notAt: 11 },
  },
  "siblings on a host": {
    rule: "gpu.temperature.siblings",
    gpus: sharing((gpu) => [
      ["DCGM_FI_DEV_GPU_TEMP", inPod("train-0"), gpu === 2 ? "62x5 80x30" : `${60 + gpu}x35`],
      ["DCGM_FI_DEV_GPU_UTIL", inPod("train-0"), "99x35"],
    ]),
    ...{ minute: 20, of: [2], notAt: 10 },
  },
  "siblings of a job, below": {
    rule: "job.straggler.power",
    gpus: sharing(
      (gpu) => [
        ["DCGM_FI_DEV_BOARD_POWER_WATTS", inPod(`train-worker-${gpu}`), gpu === 1 ? "400x5 200x30" : `${400 + gpu}x35`],
      ],
      8,
    ),
    ...{ minute: 20, of: [1], notAt: 10, adds: { job_of_pod: "train" } },
  },
  "xid, by its gauge": {
    rule: "nvidia.xid.reboot",
    gpus: [[["DCGM_FI_DEV_XID_ERRORS", none, "0x10 79x20"]], [["DCGM_FI_DEV_XID_ERROR", none, "13x30"]]],
    ...{ minute: 12, of: [0], notAt: 9 },
  },
  "xid, by its counter": {
    rule: "nvidia.xid.unpublished",
    gpus: [
      [["DCGM_EXP_XID_ERRORS_TOTAL", { xid: "999" }, "_x10 1x20"]],
      [["DCGM_EXP_XID_ERRORS_TOTAL", { xid: "79" }, "1x30"]],
    ],
    ...{ minute: 12, of: [0], notAt: 9 },
  },
  "xid-again": {
    rule: "nvidia.xid.again.application",
    gpus: [
      [["DCGM_EXP_XID_ERRORS_TOTAL", { xid: "13" }, "_x10 1x10 2x20"]],
      [["DCGM_EXP_XID_ERRORS_TOTAL", { xid: "13" }, "_x10 1x30"]],
    ],
    ...{ minute: 25, of: [0], notAt: 15 },
  },
  "xid-again of classes": {
    rule: "nvidia.xid.again.fatal",
    gpus: [
      [
        ["DCGM_EXP_XID_ERRORS_TOTAL", { xid: "119" }, "_x10 1x10 2x10 3x20"],
        ["DCGM_EXP_XID_ERRORS_TOTAL", { xid: "48" }, "_x10 1x10 2x30"],
      ],
    ],
    ...{ minute: 35, of: [0], notAt: 25, drops: ["xid"] },
  },
  drivers: {
    rule: "driver.mixed",
    gpus: sharing((gpu) => [
      [
        "DCGM_FI_DEV_GPU_TEMP",
        { DCGM_FI_DRIVER_VERSION: gpu < 2 ? "580" : "570" },
        gpu === 0 ? "60x130" : "_x10 60x120",
      ],
    ]),
    ...{ minute: 90, of: [{ modelName: "H100" }], notAt: 60 },
  },
  "threshold under load": {
    rule: "pcie.generation",
    gpus: sharing(
      (gpu) => [
        ["DCGM_FI_DEV_PCIE_LINK_GEN", none, "5x10 3x40"],
        ["DCGM_FI_DEV_PCIE_MAX_LINK_GEN", none, "5x50"],
        ["DCGM_FI_DEV_GPU_UTIL", none, gpu === 0 ? "90x50" : "10x50"],
      ],
      2,
    ),
    ...{ minute: 40, of: [0], notAt: 20 },
  },
  "xid-job": {
    rule: "nvidia.xid.job",
    gpus: sharing((gpu) => [
      [
        "DCGM_EXP_XID_ERRORS_TOTAL",
        { xid: "31", ...inPod(`train-${gpu}`) },
        gpu < 2 ? `_x${10 + 5 * gpu} 1x20` : "_x30",
      ],
    ]),
    ...{
      minute: 20,
      of: [{ xid: "31", exported_namespace: "team", modelName: "H100", job_of_pod: "train" }],
      notAt: 12,
    },
  },
};

const gpuLabels = (gpu: number): Labels => ({
  ...{ UUID: `GPU-${gpu}`, gpu: String(gpu % 4), modelName: "H100", instance: `host-${gpu >> 2}` },
});
const seriesText = (name: string, labels: Labels): string => {
  const texts = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return `${name}{${texts.join(", ")}}`;
};

/** The case as promtool reads it. */
function testOf({ rule: id, gpus, minute, of, notAt, adds = {}, drops = [] }: Case): string {
  const rule = rules.find((each) => each.id === id);
  const alertname = (rule?.id ?? "").replaceAll(/(?:^|[._-])([a-z])/g, (_, first: string) => first.toUpperCase());
  const inputSeries = gpus.flatMap((list, gpu) =>
    list.map(([name, labels, values]) => ({ series: seriesText(name, { ...gpuLabels(gpu), ...labels }), values })),
  );
  const alerts = of.map((each) => {
    const labels = typeof each === "number" ? { ...gpuLabels(each), ...gpus[each]?.[0]?.[1], ...adds } : each;
    const kept = Object.entries(labels).filter(([label]) => !drops.includes(label));
    return {
      exp_labels: { ...Object.fromEntries(kept), severity: rule?.severity, rule: rule?.id },
      exp_annotations: {
        ...{ summary: rule?.summary, description: rule?.meaning, action: rule?.action },
        runbook: runbookOf(id),
      },
    };
  });
  const alert_rule_test = [
    { eval_time: `${notAt}m`, alertname, exp_alerts: [] },
    { eval_time: `${minute}m`, alertname, exp_alerts: alerts },
  ];
  return stringify({
    rule_files: ["rules.yaml"],
    evaluation_interval: "1m",
    tests: [{ interval: "1m", input_series: inputSeries, alert_rule_test }],
  });
}

/** The alert about the pipeline as promtool tests it: two gateways, one of which cannot reach the store for a while. */
function notEvaluatedTest(): string {
  const series = (instance: string) => `telemetry_fault_evaluation_age_seconds{job="gateways", instance="${instance}"}`;
  const parsed = parse(text) as { groups: { rules: { alert: string; annotations: Labels }[] }[] };
  const alert = parsed.groups.flatMap((group) => group.rules).find((each) => each.alert === "FaultsNotEvaluated");
  const fired = { exp_labels: { job: "gateways", severity: "critical" }, exp_annotations: alert?.annotations };
  return stringify({
    rule_files: ["rules.yaml"],
    evaluation_interval: "1m",
    tests: [
      {
        interval: "1m",
        input_series: [
          { series: series("a"), values: "1x10 60+60x10 1x10" },
          { series: series("b"), values: "1x5 60+60x15 1x10" },
        ],
        alert_rule_test: [
          { eval_time: "11m", alertname: "FaultsNotEvaluated", exp_alerts: [] },
          { eval_time: "14m", alertname: "FaultsNotEvaluated", exp_alerts: [fired] },
          { eval_time: "25m", alertname: "FaultsNotEvaluated", exp_alerts: [] },
        ],
      },
    ],
  });
}

describe("alerts of each kind fire on their series, and not before", () => {
  const notEvaluated = "not evaluated";
  const fileOf = (name: string): string => `${name.replaceAll(/\W+/g, "-")}.yaml`;
  let output: string;
  const toldOf = (name: string) =>
    output
      .split("Unit Testing:")
      .find((part) => part.startsWith(`  ${fileOf(name)}`))
      ?.trim();
  beforeAll(async () => {
    const ofCases = Object.entries(cases).map(([name, each]) => [fileOf(name), testOf(each)] as const);
    const files = [...ofCases, [fileOf(notEvaluated), notEvaluatedTest()] as const];
    for (const [file, content] of files) await writeFile(join(folder, file), content);
    output = run("test", "rules", ...files.map(([file]) => file)).output;
  }, 60_000);

  test("every kind of rule that can be said in PromQL has a case", () => {
    const said = rules.filter(({ id }) => !text.includes(`# ${id} is not here`));
    const kinds = said.map(({ kind }) => kind);
    const named = Object.values(cases).map(({ rule }) => rules.find(({ id }) => id === rule)?.kind);
    expect(new Set(named)).toEqual(new Set(kinds));
  });

  for (const name of Object.keys(cases)) {
    test(name, () => expect(toldOf(name)).toBe(`${fileOf(name)}\n  SUCCESS`));
  }

  test("no process evaluates: of several gateways, none has seen it for more than a minute", () => {
    expect(toldOf(notEvaluated)).toBe(`${fileOf(notEvaluated)}\n  SUCCESS`);
  });
});

test("promtool accepts the metrics of a running process", async () => {
  await makeDataDir(join(folder, "data"));
  const pipeline = startPipeline({ DATA_DIR: join(folder, "data"), SIM_HOSTS: "1" });
  try {
    const url = await urlOf(pipeline);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    await writeFile(join(folder, "metrics.txt"), metrics);
    const stdin = Bun.file(join(folder, "metrics.txt"));
    const { exitCode, stderr } = Bun.spawnSync([promtool, "check", "metrics"], { stdin });
    expect(stderr.toString()).toBe("");
    expect(exitCode).toBe(0);
  } finally {
    await stopPipeline(pipeline);
  }
}, 60_000);
