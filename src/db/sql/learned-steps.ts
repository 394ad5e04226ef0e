import { decodeNamedColumn } from "../../domain/block/named-part.ts";
import { decodeNumbers } from "../../domain/block/number-column.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { SqlExecutor } from "../client.ts";
import { decodeNamed, nameOfBlock } from "../named-block.ts";
import { numberArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { addAttributeConditions } from "./gpu-conditions.ts";
import { isUnscheduled, learnedFrom, type LearnedRange } from "./learned-devices.ts";
import { field, JoinedRows, joinedRows } from "./joined-rows.ts";
import { sentInstants } from "./sent-rows.ts";
import { withinHours } from "./source-hours.ts";

// The times between the newest records of devices without a schedule. In SQL, decoding the instants of a block takes 0.4 ms, which for
// thousands of devices is much longer than all else that an aggregate needs.

/** The median of the times between a device's newest records. */
export interface LearnedStep {
  readonly gpuKey: number;
  /** NaN if there are no times. */
  readonly stepMs: number;
  /** The number of times. */
  readonly steps: number;
  readonly newestMs: number;
}

/** Blocks of a device that are read first; if they have too few records, so many that these suffice. */
const blocksFirst = 4;

/** Reads the steps of the devices that have records in a range and no source with a schedule.
 *  @param gpus bounds and a namespace do not count */
export async function selectLearnedSteps(
  executor: SqlExecutor,
  gpus: GpuSelector,
  { firstHourMs, lastHourMs }: { readonly firstHourMs: number; readonly lastHourMs: number },
): Promise<LearnedStep[]> {
  const read = async (blocks: number, gpuKeys: readonly number[] | undefined): Promise<NewestInstants[]> => {
    const conditions = addAttributeConditions(new Conditions(), gpus, {
      key: "d.gpu_key",
      attribute: (column) => `d.${column}`,
    }).add("d.gpu_key = any(?::text::int8[])", gpuKeys && numberArray(gpuKeys));
    const range = { firstHour: conditions.param(firstHourMs), lastHour: conditions.param(lastHourMs) };
    const [row] = await executor.query<{ sent: Uint8Array | null }>(
      newestInstants(conditions, range, conditions.param(blocks)),
      conditions.params,
    );
    return row?.sent ? instantsOf(row.sent) : [];
  };
  const found = await read(blocksFirst, undefined);
  // not those in rows: a late record can have made rows of old hours
  const hasTooFew = ({ blocks, settled }: NewestInstants): boolean => blocks === blocksFirst && settled <= learnedFrom;
  const few = found.filter(hasTooFew).map(({ gpuKey }) => gpuKey);
  const more = few.length === 0 ? [] : await read(learnedFrom + 1, few);
  const steps = new Steps();
  return [...found.filter((each) => !hasTooFew(each)), ...more].map((each) => steps.of(each));
}

const sentOfNewest = [
  ...[field.float8("n.gpu_key"), field.int4("n.is_block"), field.float8("n.from_ms")],
  ...[field.int4("n.records::int4"), field.bytea("n.times")],
];

function newestInstants(conditions: Conditions, range: LearnedRange, blocks: string): string {
  return `
select ${joinedRows(sentOfNewest)} as sent from (
  select d.gpu_key, n.* from gpus d cross join lateral (
    select 0 as is_block, 0 as from_ms, count(*) as records, string_agg(timestamptz_send(t.time), '') as times
    from (select t.time from telemetry t where t.gpu_key = d.gpu_key and ${withinHours("t.time", range)}
      order by t.time desc limit ${learnedFrom + 1}) t
    union all
    select 1, extract(epoch from b.from_at)::float8 * 1000, b.records, b.times from (
      select b.from_at, b.records, b.times, sum(b.records) over (order by b.from_at desc) - b.records as newer
      from (select b.from_at, b.records, b.times from blocks b
        where b.gpu_key = d.gpu_key and ${withinHours("b.from_at", range)} order by b.from_at desc limit ${blocks}::int) b) b
    where b.newer <= ${learnedFrom}) n
  where n.records > 0 and ${isUnscheduled("d", range)} ${conditions.after("and")}) n`;
}

interface NewestInstants {
  readonly gpuKey: number;
  /** The number of blocks that were read. */
  blocks: number;
  /** The number of their instants. */
  settled: number;
  /** The number of instants, with those of the rows. */
  count: number;
  /** Those of the rows and of each block. */
  readonly sent: SentInstants[];
}

interface SentInstants {
  readonly isBlock: boolean;
  readonly fromMs: number;
  readonly records: number;
  readonly times: Uint8Array;
}

function instantsOf(sent: Uint8Array): NewestInstants[] {
  const found = new Map<number, NewestInstants>();
  for (const rows = new JoinedRows(sent); rows.next();) {
    const [gpuKey, isBlock, fromMs, records] = [rows.float8(), rows.int4() === 1, rows.float8(), rows.int4()];
    const times = rows.bytea() ?? new Uint8Array();
    let ofGpu = found.get(gpuKey);
    if (ofGpu === undefined) found.set(gpuKey, (ofGpu = { gpuKey, blocks: 0, settled: 0, count: 0, sent: [] }));
    ofGpu.blocks += isBlock ? 1 : 0;
    ofGpu.settled += isBlock ? records : 0;
    ofGpu.count += records;
    ofGpu.sent.push({ isBlock, fromMs, records, times });
  }
  return [...found.values()];
}

/** Finds the steps of devices. Those of a host, and often of a fleet, are scraped at the same instants, which are decoded once. */
class Steps {
  private readonly known = new Map<string, Omit<LearnedStep, "gpuKey">>();

  /** @throws UndecodableBlock, which names the device's key and the instant */
  of({ gpuKey, count, sent }: NewestInstants): LearnedStep {
    const key = sent.map(keyOf).join();
    let known = this.known.get(key);
    if (known === undefined) {
      const instants = sent.map((each) => decoded(gpuKey, each));
      this.known.set(key, (known = stepOf(instants, count)));
    }
    return { gpuKey, ...known };
  }
}

function keyOf({ isBlock, records, times }: SentInstants): string {
  const bytes = Buffer.from(times.buffer, times.byteOffset, times.length);
  return `${isBlock} ${records} ${times.length} ${bytes.toString("latin1")}`;
}

/** Milliseconds since the epoch. */
function decoded(gpuKey: number, { isBlock, fromMs, records, times }: SentInstants): Float64Array {
  if (!isBlock) return sentInstants(times);
  return decodeNamed(
    () => nameOfBlock({ gpuKey, fromMs }),
    () => decodeNamedColumn("times", () => decodeNumbers(times, records)),
  );
}

function stepOf(instants: readonly Float64Array[], count: number): Omit<LearnedStep, "gpuKey"> {
  const all = new Float64Array(count);
  let at = 0;
  for (const some of instants) {
    all.set(some, at);
    at += some.length;
  }
  all.sort();
  const first = Math.max(0, count - learnedFrom - 1);
  const steps = new Float64Array(count - first - 1);
  for (let index = 0; index < steps.length; index += 1) {
    const step = (all[first + index + 1] as number) - (all[first + index] as number);
    // whole microseconds, which a double of an instant has only about
    steps[index] = Math.round(step * 1000) / 1000;
  }
  steps.sort();
  return {
    stepMs: steps[Math.ceil(steps.length / 2) - 1] ?? NaN,
    steps: steps.length,
    newestMs: all[count - 1] as number,
  };
}
