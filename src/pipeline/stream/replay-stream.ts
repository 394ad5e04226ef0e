import type { Logger } from "pino";
import { type Clock, stopwatch } from "../../kit/clock.ts";
import type { PipelineListener } from "../observe/pipeline-listener.ts";
import type { ReplayableSource } from "../source/source.ts";
import type { ClaimedRange, RangeAssignment } from "./assignment/range-assignment.ts";
import { type KeyedBatch, keyedByRange } from "./batch-messages.ts";
import type { BatchPublisher } from "./batch-publisher.ts";
import { fileSpan, type TraceParts } from "./publish-span.ts";
import type { SourceStream } from "./source-stream.ts";
import type { StreamRetries } from "./stream-retries.ts";

export interface ReplayStreamOptions extends TraceParts {
  /** Opens the source of a round; returns undefined after the last one. The first round is 0. */
  readonly openSource: (round: number) => Promise<ReplayableSource | undefined>;
  readonly assignment: RangeAssignment;
  readonly publisher: BatchPublisher;
  readonly retries: StreamRetries;
  /** Pause after each batch of a range. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly listener: PipelineListener;
  readonly log: Logger;
}

/** Streams a replayable source, round by round: claims the ranges that no other streamer owns or has finished, and publishes
 *  their batches. If a streamer loses a range, the next one that claims it begins at the first batch that is not published. */
export class ReplayStream implements SourceStream {
  private current = 0;

  constructor(private readonly options: ReplayStreamOptions) {}

  get share(): number {
    return this.current;
  }

  async run(signal: AbortSignal): Promise<void> {
    let areLost: Promise<boolean>;
    do {
      areLost = this.options.assignment.positionsLost(signal);
      await this.streamRounds(signal);
    } while (await areLost);
  }

  close(): Promise<void> {
    return this.options.assignment.close();
  }

  private async streamRounds(signal: AbortSignal): Promise<void> {
    const { openSource, retries } = this.options;
    for (let round = 0; !signal.aborted; round += 1) {
      const source = await retries.retrying(() => openSource(round), signal);
      if (source === undefined) return;
      await this.streamSource(source, signal);
    }
  }

  private async streamSource(source: ReplayableSource, signal: AbortSignal): Promise<void> {
    const { assignment, retries, listener } = this.options;
    listener.sourceOpened(source, await retries.retrying(() => assignment.covered(source), signal));
    while (!signal.aborted) {
      const claimed = await retries.retrying((answered) => assignment.claim(source, signal, answered), signal);
      if (claimed === undefined) break;
      this.current = claimed.share;
      await this.streamRange(source, claimed, signal).finally(() => (this.current = 0));
    }
    if (!signal.aborted) listener.sourceFinished(source);
  }

  private async streamRange(source: ReplayableSource, claimed: ClaimedRange, signal: AbortSignal): Promise<void> {
    const { publisher, retries, log } = this.options;
    const read = (stop: AbortSignal): AsyncIterable<KeyedBatch> => this.batchesOf(source, claimed, stop);
    if (await publisher.publish(claimed, read, signal)) return retries.retrying(() => claimed.finish(), signal);
    if (claimed.lost.aborted)
      log.warn("this streamer has lost a range of the source: another streamer may read the range now");
    await claimed.release().catch((error: unknown) => retries.record(error));
  }

  private async *batchesOf(
    source: ReplayableSource,
    { range }: ClaimedRange,
    stop: AbortSignal,
  ): AsyncIterable<KeyedBatch> {
    const { clock, intervalMs } = this.options;
    let tookMs = stopwatch();
    for await (const read of source.read(range, stop)) {
      yield keyedByRange(read, fileSpan(this.options, read, tookMs()));
      if (stop.aborted) return;
      await clock.sleep(intervalMs, stop);
      tookMs = stopwatch();
    }
  }
}
