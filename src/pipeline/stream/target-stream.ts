import type { LiveSource } from "../source/source.ts";
import type { SourcesChange, TargetSources } from "../source/target-sources.ts";
import { LiveStream, type LiveStreamOptions } from "./live-stream.ts";
import type { SourceStream } from "./source-stream.ts";

export interface TargetStreamOptions extends Omit<LiveStreamOptions, "source"> {
  readonly targets: TargetSources;
}

/** The stream of one target. */
interface RunningStream {
  readonly stream: LiveStream;
  readonly halt: AbortController;
}

/** Streams all targets that are known, each as a live source: those that come are added, those that go are ended. */
export class TargetStream implements SourceStream {
  private readonly running = new Map<LiveSource, RunningStream>();
  private readonly ending = new Set<Promise<void>>();
  private failure: unknown;

  constructor(private readonly options: TargetStreamOptions) {}

  get share(): number {
    let share = 0;
    for (const { stream } of this.running.values()) share += stream.share;
    return share;
  }

  async run(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const stop = AbortSignal.any([signal, failed.signal]);
    await this.options.targets.follow((change) => this.apply(change, stop, failed), stop);
    await Promise.all(this.ending);
    if (this.failure !== undefined) throw this.failure as Error;
  }

  close(): Promise<void> {
    return this.options.assignment.close();
  }

  private apply({ added, removed }: SourcesChange, stop: AbortSignal, failed: AbortController): void {
    for (const source of removed) this.running.get(source)?.halt.abort();
    for (const source of added) this.start(source, stop, failed);
  }

  private start(source: LiveSource, stop: AbortSignal, failed: AbortController): void {
    const stream = new LiveStream({ ...this.options, source });
    const halt = new AbortController();
    this.running.set(source, { stream, halt });
    const ended = stream
      .run(AbortSignal.any([stop, halt.signal]))
      .catch((error: unknown) => {
        if (stop.aborted || halt.signal.aborted) return;
        this.failure ??= error;
        failed.abort();
      })
      .then(() => {
        this.running.delete(source);
        this.ending.delete(ended);
      });
    this.ending.add(ended);
  }
}
