import type { PostgresClient } from "../../../../src/db/postgres-client.ts";
import { prefixRange } from "../../../../src/etcd/requests.ts";
import { CheckpointKeys, checkpointsPrefix } from "../../../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { readPlan } from "../../../../src/pipeline/stream/assignment/stored-plan.ts";
import { checkHistory, checkNoKeys, checkRecords, queuePlaces, shortened } from "../invariants.ts";
import { checkNewestState } from "../newest-state.ts";
import { checkOwnKeys } from "../own-keys.ts";
import type { PlainRun } from "../seed-run.ts";
import { ExpectedRows, roundOf, type StoredRange } from "./expected-content.ts";
import type { LoopedFile } from "./looped-file.ts";
import type { Version } from "./versions.ts";

/** What a run has read. */
export interface ReadFiles {
  /** Each content that a file had. */
  readonly versions: readonly Version[];
  /** Those that the streamers had to read to their ends. */
  readonly finished: readonly Version[];
  readonly looped: LoopedFile;
}

/** What a run has stored. */
export interface FilesFigures {
  /** Contents of files of which something is stored. */
  readonly contents: number;
  readonly rounds: number;
  readonly records: number;
  readonly contradictions: number;
  readonly quarantined: number;
}

/** Checks I1, I2, I6, I7 and I10 for a run that is drained and stopped. */
export async function judgeFiles(
  files: ReadFiles,
  run: PlainRun,
): Promise<{ readonly violations: readonly string[]; readonly figures: FilesFigures }> {
  const { database } = run;
  const ranges = await database.query<StoredRange>(
    `select source_id as source, from_offset::float8 as "from", to_offset::float8 as "to", rows
     from ingested_messages order by source_id, from_offset, to_offset`,
  );
  const bySource = Map.groupBy(ranges, ({ source }) => source);
  const quarantined = await readQuarantine(database);
  const expected = new ExpectedRows(files, new Set(quarantined));
  for (const [source, some] of bySource) expected.addSource(source, some);
  const { content } = expected;
  const rounds = [...bySource.keys()].flatMap((source) => roundOf(source, files.looped) ?? []);
  const violations = [
    ...shortened(content.wrong),
    ...[...new Set([...files.finished, ...(await readToEnd(files, run))])].flatMap((version) =>
      gapIn(version, bySource.get(version.sourceId) ?? []),
    ),
    ...checkRounds(files.looped, bySource),
    ...(await checkRecords(content, database)),
    ...difference("rows in quarantine", content.quarantined, quarantined),
    ...difference("contradicting values", content.contradicting, await readContradictions(database)),
    ...(await checkHistory(content, database)),
    ...(await checkOwnKeys(content, database)),
    ...(await checkNoKeys(run.etcd, queuePlaces(run.queue))),
    ...(await checkPositionsLeft(files, run)),
    ...(await checkNewestState(content, { ...run, clusterId: run.topic })),
  ];
  const figures = {
    contents: bySource.size - rounds.length,
    rounds: rounds.length,
    records: content.records.size,
    contradictions: content.contradicting.size,
    quarantined: quarantined.length,
  };
  return { violations, figures };
}

/** The contents of which streamers say that they are read to their ends. One that comes back, as a file that was cut does, is not read
 *  again. */
async function readToEnd({ versions }: ReadFiles, { etcd, topic }: PlainRun): Promise<Version[]> {
  const bySource = new Map(versions.map((version) => [version.sourceId, version]));
  const read: Version[] = [];
  for (const version of bySource.values()) {
    const { kvs } = await etcd.range({ key: Buffer.from(new CheckpointKeys(topic, version.sourceId).plan) });
    if (kvs[0] !== undefined && readPlan(kvs[0].value).state === "done") read.push(version);
  }
  return read;
}

/** `source byte` of each row. */
async function readQuarantine(database: PostgresClient): Promise<string[]> {
  const rows = await database.query<{ place: string }>(
    `select source_id || ' ' || byte_offset as place from quarantine`,
  );
  return rows.map(({ place }) => place);
}

/** `uuid time_ms metric value` of each. */
async function readContradictions(database: PostgresClient): Promise<string[]> {
  const rows = await database.query<{ place: string; value: number }>(
    `select g.uuid || ' ' || (extract(epoch from c.time) * 1000)::bigint || ' ' || c.series as place, c.value
     from conflicting_values c join gpus g using (gpu_key)`,
  );
  return rows.map(({ place, value }) => `${place} ${value}`);
}

/** I1 for things that must be stored once each. */
function difference(what: string, expected: ReadonlySet<string>, stored: readonly string[]): string[] {
  const found = new Set(stored);
  return shortened([
    ...(found.size === stored.length ? [] : [`I1: ${stored.length - found.size} ${what} are stored twice`]),
    ...[...expected].filter((each) => !found.has(each)).map((each) => `I1: of the ${what}, ${each} is missing`),
    ...stored.filter((each) => !expected.has(each)).map((each) => `I1: of the ${what}, ${each} is not in the files`),
  ]);
}

/** I1: nothing is missing of a file that was read to its end. */
function gapIn({ name, sourceId, offsets, bytes }: Version, ranges: readonly StoredRange[]): string[] {
  let at = offsets[0] ?? bytes;
  for (const { from, to } of ranges) {
    if (from > at) break;
    at = Math.max(at, to);
  }
  return at >= bytes
    ? []
    : [`I1: nothing stored covers ${name} (${sourceId}) from byte ${at} on; it has ${bytes} bytes`];
}

/** I1, I2 for rounds: each was started once, none is left out, and all but the last one are stored to their ends. */
function checkRounds(looped: LoopedFile, bySource: ReadonlyMap<string, readonly StoredRange[]>): string[] {
  const { version } = looped;
  const rounds = [...bySource].flatMap(([source, ranges]) => {
    const found = roundOf(source, looped);
    return found === undefined ? [] : [{ ...found, source, ranges }];
  });
  const byNumber = Map.groupBy(rounds, ({ round }) => round);
  const last = Math.max(-1, ...byNumber.keys());
  const wrong: string[] = [];
  for (let round = 0; round <= last; round += 1) {
    const [first, ...others] = byNumber.get(round) ?? [];
    if (first === undefined) wrong.push(`I1: nothing is stored of round ${round} of ${last}`);
    else if (others.length > 0)
      wrong.push(
        `I2: round ${round} of ${last} is stored with ${1 + others.length} beginnings: ${[first, ...others].map(({ source }) => source).join()}`,
      );
    else if (round < last) wrong.push(...gapIn({ ...version, name: `round ${round} of ${last}` }, first.ranges));
  }
  return shortened(wrong);
}

/** I6: no streamer owns a range or divides a file, and no range is left of a file that was read to its end. */
async function checkPositionsLeft({ finished }: ReadFiles, { etcd, topic }: PlainRun): Promise<string[]> {
  const prefix = checkpointsPrefix(topic);
  const { kvs } = await etcd.range({ ...prefixRange(prefix), keys_only: true });
  const isFinished = new Set(finished.map(({ sourceId }) => sourceId));
  const wrong = kvs.flatMap(({ key }) => {
    const [source = "", kind = ""] = key.toString().slice(prefix.length).split("/");
    const isLeft =
      ["owners", "cutter"].includes(kind) || (kind === "ranges" && isFinished.has(decodeURIComponent(source)));
    return isLeft ? [`I6: the key ${key.toString()} is left`] : [];
  });
  return shortened(wrong);
}
