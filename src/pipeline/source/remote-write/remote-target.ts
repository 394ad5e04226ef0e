import { LRUCache } from "lru-cache";
import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { RatioUnit } from "../../../domain/dialects/ratio-scale.ts";
import { type FieldError, missingField } from "../../../domain/field-rules.ts";
import type { SeriesEnd } from "../../../domain/series-end.ts";
import { timestampOfMs } from "../../../domain/timestamp.ts";
import type { SampleTexts } from "../exposition/added-samples.ts";
import type { CollectedSample } from "../exposition/collected-samples.ts";
import { type ReadSamples, SampleReader } from "../exposition/sample-reader.ts";
import type { Label, MetricFamily } from "../exposition/scanned-exposition.ts";
import { SpellingRanks, type TakenSpellings } from "../exposition/spelling-ranks.ts";
import type { SharedTexts } from "../labels/shared-texts.ts";

/** How the target of series is known: a Prometheus gives all series of a scrape the same of these. */
export interface TargetPlace {
  readonly clusterId: string;
  readonly job: string;
  readonly instance: string;
}

/** Labels that series share. */
interface SharedLabels {
  readonly labels: readonly Label[];
  readonly error: FieldError | undefined;
}

/** What the exporters of one job, which are probably of one release, have in common. */
export interface ExportersOfJob {
  /** The units of DCGM_FI_DEV_GPU_UTIL_RATIO that have been decided. */
  readonly units: Set<RatioUnit>;
  /** When a wait for series of one of them last ended in vain, in milliseconds since the epoch; undefined: none has. */
  gaveUpAtMs: number | undefined;
}

/** Senders repeat samples for so long until other series of the exporter say what they are. Those come within seconds, by another
 *  connection of the same sender, unless they are not sent at all. */
const awaitMaxMs = 30_000;
/** After a wait in vain, senders wait for no exporter of the job for so long. */
const giveUpMs = 600_000;
/** Series with other labels than the last ones of so many are looked at again: a host has fewer. */
const maxLabelSets = 2000;
/** After this time without a sample, the target no longer has the name.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness */
const namesMs = 300_000;

/** One exporter whose series arrive by way of a Prometheus. A request has a part of an exposition, in any order and divided between several
 *  requests; so what the series say about each other is remembered: which names the exporter has, and what it says about GPUs. */
export class RemoteTarget {
  private readonly reader: SampleReader;
  private readonly labelSets = new LRUCache<string, SharedLabels>({ max: maxLabelSets });
  /** The latest time of each name. */
  private readonly names = new Map<string, number>();
  private readonly taken: TakenSpellings = new Map();
  /** Since when samples await other series; undefined: the last ones did not. */
  private awaitsSinceMs: number | undefined;

  constructor(
    { clusterId, instance }: TargetPlace,
    private readonly texts: SharedTexts,
    private readonly job: ExportersOfJob,
  ) {
    this.reader = new SampleReader({ target: instance, host: "", clusterId, labels: {} }, texts, job.units);
  }

  /** The same object for the same labels, so that what they say is read once. */
  shared(labels: readonly Label[]): SharedLabels {
    const key = JSON.stringify(labels);
    const known = this.labelSets.get(key);
    if (known !== undefined) return known;
    const { texts } = this;
    const error = errorOf(labels);
    const copied = labels.map(([name, value]): Label => [texts.shared(name), texts.shared(value)]);
    const found = { labels: copied, error };
    this.labelSets.set(key, found);
    return found;
  }

  /** Adds samples to a batch. */
  read(
    samples: readonly CollectedSample[],
    parts: {
      readonly families: ReadonlyMap<string, MetricFamily>;
      readonly builder: BatchBuilder;
      readonly texts: SampleTexts;
    },
  ): ReadSamples {
    const names = this.namesWith(samples);
    const ranks = new SpellingRanks(names, this.taken);
    return this.reader.read({ ...parts, samples, timeMs: undefined }, names, ranks);
  }

  /** Whether the sender should repeat the samples that were read last.
   *  @param awaiting the number of those that other series say more about */
  mustRepeat(awaiting: number, nowMs: number): boolean {
    const { job } = this;
    if (awaiting === 0) {
      this.awaitsSinceMs = undefined;
      return false;
    }
    if (job.gaveUpAtMs !== undefined && nowMs - job.gaveUpAtMs < giveUpMs) return false;
    this.awaitsSinceMs ??= nowMs;
    if (nowMs - this.awaitsSinceMs < awaitMaxMs) return true;
    job.gaveUpAtMs = nowMs;
    return false;
  }

  /** The ends of which markers tell; markers of series that are no GPU's, or do not tell of which, are left out. */
  endsOf(markers: readonly CollectedSample[], families: ReadonlyMap<string, MetricFamily>): SeriesEnd[] {
    return markers.flatMap(({ series, timestampMs }) => {
      const at = timestampOfMs(timestampMs ?? NaN, String(timestampMs));
      const place = "reason" in at ? undefined : this.reader.placeOf(series, families);
      return place === undefined || "reason" in at ? [] : [{ ...place, timeMs: at.ms }];
    });
  }

  private namesWith(samples: readonly CollectedSample[]): ReadonlySet<string> {
    let newestMs = -Infinity;
    for (const { series, timestampMs = -Infinity } of samples) {
      newestMs = Math.max(newestMs, timestampMs);
      this.names.set(series.name, Math.max(timestampMs, this.names.get(series.name) ?? -Infinity));
    }
    for (const [name, lastMs] of this.names) if (lastMs < newestMs - namesMs) this.names.delete(name);
    return new Set(this.names.keys());
  }
}

function errorOf(labels: readonly Label[]): FieldError | undefined {
  // the name of the series is no label here, unless it has two
  const names = new Set(["__name__"]);
  for (const [name] of labels) {
    if (name === "") return missingField("label name");
    if (names.has(name)) {
      const message = `The series has the label ${JSON.stringify(name)} twice.`;
      return { reason: "invalid_field", field: name, value: name, message };
    }
    names.add(name);
  }
  return undefined;
}
