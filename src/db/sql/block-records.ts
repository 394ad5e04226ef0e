// What a statement needs to know of the records in blocks: how many they are, when they were, who held the GPU. The functions give
// parts of statements. A block's first and last instant and its number of records are columns, so that nothing is decoded unless an
// instant falls between the two. A block lies within one hour.

/** A query for the runs of a block: `(place, records, namespace, occupants)`. The place is that of the first record, from 1;
 *  `namespace` and `occupants` are as in a row of telemetry.
 *  @param alias a row of `blocks` */
export function runsOfBlock(alias: string): string {
  return `(
    select sum(n.records) over (order by n.run) - n.records + 1 as place, n.records, s.namespace, s.occupants
    from (
      select (ordinality - 1) / 3 as run, max(number::int8) filter (where ordinality % 3 = 1) as records,
        max(number::int8) filter (where ordinality % 3 = 0) as set
      from json_array_elements_text(${alias}.runs->'runs') with ordinality as numbers(number, ordinality) group by 1) n
    join (
      select ordinality - 1 as set, nullif(each->0->>2, '') as namespace, case when json_array_length(each) > 1 then (
        select jsonb_agg(jsonb_build_object('container', o->>0, 'pod', o->>1, 'namespace', o->>2) order by place)
        from json_array_elements(each) with ordinality as held(o, place)) end as occupants
      from json_array_elements(${alias}.runs->'occupants') with ordinality as sets(each, ordinality)) s using (set))`;
}

/** A query for the records of a block, in no order: `(gpu_key, time, namespace, occupants)`.
 *  @param alias a row of `blocks` */
export function recordsOfBlock(alias: string): string {
  return `(
    select ${alias}.gpu_key, i.instants[n.at] as time, r.namespace, r.occupants
    from (select block_times(${alias}.times, ${alias}.records) as instants offset 0) i
    cross join ${runsOfBlock(alias)} r cross join lateral generate_series(r.place::int, (r.place + r.records - 1)::int) as n(at))`;
}

const hour = "interval '1 hour'";

/** An SQL expression: the instants of a block as rows. @param alias a row of `blocks` */
export function instantsOfBlock(alias: string): string {
  return `unnest(block_times(${alias}.times, ${alias}.records))`;
}

/** A query for the instant of a GPU's newest record from one instant up to another one, which is not included.
 *  @param gpuKey an expression, as the instants */
export function newestBetween(gpuKey: string, from: string, to: string): string {
  return `select max(time) from (
    (select time from telemetry where gpu_key = ${gpuKey} and time >= ${from} and time < ${to} order by time desc limit 1)
    union all
    (select case when b.to_at < ${to} then b.to_at else (select max(i) from ${instantsOfBlock("b")} i where i < ${to}) end
    from blocks b where b.gpu_key = ${gpuKey} and b.to_at >= ${from} and b.from_at > ${from} - ${hour} and b.from_at < ${to}
    order by b.from_at desc limit 1)) newest where time >= ${from}`;
}

/** A query for the instant of a GPU's first record after an instant.
 *  @param gpuKey an expression, as the instant */
export function firstAfter(gpuKey: string, after: string): string {
  return `select min(time) from (
    (select time from telemetry where gpu_key = ${gpuKey} and time > ${after} order by time limit 1)
    union all
    (select case when b.from_at > ${after} then b.from_at else (select min(i) from ${instantsOfBlock("b")} i where i > ${after}) end
    from blocks b where b.gpu_key = ${gpuKey} and b.to_at > ${after} and b.from_at > ${after} - ${hour}
    order by b.from_at limit 1)) first`;
}

/** True if a statement decodes blocks in the database. */
export function decodesBlocks(statement: string): boolean {
  return statement.includes("block_times(") || statement.includes(".runs->");
}
