import { metricNameOf } from "../../../domain/dialects/spelling-of.ts";
import { byPlace, type Gpu } from "../../../domain/gpu.ts";
import { metricNames } from "../../../domain/metrics.ts";
import type { StoredColumns, StoredRecord } from "../../../domain/query.ts";
import type { SeriesEnd } from "../../../domain/series-end.ts";
import { parseSeries } from "../../../domain/series.ts";
import { LabelPart } from "../../../promql/label-part.ts";
import { Labels, nameLabel } from "../../../promql/labels.ts";
import { LabelsMap } from "../../../promql/labels-map.ts";
import { type Matcher, selectsLabels } from "../../../promql/matcher.ts";
import type { SelectedInstants } from "../../../promql/series-source.ts";
import { deviceLabels, isSameDevice, ownLabelsOf } from "./device-labels.ts";
import { GrowingSeries } from "./growing-series.ts";
import { NameChoice, type SeriesName } from "./series-names.ts";

/** The values of a metric in records, as samples of a series. */
interface Samples {
  readonly name: SeriesName;
  readonly stored: ArrayLike<number>;
  /** Columns of the metric's labelled series: where one of them has a value, the plain value only sums them up. */
  readonly labelled: readonly ArrayLike<number>[];
  readonly own: Readonly<Record<string, string>>;
  /** Tells the samples from others of the device: their metric and own labels. */
  readonly key: string;
}

/** The series to which the newest sample of a device's metric belonged. */
interface Last {
  readonly series: GrowingSeries | undefined;
  /** Those of the device. */
  readonly labels: LabelPart;
  /** The instant of that sample. */
  timeMs: number;
}

/** An end of a series, with the last instant at which its source had a value. */
type End = Required<Pick<SeriesEnd, "timeMs" | "sinceMs">>;

/** The records of a device, as far as they have been read. */
interface Device {
  readonly record: Pick<StoredRecord, "gpu" | "occupants">;
  readonly labels: LabelPart;
  readonly last: Map<string, Last>;
}

const noOwn: Readonly<Record<string, string>> = {};
const noEnds: End[] = [];

/** Makes series of records, which are given by time ascending for each device. When the labels of a device's metric change, such as when
 *  another pod gets the device, the old series ends at the first sample of the new one, as it does in a Prometheus that scrapes the device. */
export class RecordSeries {
  private readonly names: NameChoice;
  private readonly devices = new Map<string, Device>();
  private readonly byLabels = new LabelsMap<GrowingSeries>();
  /** By key of samples: the labels by which the series differ from others of their devices. */
  private readonly ownLabels = new Map<string, LabelPart>();
  /** By uuid and key of samples: the ends that no sample has followed yet. */
  private readonly ends = new Map<string, Map<string, End[]>>();
  private readonly parsed = new Map<string, ReturnType<typeof parseSeries>>();

  /** @param matchers which series to make
   *  @param onSeries called for each series before it is held
   *  @param instants those for which samples are needed; absent: all samples are */
  constructor(
    private readonly matchers: readonly Matcher[],
    private readonly onSeries: () => void,
    private readonly instants?: SelectedInstants,
  ) {
    this.names = new NameChoice(matchers);
  }

  /** The metrics of the catalogue that may have selected series. */
  metrics(): readonly string[] {
    return metricNames.filter((metric) => this.names.nameOf(metric) !== undefined);
  }

