import type { TargetBatch } from "../batch-messages.ts";
import type { DroppedReading } from "../../../domain/reading.ts";
import { KeptScrape } from "./kept-scrape.ts";

export interface KeptScrapesOptions<Owner> {
  /** The memory for all targets together. */
  readonly maxBytes: number;
  readonly messageMaxBytes: number;
  /** The memory has become full, or has space again. */
  readonly onFull: (isFull: boolean) => void;
  /** A scrape that was read is dropped, because it does not fit. */
  readonly onDropped: (owner: Owner, reading: DroppedReading) => void;
}

/** The scrapes of all targets that are not published yet, in the order in which they were read. When the memory is full, the records
 *  of later scrapes are dropped, and they are kept as missed: those of a target that follow each other are one. */
export class KeptScrapes<Owner extends { readonly sourceId: string }> {
  private readonly scrapes = new Set<KeptScrape<Owner>>();
  private readonly newest = new Map<Owner, KeptScrape<Owner>>();
  private readonly counts = new Map<Owner, number>();
  private bytes = 0;
  private isFull = false;
  private changed = Promise.withResolvers<void>();

  constructor(private readonly options: KeptScrapesOptions<Owner>) {}

  get size(): number {
    return this.scrapes.size;
  }

  get usedBytes(): number {
    return this.bytes;
  }

  /** Resolves at the next change. */
  nextChange(): Promise<void> {
    return this.changed.promise;
  }

  /** @returns false if the records of the scrape, or what it tells of its target's series, are dropped */
  add(owner: Owner, live: TargetBatch): boolean {
    const { maxBytes, messageMaxBytes } = this.options;
    const scrape = new KeptScrape(owner, live, messageMaxBytes);
    if (!scrape.isEnd && this.bytes + scrape.bytes > maxBytes) {
      const isWhole = live.series === undefined && live.batch.ends === undefined;
      if (this.newest.get(owner)?.extend(scrape) === true) return isWhole;
      this.setFull(true);
      const message = fullMemoryText(maxBytes);
      const { timeMs, count, missedFor } = scrape;
      if (missedFor === undefined) this.options.onDropped(owner, { timeMs, reason: "memory_full", message, count });
      this.keepUnlessExtended(scrape.withoutRecords(message));
      return isWhole && missedFor !== undefined;
    }
    this.keep(scrape);
    return true;
  }

  /** The oldest scrapes that may be published now, each target's at most once.
   *  @param afterMs returns the time after which a target's scrapes may be published; undefined if they may not: they are passed over */
  next(limits: BatchLimits, afterMs: (owner: Owner) => number | undefined): KeptScrape<Owner>[] {
    const batch = new Map<Owner, KeptScrape<Owner>>();
    let bytes = 0;
    for (const scrape of this.scrapes) {
      const { owner } = scrape;
      const from = afterMs(owner);
      if (from === undefined || batch.has(owner)) continue;
      if (scrape.after(from) === undefined) {
        this.delete(scrape);
        continue;
      }
      bytes += scrape.bytes;
      if (batch.size > 0 && bytes > limits.maxBytes) break;
      batch.set(owner, scrape);
      if (batch.size === limits.maxScrapes) break;
    }
    return [...batch.values()];
  }

  delete(scrape: KeptScrape<Owner>): void {
    const { owner } = scrape;
    if (!this.scrapes.delete(scrape)) return;
    scrape.drop("another process may have the target, or a later scrape is published");
    if (this.newest.get(owner) === scrape) this.newest.delete(owner);
    const left = this.countOf(owner) - 1;
    if (left > 0) this.counts.set(owner, left);
    else this.counts.delete(owner);
    this.bytes -= scrape.bytes;
    if (this.bytes < this.options.maxBytes / 2) this.setFull(false);
    this.announce();
  }

  /** Deletes a target's scrapes. */
  drop(owner: Owner): void {
    for (const scrape of this.scrapes) if (scrape.owner === owner) this.delete(scrape);
  }

  /** The number of a target's scrapes. */
  countOf(owner: Owner): number {
    return this.counts.get(owner) ?? 0;
  }

  private keepUnlessExtended(scrape: KeptScrape<Owner>): void {
    if (this.newest.get(scrape.owner)?.extend(scrape) !== true) this.keep(scrape);
  }

  private keep(scrape: KeptScrape<Owner>): void {
    const { owner } = scrape;
    this.scrapes.add(scrape);
    this.newest.set(owner, scrape);
    this.counts.set(owner, this.countOf(owner) + 1);
    this.bytes += scrape.bytes;
    this.announce();
  }

  /** Announces that other scrapes may be published than before. */
  announce(): void {
    this.changed.resolve();
    this.changed = Promise.withResolvers();
  }

  private setFull(isFull: boolean): void {
    if (isFull !== this.isFull) this.options.onFull(isFull);
    this.isFull = isFull;
  }
}

/** How many scrapes are published together. */
export interface BatchLimits {
  readonly maxScrapes: number;
  readonly maxBytes: number;
}

function fullMemoryText(maxBytes: number): string {
  return `the queue took no scrapes, and the memory for those that wait was full (SCRAPE_BUFFER_MIB=${Math.round(maxBytes / 1024 / 1024)})`;
}
