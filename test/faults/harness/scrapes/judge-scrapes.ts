import { Schedule } from "../../../../src/pipeline/source/schedule.ts";
import { TargetKeys } from "../../../../src/pipeline/stream/assignment/target-keys.ts";
import { checkNoKeys, queuePlaces, shortened } from "../invariants.ts";
import type { PlainRun } from "../seed-run.ts";
import { gpusPerExporter, type NumberedExporters, uuidOf } from "./numbered-exporters.ts";
import { type LedgerOfTarget, ledgersIn, messagesIn, recordsIn, type StoredRecord, summed } from "./scrape-store.ts";
import type { TargetObserver } from "./target-observer.ts";

/** A run that is drained and stopped. */
export interface ScrapedRun {
  readonly run: PlainRun;
  readonly seed: number;
  readonly intervalMs: number;
  readonly exporters: NumberedExporters;
  readonly observer: TargetObserver;
  /** Each target had an owner from then on. */
  readonly readyAtMs: number;
  /** What was due then was reported before the last streamer stopped. */
  readonly reportedMs: number;
}

/** What the store has counted. */
export interface ScrapeFigures {
  readonly scheduled: number;
  readonly received: number;
  readonly late: number;
  /** Reason -> scrapes. */
  readonly missed: Readonly<Record<string, number>>;
}

/** A scrape begins at most this long after its time. */
const latestStartMs = 1000;
/** On a busy machine, an exporter notes the time of an answer later than the pipeline measures it. */
const noteMs = 500;

/** The id of a target's source. */
const sourceIdOf = (topic: string, target: string): string => `scrape:${topic}:${target}`;

/** I9 and I6: compares the store with the schedules, with what was published, and with what the exporters answered. */
export async function judgeScrapes(scraped: ScrapedRun): Promise<{ violations: string[]; figures: ScrapeFigures }> {
  const { run, observer } = scraped;
  const ledgers = await ledgersIn(run.database);
  const records = Map.groupBy(await recordsIn(run.database), ({ uuid }) => uuid);
  const stored = await messagesIn(run.database);
  const violations = [
    ...shortened(checkPublished(scraped)),
    ...shortened(checkLedgers(scraped, ledgers, records)),
    ...shortened(checkRecords(scraped, records)),
    ...shortened(
      observer.published
        .filter(({ messageId }) => !stored.has(messageId))
        .map(({ messageId, sourceId, reading }) => `I9: ${sourceId} at ${reading.timeMs}: ${messageId} is not stored`),
    ),
    ...(await checkNoKeys(run.etcd, { ...queuePlaces(run.queue), shares: new TargetKeys(run.topic).watched })),
  ];
  const sum = (of: (ledger: LedgerOfTarget) => number): number => ledgers.reduce((total, each) => total + of(each), 0);
  const figures = {
    scheduled: sum(({ due }) => due),
    received: sum(({ received }) => received),
    late: sum(({ late }) => late),
    missed: summed(ledgers.map(({ missed }) => missed)),
  };
  return { violations, figures };
}

/** Each message follows the one before it, without a gap, and its publisher had the target. */
function checkPublished({ observer, intervalMs }: ScrapedRun): string[] {
  const wrong: string[] = [];
  for (const [sourceId, of] of Map.groupBy(observer.published, (each) => each.sourceId)) {
    const schedule = new Schedule(sourceId, intervalMs);
    let beforeMs: number | undefined;
    for (const { reading, revision } of of) {
      const { timeMs, count, reason = "read" } = reading;
      const due = beforeMs === undefined ? count : schedule.countBetween(beforeMs, timeMs) + 1;
      if (count !== due || timeMs <= (beforeMs ?? 0)) {
        wrong.push(`I9: ${sourceId} at ${timeMs} after ${beforeMs}: ${reason} stands for ${count}, due were ${due}`);
      }
      if (observer.ownerAt(sourceId, revision) === undefined) {
        wrong.push(`I9: ${sourceId} at ${timeMs} was published at ${revision}, when no streamer had it`);
      }
      beforeMs = timeMs;
    }
  }
  return wrong;
}

