import { Random } from "../../src/pipeline/source/simulated/random.ts";
import type { Fault, FaultKind } from "./faults.ts";

/** Streams of random numbers from these on are those of faults; those of the fleet are lower. */
const firstStreamOfExporters = 2_000_000;
const firstStreamOfAnswers = 3_000_000;

export interface ExporterFaultsOptions {
  readonly faults: readonly Fault[];
  readonly seed: number;
  /** Index of the exporter, from 0. */
  readonly index: number;
  /** The instant from which the faults' times count, milliseconds. */
  readonly setAtMs: number;
}

/** The faults of one exporter. The seed and the exporter's index decide which of them it has; for those of answers, also how many
 *  answers there were since the faults were set. */
export class ExporterFaults {
  private readonly ofExporter: readonly Fault[];
  private readonly ofAnswers: readonly Fault[];
  private readonly answers: Random;
  /** Selects the GPU that a fault strikes. */
  readonly chosen: number;

  constructor(private readonly options: ExporterFaultsOptions) {
    const { faults, seed, index } = options;
    const random = new Random(seed, firstStreamOfExporters + index);
    this.chosen = random.next();
    this.ofExporter = faults.filter((fault) => !isOfAnswers(fault) && random.chance(fault.share));
    this.ofAnswers = faults.filter(isOfAnswers);
    this.answers = new Random(seed, firstStreamOfAnswers + index);
  }

  /** The faults that the exporter has now, besides those of answers. */
  lasting(nowMs: number): readonly Fault[] {
    return this.ofExporter.filter((fault) => this.isActive(fault, nowMs));
  }

  /** The faults of the next answer. */
  ofNextAnswer(nowMs: number): readonly Fault[] {
    // each fault takes its random number even before its time, so the choices do not depend on when the answers were
    const struck = this.ofAnswers.filter(({ share }) => this.answers.chance(share));
    return struck.filter((fault) => this.isActive(fault, nowMs));
  }

  private isActive({ fromMs, toMs }: Fault, nowMs: number): boolean {
    const elapsedMs = nowMs - this.options.setAtMs;
    return elapsedMs >= fromMs && elapsedMs < toMs;
  }
}

const kindsOfAnswers: ReadonlySet<FaultKind["kind"]> = new Set(["slow", "status", "half", "cut"] as const);

function isOfAnswers({ kind }: FaultKind): boolean {
  return kindsOfAnswers.has(kind);
}
