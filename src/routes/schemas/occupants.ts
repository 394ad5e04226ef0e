import { Type } from "@sinclair/typebox";
import type { Occupants, Workload } from "../../domain/gpu.ts";

const name = Type.String({ description: "Empty if the input does not have it" });

/** A workload that holds a device. */
export const occupantSchema = Type.Object(
  { container: name, pod: name, namespace: name },
  { additionalProperties: false },
);

/** The workloads that share a device. */
export const occupantsField = {
  occupants: Type.Optional(
    Type.Array(occupantSchema, {
      minItems: 2,
      description:
        "The workloads that share the GPU or MIG instance, ordered by namespace, pod and container; absent if at most one " +
        "holds it",
    }),
  ),
};

/** The workloads that share a device, in the API's shape; no field if at most one holds it. */
export function toApiOccupants(occupants: Occupants): { readonly occupants?: Workload[] } {
  if (occupants.length < 2) return unshared;
  return { occupants: occupants.map(({ container, pod, namespace }) => ({ container, pod, namespace })) };
}

const unshared = {};