/** Each scheduled reading is counted once, as received or as missed, and the received ones are those that have records. */
function checkLedgers(
  { run, seed, intervalMs, exporters, readyAtMs, reportedMs }: ScrapedRun,
  ledgers: readonly LedgerOfTarget[],
  records: ReadonlyMap<string, readonly StoredRecord[]>,
): string[] {
  const wrong: string[] = [];
  const byId = new Map(ledgers.map((ledger) => [ledger.sourceId, ledger]));
  for (const [exporter, target] of exporters.targets.entries()) {
    const id = sourceIdOf(run.topic, target);
    const ledger = byId.get(id);
    if (ledger === undefined) {
      wrong.push(`I9: the ledger has nothing of ${id}`);
      continue;
    }
    const { due, received, missed, firstMs, lastMs } = ledger;
    const schedule = new Schedule(id, intervalMs);
    const missing = Object.values(missed).reduce((sum, count) => sum + count, 0);
    const scheduled = schedule.countBetween(firstMs - 1, lastMs + 1);
    if (due !== scheduled) wrong.push(`I9: ${id} has ${due} readings in the ledger, ${scheduled} were scheduled`);
    if (received + missing !== due) wrong.push(`I9: ${id}: ${received} received and ${missing} missed of ${due}`);
    if (firstMs > readyAtMs + intervalMs) wrong.push(`I9: ${id} begins at ${firstMs}, it was shared at ${readyAtMs}`);
    const lastDueMs = schedule.nextAfter(reportedMs - 2 * intervalMs);
    if (lastMs < lastDueMs) wrong.push(`I9: ${id} ends at ${lastMs}, a reading was due at ${lastDueMs}`);
    const refused = missed.http_status ?? 0;
    if (refused > (exporters.failed[exporter] ?? 0)) {
      wrong.push(`I9: ${id} has ${refused} readings with an HTTP status, it answered ${exporters.failed[exporter]}`);
    }
    for (let gpu = 0; gpu < gpusPerExporter; gpu += 1) {
      const uuid = uuidOf(seed, exporter, gpu);
      const count = records.get(uuid)?.length ?? 0;
      if (count !== received) wrong.push(`I9: ${uuid} has ${count} records, its target ${received} received readings`);
    }
  }
  return wrong;
}

/** Each record has a scheduled time, and the values of one answer that its exporter gave then; no answer is stored twice. */
function checkRecords(
  { run, seed, intervalMs, exporters }: ScrapedRun,
  records: ReadonlyMap<string, readonly StoredRecord[]>,
): string[] {
  const wrong: string[] = [];
  for (const [exporter, target] of exporters.targets.entries()) {
    const schedule = new Schedule(sourceIdOf(run.topic, target), intervalMs);
    for (let gpu = 0; gpu < gpusPerExporter; gpu += 1) {
      let before = -1;
      for (const { uuid, timeMs, used, free } of records.get(uuidOf(seed, exporter, gpu)) ?? []) {
        const answer = exporters.answers[used ?? -1];
        const lateMs = (answer?.atMs ?? NaN) - timeMs;
        const what = `I9: ${uuid} at ${timeMs} has the answer ${used}`;
        if (schedule.nextAfter(timeMs - 1) !== timeMs) wrong.push(`${what}, but nothing was scheduled then`);
        if (answer?.exporter !== exporter) wrong.push(`${what}, which is of exporter ${answer?.exporter}`);
        if (free !== (used ?? NaN) + gpu + 1) wrong.push(`${what}, but ${free} of another one`);
        if (!(lateMs >= -noteMs && lateMs <= latestAnswerMs(intervalMs)))
          wrong.push(`${what}, given ${lateMs} ms later`);
        if ((used ?? -1) <= before) wrong.push(`${what}, the record before it has ${before}`);
        before = used ?? -1;
      }
    }
  }
  const known = new Set(exporters.targets.flatMap((_, exporter) => [0, 1].map((gpu) => uuidOf(seed, exporter, gpu))));
  for (const uuid of records.keys()) if (!known.has(uuid)) wrong.push(`I9: ${uuid} is stored, but no exporter has it`);
  return wrong;
}

/** The latest begin of a scrape, and its time limit: two thirds of the interval. */
function latestAnswerMs(intervalMs: number): number {
  return latestStartMs + (2 / 3) * intervalMs + noteMs;
}
