import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import type { TelemetryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import type { Ask } from "./query-costs.ts";

/** The store's queries for clients: each question waits for its turn, and ends when its client leaves. A question about one GPU is
 *  light. */
export class CostedQueries implements TelemetryQueries {
  readonly fleet: TelemetryQueries["fleet"];
  readonly history: TelemetryQueries["history"];
  readonly aggregates: TelemetryQueries["aggregates"];
  readonly quarantine: TelemetryQueries["quarantine"];
  readonly coverage: TelemetryQueries["coverage"];

  constructor(ask: Ask) {
    this.fleet = {
      gpus: (selector) => ask("light", ({ fleet }) => fleet.gpus(selector)),
      latest: (selector) => ask("light", ({ fleet }) => fleet.latest(selector)),
      changes: (filter) => ask("light", ({ fleet }) => fleet.changes(filter)),
      stateSpans: (known) => ask("light", ({ fleet }) => fleet.stateSpans(known)),
    };
    this.history = {
      records: (filter) => ask(weightOf(filter.gpus), ({ history }) => history.records(filter)),
      rollups: (filter, resolution) => ask(weightOf(filter.gpus), ({ history }) => history.rollups(filter, resolution)),
      recordsOfEach: (filter) => ask(weightOf(filter), ({ history }) => history.recordsOfEach(filter)),
      rollupsOfEach: (filter, resolution) =>
        ask(weightOf(filter), ({ history }) => history.rollupsOfEach(filter, resolution)),
      deviceKinds: () => ask("light", ({ history }) => history.deviceKinds()),
    };
    this.aggregates = {
      byGroup: (filter) => ask("heavy", ({ aggregates }) => aggregates.byGroup(filter)),
      countRecords: (clusterId) => ask("heavy", ({ aggregates }) => aggregates.countRecords(clusterId)),
    };
    this.quarantine = {
      rejections: (filter) => ask("light", ({ quarantine }) => quarantine.rejections(filter)),
      countRejections: () => ask("heavy", ({ quarantine }) => quarantine.countRejections()),
      countConflicts: () => ask("heavy", ({ quarantine }) => quarantine.countConflicts()),
    };
    this.coverage = {
      coverage: (filter) => ask("heavy", ({ coverage }) => coverage.coverage(filter)),
    };
  }
}

function weightOf({ uuids }: Pick<GpuSelector, "uuids">): "light" | "heavy" {
  return uuids?.length === 1 ? "light" : "heavy";
}
