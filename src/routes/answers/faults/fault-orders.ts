import type { GpuBounds } from "../../../domain/gpu-bounds.ts";
import type { FaultOrders, FaultQueries } from "../../../faults/fault-store.ts";
import type { SilenceMatcher } from "../../../faults/silence.ts";
import type { FaultRequest, StoredFault } from "../../../faults/stored-fault.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { Inventory } from "../../../pipeline/store/inventory.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { ApiError, InvalidParameter, notFound, shown } from "../../http/api-error.ts";
import { type ApiFaultOrder, orderMessages } from "../../schemas/fault-order.ts";
import { type ApiSilence, toApiSilence } from "../../schemas/fault-silence.ts";
import { FaultList } from "./fault-list.ts";

/** How long an order waits for the process that evaluates the rules, and how often it looks. */
const waitMs = 3000;
const lookEveryMs = 100;
/** The longest silence. */
const silenceMaxMs = 366 * 86_400_000;

/** Who gives an order. */
export interface Author {
  readonly by: string;
  /** What the order may reach; undefined: everything. */
  readonly within: GpuBounds | undefined;
}

/** A reset of a device, or a reboot of a host. */
export interface Remediation {
  readonly by: string;
  readonly comment: string;
  readonly kind: "reset" | "reboot";
  readonly clusterId: string | undefined;
  readonly hostname: string | undefined;
  readonly uuid: string | undefined;
}

/** A silence that an operator creates. */
export interface NewSilence {
  readonly matchers: readonly SilenceMatcher[];
  readonly reason: string;
  /** Undefined: now. */
  readonly startsAtMs: number | undefined;
  readonly endsAtMs: number;
}

interface Parts {
  readonly queries: FaultQueries;
  readonly orders: FaultOrders;
  readonly inventory: Pick<Inventory, "items">;
  readonly clock: Clock;
}

/** Takes the orders of operators about faults, for REST and GraphQL. Every call throws StoreUnavailable if the store does not answer. */
export class FaultOrderAnswers {
  constructor(private readonly parts: Parts) {}

  /** Acknowledges a fault that fires. What is acknowledged already stays as it is.
   *  @throws ApiError 404 if there is no such fault or the author may not see it, 400 if it does not fire */
  async acknowledge(faultId: string, comment: string, { by, within }: Author): Promise<ApiFaultOrder> {
    const fault = await this.faultOf(faultId, within);
    const answer = async (outcome: ApiFaultOrder["outcome"]): Promise<ApiFaultOrder> => {
      const list = new FaultList(this.parts.queries, this.parts.clock, within);
      return { ...orderOf("acknowledge", outcome), fault: await list.show(faultId) };
    };
    if (fault.acknowledgement !== null) return answer("done");
    if (fault.state === "resolved" || fault.state === "pending") throw notFiring(fault);
    const request = await this.waitFor(await this.parts.orders.acknowledge({ faultId, by, comment }));
    if (request.outcome === "unknown_fault" || request.outcome === "not_firing") {
      const now = await this.faultOf(faultId, within);
      // another operator may have been faster
      if (now.acknowledgement === null) throw notFiring(now);
    }
    return answer(request.outcome === "open" ? "open" : "done");
  }

  /** Ends the XIDs of a device that was reset, or of a host that was rebooted.
   *  @throws ApiError 404 if the host or device is unknown, 400 if several clusters have a host of this name */
  async remediate({ kind, by, comment, ...subject }: Remediation): Promise<ApiFaultOrder> {
    const place = await this.placeOf(subject);
    const id = await this.parts.orders.endByBoundary({ place, boundary: kind, by, comment });
    const { outcome } = await this.waitFor(id);
    return orderOf(kind, outcome === "open" ? "open" : "done");
  }

  /** Silences matching faults, as far as they are within the author's bounds.
   *  @throws ApiError 400 if it ends before it begins or has no matcher, or there are too many silences */
  async silence({ startsAtMs: start, ...asked }: NewSilence, { by: author, within }: Author): Promise<ApiSilence> {
    const nowMs = this.parts.clock.nowMs();
    const startsAtMs = start ?? nowMs;
    checkSilence({ ...asked, startsAtMs, nowMs });
    const silence = await this.parts.orders.silence({ ...asked, startsAtMs, author, within });
    if (silence !== undefined) return toApiSilence(silence, nowMs);
    throw new ApiError(400, "invalid_parameter", {
      message: "There are as many silences as there may be; end some that are no longer needed",
      details: {},
    });
  }

