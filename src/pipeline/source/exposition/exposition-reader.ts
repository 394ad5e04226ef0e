import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import { ambiguousRatio } from "../../../domain/dialects/dcgm-spellings.ts";
import { dialectOf } from "../../../domain/dialects/dialect-of.ts";
import { type JudgedReading, judgeReading } from "../../../domain/dialects/judge-reading.ts";
import { decidedRatio, type RatioUnit } from "../../../domain/dialects/ratio-scale.ts";
import type { Dialect, Spelling } from "../../../domain/dialects/spelling.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import { judgeNumber, readValue } from "../../../domain/value-text.ts";
import type { SharedTexts } from "../labels/shared-texts.ts";
import { SampleRecorder } from "../labels/sample-recorder.ts";
import { CollectedSamples, type CollectedSample, rejectionOf, valueTextOf } from "./collected-samples.ts";
import { JoinedIdentities } from "./joined-identities.ts";
import { RatioDecision } from "./ratio-decision.ts";
import type { MetricFamily, ReceivedExposition } from "./scanned-exposition.ts";
import { type DeviceSubject, type MetricSubject, SeriesSubjects } from "./series-subject.ts";
import { SpellingRanks } from "./spelling-ranks.ts";
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

/** Samples whose own time is more than 10 minutes before or after that of the exposition. */
export interface OffTime {
  readonly samples: number;
  /** The time that is the farthest away, milliseconds since the epoch. */
  readonly timeMs: number;
}

interface Counts {
  samples: number;
  ignored: number;
  rejected: number;
  undecided: number;
  offTime: OffTime | undefined;
  readonly devices: Set<string>;
}

/** The types of families that have several series for one value, and those of descriptions. */
const compound: ReadonlySet<MetricFamily["type"]> = new Set([
  ...(["histogram", "gaugehistogram", "summary", "info", "stateset"] as const),
]);
/** A sample whose own time is farther than this from the time of its scrape has a wrong or an old time: a Prometheus that is scraped
 *  for many hosts sends samples that are up to 5 minutes old.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness */
export const offTimeMs = 600_000;
/** More than exporters have. */
const maxNames = 10_000;
const compoundSuffix = /_(?:bucket|sum|count|gsum|gcount|created|info)$/;
/** When a counter began; some client libraries print it for each. */
const createdSuffix = /_created$/;

/** Reads the expositions of one target into batches: which device a sample is about, which metric it is and in which unit, which
 *  workloads hold the device. The rules are those for rows of a CSV (source/labels/). What series of one exposition say about a GPU
 *  is joined, so an exposition is collected before it is added to a batch. */
export class ExpositionReader {
  private readonly collected: CollectedSamples;
  private readonly identities = new JoinedIdentities();
  private readonly subjects: SeriesSubjects;
  private readonly ratio = new RatioDecision();
  /** The metrics of earlier expositions by their names; "ignored" if a name is not a metric of a GPU. Their devices are kept by
   *  the labels, which series share: an object for each series would take a fifth of a target's memory. */
  private readonly metrics = new Map<string, MetricSubject | "ignored">();

  /** @param texts for all targets of a process, which repeat most of them */
  constructor(context: TargetContext, texts: SharedTexts) {
    this.collected = new CollectedSamples(texts);
    this.subjects = new SeriesSubjects(context, this.identities, texts);
  }

  /** Adds the samples of an exposition to a batch.
   *  @param timeMs when the exposition was due: the instant of all samples, except those with an earlier timestamp of their own */
  read(exposition: ReceivedExposition, timeMs: number, builder: BatchBuilder): ReadExposition {
    const { collected } = this;
    const { families, isCut } = collected.scan(exposition);
    // if new series change what is known of devices, all series are looked at again
    if (this.identities.learnAll(collected.samples)) this.subjects.forget();
    const names = new Set(collected.samples.map(({ series }) => series.name));
    const unit = this.decideRatio(names, families);
    const counts: Counts = {
      samples: 0,
      ignored: 0,
      rejected: 0,
      undecided: 0,
      offTime: undefined,
      devices: new Set(),
    };
    for (const input of collected.rejections) {
      builder.count("rows");
      builder.reject(input);
      counts.rejected += 1;
    }
    const samples = new ExpositionSamples({ builder, bytes: exposition.bytes, timeMs, unit, counts });
    const ranks = new SpellingRanks(names);
    for (const sample of ranks.inOrder(collected.samples)) {
      const { name, labels } = sample.series;
      const metric = this.metricOf(name, families);
      const device = metric === "ignored" ? undefined : this.subjects.deviceOf(labels, metric);
      if (metric === "ignored" || device === undefined) counts.ignored += 1;
      else if ("reason" in device) samples.reject(sample, device);
      else {
        const series = this.subjects.seriesOf(metric, device);
        if (ranks.isTaken(series, device)) counts.ignored += 1;
        else if (samples.add(sample, series, device)) ranks.take(series, device);
      }
    }
    const sampleLines = collected.samples.length;
    collected.clear();
    const { devices, ...others } = counts;
    return { dialect: dialectOf(names), devices: devices.size, ...others, sampleLines, isCut };
  }

