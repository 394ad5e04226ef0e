import type { SqlExecutor } from "../../../db/client.ts";
import { decodesBlocks } from "../../../db/sql/block-records.ts";
import { type BlockTimes, readBlockTimes } from "../../../db/sql/block-times.ts";
import { decodeNamed, nameOfBlock } from "../../../db/named-block.ts";
import { isUndecodable } from "../../../db/sqlstate.ts";
import { unpackBlock } from "../../../domain/block/packed-block.ts";
import { QueryTooCostly, UndecodableBlock } from "../../../domain/errors.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { allTime, type TimeRange } from "../../../domain/time-range.ts";
import { turnOfOthers } from "../../../kit/turn.ts";

/** Runs the statements of questions. If one fails because the database cannot decode a block, the error names the block: the functions
 *  that decode do not know which block their bytes are of, so that it is looked for.
 *  @param executor one whose time limit holds for all of its statements
 *  @param range when the records were that the statements are mostly about
 *  @returns an executor that throws UndecodableBlock in such a case */
export function namingBlocks(executor: SqlExecutor, range: TimeRange = allTime): SqlExecutor {
  return {
    query: async (text, params) => {
      try {
        return await executor.query(text, params);
      } catch (error) {
        if (!decodesBlocks(text) || !isUndecodable(error)) throw error;
        await findDamaged(executor, range, error);
        if (range !== allTime) await findDamaged(executor, allTime, error);
        throw error;
      }
    },
  };
}

/** Looks for a block that cannot be read, the newest first.
 *  @throws UndecodableBlock if there is one, or the time did not suffice; the errors of the executor are not thrown */
async function findDamaged(executor: SqlExecutor, range: TimeRange, failure: unknown): Promise<void> {
  try {
    for await (const blocks of readBlockTimes(executor, range)) {
      for (const block of blocks) {
        decodeNamed(
          () => nameOfBlock(block),
          () => checkTimes(block),
        );
      }
      await turnOfOthers();
    }
  } catch (error) {
    if (error instanceof UndecodableBlock) throw error;
    if (error instanceof QueryTooCostly) {
      const which = "a block cannot be read (bun run db:repair or select * from damaged_blocks() names it)";
      throw new UndecodableBlock(`${which}: ${messageOf(failure)}`, { cause: failure });
    }
  }
}

function checkTimes(block: BlockTimes): void {
  const { timesMs } = unpackBlock({ ...block, metrics: new Map(), others: undefined });
  // other bytes may make instants that the database does not have
  if (Math.abs((timesMs[0] ?? NaN) - block.fromMs) <= 1 && timesMs.every(Number.isFinite)) return;
  throw new UndecodableBlock("column times: its first instant is not that of the block");
}
