import type { Clock } from "../../kit/clock.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { TelemetryQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { DeadLetterAnswers } from "../answers/dead-letters.ts";
import type { HistoryAnswers } from "../answers/history-answers.ts";
import type { LiveFeed } from "../live/live-feed.ts";
import type { FleetIndex, FleetView } from "../fleet/fleet-index.ts";
import type { Admission } from "./live/admission.ts";
import { HistoryLoader } from "./history-loader.ts";

/** What GraphQL answers from. */
export interface GraphqlParts {
  readonly fleet: Fleet;
  readonly queries: TelemetryQueries;
  readonly history: HistoryAnswers;
  readonly desk: DeadLetterAnswers;
  readonly feed: LiveFeed;
  readonly admission: Admission;
  readonly clock: Clock;
}

/** What GraphQL hands to every resolver. */
export interface GraphqlContext {
  readonly operation: OperationContext;
}

/** What the fields of one operation have to answer from. */
export class OperationContext {
  private hasLeftFleet = false;
  private loader: HistoryLoader | undefined;

  constructor(
    private readonly parts: GraphqlParts,
    private readonly view: FleetView,
  ) {}

  /** True while the fleet's memory was all that was asked: the answer holds until the fleet changes. */
  get isOfFleetAlone(): boolean {
    return !this.hasLeftFleet;
  }

  /** The fleet as it is now. @throws StoreUnavailable while it is not known */
  get fleet(): FleetIndex {
    return this.view.now();
  }

  /** Everything beyond the fleet's memory. */
  get beyond(): GraphqlParts {
    this.hasLeftFleet = true;
    return this.parts;
  }

  /** History of the GPUs of this operation, read together. */
  get telemetry(): HistoryLoader {
    this.loader ??= new HistoryLoader(this.beyond);
    return this.loader;
  }
}
