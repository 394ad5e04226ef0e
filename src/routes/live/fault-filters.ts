import { type Static, Type } from "@sinclair/typebox";
import { severities } from "../../faults/fault-guide.ts";
import { faultStates } from "../../faults/fault.ts";
import { nameMaxLength } from "../schemas/envelope.ts";

const choicesOf = <Value extends string>(values: readonly Value[], description: string) =>
  Type.Optional(
    Type.Array(
      Type.Union(
        values.map((each) => Type.Literal(each)),
        { description: `One of ${values.join(", ")}` },
      ),
      { minItems: 1, maxItems: values.length, description },
    ),
  );
const nameOf = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: nameMaxLength, description }));

/** The filters of subscribe_faults: those of `/api/v1/faults`, with lists as JSON has them. */
export const faultFiltersSchema = Type.Object(
  {
    state: choicesOf(faultStates, "Only changes to these states"),
    severity: choicesOf(severities, "Only of faults of these severities"),
    name: nameOf("Only of faults of this name, or of the rule with this id"),
    cluster: nameOf("Only of this cluster"),
    cluster_id: nameOf("The same as cluster"),
    hostname: nameOf("Only of this host, and of devices that were in it at the beginning"),
    gpu_uuid: nameOf("Only of the device with this UUID"),
    namespace: nameOf("Only if a workload of this Kubernetes namespace held the device at the beginning"),
    job: nameOf("Only of this job"),
  },
  {
    additionalProperties: false,
    description: "The faults whose changes are sent; an absent field does not restrict them",
  },
);

/** The faults whose changes a client follows, as its message names them. */
export type FaultFilters = Static<typeof faultFiltersSchema>;