  private metricOf(name: string, families: ReadonlyMap<string, MetricFamily>): MetricSubject | "ignored" {
    const known = this.metrics.get(name);
    if (known !== undefined) return known;
    const metric = isCompound(name, families) ? "ignored" : (this.subjects.metricOf(name) ?? "ignored");
    // an exporter whose names change for ever
    if (this.metrics.size >= maxNames) this.metrics.clear();
    this.metrics.set(name, metric);
    return metric;
  }

  private decideRatio(names: ReadonlySet<string>, families: ReadonlyMap<string, MetricFamily>): RatioUnit | undefined {
    if (!names.has(ambiguousRatio)) return undefined;
    const ofRatio = this.collected.samples.filter(({ series }) => series.name === ambiguousRatio);
    const labels = ofRatio.flatMap(({ series }) => series.labels.map(([label]) => label));
    return this.ratio.decide({
      names: [...names, ...labels],
      help: families.get(ambiguousRatio)?.help ?? "",
      values: ofRatio.map(({ value }) => value).filter((value) => !Number.isNaN(value)),
    });
  }
}

/** Adds the samples of one exposition. */
class ExpositionSamples {
  private readonly recorder: SampleRecorder;

  constructor(
    private readonly parts: {
      readonly builder: BatchBuilder;
      readonly bytes: Uint8Array;
      readonly timeMs: number;
      readonly unit: RatioUnit | undefined;
      readonly counts: Counts;
    },
  ) {
    this.recorder = new SampleRecorder(parts.builder);
  }

  /** @returns whether the sample has a value that is stored */
  add(sample: CollectedSample, of: MetricSubject, subject: DeviceSubject): boolean {
    const { builder, counts, timeMs } = this.parts;
    const spelling = this.decided(of.spelling);
    const value = judged(of, spelling, sample.value);
    if (typeof value === "string" && value !== "missing") {
      if (value === "undecided") counts.undecided += 1;
      this.reject(sample, errorOf(of, spelling, valueTextOf(sample, this.parts.bytes)));
      return false;
    }
    builder.count("rows");
    if (value === "missing") {
      builder.count("missing");
      return false;
    }
    builder.moveTo(sample.line, sample.byte);
    const { metric, labels, name } = of;
    const isPast = sample.timestampMs !== undefined && sample.timestampMs <= timeMs;
    const at = { subject, timeMs: isPast ? sample.timestampMs : timeMs };
    const error = this.recorder.add(name, { metric, labels, value }, at);
    if (error !== undefined) {
      counts.rejected += 1;
      builder.reject(rejectionOf(sample, this.parts.bytes, error));
      return false;
    }
    counts.samples += 1;
    counts.offTime = withTime(counts.offTime, sample.timestampMs ?? timeMs, timeMs);
    counts.devices.add(subject.device.uuid);
    return true;
  }

  reject(sample: CollectedSample, error: FieldError): void {
    const { builder, bytes, counts } = this.parts;
    builder.count("rows");
    builder.reject(rejectionOf(sample, bytes, error));
    counts.rejected += 1;
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

function isCompound(name: string, families: ReadonlyMap<string, MetricFamily>): boolean {
  const own = families.get(name);
  const family = own ?? families.get(name.replace(compoundSuffix, ""));
  if (family === undefined) return false;
  return compound.has(family.type) || (own === undefined && family.type === "counter" && createdSuffix.test(name));
}
