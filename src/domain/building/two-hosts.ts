import { rawMaxLength, type RejectedInput, valueMaxLength } from "../batch.ts";
import { cutText, quoted } from "../cut-text.ts";
import type { Gpu } from "../gpu.ts";
import { formatTimestamp } from "../timestamp.ts";
import type { InputPlace, RowLog } from "./row-log.ts";
import type { SampleValues } from "./sample-values.ts";

/** A batch that is being built, in which one uuid may have records of several hosts. */
export interface BatchParts {
  readonly gpus: readonly Gpu[];
  /** Per record: index into `gpus`. */
  readonly gpuIndexes: readonly number[];
  readonly timesMs: readonly number[];
  readonly values: SampleValues;
  readonly log: RowLog;
  /** The name of the input's host column. */
  readonly hostField: string;
}

/** Finds the records to reject: those of a uuid that several hosts report at the same instant, as cloned machines do. The host
 *  whose name sorts first keeps its record.
 *  @param uuids the uuids that several hosts have reported
 *  @returns for each record to reject, the host whose record is kept */
export function recordsOfOtherHosts(
  { gpus, gpuIndexes, timesMs }: BatchParts,
  uuids: ReadonlySet<string>,
): Map<number, string> {
  const gpuOf = (record: number): Gpu => gpus[gpuIndexes[record] as number] as Gpu;
  const records = gpuIndexes.flatMap((_, record) => (uuids.has(gpuOf(record).uuid) ? [record] : []));
  const atOnce = Map.groupBy(records, (record) => JSON.stringify([gpuOf(record).uuid, timesMs[record]]));
  const others = new Map<number, string>();
  for (const group of atOnce.values()) {
    const kept = group.map((record) => gpuOf(record).hostname).reduce((a, b) => (a < b ? a : b));
    for (const record of group) if (gpuOf(record).hostname !== kept) others.set(record, kept);
  }
  return others;
}

/** @param others as `recordsOfOtherHosts` returns them
 *  @returns one rejected input for each row and record to which the row has added a value; a row may be about a MIG instance and
 *    its GPU */
export function rowsOfOtherHosts(parts: BatchParts, others: ReadonlyMap<number, string>): RejectedInput[] {
  const { gpus, gpuIndexes, timesMs, values, log, hostField } = parts;
  return [...Map.groupBy(log.entriesOf(others), ({ byte, record }) => `${byte} ${record}`).values()].flatMap(
    (entries) => {
      const [first] = entries;
      if (first === undefined) return [];
      const samples = entries.flatMap(({ series, value }): [string, number][] =>
        series === undefined ? [] : [[values.nameOf(series), value]],
      );
      return [
        otherHostInput({
          gpu: gpus[gpuIndexes[first.record] as number] as Gpu,
          timeMs: timesMs[first.record] as number,
          samples,
          keptHost: others.get(first.record) ?? "",
          hostField,
          place: first,
        }),
      ];
    },
  );
}

/** Values of a GPU that are not stored, because another host has reported the same uuid at the same instant. */
export interface OtherHostValues {
  readonly gpu: Gpu;
  readonly timeMs: number;
  /** Values by the name of their series. */
  readonly samples: readonly (readonly [name: string, value: number])[];
  /** The host whose values are stored. */
  readonly keptHost: string;
  /** The name of the input's host column. */
  readonly hostField: string;
  readonly place: InputPlace;
}

/** Makes the rejected input of such values. */
export function otherHostInput(values: OtherHostValues): RejectedInput {
  const { gpu, timeMs, samples, keptHost, hostField, place } = values;
  const { uuid, hostname, gpuId } = gpu;
  const timestamp = formatTimestamp(timeMs);
  const message =
    `The uuid ${quoted(uuid)} was reported by two hosts at ${timestamp}, ${quoted(keptHost)} and ${quoted(hostname)}; ` +
    `only the values of ${quoted(keptHost)} are stored. Give each GPU a uuid of its own.`;
  const raw = JSON.stringify({ timestamp, uuid, hostname, gpu_id: gpuId, ...Object.fromEntries(samples) });
  return {
    line: place.line,
    byte: place.byte,
    reason: "uuid_on_two_hosts",
    field: cutText(hostField, valueMaxLength),
    value: cutText(hostname, valueMaxLength),
    message,
    raw: cutText(raw, rawMaxLength),
  };
}

/** What the records of other hosts have added to a batch's counts. */
export function countsOfOtherHosts(
  { values, log }: BatchParts,
  others: ReadonlyMap<number, string>,
): { readonly samples: number; readonly duplicates: number; readonly conflicts: number } {
  const distinct = new Set<string>();
  let added = 0;
  for (const { record, series } of log.entriesOf(others)) {
    if (series === undefined) continue;
    added += 1;
    distinct.add(`${record} ${series}`);
  }
  const conflicts = [...others.keys()].reduce((sum, record) => sum + values.conflictsOf(record), 0);
  return { samples: distinct.size, conflicts, duplicates: added - distinct.size - conflicts };
}
