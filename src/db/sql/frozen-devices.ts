import { coverageHourMs } from "../../domain/coverage.ts";
import type { OwnRows } from "./own-rows.ts";
import { type HoursParameters, msOf } from "./source-hours.ts";

/** A condition: the device of a row of `frozen_readings f` was within for the whole hour. The count is of the whole hour. */
const isOwnHour = (own: OwnRows | undefined): string =>
  own === undefined
    ? ""
    : `
    and exists (select from own_time o where o.gpu_key = f.gpu_key
      and o.spans @> tstzrange(f.hour, f.hour + interval '${coverageHourMs / 1000} seconds'))`;

/** A CTE that follows `devices`: `frozen_devices(gpu_key, hour_ms, frozen)`, the readings that repeat old values of each device. */
export function frozenDevices({ firstHour, lastHour }: HoursParameters, own: OwnRows | undefined): string {
  return `
frozen_devices as (
  select f.gpu_key, ${msOf("f.hour")} as hour_ms, sum(f.readings)::float8 as frozen
  from frozen_readings f join devices using (gpu_key)
  where f.hour >= to_timestamp(${firstHour}::float8 / 1000.0) and f.hour <= to_timestamp(${lastHour}::float8 / 1000.0)${isOwnHour(own)}
  group by 1, 2)`;
}

/** An SQL expression: the frozen readings of a source in an hour that belong to no device by name; `h` is a row of `source_hours`. Hours
 *  without frozen readings, as almost all are, need no look-up. */
export const frozenUnnamed = (own: OwnRows | undefined): string =>
  own !== undefined
    ? "0"
    : `case when h.frozen > 0 then greatest(0, h.frozen - coalesce((select sum(f.readings)::float8 from frozen_readings f
      where f.source_id = h.source_id and f.hour = to_timestamp(h.hour_ms / 1000.0)), 0)) else 0 end`;

/** An SQL expression: the frozen readings of a source in an hour; `h` is a row of `source_hours`. With bounds, those of its devices that
 *  are known by name. */
export const frozenOfSource = (own: OwnRows | undefined): string =>
  own === undefined
    ? "h.frozen"
    : `coalesce((select sum(f.readings)::float8 from frozen_readings f join devices using (gpu_key)
      where f.source_id = h.source_id and f.hour = to_timestamp(h.hour_ms / 1000.0)${isOwnHour(own)}), 0)`;
