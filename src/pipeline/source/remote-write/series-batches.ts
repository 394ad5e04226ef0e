import { LRUCache } from "lru-cache";
import { rawMaxLength, type RecordBatch, type RejectedInput, valueMaxLength } from "../../../domain/batch.ts";
import { BatchBuilder } from "../../../domain/batch-builder.ts";
import { cutText } from "../../../domain/cut-text.ts";
import { SeriesEnds } from "../../../domain/series-end.ts";
import { dialectOfName } from "../../../domain/dialects/dialect-of.ts";
import { type FieldError, invalidText, missingField } from "../../../domain/field-rules.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { SampleTexts } from "../exposition/added-samples.ts";
import type { CollectedSample } from "../exposition/collected-samples.ts";
import { labelOf } from "../exposition/joined-identities.ts";
import type { Label, MetricFamily } from "../exposition/scanned-exposition.ts";
import { shown } from "../bytes/shown-text.ts";
import { SharedTexts } from "../labels/shared-texts.ts";
import { AwaitsSeries } from "../push.ts";
import type { WriteCounts } from "../remote-write.ts";
import { type ExportersOfJob, RemoteTarget, type TargetPlace } from "./remote-target.ts";
import type { WrittenMetadata, WrittenSample, WrittenSeries } from "./written-series.ts";

/** More than a Prometheus scrapes; each takes about as much memory as what its exporter says. */
const maxTargets = 5000;
/** The families that are remembered; GPUs' exporters have some hundred. */
const maxFamilies = 5000;
/** The labels by which exporters name a GPU. */
const identities = ["uuid", "gpu_uuid", "serial_number"];

/** Where the series of a request belong. */
export interface SeriesDefaults {
  readonly clusterId: string;
  readonly counts: WriteCounts;
}

/** The exporters whose series a process has received. */
export class KnownExporters {
  private readonly texts = new SharedTexts();
  private readonly targets = new LRUCache<string, RemoteTarget>({ max: maxTargets });
  private readonly known = new LRUCache<string, MetricFamily>({ max: maxFamilies });

  private readonly jobs = new LRUCache<string, ExportersOfJob>({ max: maxTargets });

  /** @param clusterLabel the label that names a series' cluster */
  constructor(
    readonly clusterLabel: string,
    readonly clock: Clock,
  ) {}

  target(place: TargetPlace): RemoteTarget {
    const job = JSON.stringify([place.clusterId, place.job]);
    const key = job + place.instance;
    let target = this.targets.get(key);
    if (target !== undefined) return target;
    const ofJob = this.jobs.get(job) ?? { units: new Set(), gaveUpAtMs: undefined };
    this.jobs.set(job, ofJob);
    this.targets.set(key, (target = new RemoteTarget(place, this.texts, ofJob)));
    return target;
  }

  learn({ name, ...family }: WrittenMetadata): void {
    if (dialectOfName(name) !== undefined) this.known.set(name, family);
  }

  families(): ReadonlyMap<string, MetricFamily> {
    return new Map(this.known.entries());
  }
}

/** Makes batches of the series of one request. Samples with the same target and time become records as those of a scrape do. */
export class SeriesBatches {
  private readonly samples = new Map<RemoteTarget, CollectedSample[]>();
  /** The markers that say that series have ended. */
  private readonly markers = new Map<RemoteTarget, CollectedSample[]>();
  private builder = new BatchBuilder("Hostname");
  private readonly texts: SampleTexts = { valueOf: ({ value }) => String(value), rejectionOf };
  private seriesCount = 0;
  private waiting = 0;
  private rejectedCount = 0;

  constructor(
    private readonly exporters: KnownExporters,
    private readonly defaults: SeriesDefaults,
  ) {}

  /** Number of samples that wait for the next batch. */
  get size(): number {
    return this.waiting + this.rejectedCount;
  }

  add(series: WrittenSeries): void {
    const { counts } = this.defaults;
    const index = this.seriesCount;
    this.seriesCount += 1;
    counts.histograms += series.histograms;
    counts.exemplars += series.exemplars;
    if (series.name === "") return this.reject(series, index, missingField("__name__"));
    if (dialectOfName(series.name) === undefined || !namesGpu(series.labels)) {
      return counts.add("no_gpu", series.samples.length);
    }
    const wrong = notUtf8(series.labels);
    if (wrong !== undefined) return this.reject(series, index, wrong);
    counts.add("stale", series.samples.filter(({ isStale }) => isStale).length);
    this.addToTarget(series, index);
  }

