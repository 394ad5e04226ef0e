import type { TObject } from "@sinclair/typebox";
import type { AnyElysia } from "elysia";
import type { AuditStore } from "../../access/audit.ts";
import type { KeyAdministration } from "../../access/key-administration.ts";
import type { SessionAdministration } from "../../access/session-store.ts";
import type { Tickets } from "../../access/tickets.ts";
import type { FaultGuide } from "../../faults/fault-guide.ts";
import type { Clock } from "../../kit/clock.ts";
import type { OtlpBody } from "../../pipeline/source/otlp.ts";
import type { PushIntake } from "../../pipeline/source/push.ts";
import type { UploadIntake } from "../../pipeline/source/upload.ts";
import type { WriteBody } from "../../pipeline/source/remote-write.ts";
import type { TargetStates } from "../../pipeline/source/target-states.ts";
import type { ArchiveLedger } from "../../pipeline/store/archive-ledger.ts";
import type { QuarantineQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { UploadList } from "../../pipeline/store/upload-store.ts";
import type { ServiceRegistry } from "../../scaling/registry/service-registry.ts";
import type { ScalingRecords } from "../../scaling/coordinator/scaling-records.ts";
import type { DeadLetterAnswers } from "../answers/dead-letters.ts";
import type { FaultOrderAnswers } from "../answers/faults/fault-orders.ts";
import type { InventoryAnswers } from "../answers/inventory-answers.ts";
import type { PipelineAnswers } from "../answers/pipeline-answers.ts";
import type { RejectedInputAnswers } from "../answers/rejected-inputs.ts";
import type { View } from "../answers/view.ts";
import type { FieldMap, SchemaKit } from "../graphql-kit/field.ts";

/** A noun of the API, with everything that the API offers about it. */
export interface Resource {
  /** Types that the OpenAPI document names. */
  readonly schemas: readonly TObject[];
  /** REST routes. */
  routes(parts: ResourceParts): readonly AnyElysia[];
  /** GraphQL fields. */
  fields(kit: SchemaKit): ResourceFields;
}

/** Gives the view of a request's caller. */
export type ViewOf = (request: Request) => View;

/** The parts of the gateway that REST routes use. Those without a view are about the whole pipeline: their routes refuse callers with a
 *  selector. */
export interface ResourceParts {
  /** What the caller of a request may see. */
  readonly viewOf: ViewOf;
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
  /** What is archived, and what waits. */
  readonly archive: Pick<ArchiveLedger, "files" | "state">;
  /** The running processes of the pipeline. */
  readonly serviceRegistry: Pick<ServiceRegistry, "list">;
  /** The exporters that the pipeline scrapes. */
  readonly targetStates: Pick<TargetStates, "list">;
  /** Takes pushed telemetry into the queue. */
  readonly push: PushIntake;
  /** The largest content of a push. */
  readonly pushMaxBytes: number;
  /** Takes remote write into the queue. */
  readonly write: PushIntake<WriteBody>;
  /** Takes metrics by OTLP into the queue. */
  readonly otlp: PushIntake<OtlpBody>;
  /** The largest request of remote write and of OTLP, unpacked. */
  readonly writeMaxBytes: number;
  /** Tables that clients have sent. */
  readonly uploads: UploadList;
  readonly uploadIntake: UploadIntake;
  /** The largest upload. */
  readonly uploadMaxBytes: number;
  /** CLUSTER_ID. */
  readonly clusterId: string;
  /** The coordinator's decisions. */
  readonly scaling: Pick<ScalingRecords, "read">;
  /** Makes and revokes keys and tickets, ends sessions; has the audit log. */
  readonly administration: {
    readonly keys: KeyAdministration;
    readonly tickets: Tickets;
    readonly sessions: SessionAdministration;
    readonly audit: Pick<AuditStore, "list">;
  };
  /** METRICS_FLEET and METRICS_FLEET_STALE_AFTER. */
  readonly fleetMetrics: { readonly areServed: boolean; readonly staleAfterMs: number };
  readonly clock: Clock;
}

/** The GraphQL fields of a resource. */
export interface ResourceFields {
  readonly query: FieldMap;
  readonly mutation: FieldMap;
  readonly subscription: FieldMap;
  /** Fields that lead from a type to other types, by the name of the type that has the fields. Several resources may add
   *  fields to one type. */
  readonly relations: Readonly<Record<string, FieldMap>>;
}

/** No GraphQL fields: the default for each kind of field that a resource lacks. */
export const noFields: ResourceFields = { query: {}, mutation: {}, subscription: {}, relations: {} };
