import type { Clock } from "../../kit/clock.ts";
import type { TelemetryQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { DeadLetterAnswers } from "../answers/dead-letters.ts";
import type { HistoryAnswers } from "../answers/history-answers.ts";
import type { FleetIndex, FleetView } from "../fleet/fleet-index.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { LiveFeed } from "../live/live-feed.ts";
import { HistoryLoader } from "./history-loader.ts";
import type { Admission } from "./live/admission.ts";

/** The parts of the gateway that resolvers answer from. */
export interface GraphqlParts {
  readonly fleet: Fleet;
  readonly queries: TelemetryQueries;
  readonly history: HistoryAnswers;
  readonly deadLetters: DeadLetterAnswers;
  readonly feed: LiveFeed;
  readonly admission: Admission;
  readonly clock: Clock;
}

/** GraphQL's context value: passed to every resolver. */
export interface GraphqlContext {
  readonly operation: OperationContext;
}

/** The parts that the fields of one operation answer from. It records whether they needed more than the fleet's
 *  memory. */
export class OperationContext {
  private usesMoreThanFleet = false;
  private loader: HistoryLoader | undefined;

  constructor(
    private readonly parts: GraphqlParts,
    private readonly view: FleetView,
  ) {}

  /** True if only the fleet's memory was used: the answer is then valid until the fleet changes. */
  get usesOnlyFleet(): boolean {
    return !this.usesMoreThanFleet;
  }

  /** The fleet as it is now. @throws StoreUnavailable while the fleet is not loaded */
  get fleet(): FleetIndex {
    return this.view.now();
  }

  /** All parts of the gateway, for fields that need more than the fleet's memory. */
  get allParts(): GraphqlParts {
    this.usesMoreThanFleet = true;
    return this.parts;
  }

  /** History of the operation's GPUs, read in batches. */
  get telemetry(): HistoryLoader {
    this.loader ??= new HistoryLoader(this.allParts.queries.history);
    return this.loader;
  }
}