  /** Of everything that was added since the last batch.
   *  @throws AwaitsSeries if the sender should repeat the request, so that no sample is rejected, or taken for one of another device, only
   *    because this process has just started */
  takeBatch(): RecordBatch {
    const { builder, texts } = this;
    const families = this.exporters.families();
    // whole expositions first: they may decide what a part of one cannot
    const targets = [...this.samples].sort(([, a], [, b]) => b.length - a.length);
    const nowMs = this.exporters.clock.nowMs();
    let toRepeat = 0;
    for (const [target, samples] of targets) {
      const read = target.read(samples, { builder, texts, families });
      const { counts } = this.defaults;
      if (target.mustRepeat(read.awaiting, nowMs)) toRepeat += read.awaiting;
      counts.add("stored", read.samples);
      counts.add("no_value", read.missing);
      counts.add("rejected", read.rejected);
      counts.add("no_gpu", read.ofNoGpu);
      counts.add("other_spelling", read.repeated);
    }
    const ends = new SeriesEnds();
    for (const [target, markers] of this.markers) for (const end of target.endsOf(markers, families)) ends.add(end);
    this.samples.clear();
    this.markers.clear();
    [this.waiting, this.rejectedCount] = [0, 0];
    this.builder = new BatchBuilder("Hostname");
    if (toRepeat > 0) throw awaitsSeries(toRepeat);
    const ended = ends.all();
    return { ...builder.build(), ...(ended.length > 0 && { ends: ended }) };
  }

  private addToTarget(series: WrittenSeries, index: number): void {
    const found = this.targetOf(series.labels);
    if ("reason" in found) {
      const samples = series.samples.filter(({ isStale }) => !isStale);
      return this.reject({ ...series, samples }, index, found);
    }
    const { target, labels } = found;
    const named = { name: series.name, labels };
    for (const sample of series.samples) {
      const byTarget = sample.isStale ? this.markers : this.samples;
      const waiting = byTarget.get(target) ?? [];
      byTarget.set(target, waiting);
      waiting.push(collected(named, sample, index));
    }
    this.waiting += series.samples.length;
  }

  private targetOf(
    ofSeries: readonly Label[],
  ): { readonly target: RemoteTarget; readonly labels: readonly Label[] } | FieldError {
    const place = this.placeOf(ofSeries);
    if ("reason" in place) return place;
    const { clusterLabel } = this.exporters;
    const target = this.exporters.target(place);
    const { labels, error } = target.shared(ofSeries.filter(([name]) => name !== clusterLabel));
    return error ?? { target, labels };
  }

  private placeOf(labels: readonly Label[]): TargetPlace | FieldError {
    const { clusterLabel } = this.exporters;
    const of = (label: string): string => labels.find(([name]) => name === label)?.[1] ?? "";
    const clusterId = of(clusterLabel) || this.defaults.clusterId;
    return invalidText(clusterLabel, clusterId) ?? { clusterId, job: of("job"), instance: of("instance") };
  }

  private reject({ name, labels, samples }: WrittenSeries, index: number, error: FieldError): void {
    for (const sample of samples) {
      this.builder.count("rows");
      this.builder.reject(rejectionOf(collected({ name, labels }, sample, index), error));
    }
    this.rejectedCount += samples.length;
    this.defaults.counts.add("rejected", samples.length);
  }
}

function collected(
  series: CollectedSample["series"],
  { value, timeMs }: WrittenSample,
  index: number,
): CollectedSample {
  return { series, value, timestampMs: timeMs, line: 0, byte: index };
}

function awaitsSeries(samples: number): AwaitsSeries {
  return new AwaitsSeries(
    `For ${samples} samples, the unit, the index of the GPU or the profile of the MIG instance is in series of the exporter that this gateway has not received yet`,
  );
}

function namesGpu(labels: readonly Label[]): boolean {
  return identities.some((identity) => labelOf(labels, identity) !== "");
}

function notUtf8(labels: readonly Label[]): FieldError | undefined {
  const found = labels.find((label) => label.some((text) => !text.isWellFormed()));
  if (found === undefined) return undefined;
  const [field, value] = [found[0].toWellFormed(), found[1].toWellFormed()];
  return { reason: "invalid_field", field, value, message: `The label ${JSON.stringify(field)} is not UTF-8.` };
}

/** A sample that was rejected, as a line of an exposition has it. */
function rejectionOf(
  { series, value, timestampMs, line, byte }: CollectedSample,
  { reason, field, value: wrong, message }: FieldError,
): RejectedInput {
  const labels = series.labels.map(([name, text]) => `${name}=${JSON.stringify(text)}`.toWellFormed()).join();
  const raw = cutText(shown(`${series.name}{${labels}} ${value} ${timestampMs ?? ""}`), rawMaxLength);
  const cut = (text: string): string => cutText(shown(text), valueMaxLength);
  return { line, byte, reason, field: cut(field), value: cut(wrong), message, raw };
}
