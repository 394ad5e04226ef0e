import type { Clock } from "../../../kit/clock.ts";
import { isRetryable } from "../../../kit/retry.ts";
import type { TokenBucket } from "../../../kit/token-bucket.ts";
import type { PipelineListener } from "../../observe/pipeline-listener.ts";
import type { Queue, Receipt } from "../../queue/queue.ts";
import type { TargetClaim } from "../assignment/target-assignment.ts";
import type { BackPressure } from "../back-pressure.ts";
import { endPublished } from "../publish-span.ts";
import type { StreamRetries } from "../stream-retries.ts";
import type { KeptScrape } from "./kept-scrape.ts";
import type { KeptScrapes } from "./kept-scrapes.ts";
import type { TargetReading } from "./target-reading.ts";

export interface ScrapePublisherOptions {
  readonly kept: KeptScrapes<TargetReading>;
  readonly queue: Queue;
  /** Limits the rate of samples. */
  readonly bucket: TokenBucket;
  readonly backPressure: BackPressure;
  readonly clock: Clock;
  readonly listener: PipelineListener;
  readonly retries: StreamRetries;
}

/** As many messages as etcd takes in one transaction. */
const batchLimits = { maxScrapes: 64, maxBytes: 1024 * 1024 };
/** Scrapes of other targets that end within this time are published in the same transaction. */
const gatherMs = 100;
const retryMaxMs = 2000;

/** A scrape with the receipts of its messages. */
interface SentScrape {
  readonly scrape: KeptScrape<TargetReading>;
  readonly claim: TargetClaim | undefined;
  readonly receipts: readonly (Receipt | undefined)[];
}

/** Publishes the kept scrapes of all targets, the oldest first, those of many targets in one transaction. A scrape is kept until the
 *  queue has confirmed it. */
export class ScrapePublisher {
  constructor(private readonly options: ScrapePublisherOptions) {}

  /** Publishes until the signal aborts. @throws an error that cannot be retried */
  async run(signal: AbortSignal): Promise<void> {
    const { kept, clock, retries } = this.options;
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    let failures = 0;
    while (!signal.aborted) {
      const change = kept.nextChange();
      const scrapes = this.nextScrapes();
      if (scrapes.length === 0) {
        await Promise.race([change, aborted]);
        await clock.sleep(gatherMs, signal);
        continue;
      }
      try {
        await this.publish(scrapes, signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (!isRetryable(error)) throw error;
        retries.record(error);
        failures += 1;
        await clock.sleep(Math.random() * Math.min(retryMaxMs, 100 * 2 ** Math.min(failures, 10)), signal);
      }
    }
  }

  private nextScrapes(): readonly KeptScrape<TargetReading>[] {
    return this.options.kept.next(batchLimits, ({ current, latestMs }) =>
      current === undefined ? undefined : latestMs,
    );
  }

  private async publish(scrapes: readonly KeptScrape<TargetReading>[], signal: AbortSignal): Promise<void> {
    const { queue, bucket, backPressure, retries } = this.options;
    const claims = scrapes.map(({ owner }) => owner.current);
    const outgoing = scrapes.flatMap((scrape, of) => {
      scrape.isSent = true;
      return scrape.messages.map(({ message, tally }, index, { length }) => {
        return { message, tally, claim: claims[of]?.forMessage(index === length - 1 ? scrape : undefined) };
      });
    });
    await bucket.take(
      outgoing.reduce((sum, { tally }) => sum + tally.samples, 0),
      signal,
    );
    const { receipts, depthMessages } = await queue.publish(
      outgoing.map(({ message }) => message),
      { signal, claims: outgoing.map(({ claim }) => claim) },
    );
    backPressure.observe(depthMessages);
    retries.succeeded();
    let from = 0;
    for (const [of, scrape] of scrapes.entries()) {
      const to = from + scrape.messages.length;
      this.settle({ scrape, claim: claims[of], receipts: receipts.slice(from, to) });
      from = to;
    }
  }

  private settle({ scrape, claim, receipts }: SentScrape): void {
    const { kept, listener } = this.options;
    // a refused scrape is kept: this process may have the target again, or learn that another has it
    if (receipts.some((receipt) => receipt?.refused !== false)) {
      scrape.owner.refused(claim);
      return;
    }
    scrape.messages.forEach(({ tally, span }, index) => {
      listener.published(tally, receipts[index]?.duplicate === true);
      endPublished(span, receipts[index]);
    });
    scrape.owner.published(scrape.timeMs);
    kept.delete(scrape);
  }
}
