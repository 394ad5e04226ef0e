import type { Static } from "@sinclair/typebox";
import {
  type InventoryChange,
  type InventoryOutcome,
  type InventorySubject,
  returnGraceMs,
} from "../../domain/inventory.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import type { Inventory } from "../../pipeline/store/inventory.ts";
import { ApiError, InvalidParameter, shown } from "../http/api-error.ts";
import { type endedTargetSchema, type inventoryItemSchema, toApiInventoryItem } from "../schemas/inventory-item.ts";

type ApiItem = Static<typeof inventoryItemSchema>;

/** A host or device that an operator declares. */
export interface Declaration extends InventorySubject {
  readonly hostname: string;
  /** The number of GPUs of a host; undefined for a device. */
  readonly gpus: number | undefined;
}

/** When a target has ended, milliseconds since the epoch; undefined: now. */
interface TargetEnd {
  readonly sourceId: string;
  readonly atMs: number | undefined;
}

/** What a request has given. */
type Given = Pick<InventoryChange, "subject"> & Partial<Pick<InventoryChange, "fromMs" | "toMs">>;

type Refusal = Exclude<InventoryOutcome, { readonly kind: "changed" }>;

/** Changes the inventory, for REST and GraphQL. Every call throws StoreUnavailable if the store does not answer. The
 *  changes throw ApiError 404 if the host or device is unknown, 400 if they cannot be right. */
export class InventoryAnswers {
  constructor(private readonly inventory: Inventory) {}

  async change(change: InventoryChange): Promise<ApiItem> {
    checkSubject(change.subject);
    return itemOf(await this.inventory.change(change), change);
  }

  async declare({ hostname, uuid = "", gpus, clusterId }: Declaration): Promise<ApiItem> {
    if ((uuid === "") !== (gpus !== undefined)) {
      throw new InvalidParameter({
        parameter: "gpus",
        value: gpus === undefined ? "" : String(gpus),
        problem: ({ name }) => `${name("gpu_uuid")}=${JSON.stringify(uuid)}`,
        expected: ({ name }) => `either ${name("gpu_uuid")}, for a device, or ${name("gpus")}, for the GPUs of a host`,
      });
    }
    const item = { clusterId: clusterId ?? (await this.clusterOf(hostname)), hostname, uuid, gpus };
    await this.inventory.declare([item]);
    const filter = uuid === "" ? { clusterId: item.clusterId, hostname, uuid } : { uuid };
    const [declared] = (await this.inventory.items({ ...filter, limit: 1 })).items;
    if (declared === undefined) throw notKnown(filter, []);
    return toApiInventoryItem(declared);
  }

  /** @returns the item as it was */
  async withdraw(subject: InventorySubject): Promise<ApiItem> {
    checkSubject(subject);
    return itemOf(await this.inventory.withdraw(subject), { subject });
  }

  /** Ends a target. */
  async endTarget({ sourceId, atMs }: TargetEnd): Promise<Static<typeof endedTargetSchema>> {
    const outcome = await this.inventory.targets.end(sourceId, atMs);
    if (outcome.kind === "ended") return { source_id: sourceId, ended_at: formatTimestamp(outcome.endedMs) };
    if (outcome.kind === "unknown") throw targetNotKnown(sourceId, outcome.near);
    const last = formatTimestamp(outcome.lastReadingMs);
    throw new InvalidParameter({
      ...{ parameter: "end_time", value: instantText(atMs), problem: `the last reading was due at ${last}` },
      expected: `${last} or later`,
    });
  }

  /** The cluster of a host that is known already. */
  private async clusterOf(hostname: string): Promise<string> {
    const { items } = await this.inventory.items({ hostname, kind: "host", limit: 10 });
    const [host] = items;
    if (host !== undefined && items.length === 1) return host.clusterId;
    throw clusterMissing(
      hostname,
      items.map(({ clusterId }) => clusterId),
    );
  }
}

