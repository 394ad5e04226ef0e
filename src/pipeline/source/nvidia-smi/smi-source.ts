import type { Logger } from "pino";
import { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { SourceReading } from "../../../domain/reading.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { type Clock, stopwatch } from "../../../kit/clock.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { RepeatedError } from "../../../kit/repeated-error.ts";
import { Schedule } from "../schedule.ts";
import { readOnSchedule } from "../scheduled-readings.ts";
import type { LiveBatch, LiveSource } from "../source.ts";
import { explainExit } from "./explain-exit.ts";
import { findDocument, parseSmiLog, type SmiLog } from "./smi-document.ts";
import { SmiFailed } from "./smi-failed.ts";
import { parseSmiList, type SmiList } from "./smi-list.ts";
import type { Printed, SmiProgram } from "./smi-program.ts";
import { needsList, readSmiLog } from "./smi-reader.ts";

export interface SmiSourceOptions {
  readonly program: SmiProgram;
  readonly clusterId: string;
  /** The name of the machine whose GPUs the program reads. */
  readonly hostname: string;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Why there was no attempt to read. */
const skippedFor = {
  "no streamer": { reason: "no_streamer", message: "no streamer ran on the machine" },
  "held up": { reason: "no_streamer", message: "the streamer was held up" },
  "memory full": { reason: "memory_full", message: "the readings before were not published in time" },
} as const;

/** The GPUs of a machine, read on a schedule with nvidia-smi. Every scheduled reading gives one batch: its records have the
 *  scheduled time, and its reading says whether it was read or why it was missed. A reading that fails does not end the source. */
export class SmiSource implements LiveSource {
  readonly sourceId: string;
  readonly description: string;
  private readonly schedule: Schedule;
  private readonly failure: RepeatedError;

  constructor(private readonly options: SmiSourceOptions) {
    const { program, clusterId, hostname, intervalMs, log } = options;
    this.sourceId = `nvidia-smi:${clusterId}:${hostname}`;
    this.description = `${program.name} on ${hostname}, every ${intervalMs / 1000} s`;
    this.schedule = new Schedule(this.sourceId, intervalMs);
    this.failure = new RepeatedError({ log, prefix: "GPUs are not read", ended: "GPUs are read again" });
  }

  get error(): string | undefined {
    return this.failure.current;
  }

  read(afterMs: number, signal: AbortSignal, takenUntilMs?: number): AsyncIterable<LiveBatch> {
    return readOnSchedule(afterMs, signal, {
      schedule: this.schedule,
      takenUntilMs,
      clock: this.options.clock,
      read: (dueMs) => this.readAt(dueMs, signal),
      skipped: ({ timeMs, count, cause }) =>
        this.batchOf(new BatchBuilder(), { timeMs, outcome: "missed", ...skippedFor[cause], count }),
      waitsUntil: (dueMs) =>
        this.failure.record(
          `the last reading is later than this machine's clock; the next one is due at ${formatTimestamp(dueMs)}`,
        ),
    });
  }

  /** @returns undefined when the signal aborted: what became of the reading is not known then */
  private async readAt(timeMs: number, signal: AbortSignal): Promise<LiveBatch | undefined> {
    const builder = new BatchBuilder();
    const elapsedMs = stopwatch();
    try {
      const warning = await this.readInto(builder, timeMs, signal);
      if (signal.aborted) return undefined;
      if (warning === undefined) this.failure.clear();
      else this.failure.record(warning);
      return { ...this.batchOf(builder, { timeMs, outcome: "read", count: 1 }), tookMs: elapsedMs() };
    } catch (error) {
      if (signal.aborted) return undefined;
      this.failure.record(error);
      const reason = error instanceof SmiFailed ? error.reason : "command_failed";
      const message = messageOf(error);
      return this.batchOf(new BatchBuilder(), { timeMs, outcome: "missed", reason, message, count: 1 });
    }
  }

  /** @returns what people should know about GPUs that are missing from the reading
   *  @throws SmiFailed */
  private async readInto(builder: BatchBuilder, timeMs: number, signal: AbortSignal): Promise<string | undefined> {
    const { program, clusterId, hostname } = this.options;
    const { log, warning } = documentOf(program.name, await program.query(signal));
    const list = needsList(log) ? await program.list?.(signal) : undefined;
    readSmiLog(
      log,
      {
        ...{ clusterId, hostname, timeMs },
        list: list && listOf(program.name, list),
        place: { line: 0, byte: 0 },
      },
      builder,
    );
    if (builder.recordCount > 0) return warning;
    return `${program.name} identifies none of its ${log.gpus.length} GPUs; /api/v1/quarantine has them`;
  }

  private batchOf(builder: BatchBuilder, reading: Omit<SourceReading, "intervalMs">): LiveBatch {
    const { timeMs } = reading;
    const { intervalMs } = this.schedule;
    const idempotencyKey = `${this.sourceId}:${timeMs}`;
    return { timeMs, idempotencyKey, batch: builder.build(), reading: { ...reading, intervalMs } };
  }
}

/** Finds the document in what a command printed. A warning that nvidia-smi prints, too, such as that of a GPU that is lost, is kept.
 *  @throws SmiFailed if there is none, or it has no GPU */
function documentOf(name: string, printed: Printed): { readonly log: SmiLog; readonly warning: string | undefined } {
  const found = findDocument(printed.output);
  if (found === undefined) throw new SmiFailed("command_failed", explainExit(name, printed));
  const log = parseSmiLog(found.xml);
  const { around: output } = found;
  if (log.gpus.length === 0) throw new SmiFailed("command_failed", `${name} finds no GPU in this machine`);
  const isClean = printed.exitCode === 0 && output === "";
  return { log, warning: isClean ? undefined : `not all of them: ${explainExit(name, { ...printed, output })}` };
}

/** @throws SmiFailed if the command listed no GPU */
function listOf(name: string, printed: Printed): SmiList {
  const list = parseSmiList(printed.output);
  if (list.size === 0) throw new SmiFailed("command_failed", explainExit(`${name} -L`, printed));
  return list;
}
