import { type TSchema, Type } from "@sinclair/typebox";
import { resolutions } from "../../domain/query.ts";

/** Longest name of a GPU, host, cluster, model or namespace. */
export const nameMaxLength = 256;

/** A whole number. `Type.Integer` is not coerced from a query and `t.Integer` becomes a union in the documentation;
 *  this is coerced, and the documentation shows it as an integer. */
export function wholeNumber(options: { minimum?: number; maximum?: number; default?: number; description?: string }) {
  return Type.Number({ multipleOf: 1, ...options });
}

/** An instant as the API writes it. */
export function instant(description: string) {
  return Type.String({ format: "date-time", description, examples: ["2025-07-18T20:42:34Z"] });
}

/** The answer that carries a list. */
export function listAnswer(item: TSchema) {
  return Type.Object(
    {
      success: Type.Literal(true),
      count: wholeNumber({ minimum: 0, description: "Elements in data" }),
      data: Type.Array(item),
    },
    { additionalProperties: false },
  );
}

/** The answer that carries a list, or a part of it. */
export function partAnswer(item: TSchema) {
  return Type.Object(
    {
      ...listAnswer(item).properties,
      next_cursor: Type.Optional(Type.String({ description: "Where the list goes on; absent at its end" })),
    },
    { additionalProperties: false },
  );
}

const resolution = Type.Union(
  resolutions.map((each) => Type.Literal(each)),
  { description: "How finely it was looked at" },
);

/** The answer that carries a part of the history. */
export function pageAnswer(item: TSchema) {
  return Type.Object(
    {
      ...listAnswer(item).properties,
      resolution,
      next_cursor: Type.Optional(Type.String({ description: "Where older ones go on; absent at the end" })),
    },
    { additionalProperties: false },
  );
}

/** The answer that carries what is summed up. */
export function rowsAnswer(item: TSchema) {
  return Type.Object({ ...listAnswer(item).properties, resolution }, { additionalProperties: false });
}

/** The answer that carries one thing. */
export function singleAnswer(data: TSchema) {
  return Type.Object({ success: Type.Literal(true), count: Type.Literal(1), data }, { additionalProperties: false });
}

/** Puts a list into the API's envelope. */
export function list<T>(data: readonly T[]): { success: true; count: number; data: readonly T[] } {
  return { success: true, count: data.length, data };
}

/** Puts one thing into the API's envelope. */
export function single<T>(data: T): { success: true; count: 1; data: T } {
  return { success: true, count: 1, data };
}

/** Every answer that is no success. */
export const errorSchema = Type.Object(
  {
    success: Type.Literal(false),
    error: Type.Object(
      {
        code: Type.String({ description: "Stable, for programs", examples: ["invalid_parameter"] }),
        message: Type.String({ description: "One sentence, for people: what is wrong and what would be right" }),
        details: Type.Record(Type.String(), Type.Unknown(), { description: "The values behind the message" }),
      },
      { additionalProperties: false },
    ),
  },
  {
    $id: "Error",
    additionalProperties: false,
    description: "Says what went wrong",
    examples: [
      {
        success: false,
        error: {
          code: "invalid_parameter",
          message: 'limit="0" is not usable; expected a whole number from 1 to 10000',
          details: { parameter: "limit", value: "0", expected: "a whole number from 1 to 10000" },
        },
      },
    ],
  },
);
