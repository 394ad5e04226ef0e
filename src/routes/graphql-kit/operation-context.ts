import type { Requester } from "../http/access/requester.ts";
import type { Clock } from "../../kit/clock.ts";
import type { TargetStates } from "../../pipeline/source/target-states.ts";
import type { TelemetryQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { ServiceRegistry } from "../../scaling/registry/service-registry.ts";
import type { ScalingRecords } from "../../scaling/coordinator/scaling-records.ts";
import type { DeadLetterAnswers } from "../answers/dead-letters.ts";
import type { InventoryAnswers } from "../answers/inventory-answers.ts";
import type { HistoryAnswers } from "../answers/history-answers.ts";
import type { FleetIndex, FleetView } from "../fleet/fleet-index.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { LiveFeed } from "../live/live-feed.ts";
import { HistoryLoader } from "./history-loader.ts";
import type { Admission } from "./live/admission.ts";

/** The parts of the gateway that resolvers use. */
export interface GraphqlParts {
  readonly fleet: Fleet;
  readonly queries: TelemetryQueries;
  readonly history: HistoryAnswers;
  readonly deadLetters: DeadLetterAnswers;
  readonly inventory: InventoryAnswers;
  readonly feed: LiveFeed;
  readonly scaling: Pick<ScalingRecords, "read">;
  readonly admission: Admission;
  readonly serviceRegistry: Pick<ServiceRegistry, "list">;
  readonly targetStates: Pick<TargetStates, "list">;
  readonly clock: Clock;
}

/** The context value that graphql passes to every resolver. */
export interface GraphqlContext {
  readonly operation: OperationContext;
}

/** Provides the fleet and the other parts to the fields of one operation, and notes whether a field used more than the
 *  fleet. */
export class OperationContext {
  private usesMoreThanFleet = false;
  private loader: HistoryLoader | undefined;

  constructor(
    private readonly parts: GraphqlParts,
    private readonly view: FleetView,
    readonly requester: Requester,
  ) {}

  /** True if no field used more than the fleet. The answer is then valid until the fleet changes. */
  get usesOnlyFleet(): boolean {
    return !this.usesMoreThanFleet;
  }

  /** Notes that the same operation of another client may have another answer. */
  dependsOnSender(): void {
    this.usesMoreThanFleet = true;
  }

  /** The fleet as it is now. @throws StoreUnavailable while the fleet is not loaded */
  get fleet(): FleetIndex {
    return this.view.now();
  }

  /** All parts of the gateway. Reading this property counts as using more than the fleet. */
  get allParts(): GraphqlParts {
    this.usesMoreThanFleet = true;
    return this.parts;
  }

  /** Reads the history of GPUs. Reading this property counts as using more than the fleet. */
  get historyLoader(): HistoryLoader {
    this.loader ??= new HistoryLoader(this.allParts.queries.history);
    return this.loader;
  }
}
