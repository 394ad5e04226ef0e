import type { StoredRecord } from "../src/domain/query.ts";
import { FaultEvaluator } from "../src/faults/evaluator/evaluator.ts";
import { defaultRules, defaultXids } from "../src/faults/rules/default-rules.ts";
import { grouped, print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

const intervalMs = 10_000;
const devicesPerHost = 8;
/** The first rounds fill the state of the devices, and let the compiler finish. */
const warmUpRounds = 12;

/** Measures what a record costs the evaluator of fault rules, with all default rules: a healthy, busy fleet of one record a device
 *  every 10 s. Also what a tick costs, and saving; and how large the state is.
 *  Usage: bun bench/fault-rules.ts [devices] [rounds] */
async function main(): Promise<void> {
  const devices = Number(process.argv[2] ?? 10_000);
  const rounds = Number(process.argv[3] ?? 30);
  const rules = await defaultRules();
  const evaluator = new FaultEvaluator({ rules, catalogue: await defaultXids() });
  const [perRecord, perTick]: [number[], number[]] = [[], []];
  let changes = 0;
  for (let round = 0; round < warmUpRounds + rounds; round += 1) {
    const nowMs = Date.UTC(2026, 0, 1) + round * intervalMs;
    const records = Array.from({ length: devices }, (_, device) => recordOf(device, nowMs, round));
    const tickSeconds = cpuSecondsOf(() => void (changes += evaluator.advance(nowMs).length));
    const seconds = cpuSecondsOf(() => {
      for (const record of records) changes += evaluator.observe(record).length;
    });
    if (round < warmUpRounds) continue;
    perRecord.push((seconds / devices) * 1e9);
    perTick.push(tickSeconds * 1000);
  }
  const begunAt = cpuSeconds();
  const state = JSON.stringify(evaluator.save());
  const saveMs = (cpuSeconds() - begunAt) * 1000;
  print(`${grouped(devices)} devices, ${rules.length} rules, ${rounds} rounds, ${changes} changes; CPU time, medians`);
  print(
    `  record: ${grouped(median(perRecord))} ns (from ${grouped(Math.min(...perRecord))} to ${grouped(Math.max(...perRecord))})`,
  );
  print(`  tick: ${median(perTick).toFixed(1)} ms`);
  print(`  save and JSON: ${grouped(saveMs)} ms; ${grouped(state.length / devices)} bytes a device`);
}

function recordOf(device: number, timeMs: number, round: number): StoredRecord {
  const wave = Math.sin(device + round);
  const host = Math.floor(device / devicesPerHost);
  return {
    timeMs,
    gpu: {
      ...{ uuid: `GPU-${device}`, clusterId: "c1", hostname: `host-${host}`, gpuId: device % devicesPerHost },
      ...{
        device: `nvidia${device % devicesPerHost}`,
        modelName: "NVIDIA H100 80GB HBM3",
        driverVersion: "1",
        properties: {},
      },
    },
    metrics: {
      ...{
        gpu_utilization: 80 + Math.round(10 * wave),
        memory_utilization: 40,
        memory_used_mb: 40_000,
        memory_free_mb: 40_000,
      },
      ...{
        temperature: 60 + Math.round(3 * wave),
        power_draw: 400 + 20 * wave,
        sm_clock_mhz: 1980,
        memory_clock_mhz: 2619,
      },
      ...{ memory_temperature: 70, total_energy_mj: 1e12 + round * 4e6, xid_error: 0, pcie_replay_total: 2 },
      ...{ row_remap_failure: 0, row_remap_pending: 0, uncorrectable_remapped_rows: 0, correctable_remapped_rows: 0 },
      ...{ nvlink_bandwidth_total: 1e5 + 100 * wave, power_violation_ns: round * 1e9, thermal_violation_ns: 0 },
      ...{
        ecc_sbe_volatile_total: 0,
        ecc_dbe_volatile_total: 0,
        gr_engine_active: 0.8 + wave / 10,
        sm_active: 0.7 + wave / 50,
      },
      ...{ tensor_active: 0.4 + wave / 10, dram_active: 0.5 + wave / 10, clock_event_reasons: 4, gpu_health_status: 0 },
    },
    custom: { 'gpu_health_status{health_watch="MEM"}': 0, 'xid_errors_total{xid="45"}': 1 },
    occupants: [{ namespace: "training", pod: `job-${Math.floor(device / 64)}-${device % 64}`, container: "main" }],
  };
}

function cpuSecondsOf(work: () => void): number {
  const begunAt = cpuSeconds();
  work();
  return cpuSeconds() - begunAt;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

await main();
