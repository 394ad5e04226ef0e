import { metricNameOf } from "../../../domain/dialects/spelling-of.ts";
import type { StoredRecord } from "../../../domain/query.ts";
import { parseSeries } from "../../../domain/series.ts";
import { type Labels, labelsOf, nameLabel } from "../../../promql/labels.ts";
import { type Matcher, selectsLabels } from "../../../promql/matcher.ts";
import { deviceLabels, isSameDevice, seriesLabelsOf } from "./device-labels.ts";
import { GrowingSeries } from "./growing-series.ts";
import { NameChoice, type SeriesName } from "./series-names.ts";

/** A value of a record, as a sample of a series. */
interface Sample {
  readonly name: SeriesName;
  readonly stored: number;
  readonly own: Readonly<Record<string, string>>;
  /** Tells the sample from others of the device: its metric and own labels. */
  readonly key: string;
}

/** The series to which the newest sample of a device's metric belonged. */
interface Last {
  readonly series: GrowingSeries | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** The records of a device, as far as they have been read. */
interface Device {
  readonly record: StoredRecord;
  readonly labels: Readonly<Record<string, string>>;
  readonly last: Map<string, Last>;
}

const noOwn: Readonly<Record<string, string>> = {};

/** Makes series of records, which are given by time ascending. When the labels of a device's metric change, such as when another pod gets
 *  the device, the old series ends at the first sample of the new one, as it does in a Prometheus that scrapes the device. */
export class RecordSeries {
  private readonly names: NameChoice;
  private readonly devices = new Map<string, Device>();
  private readonly byLabels = new Map<string, GrowingSeries>();
  private readonly parsed = new Map<string, ReturnType<typeof parseSeries>>();

  /** @param matchers which series to make */
  constructor(private readonly matchers: readonly Matcher[]) {
    this.names = new NameChoice(matchers);
  }

  /** @returns how many samples the record has added */
  add(record: StoredRecord): number {
    const { uuid } = record.gpu;
    const known = this.devices.get(uuid);
    const isSame = known !== undefined && isSameDevice(known.record, record);
    const labels = isSame ? known.labels : deviceLabels(record.gpu, record.occupants);
    const device = isSame ? known : { record, labels, last: known?.last ?? new Map<string, Last>() };
    if (!isSame) this.devices.set(uuid, device);
    let added = 0;
    for (const sample of this.samplesOf(record)) added += this.addSample(device, sample, record.timeMs);
    return added;
  }

  /** The series, in the order of their first samples. */
  series() {
    return [...this.byLabels.values()].map((each) => each.selected());
  }

  private addSample(device: Device, { name, stored, own, key }: Sample, timeMs: number): number {
    let last = device.last.get(key);
    let added = 1;
    if (last?.labels !== device.labels) {
      const series = this.seriesOf(
        labelsOf(Object.entries({ ...seriesLabelsOf(device.labels, own), [nameLabel]: name.name })),
      );
      if (last?.series !== undefined && last.series !== series) {
        last.series.end(timeMs);
        added += 1;
      }
      last = { series, labels: device.labels };
      device.last.set(key, last);
    }
    if (last.series === undefined) return added - 1;
    last.series.add(timeMs, name.valueOf(stored));
    return added;
  }

  private seriesOf(labels: Labels): GrowingSeries | undefined {
    if (!selectsLabels(this.matchers, labels)) return undefined;
    const key = JSON.stringify([...labels]);
    let series = this.byLabels.get(key);
    if (series === undefined) this.byLabels.set(key, (series = new GrowingSeries(labels)));
    return series;
  }

  /** The values of a record that the matchers may select. Where a metric has labelled series, its plain value only sums them up. */
  private samplesOf({ metrics, custom }: StoredRecord): Sample[] {
    const samples: Sample[] = [];
    const labelled = new Set<string>();
    for (const [text, stored] of Object.entries(custom)) {
      const { metric, labels: own } = this.parse(text) ?? { metric: text, labels: noOwn };
      const known = metricNameOf(metric);
      labelled.add(known);
      const name = this.names.nameOf(known);
      if (name !== undefined) samples.push({ name, stored, own, key: text });
    }
    for (const [metric, stored] of Object.entries(metrics)) {
      const name = labelled.has(metric) ? undefined : this.names.nameOf(metric);
      if (name !== undefined) samples.push({ name, stored, own: noOwn, key: metric });
    }
    return samples;
  }

  private parse(text: string) {
    if (!this.parsed.has(text)) this.parsed.set(text, parseSeries(text));
    return this.parsed.get(text);
  }
}