  /** The labels of the series that a record is part of. */
  labelsOf({
    gpu,
    occupants,
    metrics,
    custom,
  }: Pick<StoredRecord, "gpu" | "occupants" | "metrics" | "custom">): Labels[] {
    const columns = (values: Readonly<Record<string, number>>) =>
      Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value]]));
    const device = new LabelPart(Object.entries(deviceLabels(gpu, occupants)));
    const samples = this.samplesOf({ metrics: columns(metrics), custom: columns(custom) });
    const plain = samples.filter(({ labelled }) => labelled.length === 0);
    return plain.map((each) => this.labelsOfSamples(device, each)).filter((each) => selectsLabels(this.matchers, each));
  }

  /** @returns how many samples are held more than before */
  addColumns(records: StoredColumns): number {
    const { gpu, occupants, timesMs } = records;
    const known = this.devices.get(gpu.uuid);
    const isSame = known !== undefined && isSameDevice(known.record, records);
    const labels = isSame ? known.labels : new LabelPart(Object.entries(deviceLabels(gpu, occupants)));
    // not the columns, which would then be kept
    const device = isSame
      ? known
      : { record: { gpu, occupants }, labels, last: known?.last ?? new Map<string, Last>() };
    if (!isSame) this.devices.set(gpu.uuid, device);
    let added = 0;
    for (const samples of this.samplesOf(records)) added += this.addSamples(device, samples, timesMs);
    return added;
  }

  /** Takes ends of series of devices, by time ascending, before the records of these devices are added. */
  expectEnds(ends: readonly SeriesEnd[]): void {
    for (const { uuid, timeMs, sinceMs = Infinity, series } of ends) {
      const ofDevice = this.ends.get(uuid) ?? new Map<string, End[]>();
      this.ends.set(uuid, ofDevice);
      for (const key of series) {
        const ofKey = ofDevice.get(key) ?? [];
        ofDevice.set(key, ofKey);
        ofKey.push({ timeMs, sinceMs });
      }
    }
  }

  /** The series, in the order of their first samples, and of the places of their devices. */
  series() {
    for (const [uuid, ofDevice] of this.ends) {
      const last = this.devices.get(uuid)?.last;
      for (const [key, ends] of ofDevice) endUntil(Infinity, ends, last?.get(key));
    }
    const gpus = new Set(Array.from(this.byLabels.values(), ({ begins }) => begins.gpu));
    const placeOf = new Map(Array.from([...gpus].sort(byPlace), (gpu, place) => [gpu, place]));
    const place = ({ begins }: GrowingSeries): number => placeOf.get(begins.gpu) ?? 0;
    return [...this.byLabels.values()].sort((a, b) => a.begins.timeMs - b.begins.timeMs || place(a) - place(b));
  }

  private addSamples(device: Device, samples: Samples, timesMs: ArrayLike<number>): number {
    const { name, stored, labelled, key } = samples;
    let last = device.last.get(key);
    const ends = this.ends.get(device.record.gpu.uuid)?.get(key) ?? noEnds;
    let added = 0;
    for (let index = 0; index < stored.length; index += 1) {
      const value = stored[index] as number;
      if (value !== value || labelled.some((column) => !Number.isNaN(column[index]))) continue;
      const timeMs = timesMs[index] as number;
      added += endUntil(timeMs, ends, last);
      if (last?.labels !== device.labels) {
        const series = this.seriesOf(this.labelsOfSamples(device.labels, samples), { gpu: device.record.gpu, timeMs });
        if (last?.series !== undefined && last.series !== series) {
          added += last.series.end(timeMs);
        }
        last = { series, labels: device.labels, timeMs };
        device.last.set(key, last);
      }
      if (last.series === undefined) break;
      added += last.series.add(timeMs, name.valueOf(value));
      last.timeMs = timeMs;
    }
    return added;
  }

  private labelsOfSamples(device: LabelPart, { name, own, key }: Samples): Labels {
    let part = this.ownLabels.get(key);
    if (part === undefined) {
      part = new LabelPart(Object.entries({ ...ownLabelsOf(own), [nameLabel]: name.name }));
      this.ownLabels.set(key, part);
    }
    return Labels.of(device, part);
  }

  private seriesOf(labels: Labels, begins: { readonly gpu: Gpu; readonly timeMs: number }): GrowingSeries | undefined {
    if (!selectsLabels(this.matchers, labels)) return undefined;
    const known = this.byLabels.get(labels);
    if (known !== undefined) return known;
    this.onSeries();
    const series = new GrowingSeries(labels, begins, this.instants);
    this.byLabels.set(labels, series);
    return series;
  }

  /** The values of records that the matchers may select. */
  private samplesOf({ metrics, custom }: Pick<StoredColumns, "metrics" | "custom">): Samples[] {
    const samples: Samples[] = [];
    const labelled = new Map<string, ArrayLike<number>[]>();
    for (const [text, stored] of Object.entries(custom)) {
      const { metric, labels: own } = this.parse(text) ?? { metric: text, labels: noOwn };
      const known = metricNameOf(metric);
      const name = this.names.nameOf(known);
      if (name === undefined) continue;
      const columns = labelled.get(known) ?? [];
      labelled.set(known, columns);
      columns.push(stored);
      samples.push({ name, stored, labelled: [], own, key: text });
    }
    for (const [metric, stored] of Object.entries(metrics)) {
      const name = this.names.nameOf(metric);
      if (name !== undefined)
        samples.push({ name, stored, labelled: labelled.get(metric) ?? [], own: noOwn, key: metric });
    }
    return samples;
  }

  private parse(text: string) {
    if (!this.parsed.has(text)) this.parsed.set(text, parseSeries(text));
    return this.parsed.get(text);
  }
}

/** Takes the ends up to an instant from a list, and ends a series at those that concern it. A sample at the instant of an end begins the
 *  series again, and one that is later than the source's last value is of another source, which goes on.
 *  @returns how many samples it has added */
function endUntil(timeMs: number, ends: End[], last: Last | undefined): number {
  let count = 0;
  for (let [end] = ends; end !== undefined && end.timeMs <= timeMs; [end] = ends) {
    ends.shift();
    if (last?.series === undefined || last.timeMs > end.sinceMs) continue;
    count += last.series.end(end.timeMs);
  }
  return count;
}
