import type { MetricChoice } from "../../domain/metric-choice.ts";

/** A record, or a rollup, which has no series. */
interface Narrowable {
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly custom?: Readonly<Record<string, number>>;
}

/** The record or rollup with only the chosen metrics and series.
 *  @param choice undefined for all metrics */
export function narrowed<RecordOrRollup extends Narrowable>(
  record: RecordOrRollup,
  choice: MetricChoice | undefined,
): RecordOrRollup {
  if (choice === undefined) return record;
  const metrics = Object.fromEntries(
    choice.names.flatMap((name) => (name in record.metrics ? [[name, record.metrics[name]]] : [])),
  );
  return { ...record, metrics, ...(record.custom === undefined ? {} : { custom: choice.seriesOf(record.custom) }) };
}
