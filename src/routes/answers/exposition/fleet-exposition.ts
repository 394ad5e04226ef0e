import { metricNameOf } from "../../../domain/dialects/spelling-of.ts";
import { type Metric, metrics } from "../../../domain/metrics.ts";
import type { StoredRecord } from "../../../domain/query.ts";
import { parseSeries } from "../../../domain/series.ts";
import { type OwnLabels, ownLabelsOf, SampleLabels } from "./exporter-labels.ts";

/** Prometheus' text format 0.0.4, or OpenMetrics 1.0. */
export type ExpositionFormat = "text" | "openmetrics";

/** What to write of records. */
export interface ExpositionOptions {
  readonly format: ExpositionFormat;
  /** True: each sample has the instant of its record. */
  readonly withTimestamps: boolean;
}

/** The samples of one metric. */
interface Family {
  readonly name: string;
  /** Undefined for a metric outside the catalogue. */
  readonly metric: Metric | undefined;
  /** The devices whose records have labelled series of the metric, or the metric itself outside the catalogue. */
  readonly labelled: Device[];
}

/** A series' own labels, and the name of its family. */
interface OwnSeries extends OwnLabels {
  readonly family: string;
}

/** A text of this many characters is handed on: making it takes about a millisecond. */
const partCharacters = 65_536;
/** Metrics of other names cannot be written so that every Prometheus reads them. */
const plainName = /^[A-Za-z_:][A-Za-z0-9_:]*$/;

/** Writes the newest records of devices as dcgm-exporter up to 4.8 writes what it measures: a family for each metric, in the order of the
 *  catalogue. A metric that has labelled series is written as these, without their fold. Only a part of the text is in memory at a time,
 *  and the labels of each device.
 *  Source: https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/ */
export class FleetExposition {
  private readonly devices: readonly Device[];
  private readonly families = new Map<string, Family>();
  private readonly own = new Map<string, OwnSeries | undefined>();

  constructor(
    records: readonly StoredRecord[],
    private readonly options: ExpositionOptions,
  ) {
    this.devices = records.map((record) => new Device(record));
    for (const metric of metrics) {
      this.families.set(metric.dcgmField, { name: metric.dcgmField, metric, labelled: [] });
    }
    for (const device of this.devices) this.addCustom(device);
  }

  /** The text, part by part; each part is made when it is asked for. */
  *parts(): Generator<string, void> {
    let text = "";
    for (const family of this.families.values()) {
      let head = this.headOf(family);
      for (const lines of this.linesOf(family)) {
        text += head + lines;
        head = "";
        if (text.length < partCharacters) continue;
        yield text;
        text = "";
      }
    }
    yield this.options.format === "openmetrics" ? `${text}# EOF\n` : text;
  }

  private addCustom(device: Device): void {
    for (const name in device.record.custom) {
      const series = this.ownOf(name);
      if (series === undefined) continue;
      let family = this.families.get(series.family);
      if (family === undefined) {
        this.families.set(series.family, (family = { name: series.family, metric: undefined, labelled: [] }));
      }
      if (family.labelled.at(-1) !== device) family.labelled.push(device);
    }
  }

  /** @returns undefined for a metric whose name the formats do not have */
  private ownOf(custom: string): OwnSeries | undefined {
    if (this.own.has(custom)) return this.own.get(custom);
    const { metric, labels } = parseSeries(custom) ?? { metric: custom, labels: {} };
    const name = dcgmNames.get(metricNameOf(metric)) ?? metric;
    const series = plainName.test(name) ? { family: name, ...ownLabelsOf(labels) } : undefined;
    this.own.set(custom, series);
    return series;
  }

  /** The lines of each device that has the metric. */
  private *linesOf({ name, metric, labelled }: Family): Generator<string, void> {
    if (metric !== undefined) {
      const withSeries = new Set(labelled);
      for (const device of this.devices) {
        const value = device.record.metrics[metric.name];
        if (value === undefined || withSeries.has(device)) continue;
        yield this.lines(device, { name, value, texts: device.labels.texts });
      }
    }
    for (const device of labelled) {
      for (const [custom, value] of Object.entries(device.record.custom)) {
        const own = this.own.get(custom);
        if (own?.family !== name) continue;
        const texts = own.text === "" ? device.labels.texts : device.labels.withOwn(own);
        yield this.lines(device, { name, value, texts });
      }
    }
  }

  private lines({ record }: Device, { name, value, texts }: Values): string {
    const { format, withTimestamps } = this.options;
    const time = format === "openmetrics" ? record.timeMs / 1000 : record.timeMs;
    const end = withTimestamps ? `} ${value} ${time}\n` : `} ${value}\n`;
    let lines = "";
    for (const text of texts) lines += `${name}{${text}${end}`;
    return lines;
  }

  /** In OpenMetrics, the name of a counter ends in `_total`. DCGM's do not: their type is unknown there. */
  private headOf({ name, metric }: Family): string {
    const isOpen = this.options.format === "openmetrics";
    const unknown = isOpen ? "unknown" : "untyped";
    const type = metric === undefined || (isOpen && metric.kind === "counter") ? unknown : metric.kind;
    const help = metric === undefined ? "" : `# HELP ${name} ${metric.description} (${metric.unit}).\n`;
    return `${help}# TYPE ${name} ${type}\n`;
  }
}

/** Values that differ only by labels. */
interface Values {
  readonly name: string;
  readonly value: number;
  readonly texts: readonly string[];
}

/** A record with the texts of its labels, which are made when they are first needed. */
class Device {
  private made: SampleLabels | undefined;

  constructor(readonly record: StoredRecord) {}

  get labels(): SampleLabels {
    return (this.made ??= new SampleLabels(this.record));
  }
}

const dcgmNames: ReadonlyMap<string, string> = new Map(metrics.map(({ name, dcgmField }) => [name, dcgmField]));