  /** Ends a silence.
   *  @throws ApiError 404 if it does not exist, has ended, or was created by a caller with other bounds than the author's */
  async endSilence(id: number, { by, within }: Author): Promise<ApiSilence> {
    const silence = await this.parts.orders.endSilence({ id, by, ...(within && { within }) });
    if (silence === undefined) throw notFound("silence that has not ended", { id: String(id) });
    return toApiSilence(silence, this.parts.clock.nowMs());
  }

  private async faultOf(id: string, within: GpuBounds | undefined): Promise<StoredFault> {
    const found = await this.parts.queries.fault(id, within);
    if (found === undefined) throw notFound("fault", { id });
    return found.fault;
  }

  /** Waits until the leader has carried out a request, or for `waitMs`. */
  private async waitFor(id: number): Promise<Pick<FaultRequest, "outcome">> {
    const { queries, clock } = this.parts;
    for (let waitedMs = 0; waitedMs < waitMs; waitedMs += lookEveryMs) {
      const request = await queries.request(id);
      if (request !== undefined && request.outcome !== "open") return request;
      await clock.sleep(lookEveryMs);
    }
    return { outcome: "open" };
  }

  private async placeOf({ clusterId, hostname, uuid }: Pick<Remediation, "clusterId" | "hostname" | "uuid">) {
    if ((uuid === undefined) === (hostname === undefined)) {
      throw new InvalidParameter({
        parameter: "hostname",
        value: hostname ?? "",
        problem: uuid === undefined ? "it is missing" : ({ name }) => `${name("gpu_uuid")} is given, too`,
        expected: ({ name }) => `either ${name("hostname")}, for all devices of a host, or ${name("gpu_uuid")}`,
      });
    }
    const given = { ...(clusterId && { clusterId }), ...(hostname && { hostname }), ...(uuid && { uuid }) };
    const kind = uuid === undefined ? ("host" as const) : ("device" as const);
    const { items } = await this.parts.inventory.items({ ...given, kind, limit: 10 });
    const [item] = items;
    if (item === undefined) throw notFound(kind, uuid === undefined ? { hostname: hostname ?? "" } : { uuid });
    if (items.length > 1) {
      const clusters = items.map((each) => each.clusterId).join(", ");
      throw new InvalidParameter({
        parameter: "cluster_id",
        value: clusterId ?? "",
        problem: `several clusters have a host ${JSON.stringify(shown(hostname ?? ""))}: ${clusters}`,
        expected: "the cluster of the host",
      });
    }
    return { clusterId: item.clusterId, hostname: item.hostname, uuid: item.uuid };
  }
}

function orderOf(kind: ApiFaultOrder["kind"], outcome: ApiFaultOrder["outcome"]): ApiFaultOrder {
  return { kind, outcome, message: orderMessages[outcome] };
}

function notFiring({ id, state, stateSinceMs }: StoredFault): InvalidParameter {
  return new InvalidParameter({
    parameter: "id",
    value: id,
    problem: `the fault is ${state} since ${formatTimestamp(stateSinceMs)}`,
    expected: "a fault that fires",
  });
}

function checkSilence({
  matchers,
  startsAtMs,
  endsAtMs,
  nowMs,
}: Pick<NewSilence, "matchers" | "endsAtMs"> & { readonly startsAtMs: number; readonly nowMs: number }): void {
  if (matchers.length === 0) {
    throw new InvalidParameter({
      parameter: "name",
      value: "",
      problem: "the silence would be for every fault",
      expected: "at least one text that faults must have; * stands for any text",
    });
  }
  const firstMs = Math.max(startsAtMs, nowMs);
  if (endsAtMs > firstMs && endsAtMs - firstMs <= silenceMaxMs) return;
  throw new InvalidParameter({
    parameter: "end_time",
    value: formatTimestamp(endsAtMs),
    expected: `an instant after ${formatTimestamp(firstMs)}, at most 366 days later`,
  });
}
