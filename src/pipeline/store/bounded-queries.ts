import { type GpuBounds, isPlaceWithin } from "../../domain/gpu-bounds.ts";
import { selectorWithin } from "../../domain/gpu-selector.ts";
import type { HistoryPage, RecordFilter, StoredRecord, StoredRollup } from "../../domain/query.ts";
import { attributesWithin, changesWithin, recordWithin } from "../../domain/within-bounds.ts";
import type { Inventory } from "./inventory.ts";
import type { FleetQueries, HistoryQueries, TelemetryQueries } from "./telemetry-queries.ts";

/** The queries that answer callers; those of a caller with bounds leave out what the caller may not see. */
export interface CallerQueries extends Pick<TelemetryQueries, "history" | "aggregates" | "coverage" | "usage"> {
  readonly fleet: Pick<FleetQueries, "changes" | "has">;
}

/** The queries of a caller with bounds: each answers as if there were nothing else. */
export function boundedQueries(queries: CallerQueries, within: GpuBounds): CallerQueries {
  const { fleet, history, aggregates, coverage, usage } = queries;
  return {
    fleet: {
      changes: async ({ uuid, range }) =>
        changesWithin(within, await fleet.changes({ uuid, range: { ...range, fromMs: -Infinity } }), range),
      has: (uuid) => fleet.has(uuid, within),
    },
    history: boundedHistory(history, within),
    aggregates: {
      byGroup: (filter) => aggregates.byGroup({ ...filter, gpus: { ...filter.gpus, within } }),
      countRecords: (clusterId) => aggregates.countRecords(clusterId, within),
    },
    coverage: { coverage: (filter) => coverage.coverage({ ...filter, gpus: { ...filter.gpus, within } }) },
    usage: {
      sums: (filter) => usage.sums({ ...filter, gpus: { ...filter.gpus, within } }),
      jobs: (filter) => usage.jobs({ ...filter, gpus: { ...filter.gpus, within } }),
      holders: (filter) => usage.holders({ ...filter, within }),
    },
  };
}

/** The list of the inventory for a caller with bounds. */
export function boundedInventory(inventory: Pick<Inventory, "items">, within: GpuBounds): Pick<Inventory, "items"> {
  return { items: (filter) => inventory.items({ ...filter, within }) };
}

function boundedHistory(history: HistoryQueries, within: GpuBounds): HistoryQueries {
  const bounded = (filter: RecordFilter): RecordFilter => ({ ...filter, gpus: selectorWithin(filter.gpus, within) });
  // the places of what was read are read later, and may have changed
  const own = (records: readonly StoredRecord[]) => records.flatMap((record) => recordWithin(within, record) ?? []);
  const ownRollups = (rollups: readonly StoredRollup[]) =>
    rollups.flatMap((rollup) =>
      isPlaceWithin(within, rollup.gpu) ? { ...rollup, gpu: attributesWithin(within, rollup.gpu) } : [],
    );
  const pageOf = <Row>({ next }: HistoryPage<unknown>, elements: readonly Row[]): HistoryPage<Row> => ({
    elements,
    next,
  });
  return {
    async records(filter) {
      const page = await history.records(bounded(filter));
      return pageOf(page, own(page.elements));
    },
    async columns(filter) {
      const page = await history.columns({ ...filter, gpus: selectorWithin(filter.gpus, within) });
      return { ...page, elements: page.elements.flatMap((columns) => recordWithin(within, columns) ?? []) };
    },
    async rollups(filter, resolution) {
      const page = await history.rollups(bounded(filter), resolution);
      return pageOf(page, ownRollups(page.elements));
    },
    recordsOfEach: async (filter) => own(await history.recordsOfEach({ ...filter, within })),
    rollupsOfEach: async (filter, resolution) =>
      ownRollups(await history.rollupsOfEach({ ...filter, within }, resolution)),
    ends: (filter) => history.ends({ ...filter, within }),
    deviceKinds: () => history.deviceKinds(within),
  };
}
