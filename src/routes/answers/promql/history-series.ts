import { parentUuidOf } from "../../../domain/mig-instance.ts";
import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import type { ColumnsFilter, ColumnsPage, StoredColumns } from "../../../domain/query.ts";
import type { TimeRange } from "../../../domain/time-range.ts";
import { defined } from "../../../kit/defined.ts";
import type { HistoryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { type Matcher, textsOf } from "../../../promql/matcher.ts";
import type { SelectedSeries, Selection, SeriesSource } from "../../../promql/series-source.ts";
import type { Work } from "../../../promql/work.ts";
import { RecordSeries } from "./record-series.ts";

/** No record is further from 1970, and the database has no instants of some that a query can name. */
const instantMaxMs = 8e12;

/** To add a sample takes as long as to compute so many values. */
const valuesPerSample = 4;

/** What to read for one or more selections of a query. */
interface Reading {
  readonly gpus: readonly GpuSelector[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly makers: RecordSeries[];
}

/** The history of the fleet as series: of records and of settled blocks alike, never of rollups. */
export class HistorySeries implements SeriesSource {
  constructor(private readonly history: Pick<HistoryQueries, "columns" | "ends">) {}

  /** @throws PromqlError if the series have too many samples; StoreUnavailable, QueryTooCostly */
  async select(selections: readonly Selection[], work: Work): Promise<readonly (readonly SelectedSeries[])[]> {
    const readings = new Map<string, Reading>();
    const makers = selections.map((selection) => {
      const { matchers } = selection;
      const gpus = gpusOf(matchers);
      const [fromMs, toMs] = [Math.max(-instantMaxMs, selection.fromMs), Math.min(instantMaxMs, selection.toMs)];
      const key = JSON.stringify([gpus, fromMs, toMs]);
      const reading = readings.get(key) ?? { gpus, fromMs, toMs, makers: [] };
      readings.set(key, reading);
      const maker = new RecordSeries(matchers, () => work.holdSeries(), selection.instants);
      reading.makers.push(maker);
      return maker;
    });
    for (const reading of readings.values()) if (reading.fromMs <= reading.toMs) await this.read(reading, work);
    const selected: SelectedSeries[][] = [];
    for (const maker of makers) {
      const ofSelection: SelectedSeries[] = [];
      for (const each of maker.series()) {
        await work.didSeries();
        ofSelection.push(each.selected());
      }
      selected.push(ofSelection);
    }
    return selected;
  }

  private async read({ gpus, fromMs, toMs, makers }: Reading, work: Work): Promise<void> {
    const metrics = [...new Set(makers.flatMap((maker) => maker.metrics()))];
    for (const selector of gpus) {
      const range = { fromMs, toMs: toMs + 1 };
      const asked = new Set<string>();
      let filter: ColumnsFilter | undefined = { gpus: selector, range, metrics };
      while (filter !== undefined) {
        work.check();
        const { elements, next }: ColumnsPage = await this.history.columns(filter);
        await this.readEnds(elements, { asked, range, makers });
        for (const records of elements) {
          for (const maker of makers) {
            work.hold(maker.addColumns(records));
            await work.did(records.timesMs.length * valuesPerSample * (1 + Object.keys(records.metrics).length));
          }
        }
        if (next !== undefined) work.readPage();
        filter = next && { ...filter, cursor: next };
      }
    }
  }

  /** Reads the ends of series of devices whose records come for the first time. */
  private async readEnds(
    page: readonly StoredColumns[],
    {
      asked,
      range,
      makers,
    }: { readonly asked: Set<string>; readonly range: TimeRange; readonly makers: readonly RecordSeries[] },
  ): Promise<void> {
    const uuids = [...new Set(page.map(({ gpu }) => gpu.uuid)).difference(asked)];
    if (uuids.length === 0) return;
    for (const uuid of uuids) asked.add(uuid);
    const ends = await this.history.ends({ uuids, range });
    for (const maker of makers) maker.expectEnds(ends);
  }
}

/** The GPUs whose records may have the selected series: the fewer, the quicker. A change of what is not selected here, such as the
 *  pod, ends a series, so the records after it are needed too. */
function gpusOf(matchers: readonly Matcher[]): readonly GpuSelector[] {
  const only = (...labels: readonly string[]): string | undefined => {
    const texts = matchers.flatMap((matcher) => (labels.includes(matcher.name) ? [textsOf(matcher)] : []));
    return texts.find((each) => each?.length === 1)?.[0];
  };
  const [gpu, uuid] = [only("gpu"), only("UUID")];
  const place = defined({
    clusterId: only("cluster"),
    hostname: only("Hostname", "hostname"),
    gpuId: gpu !== undefined && /^(?:0|[1-9]\d{0,5})$/.test(gpu) ? Number(gpu) : undefined,
    modelName: only("modelName"),
  });
  if (uuid === undefined) return [place];
  // the exporter gives MIG instances the UUID of their GPU
  const own = { ...place, uuids: [uuid] };
  return parentUuidOf(uuid) === undefined ? [own, { ...place, parentUuid: uuid }] : [own];
}
