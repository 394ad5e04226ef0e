import type { CoveragePart } from "../../../db/sql/select-coverage.ts";
import type {
  CoverageBasis,
  CoverageFilter,
  CoveragePage,
  CoveragePlace,
  CoverageRow,
  MissingReason,
} from "../../../domain/coverage.ts";

/** Sums parts up to rows.
 *  @param parts in the order of the rows; of one row more than the limit if more rows exist */
export function coveragePage(parts: readonly CoveragePart[], filter: CoverageFilter): CoveragePage {
  const byPlace = Map.groupBy(parts, (part) => JSON.stringify([filter.step === "hour" ? part.timeMs : 0, part.group]));
  const rows = Array.from(byPlace.values(), (ofRow) => rowOf(ofRow, filter));
  const shown = rows.slice(0, filter.limit);
  const last = shown.at(-1);
  return { rows: shown, next: rows.length > shown.length && last !== undefined ? placeOf(last) : undefined };
}

function placeOf({ timeMs, group }: CoverageRow): CoveragePlace {
  return { timeMs, group };
}

function rowOf(parts: readonly CoveragePart[], { groupBy, step, range, gpus }: CoverageFilter): CoverageRow {
  const missed: Partial<Record<MissingReason, number>> = {};
  for (const part of parts) {
    for (const [reason, count] of reasonsOf(part, groupBy === "target" ? 1 : part.devices)) {
      missed[reason] = (missed[reason] ?? 0) + count;
    }
  }
  const sumOf = (read: (part: CoveragePart) => number): number => parts.reduce((sum, part) => sum + read(part), 0);
  const devicesOf = (part: CoveragePart): number => (groupBy === "target" ? 1 : part.devices);
  const [first] = parts;
  const isKnown = parts.every(({ expected }) => expected !== null);
  const ofDevice = groupBy === "device";
  // rejected inputs are those of all devices of a source
  const isQuarantineKnown = !ofDevice && gpus.within === undefined;
  const unnamed = sumOfSources(parts, ({ frozenUnnamed }) => frozenUnnamed);
  return {
    timeMs: step === "hour" ? (first?.timeMs ?? 0) : range.fromMs,
    group: first?.group ?? [],
    devices: devicesIn(parts),
    expected: isKnown ? sumOf(({ expected }) => expected ?? 0) : undefined,
    received: sumOf(({ received }) => received),
    maintenance: sumOf(({ maintenance }) => maintenance),
    missed,
    late: sumOf((part) => Math.min((part.late ?? 0) * devicesOf(part), part.received)),
    frozen: ofDevice && unnamed > 0 ? undefined : unnamed + sumOf(({ frozen }) => frozen),
    quarantined: isQuarantineKnown ? sumOfSources(parts, ({ quarantined }) => quarantined) : undefined,
    basis: basisOf(parts),
    intervalMs: sameInterval(parts),
  };
}

/** Several parts can be of one source and hour: of devices that have it for different times. */
function sumOfSources(parts: readonly CoveragePart[], read: (part: CoveragePart) => number | null): number {
  const ofSources = new Map(parts.map((part) => [JSON.stringify([part.timeMs, part.group, part.sourceId]), part]));
  return ofSources.values().reduce((sum, part) => sum + (read(part) ?? 0), 0);
}

/** In the hour that has most of them. */
function devicesIn(parts: readonly CoveragePart[]): number {
  const byHour = Map.groupBy(parts, ({ timeMs }) => timeMs);
  return Math.max(0, ...Array.from(byHour.values(), (hour) => hour.reduce((sum, { devices }) => sum + devices, 0)));
}

/** Why readings of a part are missing. What the source says of a reading holds for each device. No more are missed than are missing: a
 *  record that another source has sent counts as well. */
function reasonsOf(part: CoveragePart, devices: number): [MissingReason, number][] {
  const { missing, missed, pending, unlisted, unplaced } = part;
  const reasons: [MissingReason, number][] = [];
  let left = missing;
  const take = (reason: MissingReason, count: number): void => {
    const taken = Math.min(left, count);
    if (taken > 0) reasons.push([reason, taken]);
    left -= taken;
  };
  for (const ofSource of missed ?? []) {
    for (const [reason, count] of Object.entries(ofSource)) take(reason as MissingReason, Number(count) * devices);
  }
  take("unreported", (pending ?? 0) * devices);
  take("not_listed", (unlisted ?? 0) * devices);
  take("unknown", (unplaced ?? 0) * devices);
  take("absent", left);
  return reasons;
}

function basisOf(parts: readonly CoveragePart[]): CoverageBasis {
  if (parts.some(({ expected }) => expected === null)) return "unknown";
  const bases = new Set(
    parts.map(({ isLearned, isDeclared }) => (isDeclared ? "declared" : isLearned ? "learned" : "schedule")),
  );
  const [first = "schedule"] = bases;
  return bases.size > 1 ? "mixed" : first;
}

function sameInterval(parts: readonly CoveragePart[]): number | undefined {
  const intervals = new Set(parts.map(({ intervalMs }) => intervalMs));
  return intervals.size === 1 ? (parts[0]?.intervalMs ?? undefined) : undefined;
}
