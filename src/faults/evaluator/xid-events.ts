import type { StoredRecord } from "../../domain/query.ts";
import { parseSeries } from "../../domain/series.ts";
import type { Observation } from "./observation.ts";
import { type DeviceState, maxBursts, maxXidCodes, maxXidSeries, type XidHistory } from "./state.ts";

const noCodes: readonly number[] = [];
const totalMetric = "xid_errors_total";
const windowMetric = "xid_errors";
/** Sources that report one XID by several metrics do so at most this far apart; nvsentinel takes XIDs of 15 s for one burst. */
const shortestBurstMs = 15_000;
const rememberedNames = 10_000;

/** A labelled series that counts XIDs. */
interface XidSeries {
  readonly code: number;
  /** A count since the exporter started, or of a window, which falls again. */
  readonly isTotal: boolean;
}

/** Finds the XIDs that are new in a record: the code of the gauge has changed, or a count of a code has risen. What the first record of
 *  a device says happened before. */
export class XidEvents {
  private readonly known = new Map<string, XidSeries | undefined>();

  /** @returns the codes, each once */
  observe({ device, record }: Observation): readonly number[] {
    let codes = noCodes;
    const gauge = record.metrics["xid_error"];
    if (gauge !== undefined) {
      const isNew = device.xidGauge !== null && gauge !== device.xidGauge && gauge !== 0;
      device.xidGauge = gauge;
      if (isNew) codes = [gauge];
    }
    const counted = this.observeCounts(device, record);
    if (counted.length === 0 || record.timeMs === device.firstMs) return codes;
    return [...new Set([...codes, ...counted])];
  }

  private observeCounts(device: DeviceState, record: StoredRecord): readonly number[] {
    const { custom } = record;
    const counts = device.xidCounts;
    let codes: number[] | undefined;
    for (const name in custom) {
      if (!name.startsWith(windowMetric)) continue;
      const series = this.seriesOf(name);
      if (series === undefined) continue;
      const value = custom[name] as number;
      const before = counts[name] ?? 0;
      if (value > before || (series.isTotal && value < before && value > 0)) (codes ??= []).push(series.code);
      counts[name] = value;
    }
    forgetCounts(counts, record);
    return codes ?? noCodes;
  }

  private seriesOf(name: string): XidSeries | undefined {
    if (!this.known.has(name)) {
      if (this.known.size >= rememberedNames) this.known.clear(); // the labels are the exporters' to choose
      const parsed = parseSeries(name);
      const code = Number(parsed?.labels["xid"]);
      const isCount = parsed?.metric === totalMetric || parsed?.metric === windowMetric;
      const isUsable = isCount && Number.isInteger(code) && code > 0;
      this.known.set(name, isUsable ? { code, isTotal: parsed.metric === totalMetric } : undefined);
    }
    return this.known.get(name);
  }
}

/** A window in which a code no longer occurs has no series: its next occurrence is new. */
function forgetCounts(counts: Record<string, number>, { custom, metrics }: StoredRecord): void {
  for (const name in counts) {
    const isGone = !name.startsWith(totalMetric) && custom[name] === undefined;
    // a record without the plain count is a part of another scrape
    if (isGone && (metrics["xid_error"] !== undefined || metrics[windowMetric] !== undefined)) delete counts[name];
  }
  const names = Object.keys(counts);
  for (const name of names.slice(0, Math.max(0, names.length - maxXidSeries))) delete counts[name];
}

/** Adds an XID to the history of its device. */
export function rememberXid(device: DeviceState, code: number, atMs: number): void {
  const history = device.xids.find((each) => each.code === code) ?? { code, bursts: [] };
  const last = history.bursts.at(-1);
  if (last !== undefined && atMs - last[1] <= shortestBurstMs) last[1] = atMs;
  else history.bursts.push([atMs, atMs]);
  if (history.bursts.length > maxBursts) mergeClosest(history.bursts);
  // the code of the newest XID is the last one
  device.xids = [...device.xids.filter((each) => each !== history), history].slice(-maxXidCodes);
}

function mergeClosest(bursts: XidHistory["bursts"]): void {
  let at = 1;
  const gapBefore = (index: number): number => (bursts[index]?.[0] ?? 0) - (bursts[index - 1]?.[1] ?? 0);
  for (let index = 2; index < bursts.length; index += 1) if (gapBefore(index) < gapBefore(at)) at = index;
  const [[fromMs], [, toMs]] = [bursts[at - 1] as [number, number], bursts[at] as [number, number]];
  bursts.splice(at - 1, 2, [fromMs, toMs]);
}

/** How many bursts of these codes ended after `fromMs`, if XIDs within `burstMs` are one burst. */
export function countBursts(histories: readonly XidHistory[], { fromMs, burstMs }: Counting): number {
  const bursts = histories.flatMap((history) => history.bursts).filter(([, toMs]) => toMs > fromMs);
  bursts.sort((a, b) => a[0] - b[0]);
  let count = 0;
  let endMs = -Infinity;
  for (const [beginMs, toMs] of bursts) {
    if (beginMs - endMs > burstMs) count += 1;
    endMs = Math.max(endMs, toMs);
  }
  return count;
}

interface Counting {
  readonly fromMs: number;
  readonly burstMs: number;
}

/** Deletes what is older than an instant. */
export function forgetXids(device: DeviceState, fromMs: number): void {
  const histories = device.xids.map(({ code, bursts }) => ({
    code,
    bursts: bursts.filter(([, toMs]) => toMs > fromMs),
  }));
  device.xids = histories.filter(({ bursts }) => bursts.length > 0);
  device.jobXids = device.jobXids.filter(({ atMs }) => atMs > fromMs);
}
