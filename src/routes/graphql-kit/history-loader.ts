import DataLoader from "dataloader";
import type { EachGpuFilter, Resolution } from "../../domain/query.ts";
import type { HistoryQueries } from "../../pipeline/store/telemetry-queries.ts";
import { toApiRecord, toApiRollup } from "../schemas/telemetry-record.ts";

/** Which records of a GPU to read. */
export interface GpuHistoryRequest extends Omit<EachGpuFilter, "uuids"> {
  readonly resolution: Resolution;
}

type ApiRecord = ReturnType<typeof toApiRecord>;

/** The most GPUs that one statement reads. */
const gpusPerStatement = 1000;

/** Reads the history of GPUs for one operation. Concurrent requests that differ only in the GPU share statements. */
export class HistoryLoader {
  private readonly loaders = new Map<string, DataLoader<string, readonly ApiRecord[]>>();

  constructor(private readonly queries: HistoryQueries) {}

  /** @returns the GPU's newest `limit` records or rollups in the range, oldest first
   *  @throws StoreUnavailable, QueryTooCostly */
  of(uuid: string, request: GpuHistoryRequest): Promise<readonly ApiRecord[]> {
    const { range, limit, resolution } = request;
    const key = [range.fromMs, range.toMs, limit, resolution].join();
    let loader = this.loaders.get(key);
    if (loader === undefined) {
      // records are not cached, because a subscription repeats its request at every event and needs current records
      const options = { cache: false, maxBatchSize: gpusPerStatement };
      loader = new DataLoader((uuids: readonly string[]) => this.read(uuids, request), options);
      this.loaders.set(key, loader);
    }
    return loader.load(uuid);
  }

  private async read(uuids: readonly string[], request: GpuHistoryRequest): Promise<(readonly ApiRecord[])[]> {
    const { resolution, ...filterOfEach } = request;
    const filter = { ...filterOfEach, uuids };
    const records =
      resolution === "raw"
        ? (await this.queries.recordsOfEach(filter)).map(toApiRecord)
        : (await this.queries.rollupsOfEach(filter, resolution)).map(toApiRollup);
    const byGpu = Map.groupBy(records, ({ uuid }) => uuid);
    return uuids.map((uuid) => byGpu.get(uuid) ?? []);
  }
}
