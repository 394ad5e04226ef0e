import type { Gpu } from "../../domain/gpu.ts";
import type { SqlExecutor } from "../client.ts";
import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import { attributeColumns } from "../gpu-columns.ts";
import { numberArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { epochMs } from "./epoch-ms.ts";
import { field, JoinedRows, joinedRows } from "./joined-rows.ts";
import { OwnRows } from "./own-rows.ts";

/** The attributes of some GPUs over a span of time. */
export interface Places {
  /** @param timeMs milliseconds since the epoch, in the span
   *  @returns the GPU with its attributes at this instant. If its attributes begin later: with the first ones that begin in
   *    the span, or with its newest attributes if none begin in the span. Undefined if `gpus` does not have the key */
  readonly at: (gpuKey: number, timeMs: number) => Gpu | undefined;
  /** The instant from which on the GPU may have other attributes than at an instant; infinite if it has the same in the rest of the span. */
  readonly untilMs: (gpuKey: number, timeMs: number) => number;
}

/** The attributes of a GPU from an instant on; null: its newest attributes, in `gpus`. */
interface PlaceRow extends Gpu {
  readonly gpuKey: number;
  readonly fromMs: number | null;
}

/** A GPU with its attributes from an instant on; undefined: its newest attributes. */
interface Place {
  readonly gpuKey: number;
  readonly fromMs: number | undefined;
  readonly gpu: Gpu;
}

// A GPU whose records were stored a moment ago may have no row in gpu_attributes yet: its attributes in `gpus` then apply.
const newest = `select null, ${attributeColumns.names("gpus")}`;
const newestOwn = (own: OwnRows): string => `
  select null, ${attributeColumns.names()} from gpu_attributes where gpu_key = k.gpu_key and ${own.heldPlace("gpu_attributes")}
  order by valid_from desc limit 1`;

const textOf = (own: OwnRows | undefined): string => `
with k as (select unnest($1::text::int8[]) as gpu_key)
select gpus.gpu_key::float8 as "gpuKey", gpus.uuid, extract(epoch from g.valid_from)::float8 * 1000 as "fromMs",
  ${attributeColumns.selected("g")}
from k join gpus using (gpu_key) cross join lateral (
  (select valid_from, ${attributeColumns.names()}
   from gpu_attributes where gpu_key = k.gpu_key and ${own?.heldPlace("gpu_attributes") ?? "true"} and valid_from <= to_timestamp($2::float8 / 1000.0)
   order by valid_from desc limit 1)
  union all
  (select valid_from, ${attributeColumns.names()}
   from gpu_attributes where gpu_key = k.gpu_key and ${own?.heldPlace("gpu_attributes") ?? "true"}
     and valid_from > to_timestamp($2::float8 / 1000.0) and valid_from <= to_timestamp($3::float8 / 1000.0))
  union all
  (${own === undefined ? newest : newestOwn(own)})
) g order by gpus.gpu_key, g.valid_from desc nulls last`;

/** Reads the attributes of GPUs between two instants (milliseconds since the epoch, both included).
 *  @param within only attributes of places in which the GPU was within count; undefined: all do */
export async function selectPlaces(
  executor: SqlExecutor,
  {
    gpuKeys,
    firstMs,
    lastMs,
    within,
  }: {
    readonly gpuKeys: Iterable<number>;
    readonly firstMs: number;
    readonly lastMs: number;
    readonly within?: GpuBounds | undefined;
  },
): Promise<Places> {
  const conditions = new Conditions([numberArray([...new Set(gpuKeys)]), firstMs, lastMs]);
  const own = within && new OwnRows(within, conditions);
  const rows = await executor.query<PlaceRow>(textOf(own), conditions.params);
  return placesOf(
    rows.map(({ gpuKey, fromMs, ...gpu }) => ({
      gpuKey,
      fromMs: fromMs === null ? undefined : Math.round(fromMs),
      gpu,
    })),
  );
}

/** The most places of a GPU that travel with its records. */
const placesSent = 8;

const attributeFields = Object.entries(attributeColumns.declarations);
const joinedPlaces = joinedRows([
  ...["p.gpu_key", epochMs("p.valid_from")].map(field.float8),
  ...attributeFields.map(([, { name, type }]) =>
    type === "int" ? field.int4(`p.${name}`) : field.text(`p.${name}::text`),
  ),
]);

/** An SQL expression for the places of one GPU that were newest before an instant, as one value; null if there are none.
 *  @param key an expression for its key
 *  @param before the instant, or infinite */
export function sentPlaces(key: string, before: number, conditions: Conditions): string {
  const until = new Conditions(conditions.params).within("valid_from", { fromMs: -Infinity, toMs: before });
  return `(select ${joinedPlaces} from (
    select * from gpu_attributes where gpu_key = ${key} ${until.after("and")}
    order by valid_from desc limit ${placesSent}) p)`;
}

/** Reads what `sentPlaces` gave. */
export function readSentPlaces(sent: Uint8Array, uuid: string): KnownPlaces {
  const places: Place[] = [];
  for (const rows = new JoinedRows(sent); rows.next();) {
    const [gpuKey, fromMs] = [rows.float8(), Math.round(rows.float8())];
    const gpu: Record<string, unknown> = { uuid };
    for (const [field, { type }] of attributeFields) {
      gpu[field] = type === "int" ? rows.int4() : type === "jsonb" ? rows.json() : rows.text();
    }
    places.push({ gpuKey, fromMs, gpu: gpu as unknown as Gpu });
  }
  return new KnownPlaces(places);
}

/** The places of some GPUs, as far as they have been read with their records. */
export class KnownPlaces {
  /** @param places the newest first, each with an instant */
  constructor(private readonly places: readonly Place[]) {}

  /** What `selectPlaces` would read between two instants, both of them before that of `sentPlaces`; undefined if more has to be read. */
  between(firstMs: number, lastMs: number): Places | undefined {
    const oldestMs = this.places.at(-1)?.fromMs ?? NaN;
    if (this.places.length === placesSent && oldestMs > firstMs) return undefined;
    const begun = this.places.filter(({ fromMs = NaN }) => fromMs <= lastMs);
    return begun.length === 0 ? undefined : placesOf(begun);
  }
}

/** @param places of each GPU the newest first, then those of `gpus` */
function placesOf(places: readonly Place[]): Places {
  const spans = Map.groupBy(places, ({ gpuKey }) => gpuKey);
  return {
    at: (gpuKey, timeMs) => {
      const newestFirst = spans.get(gpuKey) ?? [];
      for (const { fromMs, gpu } of newestFirst) if (fromMs !== undefined && fromMs <= timeMs) return gpu;
      const oldest = newestFirst.findLast((place) => place.fromMs !== undefined);
      return (oldest ?? newestFirst.at(-1))?.gpu;
    },
    untilMs: (gpuKey, timeMs) => {
      const later = spans.get(gpuKey)?.findLast(({ fromMs = -Infinity }) => fromMs > timeMs);
      return later?.fromMs ?? Infinity;
    },
  };
}
