import { watchedSource } from "../ledger.ts";
import { brokenName, heat, type Reading, uuidOf } from "./script.ts";

/** A fault that has to be told, with all its states in order. */
export interface ExpectedFault {
  readonly id: string;
  readonly states: readonly StateAt[];
}

/** A state of a fault, and the instant of the record from which it follows. */
export interface StateAt {
  readonly state: string;
  readonly atMs: number;
}

interface WatchedRecord {
  readonly timeMs: number;
  readonly metrics: Readonly<Record<string, number>>;
}

interface Found {
  readonly name: string;
  readonly states: StateAt[];
}

/** The faults that follow from readings, by what docs/faults.md says, found independently of the evaluator: all readings are known, and
 *  there is no leader. */
export function expectedFaults(readings: readonly Reading[]): ExpectedFault[] {
  const gpus = readings[0]?.gpus ?? [];
  return gpus.flatMap((_, gpu) => {
    const records = readings.map(({ timeMs, gpus: all }) => ({ timeMs, metrics: all[gpu] ?? {} }));
    const found = [...brokenOf(records), ...heatOf(records), ...xidsOf(records)];
    return found.map(({ name, states }) => {
      return { id: `${name}@${watchedSource}/${uuidOf(gpu)}@${states[0]?.atMs}`, states };
    });
  });
}

function brokenOf(records: readonly WatchedRecord[]): Found[] {
  const broken = records.find(({ metrics }) => metrics.row_remap_failure === 1);
  return broken === undefined ? [] : [{ name: brokenName, states: [{ state: "firing", atMs: broken.timeMs }] }];
}

/** Heat is pending with its first record, fires with the first one that is late enough, and ends with the first one that has been cool
 *  for long enough. The heat of a script always lasts until it fires. */
function heatOf(records: readonly WatchedRecord[]): Found[] {
  const found: Found[] = [];
  let from = 0;
  const next = (matches: (record: WatchedRecord) => boolean): number | undefined => {
    const at = records.findIndex((record, index) => index >= from && matches(record));
    if (at === -1) return undefined;
    from = at;
    return records[at]?.timeMs;
  };
  for (;;) {
    const states: StateAt[] = [];
    const startedMs = next(isHot);
    if (startedMs === undefined) return found;
    states.push({ state: "pending", atMs: startedMs });
    found.push({ name: "gpu.temperature.high", states });
    const firedMs = next(({ timeMs }) => timeMs - startedMs >= heat.forSeconds * 1000);
    if (firedMs === undefined) return found;
    states.push({ state: "firing", atMs: firedMs });
    const coolMs = next((record) => !isHot(record));
    if (coolMs === undefined) return found;
    const endedMs = next(({ timeMs }) => timeMs - coolMs >= heat.resolveForSeconds * 1000);
    if (endedMs === undefined) return found;
    states.push({ state: "resolved", atMs: endedMs });
  }
}

const isHot = ({ metrics }: WatchedRecord): boolean => (metrics.temperature ?? 0) > heat.above;

/** An XID fires when the gauge shows another code, and ends when the counter of the energy begins again. */
function xidsOf(records: readonly WatchedRecord[]): Found[] {
  const found: Found[] = [];
  let before = records[0]?.metrics ?? {};
  for (const { timeMs: atMs, metrics } of records) {
    const isReset = (metrics.total_energy_mj ?? 0) < (before.total_energy_mj ?? 0);
    for (const { states } of found) if (isReset && states.length === 1) states.push({ state: "resolved", atMs });
    const code = metrics.xid_error ?? 0;
    if (code !== before.xid_error) found.push({ name: `nvidia.xid.${code}`, states: [{ state: "firing", atMs }] });
    before = metrics;
  }
  return found;
}
