import { type Static, Type } from "@sinclair/typebox";
import { severities } from "../../faults/fault-guide.ts";
import { faultStates } from "../../faults/fault.ts";
import type { StoredFault, ToldChange } from "../../faults/stored-fault.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { defined } from "../../kit/defined.ts";
import { instant, wholeNumber } from "./envelope.ts";
import { occupantSchema } from "./occupants.ts";

/** What a fault can be of. */
const faultKinds = ["device", "host", "cluster", "job"] as const;

/** How urgent a fault is. */
export const severityField = Type.Union(
  severities.map((severity) => Type.Literal(severity)),
  { description: "How urgent it is" },
);

const stateField = Type.Union(
  faultStates.map((state) => Type.Literal(state)),
  {
    description:
      "pending: its condition has not lasted long enough yet; firing; acknowledged: an operator has seen it; suppressed: its host or " +
      "device is under maintenance or decommissioned; resolved: it has ended",
  },
);

const value = Type.Optional(Type.Number({ description: "The measured value; absent if the fault has none" }));
const comment = Type.Optional(Type.String({ description: "What the operator wrote; absent if nothing" }));

const faultFields = {
  id: Type.String({ description: "Identifies this occurrence: the name, the place, and when it began" }),
  name: Type.String({ description: "The id of the rule; of an XID, with its number: nvidia.xid.79" }),
  rule: Type.String({ description: "The id of the rule" }),
  severity: severityField,
  state: stateField,
  summary: Type.String({ description: "The fault in a few words" }),
  kind: Type.Union(
    faultKinds.map((kind) => Type.Literal(kind)),
    { description: "Whether it concerns a device, host, job or cluster" },
  ),
  cluster_id: Type.String({ description: "Cluster of the device, host or job" }),
  hostname: Type.Optional(
    Type.String({ description: "The host, or the host that the device was in at the beginning" }),
  ),
  uuid: Type.Optional(
    Type.String({ description: "UUID of the GPU or MIG instance; absent unless the fault concerns a device" }),
  ),
  job: Type.Optional(
    Type.String({ description: "Namespace and name of the job; absent unless the fault concerns a job" }),
  ),
  started_at: instant("When its condition was first seen, or when data stopped arriving"),
  state_since: instant("When it entered this state"),
  fired_at: Type.Optional(instant("When it fired; absent if it has not")),
  ended_at: Type.Optional(instant("When it ended; absent if it has not")),
  age_seconds: wholeNumber({ minimum: 0, description: "How long it has lasted, or had lasted when it ended" }),
  value,
  why: Type.String({ description: "The reason for its state" }),
  action: Type.String({ description: "What to do" }),
  runbook: Type.String({ description: "Page and heading of its explanation" }),
  holders: Type.Array(occupantSchema, { description: "The workloads that held the device at the beginning" }),
  acknowledged_by: Type.Optional(Type.String({ description: "Who has acknowledged it; absent if no operator has" })),
  acknowledged_at: Type.Optional(instant("When it was acknowledged")),
  comment,
  silenced: Type.Boolean({ description: "True while a silence applies to it: no notifications are sent" }),
  silenced_by: Type.Array(wholeNumber({ minimum: 1 }), {
    description: "The ids of these silences, as far as the caller may see them",
  }),
};

const exampleFault = {
  id: "gpu.temperature.high@lab/GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4@1752871354000",
  name: "gpu.temperature.high",
  rule: "gpu.temperature.high",
  severity: "warning",
  state: "firing",
  summary: "The GPU is hot",
  kind: "device",
  cluster_id: "lab",
  hostname: "gpu-01",
  uuid: "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4",
  started_at: "2025-07-18T20:42:34Z",
  state_since: "2025-07-18T20:47:34Z",
  fired_at: "2025-07-18T20:47:34Z",
  age_seconds: 420,
  value: 88,
  why: "temperature is 88, above 85.",
  action: "Check the fans and the air flow of the node.",
  runbook: "docs/faults.md#gputemperaturehigh",
  holders: [{ container: "main", pod: "train-0", namespace: "ml" }],
  silenced: false,
  silenced_by: [],
};

/** A fault as the API shows it. */
export const faultSchema = Type.Object(faultFields, {
  $id: "Fault",
  additionalProperties: false,
  description: "Something that is wrong with a device, a host, a job or a cluster",
  examples: [exampleFault],
});

