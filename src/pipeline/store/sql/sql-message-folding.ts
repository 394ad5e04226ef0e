import { encodeTime } from "ulid";
import type { SqlClient, SqlTransaction } from "../../../db/client.ts";
import {
  addKeys,
  addRanges,
  addTotals,
  countColumns,
  deleteOldKeys,
  forgetRounds,
  type FoldedKeys,
  type FoldedRange,
  type FoldedTotals,
  hashOf,
  partOf,
  takeMessages,
  type TakenMessage,
  takeRanges,
  tryFoldingLock,
} from "../../../db/sql/folded-messages.ts";
import { joinRanges } from "../../../domain/range.ts";
import { fileOfRound } from "../../../domain/round-source.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { Folded, MessageFolding } from "../message-folding.ts";

/** A day: what a person looks up about a message, such as when it was stored, is in its row until then. */
const foldedAfterMs = 86_400_000;
/** A queue delivers a message again within minutes, or when an operator has restored a backup of it or puts a dead letter back. A message
 *  that is unknown then changes no record, because its values are those that are stored; it only counts twice. */
const keysKeptDays = 31;
/** The messages of a transaction: it takes about 100 ms, and writes the row of each source once. */
const messagesPerStep = 5000;
const keyRowsPerStep = 1000;
const timeLength = 10;
/** As many as etcd-rounds.ts keeps. */
const keptRounds = 1000;

/** Folds messages in SQL: see folded-messages.ts. */
export class SqlMessageFolding implements MessageFolding {
  constructor(
    private readonly client: SqlClient,
    private readonly clock: Clock,
  ) {}

  fold(): Promise<Folded> {
    const beforeId = encodeTime(Math.max(0, this.clock.nowMs() - foldedAfterMs), timeLength);
    return this.client.transaction(async (transaction) => {
      if (!(await tryFoldingLock(transaction))) return { messages: 0, forgotten: 0 };
      const taken = await takeMessages(transaction, { beforeId, limit: messagesPerStep });
      if (taken.length > 0) await fold(transaction, taken);
      return {
        messages: taken.length,
        forgotten: await deleteOldKeys(transaction, keysKeptDays, keyRowsPerStep),
      };
    });
  }
}

async function fold(transaction: SqlTransaction, taken: readonly TakenMessage[]): Promise<void> {
  const bySource = Map.groupBy(taken, ({ sourceId }) => sourceId);
  addTotals(transaction, Array.from(bySource, totalsOf));
  const covering = taken.filter(coversRange);
  const others = taken.filter((message) => !coversRange(message));
  addKeys(transaction, [...Map.groupBy(others, ({ sourceId }) => sourceId)].flatMap(keysOf));
  if (covering.length === 0) return;
  const stored = await takeRanges(transaction, [...new Set(covering.map(({ sourceId }) => sourceId))]);
  const ranges = Map.groupBy([...stored, ...covering], ({ sourceId }) => sourceId);
  addRanges(transaction, [...ranges].flatMap(joined));
  const files = new Set([...ranges.keys()].flatMap((sourceId) => fileOfRound(sourceId) ?? []));
  forgetRounds(transaction, [...files], keptRounds);
}

function coversRange({ fromOffset, toOffset }: TakenMessage): boolean {
  return toOffset > fromOffset;
}

function totalsOf([sourceId, messages]: readonly [string, readonly TakenMessage[]]): FoldedTotals {
  const rejected: Record<string, number> = {};
  for (const message of messages) {
    for (const [reason, count] of Object.entries(message.rejected)) rejected[reason] = (rejected[reason] ?? 0) + count;
  }
  return {
    sourceId,
    messages: messages.length,
    counts: countColumns.map((_, index) => messages.reduce((sum, { counts }) => sum + (counts[index] as number), 0)),
    rejected,
    lastOffset: messages.reduce((last, { fromOffset }) => Math.max(last, fromOffset), 0),
  };
}

function keysOf([sourceId, messages]: readonly [string, readonly TakenMessage[]]): FoldedKeys[] {
  const byPart = Map.groupBy(messages, ({ fromOffset }) => partOf(fromOffset));
  return Array.from(byPart, ([part, ofPart]) => ({
    sourceId,
    part,
    hashes: ofPart.map(({ idempotencyKey }) => hashOf(idempotencyKey)).join(""),
    storedMs: ofPart.reduce((newest, { storedMs }) => Math.max(newest, storedMs), 0),
  }));
}

function joined([sourceId, ranges]: readonly [string, readonly FoldedRange[]]): FoldedRange[] {
  const inOrder = [...ranges].sort((a, b) => a.fromOffset - b.fromOffset || a.toOffset - b.toOffset);
  const all = joinRanges(
    inOrder.map(({ fromOffset, fromLine, toOffset, toLine }) => ({
      from: { offset: fromOffset, line: fromLine },
      to: { offset: toOffset, line: toLine },
    })),
  );
  return all.map(({ from, to }) => {
    return { sourceId, fromOffset: from.offset, fromLine: from.line, toOffset: to.offset, toLine: to.line };
  });
}
