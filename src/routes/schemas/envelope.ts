import { type TProperties, type TSchema, Type } from "@sinclair/typebox";
import { resolutions } from "../../domain/query.ts";

/** In a request, the maximum length of a GPU's uuid, of a dead letter's id, and of the name of a host, cluster, model or
 *  namespace. */
export const nameMaxLength = 256;

/** A whole number. The OpenAPI document shows `multipleOf: 1` as an integer. */
export function wholeNumber(options: { minimum?: number; description?: string }) {
  return Type.Number({ multipleOf: 1, ...options });
}

/** An instant as the API writes it. */
export function instant(description: string) {
  return Type.String({ format: "date-time", description, examples: ["2025-07-18T20:42:34Z"] });
}

/** The response that carries a list. */
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

/** The response that carries a list as it is at an instant. */
export function listAsOfAnswer(item: TSchema) {
  return Type.Object(
    { ...listAnswer(item).properties, as_of: instant("When the list was read") },
    { additionalProperties: false },
  );
}

const total = Type.Optional(
  wholeNumber({ minimum: 0, description: "Elements of the whole list; absent if not counted" }),
);

const nextCursor = Type.Optional(
  Type.String({ description: "Cursor of the next part; absent at the end of the list" }),
);

/** The response that carries a list or a part of it, and what `also` has. */
export function partAnswer(item: TSchema, also: TProperties = {}) {
  return Type.Object(
    { ...listAnswer(item).properties, total, next_cursor: nextCursor, ...also },
    { additionalProperties: false },
  );
}

/** The response that carries a part of a list as it is at an instant. */
export function partAsOfAnswer(item: TSchema) {
  return Type.Object(
    { ...listAsOfAnswer(item).properties, total, next_cursor: nextCursor },
    { additionalProperties: false },
  );
}

const resolution = Type.Union(
  resolutions.map((each) => Type.Literal(each)),
  { description: "Resolution of the data" },
);

/** What aggregates cover. */
export const windowFields = {
  start_time: instant("Beginning of the range that was aggregated"),
  end_time: instant("Its end, which belongs to it"),
  notice: Type.Optional(Type.String({ description: "Why there are no rows, and what to do; absent if there are any" })),
};

/** The response that carries a part of the history. */
export function pageAnswer(item: TSchema) {
  return Type.Object(
    {
      ...listAnswer(item).properties,
      resolution,
      next_cursor: Type.Optional(Type.String({ description: "Cursor of the next older part; absent at the end" })),
    },
    { additionalProperties: false },
  );
}

/** The response that carries aggregates. */
export function rowsAnswer(item: TSchema) {
  return Type.Object({ ...listAnswer(item).properties, resolution, ...windowFields }, { additionalProperties: false });
}

/** The response that carries a single object. */
export function singleAnswer(data: TSchema) {
  return Type.Object({ success: Type.Literal(true), count: Type.Literal(1), data }, { additionalProperties: false });
}

/** Puts a list into the API's envelope. */
export function list<T>(data: readonly T[]): { success: true; count: number; data: readonly T[] } {
  return { success: true, count: data.length, data };
}

/** Puts a single object into the API's envelope. */
export function single<T>(data: T): { success: true; count: 1; data: T } {
  return { success: true, count: 1, data };
}

/** The body of the REST API's error responses; /health answers 503 with a body of its own. */
export const errorSchema = Type.Object(
  {
    success: Type.Literal(false),
    error: Type.Object(
      {
        code: Type.String({ description: "Stable identifier, for programs", examples: ["invalid_parameter"] }),
        message: Type.String({ description: "For people: what is wrong and what would be right" }),
        details: Type.Record(Type.String(), Type.Unknown(), { description: "The values behind the message" }),
      },
      { additionalProperties: false },
    ),
  },
  {
    $id: "Error",
    additionalProperties: false,
    description: "An error",
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