const exampleChange = {
  ordinal: 2,
  state: "firing",
  at: "2025-07-18T20:47:34Z",
  told_at: "2025-07-18T20:47:35Z",
  value: 88,
  why: "temperature is 88, above 85.",
};

/** A change of a fault's state as the API shows it. */
const faultChangeSchema = Type.Object(
  {
    ordinal: wholeNumber({ minimum: 1, description: "Position among the changes of the fault" }),
    state: stateField,
    at: instant("When the state changed, by the clock of the records"),
    told_at: instant("When the change was stored"),
    value,
    why: Type.String({ description: "The reason" }),
    by: Type.Optional(Type.String({ description: "The operator who changed it; absent if the records did" })),
    comment,
  },
  {
    $id: "FaultChange",
    additionalProperties: false,
    description: "A change of a fault's state",
    examples: [exampleChange],
  },
);

/** A change of a fault that is told to those who follow, with the fault as it is when it is told. */
export const faultNewsSchema = Type.Object(
  {
    sequence: wholeNumber({
      minimum: 1,
      description: "Its number among the changes of all faults; since continues after it",
    }),
    change: faultChangeSchema,
    fault: faultSchema,
  },
  {
    $id: "FaultNews",
    additionalProperties: false,
    description: "A change of a fault's state, with the fault as it is now",
    examples: [{ sequence: 17, change: exampleChange, fault: exampleFault }],
  },
);

/** A fault with its changes, oldest first. */
export const faultDetailSchema = Type.Object(
  { ...faultFields, changes: Type.Array(faultChangeSchema, { description: "Its newest 1,000 changes, oldest first" }) },
  {
    $id: "FaultDetail",
    additionalProperties: false,
    description: "A fault with the changes of its state",
    examples: [{ ...exampleFault, changes: [exampleChange] }],
  },
);

export type ApiFault = Static<typeof faultSchema>;
export type ApiFaultNews = Static<typeof faultNewsSchema>;
export type ApiFaultDetail = Static<typeof faultDetailSchema>;

/** Whether a fault is silenced, and by which silences the caller may see. */
export interface Silenced {
  readonly silenced: boolean;
  readonly silencedBy: readonly number[];
}

/** A fault in the API's shape. */
export function toApiFault(fault: StoredFault, { silenced, silencedBy }: Silenced, nowMs: number): ApiFault {
  const { id, name, rule, severity, state, summary, subject, why, action, runbook, holders, acknowledgement } = fault;
  const { kind, clusterId, hostname, uuid, job } = subject;
  const ageMs = (fault.endedAtMs ?? nowMs) - fault.startedAtMs;
  return {
    ...{ id, name, rule, severity, state, summary, kind, cluster_id: clusterId },
    ...defined({ hostname: given(hostname), uuid: given(uuid), job: given(job) }),
    started_at: formatTimestamp(fault.startedAtMs),
    state_since: formatTimestamp(fault.stateSinceMs),
    ...defined({ fired_at: instantOf(fault.firedAtMs), ended_at: instantOf(fault.endedAtMs) }),
    age_seconds: Math.max(0, Math.floor(ageMs / 1000)),
    ...defined({ value: fault.value ?? undefined }),
    ...{ why, action, runbook },
    holders: holders.map(({ container, pod, namespace }) => ({ container, pod, namespace })),
    ...(acknowledgement === null
      ? {}
      : {
          acknowledged_by: acknowledgement.by,
          acknowledged_at: formatTimestamp(acknowledgement.atMs),
          ...defined({ comment: given(acknowledgement.comment) }),
        }),
    silenced,
    silenced_by: [...silencedBy],
  };
}

/** A change in the API's shape. */
export function toApiFaultChange(change: ToldChange): Static<typeof faultChangeSchema> {
  const { ordinal, state, atMs, toldAtMs, why, by } = change;
  return {
    ...{ ordinal, state, at: formatTimestamp(atMs), told_at: formatTimestamp(toldAtMs) },
    ...defined({ value: change.value ?? undefined }),
    why,
    ...defined({ by: given(by), comment: given(change.comment) }),
  };
}

function given(text: string): string | undefined {
  return text === "" ? undefined : text;
}

function instantOf(atMs: number | null): string | undefined {
  return atMs === null ? undefined : formatTimestamp(atMs);
}
