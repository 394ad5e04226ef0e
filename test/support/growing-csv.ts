import { appendFileSync, utimesSync } from "node:fs";
import type { Range } from "../../src/domain/range.ts";
import type { CsvSource } from "../../src/pipeline/source/csv/csv-source.ts";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
import { CsvFolder, openCsvSource, samplesOf, type TestCsvOptions } from "./csv-reading.ts";
import { ManualClock } from "./manual-clock.ts";

/** A folder for growing files, and the readings that a test has begun. */
export class GrowingFiles {
  private readonly folder = new CsvFolder();
  private readonly readings: Reading[] = [];

  /** A file that was written just now. */
  write(content: string | Uint8Array): Reading {
    const path = this.folder.write(content, "growing.csv");
    utimesSync(path, new Date(), new Date());
    const reading = new Reading(path);
    this.readings.push(reading);
    return reading;
  }

  /** Writes a file and reads it, up to where the reading waits. */
  async read(content: string | Uint8Array, options: TestCsvOptions = {}): Promise<Reading> {
    const reading = this.write(content);
    return reading.begin(await reading.open(options));
  }

  /** A file whose writer finished long ago. @returns its path */
  finished(content: string | Uint8Array): string {
    return this.folder.write(content, "finished.csv");
  }

  /** Ends every reading. */
  async stop(): Promise<void> {
    for (const reading of this.readings.splice(0)) {
      reading.stop.abort();
      await reading.ended;
    }
  }

  async remove(): Promise<void> {
    await this.stop();
    this.folder.remove();
  }
}

/** A file that was written just now, and a reading of it on a clock that the test advances. */
class Reading {
  readonly batches: RangeBatch[] = [];
  readonly warnings: string[] = [];
  readonly stop = new AbortController();
  readonly clock = new ManualClock(Date.now());
  /** Resolves when the reading has ended: to its error, if it has one. */
  ended: Promise<unknown> = Promise.resolve();
  hasEnded = false;

  constructor(readonly path: string) {}

  open(options: TestCsvOptions = {}): Promise<CsvSource> {
    const { clock, path, warnings } = this;
    return openCsvSource(path, { clock, onWarning: (message) => void warnings.push(message), ...options });
  }

  /** Begins to read, up to where the reading waits. */
  async begin(source: CsvSource, range?: Partial<Range>): Promise<this> {
    this.ended = (async () => {
      const read = source.read({ ...source.whole, ...range }, this.stop.signal);
      for await (const batch of read) this.batches.push(batch);
    })()
      .catch((error: unknown) => error)
      .finally(() => (this.hasEnded = true));
    await this.untilIdle();
    return this;
  }

  append(text: string | Uint8Array): void {
    appendFileSync(this.path, text);
  }

  /** Advances the clock in steps, so that file operations between two sleeps can complete. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms && !this.hasEnded; passed += 250) {
      await this.untilIdle();
      await this.clock.advance(Math.min(250, ms - passed));
    }
    await this.untilIdle();
  }

  get values(): number[] {
    return samplesOf(this.batches).map(({ value }) => value);
  }

  private async untilIdle(): Promise<void> {
    while (!this.hasEnded && this.clock.sleeperCount === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
