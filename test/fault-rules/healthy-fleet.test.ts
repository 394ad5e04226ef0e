import { expect, test } from "bun:test";
import { noOccupants, type Occupants } from "../../src/domain/gpu.ts";
import type { StateSpan } from "../../src/domain/inventory.ts";
import type { StoredRecord } from "../../src/domain/query.ts";
import { FaultEvaluator } from "../../src/faults/evaluator/evaluator.ts";
import type { FaultChange } from "../../src/faults/fault.ts";
import { Random } from "../../src/pipeline/source/simulated/random.ts";
import { catalogue, held, recordOf, rules, startMs } from "./scripted-fleet.ts";

const gpus = 32;
const intervalSeconds = 10;
const hour = 3600;

/** A GPU of a fleet without faults: jobs come and go, and heat, power and counters behave as they usually do. */
class HealthyGpu {
  private occupants: Occupants = noOccupants;
  private isBusyUntil = 0;
  private temperature = 40;
  private energy = 1e12;
  private replays = 0;
  private corrected = 0;
  private throttled = 0;
  private xid = 0;
  private xids = 0;

  constructor(
    private readonly index: number,
    private readonly random: Random,
  ) {}

  /** A reboot under maintenance, or a reset: volatile counters begin again. */
  reset(): void {
    [this.energy, this.replays, this.corrected, this.throttled, this.xid, this.xids] = [0, 0, 0, 0, 0, 0];
  }

  restartExporter(): void {
    this.xids = 0;
  }

  advance(seconds: number): StoredRecord {
    const { random } = this;
    if (seconds >= this.isBusyUntil) this.changeJob(seconds);
    const isBusy = this.occupants.length > 0;
    // some batches wait for data, for up to a few minutes
    const isLoading = isBusy && seconds % 1800 < 300;
    const utilization = isBusy ? (isLoading ? random.between(0, 12) : random.between(85, 100)) : 0;
    const power = 90 + utilization * 5.8 + random.between(-4, 4);
    this.temperature += (32 + power * 0.07 + (this.index % 8) * 0.4 - this.temperature) * 0.3;
    this.energy += power * intervalSeconds * 1000;
    if (random.chance(1 / 2000)) this.replays += 1 + random.index(3);
    if (random.chance(1 / 500)) this.corrected += 1 + random.index(5);
    // at full load, all are at the power limit for a part of the time
    const isCapped = utilization > 95;
    if (isCapped) this.throttled += random.between(0.2, 0.5) * intervalSeconds * 1e9;
    return recordOf(this.index, seconds, {
      occupants: this.occupants,
      metrics: {
        ...{ gpu_utilization: Math.round(utilization), power_draw: Math.round(power * 1000) / 1000 },
        ...{ temperature: Math.round(this.temperature), memory_temperature: Math.round(this.temperature + 8) },
        ...{ memory_used_mb: isBusy ? 74_000 : 4, memory_free_mb: isBusy ? 7000 : 81_000, xid_error: this.xid },
        ...{ sm_active: utilization / 110, tensor_active: utilization / 200, total_energy_mj: Math.round(this.energy) },
        ...{
          pcie_replay_total: this.replays,
          ecc_sbe_volatile_total: this.corrected,
          ecc_sbe_aggregate_total: 900 + this.corrected,
        },
        ...{ power_violation_ns: Math.round(this.throttled), clock_event_reasons: isCapped ? 4 : isBusy ? 0 : 1 },
      },
      custom: this.xids === 0 ? {} : { 'xid_errors_total{xid="45"}': this.xids },
    });
  }

  private changeJob(seconds: number): void {
    const isFree = this.occupants.length === 0;
    // the clean-up of a job that was ended
    if (!isFree && this.random.chance(0.3)) [this.xid, this.xids] = [45, this.xids + 3];
    this.occupants = isFree ? held(`job${this.random.index(1e6)}-0`) : noOccupants;
    this.isBusyUntil = seconds + this.random.between(0.2, 3) * hour;
  }
}

/** Times in which nothing arrives: a restart of the exporter of one host, of the pipeline without its records, and of the pipeline,
 *  which catches up. */
const exporterRestart = { host: 1, from: 5 * hour, to: 5 * hour + 40 };
const outage = { from: 9 * hour, to: 9 * hour + 280 };
const backlog = { from: 14 * hour, to: 14 * hour + 900 };
/** Host 2 is off for a part of its maintenance; a GPU of host 3 is taken out. */
const off = { host: 2, from: 11 * hour, to: 12 * hour };
const spans: StateSpan[] = [
  { host: off.host, uuid: "", from: off.from - 120, to: off.to + 300 },
  { host: 3, uuid: "GPU-13", from: 18 * hour, to: 25 * hour },
].map(({ host, uuid, from, to }) => ({
  ...{ clusterId: "c1", hostname: `host-${host}`, uuid, state: "maintenance" },
  ...{ fromMs: startMs + from * 1000, toMs: startMs + to * 1000 },
}));
const within = ({ from, to }: { readonly from: number; readonly to: number }, seconds: number): boolean =>
  seconds >= from && seconds < to;

function isAbsent(gpu: number, seconds: number): boolean {
  const host = gpu >> 2;
  if (host === exporterRestart.host && within(exporterRestart, seconds)) return true;
  if (host === off.host && within(off, seconds)) return true;
  return (gpu === 13 && seconds >= 18 * hour + 60) || within(outage, seconds);
}

/** A day of the fleet. @returns all changes, and the number of records */
function day(seed: number): { changes: FaultChange[]; records: number } {
  const chance = new Random(seed, 0);
  const fleet = Array.from({ length: gpus }, (_, gpu) => new HealthyGpu(gpu, new Random(seed, gpu + 1)));
  let evaluator = new FaultEvaluator({ rules, catalogue });
  evaluator.setSpans(spans);
  const changes: FaultChange[] = [];
  let waiting: StoredRecord[] = [];
  let records = 0;
  for (let seconds = 0; seconds <= 24 * hour; seconds += intervalSeconds) {
    const isDown = within(outage, seconds) || within(backlog, seconds);
    if (seconds === outage.to || seconds === backlog.to) {
      evaluator = new FaultEvaluator({ rules, catalogue, state: evaluator.save() });
    }
    if (!isDown) changes.push(...evaluator.advance(startMs + seconds * 1000));
    if (seconds === exporterRestart.to) for (const gpu of fleet.slice(4, 8)) gpu.restartExporter();
    if (seconds === off.to) for (const gpu of fleet.slice(8, 12)) gpu.reset();
    fleet.forEach((gpu, index) => {
      const record = gpu.advance(seconds);
      if (!isAbsent(index, seconds) && !chance.chance(0.01)) waiting.push(record);
    });
    if (isDown) continue;
    records += waiting.length;
    for (const record of waiting) changes.push(...evaluator.observe(record));
    waiting = [];
  }
  return { changes, records };
}

test("a day of a healthy fleet, with 1 % of records lost, restarts and maintenance, raises no alarm", () => {
  const { changes, records } = day(1);
  expect(records).toBeGreaterThan(250_000);
  expect(changes.filter(({ state }) => state === "firing")).toEqual([]);
}, 60_000);
