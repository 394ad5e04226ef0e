import type { Logger } from "pino";
import type { LiveSource } from "../source/source.ts";
import { aheadText } from "./assignment/known-position.ts";
import type { ClaimedSource, LiveAssignment } from "./assignment/live-assignment.ts";
import { type KeyedBatch, keyedByInstant } from "./batch-messages.ts";
import type { BatchPublisher } from "./batch-publisher.ts";
import { traced, type TraceParts } from "./publish-span.ts";
import { type ReadSeries, withEnds } from "./read-series.ts";
import type { SourceStream } from "./source-stream.ts";
import type { StreamRetries } from "./stream-retries.ts";

export interface LiveStreamOptions extends TraceParts {
  readonly source: LiveSource;
  readonly assignment: LiveAssignment;
  readonly publisher: BatchPublisher;
  readonly retries: StreamRetries;
  readonly log: Logger;
}

/** Streams a live source while this process owns it, and waits while another process does. A batch that is still
 *  unpublished when this process stops or loses the source is dropped, because a live source cannot be read again. */
export class LiveStream implements SourceStream {
  private current = 0;
  /** The streamer that has the source, while this one waits for it. */
  private owner: string | undefined;

  constructor(private readonly options: LiveStreamOptions) {}

  get share(): number {
    return this.current;
  }

  get waiting(): string | undefined {
    if (this.owner === undefined) return undefined;
    return `streamer ${this.owner} reads ${this.options.source.sourceId}; this one waits until that one stops`;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { source, publisher, retries, log } = this.options;
    while (!signal.aborted) {
      const claimed = await retries.retrying((answered) => this.claim(signal, answered), signal);
      this.owner = undefined;
      if (claimed === undefined) return;
      this.current = 1;
      const ahead = aheadText(claimed);
      if (ahead !== undefined) log.warn(`${source.description}: ${ahead}`);
      const publishing = publisher.publish(claimed, (stop) => this.batchesOf(claimed, stop), signal);
      await publishing.finally(() => (this.current = 0));
      if (claimed.lost.aborted) log.warn(`${source.description} may now be read by another streamer`);
      await claimed.release().catch((error: unknown) => retries.record(error));
    }
  }

  close(): Promise<void> {
    return this.options.assignment.close();
  }

  private claim(signal: AbortSignal, answered: () => void): Promise<ClaimedSource | undefined> {
    const { assignment, source, log } = this.options;
    return assignment.claim(source, signal, (owner) => {
      answered();
      const isNews = owner !== this.owner;
      this.owner = owner;
      if (isNews) log.info(`${source.description}: ${this.waiting}`);
    });
  }

  private async *batchesOf({ afterMs, takenUntilMs }: ClaimedSource, stop: AbortSignal): AsyncIterable<KeyedBatch> {
    const { sourceId } = this.options.source;
    const series = new Map<string | undefined, ReadSeries | undefined>();
    for await (const batch of this.options.source.read(afterMs, stop, takenUntilMs)) {
      const { live, after } = withEnds(batch, series.get(batch.part));
      series.set(batch.part, after);
      yield keyedByInstant(sourceId, traced(this.options, { name: "read", sourceId }, live));
    }
  }
}
