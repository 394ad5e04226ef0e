import { type Static, Type } from "@sinclair/typebox";
import { declarers, type InventoryItem, inventoryStates } from "../../domain/inventory.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { defined } from "../../kit/defined.ts";
import { instant, wholeNumber } from "./envelope.ts";

/** The kinds of items of the inventory. */
export const inventoryKinds = ["host", "device"] as const;

/** A target that has ended, as the API shows it. */
export const endedTargetSchema = Type.Object(
  {
    source_id: Type.String({ description: "The live source, as in the coverage by target" }),
    ended_at: instant("No readings are due after this time, unless the target is read again"),
  },
  {
    $id: "EndedTarget",
    additionalProperties: false,
    description: "A target that has ended",
    examples: [{ source_id: "scrape:lab:gpu-01:9400", ended_at: "2025-07-18T20:00:00Z" }],
  },
);

/** A host or device that ought to be there, as the API shows it. */
export const inventoryItemSchema = Type.Object(
  {
    kind: Type.Union(
      inventoryKinds.map((kind) => Type.Literal(kind)),
      { description: "A host, or a GPU or MIG instance" },
    ),
    cluster_id: Type.String({ description: "Cluster of the host" }),
    hostname: Type.String({ description: "The host, or the host that the device is in" }),
    uuid: Type.Optional(Type.String({ description: "UUID of the GPU or MIG instance; absent for a host" })),
    state: Type.Union(
      inventoryStates.map((state) => Type.Literal(state)),
      {
        description:
          "active: it is expected to report; maintenance: it need not report for a while; decommissioned: it is gone until it reports again",
      },
    ),
    from: Type.Optional(
      instant(
        "When the state began; if it is active, when its next maintenance begins. Absent if it has always been active",
      ),
    ),
    to: Type.Optional(instant("When that ends; absent if it has no end")),
    note: Type.Optional(Type.String({ description: "What the operator wrote; absent if nothing" })),
    changed_at: Type.Optional(instant("When an operator last changed this, by the clock of the store")),
    declared_by: Type.Array(Type.String(), {
      description: `${declarers[0]}: INVENTORY_FILE; ${declarers[1]}: the API; empty if it has only reported`,
    }),
    declared_at: Type.Optional(instant("When it was first declared")),
    gpus: Type.Optional(wholeNumber({ minimum: 0, description: "Declared number of GPUs of a host" })),
    gpus_seen: Type.Optional(
      wholeNumber({ minimum: 0, description: "GPUs of a host that have reported, decommissioned ones included" }),
    ),
    first_seen_at: Type.Optional(instant("When its oldest record was measured; absent if it has never reported")),
    last_seen_at: Type.Optional(
      instant(
        "When its newest record was measured, or up to 10 minutes before: the inventory is not written for every record. The lists of GPUs and hosts have the exact time",
      ),
    ),
    returned_at: Type.Optional(instant("When it reported again although it was decommissioned")),
  },
  {
    $id: "InventoryItem",
    additionalProperties: false,
    description: "An expected host or device",
    examples: [
      {
        kind: "host",
        cluster_id: "lab",
        hostname: "gpu-01",
        state: "maintenance",
        from: "2025-07-18T20:00:00Z",
        to: "2025-07-18T22:00:00Z",
        note: "new fans",
        changed_at: "2025-07-18T19:58:12Z",
        declared_by: ["file"],
        declared_at: "2025-07-01T08:00:00Z",
        gpus: 8,
        gpus_seen: 8,
        first_seen_at: "2025-07-01T08:10:00Z",
        last_seen_at: "2025-07-18T19:59:45Z",
      },
    ],
  },
);

/** An item in the API's shape. */
export function toApiInventoryItem(item: InventoryItem): Static<typeof inventoryItemSchema> {
  const { clusterId, hostname, uuid, state, note, declaredBy, gpus, gpusSeen } = item;
  const text = (atMs: number | undefined) => (atMs === undefined ? undefined : formatTimestamp(atMs));
  return {
    kind: uuid === "" ? "host" : "device",
    cluster_id: clusterId,
    hostname,
    ...(uuid === "" ? {} : { uuid }),
    state,
    ...defined({ from: text(item.fromMs), to: text(item.toMs), note: note === "" ? undefined : note }),
    ...defined({ changed_at: text(item.changedAtMs) }),
    declared_by: [...declaredBy],
    ...defined({ declared_at: text(item.declaredAtMs), gpus, gpus_seen: gpusSeen }),
    ...defined({ first_seen_at: text(item.firstSeenAtMs), last_seen_at: text(item.lastSeenAtMs) }),
    ...defined({ returned_at: text(item.returnedAtMs) }),
  };
}
