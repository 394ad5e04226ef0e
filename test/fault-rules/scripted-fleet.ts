import type { Occupants } from "../../src/domain/gpu.ts";
import type { StateSpan } from "../../src/domain/inventory.ts";
import type { StoredRecord } from "../../src/domain/query.ts";
import { FaultEvaluator } from "../../src/faults/evaluator/evaluator.ts";
import type { FaultChange } from "../../src/faults/fault.ts";
import { defaultRules, defaultXids } from "../../src/faults/rules/default-rules.ts";

/** The beginning of all scripts. */
export const startMs = Date.UTC(2026, 10, 1);

/** What a script says about a GPU at a time. */
export interface Said {
  readonly metrics?: Readonly<Record<string, number>>;
  readonly custom?: Readonly<Record<string, number>>;
  readonly occupants?: Occupants;
  readonly uuid?: string;
  readonly driverVersion?: string;
  /** Labels of the GPU. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** @param gpu the number of the GPU in the fleet: hosts have four
 *  @param seconds since the beginning
 *  @returns what differs from a healthy GPU; "silent": no record */
export type Script = (gpu: number, seconds: number) => Said | "silent" | undefined;

export interface Scenario {
  readonly script: Script;
  readonly seconds: number;
  readonly gpus?: number;
  readonly intervalSeconds?: number;
  readonly spans?: readonly StateSpan[];
  /** Calls after the records of a time. */
  readonly then?: (evaluator: FaultEvaluator, seconds: number) => FaultChange[];
}

export const rules = await defaultRules();
export const catalogue = await defaultXids();

/** A workload that holds a GPU. */
export const held = (pod: string): Occupants => [{ namespace: "team", pod, container: "main" }];

/** A healthy, busy GPU, whose values change all the time, with what a script says. */
export function recordOf(gpu: number, seconds: number, said: Said = {}): StoredRecord {
  const wave = Math.sin(gpu + seconds / 7);
  return {
    timeMs: startMs + seconds * 1000,
    gpu: {
      uuid: said.uuid ?? `GPU-${gpu}`,
      clusterId: "c1",
      hostname: `host-${gpu >> 2}`,
      gpuId: gpu & 3,
      device: `nvidia${gpu & 3}`,
      modelName: "H100",
      driverVersion: said.driverVersion ?? "1",
      properties: said.properties ?? {},
    },
    metrics: {
      ...{ gpu_utilization: 80, temperature: 60 + (gpu & 1), memory_temperature: 70, power_draw: 400 + 5 * wave },
      ...{
        memory_used_mb: 40_000,
        memory_free_mb: 40_000,
        xid_error: 0,
        tensor_active: 0.5 + wave / 10,
        sm_active: 0.7 + wave / 50,
      },
      ...{
        total_energy_mj: 1e12 + seconds * 400_000,
        pcie_replay_total: 3,
        power_violation_ns: 0,
        thermal_violation_ns: 0,
      },
      ...{
        ecc_sbe_volatile_total: 0,
        ecc_dbe_volatile_total: 0,
        ecc_sbe_aggregate_total: 10,
        ecc_dbe_aggregate_total: 0,
      },
      ...{ row_remap_failure: 0, row_remap_pending: 0, uncorrectable_remapped_rows: 0, retired_pages_pending: 0 },
      ...{ clock_event_reasons: 0, gpu_health_status: 0, nvlink_recovery_error_total: 0 },
      ...said.metrics,
    },
    custom: said.custom ?? {},
    occupants: said.occupants ?? [],
  };
}

/** Plays a script. @returns all changes */
export function play({ script, seconds, gpus = 8, intervalSeconds = 10, spans = [], then }: Scenario): FaultChange[] {
  const evaluator = new FaultEvaluator({ rules, catalogue });
  evaluator.setSpans(spans);
  const changes: FaultChange[] = [];
  for (let at = 0; at <= seconds; at += intervalSeconds) {
    changes.push(...evaluator.advance(startMs + at * 1000));
    for (let gpu = 0; gpu < gpus; gpu += 1) {
      const said = script(gpu, at);
      if (said !== "silent") changes.push(...evaluator.observe(recordOf(gpu, at, said)));
    }
    changes.push(...(then?.(evaluator, at) ?? []));
  }
  return changes;
}

/** The changes of one state, as the second and name of each. */
export function changesTo(state: FaultChange["state"], changes: readonly FaultChange[]): string[] {
  return changes
    .filter((change) => change.state === state)
    .map(({ atMs, name }) => `${(atMs - startMs) / 1000} ${name}`);
}
