import { type TString, Type } from "@sinclair/typebox";

const text = (description: string): TString => Type.String({ minLength: 1, maxLength: 300, description });

/** An argument that is a text and may be left out. */
export const optionalText = (description: string) => Type.Optional(text(description));

/** An argument that is a text. */
export const neededText = text;

/** An argument that has one of these values. */
export function oneOf<const Value extends string>(values: readonly Value[], meaning: string) {
  const description = `${meaning}; one of ${values.join(", ")}`;
  return Type.Optional(
    Type.Unsafe<Value>(Type.String({ enum: values, pattern: `^(?:${values.join("|")})$`, description })),
  );
}

/** An argument that bounds an answer. */
export const atMost = (maximum: number, usual: number) =>
  Type.Optional(
    Type.Integer({ minimum: 1, maximum, description: `At most this many, 1 to ${maximum}; ${usual} if left out` }),
  );

const timeForms = "RFC 3339 with zone, such as 2025-07-18T20:42:34Z, or a time from now, such as -1h, -7d or now";

/** A time. */
export const time = (meaning: string) => optionalText(`${meaning}: ${timeForms}`);

/** Arguments that choose devices. */
export const places = {
  cluster_id: optionalText("Only of this cluster"),
  hostname: optionalText("Only of this host"),
  gpu_uuid: optionalText("Only this GPU or MIG instance, by its UUID; the tool list_gpus finds it"),
};

/** Goes on after the part of a list that an answer had. */
export const cursor = Type.Optional(
  Type.String({ minLength: 1, maxLength: 2048, description: "The cursor that the answer before gave" }),
);
