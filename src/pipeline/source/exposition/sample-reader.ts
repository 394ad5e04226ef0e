import { ambiguousRatio } from "../../../domain/dialects/dcgm-spellings.ts";
import type { RatioUnit } from "../../../domain/dialects/ratio-scale.ts";
import type { SeriesEnd } from "../../../domain/series-end.ts";
import { recordedDevice, recordedName } from "../labels/sample-recorder.ts";
import { longSeriesName } from "../labels/series-labels.ts";
import type { SharedTexts } from "../labels/shared-texts.ts";
import { type AddedCounts, AddedSamples, type SamplesToRead } from "./added-samples.ts";
import { JoinedIdentities } from "./joined-identities.ts";
import { RatioDecision } from "./ratio-decision.ts";
import type { MetricFamily, ScannedSeries } from "./scanned-exposition.ts";
import { awaitsDescription, type MetricSubject, SeriesSubjects } from "./series-subject.ts";
import { SpellingRanks } from "./spelling-ranks.ts";
import type { TargetContext } from "./target-context.ts";

/** What became of samples. */
export interface ReadSamples extends Readonly<AddedCounts> {
  /** Number of GPUs and MIG instances that the batch has values of. */
  readonly devices: number;
  /** Number of samples that are not about GPUs. */
  readonly ofNoGpu: number;
  /** Number of samples that repeat a metric in another spelling. */
  readonly repeated: number;
  /** Number of samples that other series of the exporter, which have not come yet, say more about: their unit, the index of their GPU, or
   *  the profile of their MIG instance. They are rejected, or would be values of another instance. */
  readonly awaiting: number;
}

/** The types of families that have several series for one value, and those of descriptions. */
const compound: ReadonlySet<MetricFamily["type"]> = new Set([
  ...(["histogram", "gaugehistogram", "summary", "info", "stateset"] as const),
]);
/** More than exporters have. */
const maxNames = 10_000;
const compoundSuffix = /_(?:bucket|sum|count|gsum|gcount|created|info)$/;
/** When a counter began; some client libraries print it for each. */
const createdSuffix = /_created$/;

/** Reads the samples of one exporter into batches: which device a sample is about, which metric it is and in which unit, which
 *  workloads hold the device. The rules are those for rows of a CSV (source/labels/). What series of one exporter say about a GPU
 *  is joined, so samples are collected before they are added to a batch. */
export class SampleReader {
  private readonly identities = new JoinedIdentities();
  private readonly subjects: SeriesSubjects;
  private readonly ratio = new RatioDecision();
  /** The metrics of earlier samples by their names; "ignored" if a name is not a metric of a GPU. Their devices are kept by
   *  the labels, which series share: an object for each series would take a fifth of a target's memory. */
  private readonly metrics = new Map<string, MetricSubject | "ignored">();

  /** @param texts for all exporters of a process, which repeat most of them
   *  @param unitsOfOthers the units that have been decided for exporters that are probably the same program: if it is one unit, it holds
   *    while nothing else decides */
  constructor(
    context: TargetContext,
    texts: SharedTexts,
    private readonly unitsOfOthers?: Set<RatioUnit>,
  ) {
    this.subjects = new SeriesSubjects(context, this.identities, texts);
  }

  /** Adds samples to a batch.
   *  @param names those of the exposition that the samples are of
   *  @param ranks for these names */
  read(toRead: SamplesToRead, names: ReadonlySet<string>, ranks = new SpellingRanks(names)): ReadSamples {
    const { samples, families } = toRead;
    // if new series change what is known of devices, all series are looked at again
    if (this.identities.learnAll(samples)) this.subjects.forget();
    const added = new AddedSamples({ ...toRead, unit: this.decideRatio(toRead, names) });
    const counts = { ofNoGpu: 0, repeated: 0 };
    let awaiting = 0;
    for (const sample of ranks.inOrder(samples)) {
      const { name, labels } = sample.series;
      const metric = this.metricOf(name, families);
      const device = metric === "ignored" ? undefined : this.subjects.deviceOf(labels, metric);
      if (metric !== "ignored" && device !== undefined && awaitsDescription(metric, device)) awaiting += 1;
      if (metric === "ignored" || device === undefined) counts.ofNoGpu += 1;
      else if ("reason" in device) added.reject(sample, device);
      else {
        const series = this.subjects.seriesOf(metric, device);
        if (ranks.isTaken(series, device)) counts.repeated += 1;
        else if (added.add(sample, series, device)) ranks.take(series, device);
      }
    }
    awaiting += added.counts.undecided;
    return { ...added.counts, ...counts, awaiting, devices: added.devices.size };
  }

  /** Where records have the values of a series; undefined if it is no series of a GPU, or does not tell of which. */
  placeOf(
    { name, labels }: ScannedSeries,
    families: ReadonlyMap<string, MetricFamily>,
  ): Pick<SeriesEnd, "uuid" | "series"> | undefined {
    const metric = this.metricOf(name, families);
    const device = metric === "ignored" ? undefined : this.subjects.deviceOf(labels, metric);
    if (metric === "ignored" || device === undefined || "reason" in device) return undefined;
    const of = this.subjects.seriesOf(metric, device);
    const series = recordedName(of.metric, of.labels);
    if (longSeriesName(name, series) !== undefined) return undefined;
    return { uuid: recordedDevice(of.metric, device).uuid, series: [series] };
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

  private decideRatio({ samples, families }: SamplesToRead, names: ReadonlySet<string>): RatioUnit | undefined {
    if (!names.has(ambiguousRatio)) return undefined;
    const ofRatio = samples.filter(({ series }) => series.name === ambiguousRatio);
    const labels = ofRatio.flatMap(({ series }) => series.labels.map(([label]) => label));
    const values = ofRatio.map(({ value }) => value).filter((value) => !Number.isNaN(value));
    const unit = this.ratio.decide({
      names: [...names, ...labels],
      help: families.get(ambiguousRatio)?.help ?? "",
      values,
    });
    if (unit !== undefined) this.unitsOfOthers?.add(unit);
    return unit ?? this.unitOfOthers(values);
  }

  /** Percentages of that name are integers. */
  private unitOfOthers(values: readonly number[]): RatioUnit | undefined {
    const [unit, ...others] = this.unitsOfOthers ?? [];
    const isPossible = unit !== "percent" || values.every((value) => Number.isInteger(value));
    return others.length === 0 && isPossible ? unit : undefined;
  }
}

function isCompound(name: string, families: ReadonlyMap<string, MetricFamily>): boolean {
  const own = families.get(name);
  const family = own ?? families.get(name.replace(compoundSuffix, ""));
  if (family === undefined) return false;
  return compound.has(family.type) || (own === undefined && family.type === "counter" && createdSuffix.test(name));
}
