import type { ScopeRule } from "../http/access/access-rule.ts";
import type { Requester } from "../http/access/requester.ts";
import type { FaultGuide } from "../../faults/fault-guide.ts";
import type { Clock } from "../../kit/clock.ts";
import type { TargetStates } from "../../pipeline/source/target-states.ts";
import type { QuarantineQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { ServiceRegistry } from "../../scaling/registry/service-registry.ts";
import type { ScalingRecords } from "../../scaling/coordinator/scaling-records.ts";
import type { DeadLetterAnswers } from "../answers/dead-letters.ts";
import type { FaultOrderAnswers } from "../answers/faults/fault-orders.ts";
import type { InventoryAnswers } from "../answers/inventory-answers.ts";
import type { PipelineAnswers } from "../answers/pipeline-answers.ts";
import type { RejectedInputAnswers } from "../answers/rejected-inputs.ts";
import type { View } from "../answers/view.ts";
import type { FleetIndex } from "../fleet/fleet-index.ts";
import type { Feed } from "../live/live-feed.ts";
import { HistoryLoader } from "./history-loader.ts";
import type { Admission } from "./live/admission.ts";

/** What the caller of an operation may see. */
export type GraphqlView = Omit<View, "answers"> & { readonly feed: Feed };

/** The parts of the gateway that are about the whole pipeline: their fields refuse callers with a selector. */
export interface GraphqlParts {
  readonly deadLetters: DeadLetterAnswers;
  /** Changes the inventory. */
  readonly inventory: InventoryAnswers;
  /** Takes the orders of operators about faults. */
  readonly faultOrders: FaultOrderAnswers;
  /** The rules of faults that are in force. */
  readonly faultGuide: () => Promise<FaultGuide>;
  readonly quarantine: QuarantineQueries;
  /** Redrives and deletes rejected inputs. */
  readonly rejectedInputs: RejectedInputAnswers;
  readonly pipeline: PipelineAnswers;
  readonly scaling: Pick<ScalingRecords, "read">;
  readonly admission: Admission;
  /** Throws why the store would not be asked so many questions of an operation. */
  readonly requireAnswers: (questions: number) => void;
  readonly serviceRegistry: Pick<ServiceRegistry, "list">;
  readonly targetStates: Pick<TargetStates, "list">;
  readonly clock: Clock;
}

/** The context value that graphql passes to every resolver. */
export interface GraphqlContext {
  readonly operation: OperationContext;
}

/** Provides what the caller of one operation may see, and the other parts, to its fields, and notes whether a field used more than
 *  the fleet. */
export class OperationContext {
  private usesMoreThanFleet = false;
  private loader: HistoryLoader | undefined;
  private all: (GraphqlParts & GraphqlView) | undefined;

  constructor(
    private readonly parts: GraphqlParts,
    private readonly view: GraphqlView,
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

  /** Refuses a field that the sender may not use. The error has the sender's name, and each refusal is told to the audit log, so the
   *  answer is of this sender alone.
   *  @throws ApiError 403 */
  require(rule: ScopeRule, action: string, target: string): void {
    try {
      this.requester.require(rule, action, target);
    } catch (error) {
      this.dependsOnSender();
      throw error;
    }
  }

  /** Refuses an operation before it is executed: to refuse its fields one after another would take long.
   *  @param questions fields for which the store is asked
   *  @throws ApiError 429 */
  requireAnswers(questions: number): void {
    try {
      this.parts.requireAnswers(questions);
    } catch (error) {
      this.dependsOnSender();
      throw error;
    }
  }

  /** The fleet as it is now, as far as the caller may see it. @throws StoreUnavailable while the fleet is not loaded */
  get fleet(): FleetIndex {
    return this.view.index.now();
  }

  /** All that the caller may see, and the other parts. Reading this property counts as using more than the fleet. */
  get allParts(): GraphqlParts & GraphqlView {
    this.usesMoreThanFleet = true;
    this.all ??= { ...this.parts, ...this.view };
    return this.all;
  }

  /** Reads the history of GPUs. Reading this property counts as using more than the fleet. */
  get historyLoader(): HistoryLoader {
    this.loader ??= new HistoryLoader(this.allParts.queries.history);
    return this.loader;
  }
}
