import type { SqlExecutor } from "../../../db/client.ts";
import {
  type CustomOfRecord,
  joinLayouts,
  readCustom,
  readLayout,
  readRecords,
  readRunStarts,
  type RecordsOfGpu,
  type RowsLayout,
  type RunState,
  type SpanOfGpus,
} from "../../../db/sql/settled-rows.ts";
import type { Run } from "../../../domain/block/block.ts";
import type { BlockOfGpu } from "../../../domain/rollup/roll-up.ts";
import { hourMs } from "../../../domain/time-range.ts";

/** Reads rows as blocks. Which metrics there are is looked up once an hour, and again for GPUs that have others. */
export class BlockReader {
  private hour: number | undefined;
  private layout: RowsLayout | undefined;

  /** Reads the records of GPUs within an hour as one block for each GPU, in the order of the keys.
   *  @throws Error if records are stored meanwhile */
  async read(executor: SqlExecutor, span: SpanOfGpus): Promise<BlockOfGpu[]> {
    const records = await this.recordsOf(executor, span);
    const keysOf = (isMeant: (ofGpu: RecordsOfGpu) => boolean): number[] =>
      records.filter(isMeant).map(({ gpuKey }) => gpuKey);
    const changing = { ...span, gpuKeys: keysOf(({ isSteady }) => !isSteady) };
    const withCustom = { ...span, gpuKeys: keysOf(({ hasCustom }) => hasCustom) };
    const [starts, custom] = await Promise.all([
      changing.gpuKeys.length === 0 ? [] : readRunStarts(executor, changing),
      withCustom.gpuKeys.length === 0 ? [] : readCustom(executor, withCustom),
    ]);
    const startsOf = Map.groupBy(starts, ({ gpuKey }) => gpuKey);
    const customOf = Map.groupBy(custom, ({ gpuKey }) => gpuKey);
    return records.map(({ gpuKey, timesMs, metrics, first }) => {
      const runs = runsOf(startsOf.get(gpuKey) ?? [{ place: 0, ...first }], timesMs.length);
      const others = othersOf(customOf.get(gpuKey) ?? [], timesMs.length);
      return { gpuKey, block: { timesMs, metrics, others, runs } };
    });
  }

  private async recordsOf(executor: SqlExecutor, span: SpanOfGpus): Promise<RecordsOfGpu[]> {
    const hour = Math.floor(span.fromMs / hourMs);
    if (hour !== this.hour) this.layout = undefined;
    this.hour = hour;
    const records = this.layout && (await readRecords(executor, span, this.layout));
    if (records !== undefined) return records;
    const found = await readLayout(executor, span);
    this.layout = this.layout === undefined ? found : joinLayouts(this.layout, found);
    const again = await readRecords(executor, span, this.layout);
    if (again === undefined) throw new Error("records were stored between the statements that read them");
    return again;
  }
}

function runsOf(starts: readonly (RunState & { readonly place: number })[], records: number): Run[] {
  return starts.map(({ place, attributesId, occupants }, index) => ({
    records: (starts[index + 1]?.place ?? records) - place,
    attributesId,
    occupants,
  }));
}

function othersOf(custom: readonly CustomOfRecord[], records: number): Map<string, Float64Array> {
  const others = new Map<string, Float64Array>();
  for (const { place, custom: values } of custom) {
    for (const [name, value] of Object.entries(values)) {
      let column = others.get(name);
      if (column === undefined) others.set(name, (column = new Float64Array(records).fill(NaN)));
      column[place] = value;
    }
  }
  return new Map([...others].sort(([a], [b]) => (a < b ? -1 : 1)));
}
