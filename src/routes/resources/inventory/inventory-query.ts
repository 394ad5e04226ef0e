import {
  type InventoryChange,
  type InventoryFilter,
  type InventoryPlace,
  inventoryStates,
} from "../../../domain/inventory.ts";
import { hasHidden } from "../../../domain/field-rules.ts";
import { firstMsOf } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import type { Declaration } from "../../answers/inventory-answers.ts";
import { limit, nameOf } from "../../http/parameters/common.ts";
import { cursorParameter, hasTypes } from "../../http/parameters/cursor.ts";
import {
  choice,
  instant,
  integer,
  optional,
  type Parameter,
  text,
  type ValuesOf,
} from "../../http/parameters/parameter.ts";
import { inventoryKinds } from "../../schemas/inventory-item.ts";

/** The parameters of requests for the inventory. */
export const inventoryQuery = {
  kind: optional(choice(inventoryKinds, { description: "Only hosts, or only devices", example: "device" })),
  state: optional(
    choice(inventoryStates, {
      description: `Only items in this state: ${inventoryStates.join(", ")}`,
      example: "maintenance",
    }),
  ),
  seen: optional(
    choice(["yes", "never"], {
      description: ({ value }) =>
        `${value("yes")}: only what has reported; ${value("never")}: only what was declared and has never reported`,
      example: "never",
    }),
  ),
  cluster_id: optional(nameOf("Only items of this cluster", "lab")),
  hostname: optional(nameOf("Only this host, and its devices", "gpu-01")),
  gpu_uuid: optional(nameOf("Only the device with this UUID", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4")),
  limit: limit({ byDefault: 1000 }),
  cursor: cursorParameter({
    maxLength: 4096,
    following: "the items that follow",
    example: ["lab", "gpu-01", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4"],
    positionOf: (place): InventoryPlace | undefined => {
      const [clusterId, hostname, uuid] = place.map(String) as [string, string, string];
      return hasTypes(place, "string", "string", "string") ? { clusterId, hostname, uuid } : undefined;
    },
  }),
};

/** The filter that the parameters say. */
export function inventoryFilterOf(values: ValuesOf<typeof inventoryQuery>): InventoryFilter {
  const { kind, state, seen, cluster_id: clusterId, hostname, gpu_uuid: uuid, limit: max, cursor: after } = values;
  const wasSeen = seen === undefined ? undefined : seen === "yes";
  return { limit: max, ...defined({ kind, state, seen: wasSeen, clusterId, hostname, uuid, after }) };
}

const noteMaxLength = 500;

/** The parameters that name a host or device. */
export const subjectQuery = {
  cluster_id: optional(nameOf("Cluster of the host; needed only if several clusters have a host of this name", "lab")),
  hostname: optional(nameOf("The host, with the devices in it", "gpu-01")),
  gpu_uuid: optional(
    nameOf("The device, instead of a host, with its MIG instances", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4"),
  ),
};

const note = {
  note: optional(
    text({
      maxLength: noteMaxLength,
      description: "A note for people: the reason, or a ticket",
      example: "new fans, ticket 4711",
    }),
  ),
};

/** The parameters of a maintenance. */
export const maintenanceQuery = {
  ...subjectQuery,
  start_time: optional(
    instant(
      "RFC 3339 with zone, or a time from now such as -1h; when it begins. Default now, by the clock of the store",
    ),
  ),
  end_time: optional(
    instant("RFC 3339 with zone, or a time from now such as -1h; when it ends. Default: when it is restored"),
  ),
  ...note,
};

/** The parameters of a decommissioning. */
export const decommissionQuery = {
  ...subjectQuery,
  start_time: optional(
    instant(
      "RFC 3339 with zone, or a time from now such as -1h; since when it is gone, which may be in the past. Default now, by the clock of the store",
    ),
  ),
  ...note,
};

/** The parameters of a restoration. */
export const restoreQuery = {
  ...subjectQuery,
  end_time: optional(
    instant(
      "RFC 3339 with zone, or a time from now such as -1h; when maintenance and decommissioning end. What begins later is dropped. Default now",
    ),
  ),
  ...note,
};

/** A name that a source can report. */
function reportable(name: Parameter<string>): Parameter<string> {
  const problem = "it has a character that is not seen, so nothing can report it";
  return { ...name, read: (given) => (hasHidden(given) ? { problem } : name.read(given)) };
}

/** The parameters of a declaration. */
export const declareQuery = {
  cluster_id: optional(
    nameOf("Cluster of the host; needed unless one cluster has reported a host of this name", "lab"),
  ),
  hostname: reportable(nameOf("The host, or the host that the device is in", "gpu-01")),
  gpu_uuid: optional(
    reportable(nameOf("UUID of the device that is expected to report", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4")),
  ),
  gpus: optional(
    integer({
      minimum: 1,
      maximum: 1024,
      description: "Number of the host's GPUs that are expected to report, 1 to 1024",
    }),
  ),
};

/** The parameters of the end of a target. */
export const endTargetQuery = {
  source_id: nameOf("The target, as in the coverage by target", "scrape:lab:gpu-01:9400"),
  end_time: optional(
    instant(
      "RFC 3339 with zone, or a time from now such as -1h; no readings are due after it. Default now, by the clock of the store",
    ),
  ),
};

/** The end of a target that the parameters say. */
export function targetEndOf({ source_id: sourceId, end_time: end }: ValuesOf<typeof endTargetQuery>) {
  return { sourceId, atMs: end && firstMsOf(end) };
}

type ChangeValues = Partial<ValuesOf<typeof maintenanceQuery>>;

/** The change that the parameters say. */
export function inventoryChangeOf(action: InventoryChange["action"], values: ChangeValues): InventoryChange {
  const { start_time: start, end_time: end, note: written = "" } = values;
  const [startMs, endMs] = [start && firstMsOf(start), end && firstMsOf(end)];
  const isRestore = action === "restore";
  return {
    action,
    subject: inventorySubjectOf(values),
    fromMs: isRestore ? endMs : startMs,
    toMs: isRestore ? undefined : endMs,
    note: written,
  };
}

/** The host or device that the parameters name. */
export function inventorySubjectOf({
  cluster_id: clusterId,
  hostname,
  gpu_uuid: uuid,
}: Partial<ValuesOf<typeof subjectQuery>>) {
  return defined({ clusterId, hostname, uuid });
}

/** The declaration that the parameters say. */
export function declarationOf(values: ValuesOf<typeof declareQuery>): Declaration {
  const { cluster_id: clusterId, hostname, gpu_uuid: uuid, gpus } = values;
  return { hostname, gpus, ...defined({ clusterId, uuid }) };
}
