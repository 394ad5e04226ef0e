import { SingleBar } from "cli-progress";
import type { Logger } from "pino";
import type { Clock } from "../kit/clock.ts";
import { bytesIn, gapsIn, type Range } from "../domain/range.ts";
import { type PipelineListener, silentListener } from "../pipeline/observe/pipeline-listener.ts";
import type { Queue } from "../pipeline/queue/queue.ts";
import type { ReplayableSource } from "../pipeline/source/source.ts";
import type { IngestMessage, IngestResult, TelemetryStore } from "../pipeline/store/telemetry-store.ts";
import type { BarLine } from "./bar-line.ts";
import { addStored, emptyFigures, figuresOf, importReportText } from "./import-report.ts";
import { streamedText } from "./streamed-text.ts";

export interface ImportMonitorOptions {
  readonly queue: Queue;
  /** Returns the store that this process has opened; undefined if there is none. */
  readonly store: () => Pick<TelemetryStore, "progressOf"> | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the bar is drawn. */
  readonly terminal: BarLine;
  readonly print: (text: string) => void;
}

const nothing = (): void => undefined;

function terminalOf(bar: SingleBar): object {
  return (bar as unknown as { readonly terminal: object }).terminal;
}

/** The bar draws only what has changed since it drew last. */
function drawAgain(bar: SingleBar): void {
  Object.assign(bar, { lastDrawnString: "" });
  (bar as unknown as { readonly render: () => void }).render();
}

const nothingPublished = { messages: 0, rows: 0, samples: 0, missing: 0 };

/** Shows the import of a file: a progress bar, then a table when the queue is empty. In a process without a store, it
 *  prints only a line with the published counts. */
export class ImportMonitor {
  private readonly bar: SingleBar;
  private source: ReplayableSource | undefined;
  private startedAtMs = 0;
  /** The ranges that were covered when the source was opened. Messages of these ranges may still be in the queue. */
  private covered: readonly Range[] = [];
  /** The covered bytes, and the other bytes that this process has stored since the source was opened. */
  private storedBytes = 0;
  private figures = emptyFigures();
  private published = nothingPublished;
  private duplicateMessages = 0;
  private isStopped = false;
  private nextSteps: (hasRejections: boolean) => readonly string[] = () => [];

  constructor(private readonly options: ImportMonitorOptions) {
    this.bar = new SingleBar({
      stream: options.terminal.stream,
      format: "  {bar} {percentage}% | {rate} samples/s | {remaining} left",
      barCompleteChar: "=",
      barIncompleteChar: ".",
      hideCursor: true,
      // a narrow terminal cuts the bar, and wraps what the log writes meanwhile
      linewrap: true,
      clearOnComplete: true,
      noTTYOutput: true,
      notTTYSchedule: 5000,
    });
    // at its end, the bar would return to where it began, which is another line once the log has written one
    Object.assign(terminalOf(this.bar), { cursorSave: nothing, cursorRestore: nothing });
    const { bar } = this;
    options.terminal.hold({
      get isActive() {
        return bar.isActive;
      },
      draw: () => drawAgain(bar),
    });
  }

  /** The listener through which the monitor receives the pipeline's events. */
  listener(): PipelineListener {
    return {
      ...silentListener,
      sourceOpened: (source, covered) => this.open(source, covered),
      published: ({ rows, samples, missing }, duplicate) => {
        if (duplicate) this.duplicateMessages += 1;
        else {
          this.published = {
            messages: this.published.messages + 1,
            rows: this.published.rows + rows,
            samples: this.published.samples + samples,
            missing: this.published.missing + missing,
          };
        }
      },
      stored: (message, result) => this.addStored(message, result),
      sourceFinished: (source) => {
        if (source !== this.source) return;
        // a stop may close the store before the table is printed; only the table is then lost
        this.reportWhenStored(source).catch((error: unknown) =>
          this.options.log.warn({ err: error }, "the report of the import could not be printed"),
        );
      },
    };
  }

  /** @param nextSteps commands for another terminal, which are printed after an import */
  suggest(nextSteps: (hasRejections: boolean) => readonly string[]): void {
    this.nextSteps = nextSteps;
  }

  /** Removes the bar, and gives the terminal its cursor back. If an import is under way, says how far it has come. */
  stop(): void {
    this.isStopped = true;
    if (!this.bar.isActive) return;
    this.bar.stop();
    const percent = Math.floor((100 * this.storedBytes) / this.totalBytes());
    this.options.print(
      `The import of ${this.source?.description} is at ${percent}%: the same command, run again, continues it`,
    );
  }

  private open(source: ReplayableSource, covered: readonly Range[]): void {
    this.source = source;
    this.startedAtMs = this.options.clock.nowMs();
    this.figures = emptyFigures();
    this.published = nothingPublished;
    this.duplicateMessages = 0;
    this.covered = covered;
    this.storedBytes = bytesIn(covered);
    if (!this.isStopped && this.options.store() !== undefined && this.storedBytes < this.totalBytes())
      this.bar.start(this.totalBytes(), this.storedBytes, this.payload());
  }

  private addStored(message: IngestMessage, result: IngestResult): void {
    if (message.source.sourceId !== this.source?.sourceId) return;
    addStored(this.figures, message.batch, result);
    if (!result.duplicate) this.storedBytes += bytesIn(gapsIn(message.source, this.covered));
    if (this.bar.isActive) this.bar.update(this.storedBytes, this.payload());
  }

  /** Waits until the queue is empty, then prints the table. Without a store, prints the published counts immediately. */
  private async reportWhenStored(source: ReplayableSource): Promise<void> {
    const { queue, clock, print } = this.options;
    const store = this.options.store();
    if (store === undefined) {
      print(this.streamedText(source));
      return;
    }
    let stats = await queue.stats();
    while (stats.readyMessages + stats.inFlightMessages > 0) {
      await clock.sleep(50);
      stats = await queue.stats();
    }
    this.bar.stop();
    const seconds = (clock.nowMs() - this.startedAtMs) / 1000;
    const { stored, totals } = await store.progressOf(source.sourceId);
    print(
      importReportText({
        description: source.description,
        thisRun: this.figures,
        inAll: figuresOf(totals),
        seconds,
        absentBytes: bytesIn(this.covered.flatMap((range) => gapsIn(range, stored))),
        deadLetters: stats.deadMessages,
        unreadColumns: source.unreadColumns,
        ownColumns: source.ownColumns,
        next: this.nextSteps(Object.keys(totals.rejected).length > 0),
      }),
    );
  }

  private streamedText({ description, ownColumns }: ReplayableSource): string {
    const { published, duplicateMessages } = this;
    const bytes = { totalBytes: this.totalBytes(), coveredBytes: bytesIn(this.covered) };
    return streamedText({ description, published, duplicateMessages, ownColumns, ...bytes });
  }

  private totalBytes(): number {
    if (this.source === undefined) return 0;
    const { from, to } = this.source.whole;
    return to.offset - from.offset;
  }

  /** The rate and the remaining time, which the progress bar shows. */
  private payload(): { rate: string; remaining: string } {
    const elapsedMs = Math.max(1, this.options.clock.nowMs() - this.startedAtMs);
    const rate = Math.round((this.figures.samples * 1000) / elapsedMs);
    const doneBytes = this.storedBytes - bytesIn(this.covered);
    const leftBytes = this.totalBytes() - this.storedBytes;
    const remaining = doneBytes === 0 ? "?" : durationText((leftBytes * elapsedMs) / doneBytes / 1000);
    return { rate: rate.toLocaleString("en-US"), remaining };
  }
}

function durationText(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
