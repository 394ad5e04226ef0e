import type { Workload } from "../../../src/domain/gpu.ts";

// Usage as its definition says it, computed from all records at once, without hours, spans or a ledger.

/** A record of a device. */
export interface UsedRecord {
  readonly uuid: string;
  readonly timeMs: number;
  readonly hostname: string;
  readonly occupants: readonly Workload[];
}

/** Milliseconds of GPUs by what they are counted as; by namespace for those that were held, and by host. */
export interface Totals {
  readonly allocated: Map<string, number>;
  unallocated: number;
  unknown: number;
  readonly byHost: Map<string, number>;
  /** The devices' time. */
  whole: number;
}

const hourMs = 3_600_000;

function limitOf(timesMs: readonly number[]): number {
  const gaps = timesMs.slice(1).map((timeMs, index) => timeMs - (timesMs[index] as number));
  if (gaps.length === 0) return 60_000;
  const usual = gaps.sort((a, b) => a - b)[Math.floor(0.9 * (gaps.length - 1))] as number;
  return Math.min(900_000, Math.max(60_000, 3 * usual));
}

interface Piece {
  readonly fromMs: number;
  readonly toMs: number;
  readonly record: UsedRecord;
  readonly isKnown: boolean;
}

/** The time from the first record of a device to its last one, or to the end of its GPU's time. */
function piecesOf(records: readonly UsedRecord[], endMs: number): Piece[] {
  const sorted = [...records].sort((a, b) => a.timeMs - b.timeMs);
  const hourOf = ({ timeMs }: UsedRecord): number => Math.floor(timeMs / hourMs);
  const limits = new Map(
    Array.from(Map.groupBy(sorted, hourOf), ([hour, own]) => [hour, limitOf(own.map(({ timeMs }) => timeMs))]),
  );
  return sorted.flatMap((record, index) => {
    const nextMs = sorted[index + 1]?.timeMs ?? endMs;
    const heldUntil = Math.min(nextMs, record.timeMs + (limits.get(hourOf(record)) as number));
    return [
      { fromMs: record.timeMs, toMs: heldUntil, record, isKnown: true },
      { fromMs: heldUntil, toMs: nextMs, record, isKnown: false },
    ].filter(({ fromMs, toMs }) => fromMs < toMs);
  });
}

const parentOf = (uuid: string): string => uuid.split(":mig:")[0] as string;
const slicesOf = (uuid: string): number => Number(/:(\d)g\./.exec(uuid)?.[1] ?? 7);

/** Adds up the time of all devices in a range. */
export function totalsOf(
  records: readonly UsedRecord[],
  range: { readonly fromMs: number; readonly toMs: number },
): Totals {
  const totals: Totals = { allocated: new Map(), unallocated: 0, unknown: 0, byHost: new Map(), whole: 0 };
  for (const family of Map.groupBy(records, ({ uuid }) => parentOf(uuid)).values()) addFamily(totals, family, range);
  return totals;
}

function addFamily(
  totals: Totals,
  records: readonly UsedRecord[],
  range: { readonly fromMs: number; readonly toMs: number },
): void {
  const instants = records.map(({ timeMs }) => timeMs);
  const [first, last] = [Math.min(...instants), Math.max(...instants)];
  const ofDevice = [...Map.groupBy(records, ({ uuid }) => uuid)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([uuid, own]) => {
      const endMs = uuid === parentOf(uuid) ? last : Math.max(...own.map(({ timeMs }) => timeMs));
      return { uuid, pieces: piecesOf(own, endMs) };
    });
  const bounds = [range.fromMs, range.toMs, first, last];
  for (const { pieces } of ofDevice) bounds.push(...pieces.flatMap(({ fromMs, toMs }) => [fromMs, toMs]));
  const cuts = [...new Set(bounds)].filter(
    (at) => at >= Math.max(first, range.fromMs) && at <= Math.min(last, range.toMs),
  );
  cuts.sort((a, b) => a - b);
  for (const [index, fromMs] of cuts.slice(0, -1).entries()) {
    const lengthMs = (cuts[index + 1] as number) - fromMs;
    const present = ofDevice.flatMap(({ uuid, pieces }) => {
      const piece = pieces.find((each) => each.fromMs <= fromMs && fromMs < each.toMs);
      return piece === undefined ? [] : [{ uuid, piece }];
    });
    addMoment(totals, present, { lengthMs, place: placeOf(records, fromMs) });
  }
}

/** Where a GPU is while its own records say nothing: where its last record was, or else its first one; without records of its own, those of
 *  its instance count. */
function placeOf(records: readonly UsedRecord[], atMs: number): string {
  const own = records.filter(({ uuid }) => uuid === parentOf(uuid));
  const inOrder = (own.length === 0 ? [...records] : own).sort((a, b) => a.timeMs - b.timeMs);
  return (inOrder.findLast(({ timeMs }) => timeMs <= atMs) ?? inOrder[0])?.hostname ?? "";
}

function addMoment(
  totals: Totals,
  present: readonly { readonly uuid: string; readonly piece: Piece }[],
  { lengthMs, place }: { readonly lengthMs: number; readonly place: string },
): void {
  const instances = present.filter(({ uuid }) => uuid.includes(":mig:"));
  const known = instances.filter(({ piece }) => piece.isKnown);
  const wanted = known.reduce((sum, { uuid }) => sum + slicesOf(uuid), 0);
  let left = 7;
  const count = (piece: Piece | undefined, slices: number): void => {
    left -= slices;
    const ms = (slices / 7) * lengthMs;
    const hostname = piece?.record.hostname ?? place;
    totals.byHost.set(hostname, (totals.byHost.get(hostname) ?? 0) + ms);
    totals.whole += ms;
    if (piece?.isKnown !== true) totals.unknown += ms;
    else if (piece.record.occupants.length === 0) totals.unallocated += ms;
    else {
      for (const { namespace } of piece.record.occupants) {
        const own = ms / piece.record.occupants.length;
        totals.allocated.set(namespace, (totals.allocated.get(namespace) ?? 0) + own);
      }
    }
  };
  for (const { uuid, piece } of known) count(piece, slicesOf(uuid) * Math.min(1, 7 / wanted));
  for (const { uuid, piece } of instances) if (!piece.isKnown) count(piece, Math.min(left, slicesOf(uuid)));
  count(present.find(({ uuid }) => !uuid.includes(":mig:"))?.piece, left);
}
