import { type Static, Type } from "@sinclair/typebox";

const text = Type.Optional(Type.String());

/** The payload `v1beta1`: the long form, with one element for each sample, like a row of the DCGM CSV.
 *  Every field of an element is optional here: the migration checks which fields are missing, so that an incomplete sample
 *  does not affect the others. */
export const payloadV1Beta1 = Type.Object({
  cluster_id: Type.String({ minLength: 1 }),
  samples: Type.Array(
    Type.Object({
      timestamp: text,
      metric_name: text,
      gpu_id: Type.Optional(Type.Union([Type.String(), Type.Number()])),
      device: text,
      uuid: text,
      model_name: text,
      hostname: text,
      container: text,
      pod: text,
      namespace: text,
      driver_version: text,
      value: Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Null()])),
    }),
  ),
});

export type PayloadV1Beta1 = Static<typeof payloadV1Beta1>;