function checkSubject({ uuid, hostname }: InventorySubject): void {
  if (uuid !== undefined || hostname !== undefined) return;
  throw new InvalidParameter({
    parameter: "hostname",
    value: "",
    problem: "it is missing",
    expected: ({ name }) => `${name("hostname")}, for a host with its devices, or ${name("gpu_uuid")}, for a device`,
  });
}

/** @throws ApiError if the change was refused */
function itemOf(outcome: InventoryOutcome, given: Given): ApiItem {
  if (outcome.kind === "changed") return toApiInventoryItem(outcome.item);
  throw errorOf(outcome, given);
}

function errorOf(refusal: Refusal, { subject, fromMs, toMs }: Given): ApiError {
  switch (refusal.kind) {
    case "unknown":
      return notKnown(subject, refusal.near);
    case "not_declared":
      return new ApiError(404, "not_found", {
        message: `No operator has declared ${namedIn(subject)}; what the inventory's file declares is changed there`,
        details: detailsOf(subject),
      });
    case "several_clusters":
      return clusterMissing(subject.hostname ?? "", refusal.clusterIds);
    case "has_reported": {
      const { uuid, lastSeenAtMs } = refusal;
      return new InvalidParameter({
        parameter: "start_time",
        value: instantText(fromMs),
        problem: `${uuid} has reported until ${formatTimestamp(lastSeenAtMs)}`,
        expected: `${formatTimestamp(lastSeenAtMs - returnGraceMs)} or later`,
      });
    }
    case "ends_before_begin":
      return new InvalidParameter({
        parameter: "end_time",
        value: instantText(toMs),
        problem: `the maintenance begins at ${formatTimestamp(refusal.fromMs)}`,
        expected: "an instant after its begin",
      });
  }
}

function instantText(atMs: number | undefined): string {
  return atMs === undefined ? "" : formatTimestamp(atMs);
}

function clusterMissing(hostname: string, clusterIds: readonly string[]): InvalidParameter {
  const problem =
    clusterIds.length === 0
      ? `no cluster has a host ${JSON.stringify(shown(hostname))} yet`
      : `several clusters have a host ${JSON.stringify(shown(hostname))}: ${clusterIds.join(", ")}`;
  return new InvalidParameter({ parameter: "cluster_id", value: "", problem, expected: "the cluster of the host" });
}

function notKnown(subject: InventorySubject, near: readonly string[]): ApiError {
  const similar = near.length === 0 ? "" : `; similar: ${near.join(", ")}`;
  return new ApiError(404, "not_found", {
    message: `${namedIn(subject)} has neither reported nor been declared${similar}`,
    details: { ...detailsOf(subject), ...(near.length === 0 ? {} : { similar: near }) },
  });
}

function targetNotKnown(sourceId: string, near: readonly string[]): ApiError {
  const similar = near.length === 0 ? "" : `; similar: ${near.join(", ")}`;
  return new ApiError(404, "not_found", {
    message: `No reading of a target ${JSON.stringify(shown(sourceId))} was ever stored${similar}`,
    details: { source_id: shown(sourceId), ...(near.length === 0 ? {} : { similar: near }) },
  });
}

function namedIn({ uuid, hostname, clusterId }: InventorySubject): string {
  const name =
    uuid === undefined ? `host ${JSON.stringify(shown(hostname ?? ""))}` : `device ${JSON.stringify(shown(uuid))}`;
  return clusterId === undefined ? name : `${name} of cluster ${JSON.stringify(shown(clusterId))}`;
}

function detailsOf({ uuid, hostname, clusterId }: InventorySubject): Readonly<Record<string, string>> {
  const details = { gpu_uuid: uuid, hostname, cluster_id: clusterId };
  return Object.fromEntries(
    Object.entries(details).flatMap(([name, value]) => (value === undefined ? [] : [[name, shown(value)]])),
  );
}
