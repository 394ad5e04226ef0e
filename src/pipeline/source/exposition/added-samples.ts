import type { RejectedInput } from "../../../domain/batch.ts";
import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import { type JudgedReading, judgeReading } from "../../../domain/dialects/judge-reading.ts";
import { decidedRatio, type RatioUnit } from "../../../domain/dialects/ratio-scale.ts";
import type { Spelling } from "../../../domain/dialects/spelling.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import { type ParsedTimestamp, timestampOfMs } from "../../../domain/timestamp.ts";
import { judgeNumber, readValue } from "../../../domain/value-text.ts";
import { SampleRecorder } from "../labels/sample-recorder.ts";
import type { CollectedSample } from "./collected-samples.ts";
import type { MetricFamily } from "./scanned-exposition.ts";
import type { DeviceSubject, MetricSubject } from "./series-subject.ts";

/** How samples were written, for the messages about those that are rejected. */
export interface SampleTexts {
  /** The value of a sample as it was sent: `+Inf`, `150.0`. */
  valueOf(sample: CollectedSample): string;
  rejectionOf(sample: CollectedSample, error: FieldError): RejectedInput;
}

/** Samples of one exporter. */
export interface SamplesToRead {
  readonly samples: readonly CollectedSample[];
  readonly texts: SampleTexts;
  readonly families: ReadonlyMap<string, MetricFamily>;
  /** The instant of all samples, except those with an earlier timestamp of their own; undefined: each has its own, which counts. */
  readonly timeMs: number | undefined;
  readonly builder: BatchBuilder;
}

/** What became of samples that are about GPUs. */
export interface AddedCounts {
  /** Those in the batch. */
  samples: number;
  /** Those that say that there is no value. */
  missing: number;
  rejected: number;
  /** Number of those that were rejected because the unit of DCGM_FI_DEV_GPU_UTIL_RATIO is not decided yet. */
  undecided: number;
  /** The samples whose own time is far from that of the exposition; undefined if there are none. */
  offTime: OffTime | undefined;
}

/** Samples whose own time is more than 10 minutes before or after that of the exposition. */
export interface OffTime {
  readonly samples: number;
  /** The time that is the farthest away, milliseconds since the epoch. */
  readonly timeMs: number;
}

/** A sample whose own time is farther than this from the time of its scrape has a wrong or an old time: a Prometheus that is scraped
 *  for many hosts sends samples that are up to 5 minutes old.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness */
export const offTimeMs = 600_000;
/** Adds samples to a batch: in the unit of the catalogue, at their time, or as rejected inputs. */
export class AddedSamples {
  readonly counts: AddedCounts = { samples: 0, missing: 0, rejected: 0, undecided: 0, offTime: undefined };
  /** The uuids of the devices that the samples are about. */
  readonly devices = new Set<string>();
  private readonly recorder: SampleRecorder;

  constructor(
    private readonly parts: Pick<SamplesToRead, "builder" | "texts" | "timeMs"> & {
      readonly unit: RatioUnit | undefined;
    },
  ) {
    this.recorder = new SampleRecorder(parts.builder);
  }

  /** @returns whether the sample has a value that is stored */
  add(sample: CollectedSample, of: MetricSubject, subject: DeviceSubject): boolean {
    const { builder, texts } = this.parts;
    const { counts } = this;
    const spelling = this.decided(of.spelling);
    const value = judged(of, spelling, sample.value);
    if (typeof value === "string" && value !== "missing") {
      if (value === "undecided") counts.undecided += 1;
      this.reject(sample, errorOf(of, spelling, texts.valueOf(sample)));
      return false;
    }
    if (value === "missing") {
      builder.count("rows");
      builder.count("missing");
      counts.missing += 1;
      return false;
    }
    builder.moveTo(sample.line, sample.byte);
    const { metric, labels, name } = of;
    const at = this.timeOf(sample);
    const error =
      "reason" in at
        ? { ...at, field: "timestamp", value: String(sample.timestampMs) }
        : this.recorder.add(name, { metric, labels, value }, { subject, timeMs: at.ms });
    if (error !== undefined) {
      this.reject(sample, error);
      return false;
    }
    builder.count("rows");
    counts.samples += 1;
    const { timeMs } = this.parts;
    if (timeMs !== undefined) counts.offTime = withTime(counts.offTime, sample.timestampMs ?? timeMs, timeMs);
    this.devices.add(subject.device.uuid);
    return true;
  }

  reject(sample: CollectedSample, error: FieldError): void {
    const { builder, texts } = this.parts;
    builder.count("rows");
    builder.reject(texts.rejectionOf(sample, error));
    this.counts.rejected += 1;
  }

  private timeOf({ timestampMs }: CollectedSample): ParsedTimestamp {
    const { timeMs } = this.parts;
    if (timeMs === undefined) return timestampOfMs(timestampMs ?? NaN, String(timestampMs));
    return { ms: timestampMs !== undefined && timestampMs <= timeMs ? timestampMs : timeMs };
  }

  private decided(spelling: Spelling | undefined): Spelling | undefined {
    const { unit } = this.parts;
    return spelling?.isAmbiguous === true && unit !== undefined ? decidedRatio[unit] : spelling;
  }
}

/** @param timeMs the sample's own time
 *  @param dueMs that of the exposition */
function withTime(offTime: OffTime | undefined, timeMs: number, dueMs: number): OffTime | undefined {
  const offMs = Math.abs(timeMs - dueMs);
  if (offMs <= offTimeMs) return offTime;
  const isFarther = offTime === undefined || offMs > Math.abs(offTime.timeMs - dueMs);
  return { samples: (offTime?.samples ?? 0) + 1, timeMs: isFarther ? timeMs : offTime.timeMs };
}

function judged({ name }: MetricSubject, spelling: Spelling | undefined, value: number): JudgedReading {
  if (Number.isNaN(value)) return "missing";
  return spelling === undefined ? judgeNumber(name, value) : judgeReading(spelling, value);
}

/** @param text the value as it was sent */
function errorOf({ name }: MetricSubject, spelling: Spelling | undefined, text: string): FieldError {
  const read = readValue(spelling ?? name, text);
  if (typeof read === "object") return { ...read, field: name, value: text };
  return {
    reason: "invalid_value",
    field: name,
    value: text,
    message: `The value ${text} of ${name} cannot be stored.`,
  };
}
