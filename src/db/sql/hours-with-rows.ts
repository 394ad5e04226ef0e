import { bucketOf } from "./rollup-source.ts";

/** A condition: the instant is within a range, whose ends are the first two parameters, in milliseconds. */
export const withinRange = (instant: string): string =>
  `${instant} >= to_timestamp($1::float8 / 1000.0) and ${instant} < to_timestamp($2::float8 / 1000.0)`;

/** A query for the hours of the range of `withinRange` that have rows: from one such hour to the next one, by the index on the time.
 *  @param at the column with the time */
export const hoursWithRows = (table: "telemetry" | "blocks", at: string): string => `
with recursive hours(hour) as (
  select ${bucketOf("1h", `min(t.${at})`)} from ${table} t where ${withinRange(`t.${at}`)}
  union all
  select (select ${bucketOf("1h", `min(t.${at})`)} from ${table} t
    where t.${at} >= hours.hour + interval '1 hour' and t.${at} < to_timestamp($2::float8 / 1000.0))
  from hours where hours.hour is not null)
select hour from hours where hour is not null`;
