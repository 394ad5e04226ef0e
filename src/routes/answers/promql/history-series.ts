import { parentUuidOf } from "../../../domain/mig-instance.ts";
import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import type { RecordFilter } from "../../../domain/query.ts";
import { defined } from "../../../kit/defined.ts";
import { turnOfOthers } from "../../../kit/turn.ts";
import type { HistoryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { type Matcher, textsOf } from "../../../promql/matcher.ts";
import type { SelectedSeries, Selection, SeriesSource } from "../../../promql/series-source.ts";
import type { Work } from "../../../promql/work.ts";
import { RecordSeries } from "./record-series.ts";

/** Records that are read at a time. Each page decodes the blocks again that it has records of: pages of 5,000 take 2.4 times the processor
 *  time (`bench/promql.ts`), pages of 60,000 a tenth less. */
const recordsAtATime = 25_000;
/** Records after which others get their turn: some milliseconds. */
const turnEvery = 2500;
/** No record is further from 1970, and the database has no instants of some that a query can name. */
const instantMaxMs = 8e12;

/** What to read for one or more selections of a query. */
interface Reading {
  readonly gpus: readonly GpuSelector[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly makers: RecordSeries[];
}

/** The history of the fleet as series: of records and of settled blocks alike, never of rollups. */
export class HistorySeries implements SeriesSource {
  constructor(private readonly history: Pick<HistoryQueries, "records">) {}

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
      const maker = new RecordSeries(matchers);
      reading.makers.push(maker);
      return maker;
    });
    for (const reading of readings.values()) if (reading.fromMs <= reading.toMs) await this.read(reading, work);
    return makers.map((maker) => maker.series());
  }

  private async read({ gpus, fromMs, toMs, makers }: Reading, work: Work): Promise<void> {
    for (const selector of gpus) {
      let filter: RecordFilter | undefined = {
        gpus: selector,
        range: { fromMs, toMs: toMs + 1 },
        isForward: true,
        limit: recordsAtATime,
      };
      while (filter !== undefined) {
        work.check();
        const { elements, next } = await this.history.records(filter);
        for (const [index, record] of elements.entries()) {
          if (index % turnEvery === turnEvery - 1) await turnOfOthers();
          for (const maker of makers) work.hold(maker.add(record));
        }
        await work.did(elements.length * 10);
        filter = next && { ...filter, cursor: next };
      }
    }
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
