import type postgres from "postgres";
import { decodeTime } from "ulid";
import { sourceIdOf, type Target } from "../../src/pipeline/source/exporter/target.ts";
import { Schedule } from "../../src/pipeline/source/schedule.ts";

/** What became of the scrapes that were due in a range of time. */
export interface ScrapeAccount {
  readonly scheduled: number;
  /** Scrapes whose records are stored. */
  readonly stored: number;
  /** Targets that have fewer stored scrapes than were due, each with the number that it lacks. */
  readonly lacking: readonly string[];
  readonly samples: number;
  /** The sum of the messages' records. */
  readonly records: number;
  /** Records in the table of telemetry. */
  readonly rows: number;
}

/** How long the stored scrapes took from one place to the next, in milliseconds. */
export interface ScrapeStages {
  /** From the scheduled instant until the streamer published its message. */
  readonly publishedMs: readonly number[];
  /** From there until a collector began to store it: the time in the queue. */
  readonly queuedMs: readonly number[];
}

export async function stagesOf(sql: postgres.Sql, { fromMs, toMs }: Range): Promise<ScrapeStages> {
  const messages = await sql<{ id: string; due: number; begun: number }[]>`
    select message_id as id, from_offset::float8 as due, (extract(epoch from ingested_at) * 1000)::float8 as begun
    from ingested_messages where samples > 0 and from_offset >= ${fromMs} and from_offset < ${toMs}`;
  return {
    publishedMs: messages.map(({ id, due }) => decodeTime(id) - due),
    queuedMs: messages.map(({ id, begun }) => begun - decodeTime(id)),
  };
}

/** A range of scheduled instants, milliseconds since the epoch; the end is not included. */
export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Compares the schedules of the targets, as they follow from their names, with what the database has. */
export async function accountOf(
  sql: postgres.Sql,
  targets: readonly Target[],
  { fromMs, toMs, intervalMs }: Range & { readonly intervalMs: number },
): Promise<ScrapeAccount> {
  const stored = await sql<{ id: string; scrapes: number; samples: number; records: number }[]>`
    select source_id as id, count(*)::int as scrapes, sum(samples)::float8 as samples,
      sum(records_inserted + records_merged)::float8 as records
    from ingested_messages where samples > 0 and from_offset >= ${fromMs} and from_offset < ${toMs} group by 1`;
  const [table] = await sql<{ rows: number }[]>`
    select count(*)::int as rows from telemetry where time >= ${new Date(fromMs)} and time < ${new Date(toMs)}`;
  const scrapesOf = new Map(stored.map(({ id, scrapes }) => [id, scrapes]));
  const due = targets.map((target) => {
    const id = sourceIdOf(target);
    return { id, count: new Schedule(id, intervalMs).countBetween(fromMs - 1, toMs) };
  });
  return {
    scheduled: sumOf(due, ({ count }) => count),
    stored: sumOf(stored, ({ scrapes }) => scrapes),
    lacking: due.flatMap(({ id, count }) => {
      const lacks = count - (scrapesOf.get(id) ?? 0);
      return lacks === 0 ? [] : [`${id} lacks ${lacks} of ${count}`];
    }),
    samples: sumOf(stored, ({ samples }) => samples),
    records: sumOf(stored, ({ records }) => records),
    rows: table?.rows ?? 0,
  };
}

/** The coverage ledger's answer for a whole range, by REST. */
export interface Ledger {
  readonly expected: number;
  readonly received: number;
  readonly late: number;
  /** The number of missing readings, by reason. */
  readonly missed: Readonly<Record<string, number>>;
}

/** @param by `target`: each scrape counts once; `cluster`: each of its devices does */
export async function ledgerOf(gatewayUrl: string, by: "target" | "cluster", fromMs: number): Promise<Ledger> {
  const query = new URLSearchParams({
    ...{ by, step: "total", limit: "10000", start_time: new Date(fromMs).toISOString() },
  });
  const response = await fetch(`${gatewayUrl}/api/v1/coverage?${query.toString()}`);
  if (!response.ok) throw new Error(`/api/v1/coverage: ${response.status} ${await response.text()}`);
  const { data } = (await response.json()) as { data: readonly (Ledger & { expected?: number })[] };
  const missed: Record<string, number> = {};
  for (const row of data) {
    for (const [reason, count] of Object.entries(row.missed)) missed[reason] = (missed[reason] ?? 0) + count;
  }
  return {
    expected: sumOf(data, ({ expected = 0 }) => expected),
    received: sumOf(data, ({ received }) => received),
    late: sumOf(data, ({ late }) => late),
    missed,
  };
}

function sumOf<T>(items: readonly T[], numberOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + numberOf(item), 0);
}
