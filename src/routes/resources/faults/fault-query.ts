import { faultStates } from "../../../faults/fault.ts";
import { severities } from "../../../faults/fault-guide.ts";
import type { ChangeFilter, FaultFilter, FaultPlace } from "../../../faults/stored-fault.ts";
import { defined } from "../../../kit/defined.ts";
import { limit, nameOf } from "../../http/parameters/common.ts";
import { cursorParameter } from "../../http/parameters/cursor.ts";
import { integer, listOf, optional, text, type ValuesOf } from "../../http/parameters/parameter.ts";
import { timeBounds, timeRangeOf } from "../../http/parameters/time-bounds.ts";

/** The longest id of a fault: names, a cluster and a place. */
const idMaxLength = 1100;

const gpuExample = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4";

const choices = <Value extends string>(values: readonly Value[], noun: string, description: string) =>
  optional(
    listOf(values, {
      ...{ noun, source: values.join(", "), maxItems: values.length, meaningOf: (each: string) => each },
      description: ({ listSuffix }) => `${description}: some of ${values.join(", ")}${listSuffix}`,
      example: values.slice(1, 3).join(","),
    }),
  );

/** The parameters that select faults by what they are of. */
const faultSelection = {
  severity: choices(severities, "severity", "Only faults of these severities"),
  name: optional(nameOf("Only faults of this name, or of the rule with this id", "nvidia.xid.79")),
  cluster_id: optional(nameOf("Only of this cluster", "lab")),
  hostname: optional(nameOf("Only of this host, and of devices that were in it at the beginning", "gpu-01")),
  gpu_uuid: optional(nameOf("Only of the device with this UUID", gpuExample)),
  namespace: optional(nameOf("Only if a workload of this Kubernetes namespace held the device at the beginning", "ml")),
  job: optional(nameOf("Only of this job", "ml/train")),
};

/** The parameters of requests for the list of faults. */
export const faultsQuery = {
  state: choices(
    faultStates,
    "state",
    "Only faults in these states. Default: those that have not ended; with a range of time, all",
  ),
  ...faultSelection,
  ...timeBounds({
    start: "RFC 3339 with zone, or a time from now such as -1h; only faults that had not ended before",
    end: "RFC 3339 with zone, or a time from now such as -1h; only faults that had begun by then",
  }),
  limit: limit({ byDefault: 1000 }),
  cursor: cursorParameter({
    maxLength: 4096,
    following: "the faults that follow",
    example: [1_752_871_354_000, `memory.full@lab/${gpuExample}@1752871354000`],
    positionOf: ([startedAtMs, id]): FaultPlace | undefined =>
      typeof startedAtMs === "number" && typeof id === "string" ? { startedAtMs, id } : undefined,
  }),
};

/** The arguments of the subscription to changes of faults. */
export const changesQuery = {
  since: optional(
    integer({
      minimum: 0,
      maximum: 2_147_483_647,
      description: "The last sequence that the client knows: the changes after it come first. Default: only later ones",
    }),
  ),
  state: choices(faultStates, "state", "Only changes to these states"),
  ...faultSelection,
};

/** The path parameter of one fault. */
export const faultParams = {
  id: text({
    maxLength: idMaxLength,
    description: "The fault's id",
    example: `memory.full@lab/${gpuExample}@1752871354000`,
  }),
};

/** The filter that the parameters say. */
export function faultFilterOf(values: ValuesOf<typeof faultsQuery>): FaultFilter {
  const { state, start_time, end_time, limit: max, cursor: after } = values;
  const isInTime = start_time !== undefined || end_time !== undefined;
  const range = isInTime ? timeRangeOf(values) : undefined;
  const states = (state as FaultFilter["states"]) ?? (isInTime ? faultStates : undefined);
  return { ...selectionOf(values), limit: max, ...defined({ states, range, after }) };
}

/** The filter that the arguments of a subscription say. */
export function changeFilterOf({ state, ...values }: ValuesOf<typeof changesQuery>): ChangeFilter {
  return { ...selectionOf(values), ...defined({ states: state as ChangeFilter["states"] }) };
}

function selectionOf(values: ValuesOf<typeof faultSelection>) {
  const { severity, name, cluster_id: clusterId, hostname, gpu_uuid: uuid, namespace, job } = values;
  const severities = severity as FaultFilter["severities"];
  return defined({ severities, name, clusterId, hostname, uuid, namespace, job });
}
