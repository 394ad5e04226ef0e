import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RecordBatch } from "../../../domain/batch.ts";
import { UnusableSource } from "../../../domain/errors.ts";
import type { Clock } from "../../../kit/clock.ts";
import { lineFeed } from "../bytes/characters.ts";
import { CsvSource, originalTimes } from "../csv/csv-source.ts";
import { idOfContent } from "../file-ids.ts";
import { FileLook } from "../file/file-look.ts";
import { withParameter } from "../host-advice.ts";
import { UnusablePush } from "../push.ts";

export interface CsvPushOptions {
  /** Makes a folder, in which the body is kept while it is read. */
  readonly openFolder: () => Promise<string>;
  readonly clusterId: string;
  /** The host of rows that name none. */
  readonly hostname: string | undefined;
  readonly batchRows: number;
  readonly batchMaxRows: number;
  readonly clock: Clock;
  /** Called with the name of each column that is not read. */
  readonly onUnread: (name: string) => void;
}

/** Reads a table: its content goes to a file first, because how it is written follows from many of its rows.
 *  @throws UnusablePush, the errors of `content` */
export async function* csvBatches(
  content: AsyncIterable<Uint8Array>,
  options: CsvPushOptions,
  signal: AbortSignal,
): AsyncGenerator<RecordBatch, void, undefined> {
  const folder = await options.openFolder();
  const path = join(folder, "body.csv");
  try {
    await write(path, content);
    const { clusterId, hostname, batchRows, batchMaxRows, clock } = options;
    const source = await CsvSource.open({
      ...{ look: new FileLook(path, clock), chooseId: idOfContent, clusterId, batchRows, batchMaxRows, clock },
      ...{ hostname, namedHostname: hostname, playing: originalTimes, isComplete: true },
      onWarning: () => undefined,
    });
    for await (const { batch } of source.read(source.whole, signal)) yield batch;
    source.unreadColumns.forEach(options.onUnread);
  } catch (error) {
    if (!(error instanceof UnusableSource)) throw error;
    throw new UnusablePush("malformed", aboutBody(error.message, path));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The message about a file, as one about a body. */
function aboutBody(message: string, path: string): string {
  return withParameter(message.replaceAll(path, "The body"));
}

/** Writes the content, and the end of its last line if it has none. */
async function write(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    let last: number | undefined = lineFeed;
    for await (const chunk of content) {
      await file.write(chunk);
      last = chunk.at(-1) ?? last;
    }
    if (last !== lineFeed) await file.write("\n");
  } finally {
    await file.close();
  }
}
