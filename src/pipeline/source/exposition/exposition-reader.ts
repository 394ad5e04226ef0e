import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import { dialectOf } from "../../../domain/dialects/dialect-of.ts";
import type { Dialect } from "../../../domain/dialects/spelling.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import type { SharedTexts } from "../labels/shared-texts.ts";
import type { OffTime } from "./added-samples.ts";
import { type CollectedSample, CollectedSamples, rejectionOf, valueTextOf } from "./collected-samples.ts";
import { SampleReader } from "./sample-reader.ts";
import type { ReceivedExposition } from "./scanned-exposition.ts";
import type { TargetContext } from "./target-context.ts";

/** What an exposition gave. */
export interface ReadExposition {
  /** The dialect that the exporter speaks; undefined if it has no metrics of GPUs. */
  readonly dialect: Dialect | undefined;
  /** Number of GPUs and MIG instances that the exposition has values of. */
  readonly devices: number;
  /** Number of samples that were added to the batch. */
  readonly samples: number;
  /** Number of samples that are not about GPUs, or repeat a metric in another spelling. */
  readonly ignored: number;
  /** Number of lines and samples that were rejected. The batch may have more: if two hosts report one GPU, the samples of one of them
   *  are rejected when the batch is built, and `samples` has them. */
  readonly rejected: number;
  /** Number of those that were rejected because the unit of DCGM_FI_DEV_GPU_UTIL_RATIO is not decided yet. */
  readonly undecided: number;
  /** Number of lines that are whole samples, whatever became of them. */
  readonly sampleLines: number;
  /** True if the text ends in a line, or is OpenMetrics without `# EOF`: it was probably cut off. A sample in that line is
   *  rejected. */
  readonly isCut: boolean;
  /** The samples whose own time is far from that of the exposition; undefined if there are none. */
  readonly offTime: OffTime | undefined;
}

/** Reads the expositions of one target into batches. */
export class ExpositionReader {
  private readonly collected: CollectedSamples;
  private readonly reader: SampleReader;

  /** @param texts for all targets of a process, which repeat most of them */
  constructor(context: TargetContext, texts: SharedTexts) {
    this.collected = new CollectedSamples(texts);
    this.reader = new SampleReader(context, texts);
  }

  /** Adds the samples of an exposition to a batch.
   *  @param timeMs when the exposition was due: the instant of all samples, except those with an earlier timestamp of their own */
  read(exposition: ReceivedExposition, timeMs: number, builder: BatchBuilder): ReadExposition {
    const { collected } = this;
    const { bytes } = exposition;
    const { families, isCut } = collected.scan(exposition);
    const { samples, rejections } = collected;
    for (const input of rejections) {
      builder.count("rows");
      builder.reject(input);
    }
    const texts = {
      valueOf: (sample: CollectedSample) => valueTextOf(sample, bytes),
      rejectionOf: (sample: CollectedSample, error: FieldError) => rejectionOf(sample, bytes, error),
    };
    const names = new Set(samples.map(({ series }) => series.name));
    const read = this.reader.read({ samples, texts, families, timeMs, builder }, names);
    collected.clear();
    return {
      dialect: dialectOf(names),
      ...{ devices: read.devices, samples: read.samples, ignored: read.ofNoGpu + read.repeated },
      ...{ rejected: read.rejected + rejections.length, undecided: read.undecided, offTime: read.offTime },
      ...{ sampleLines: samples.length, isCut },
    };
  }
}
