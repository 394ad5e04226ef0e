import { type TObject, type TSchema, Type } from "@sinclair/typebox";
import { groupings } from "../../domain/query.ts";
import type { TimeRange } from "../../domain/time-range.ts";
import { ApiError, invalidParameter, shown } from "./api-error.ts";
import { metricsParameter, orderParameter } from "./filters.ts";
import { readInstant } from "./instant.ts";
import { listPaging } from "./list-page.ts";
import { checkBody } from "./request-body.ts";
import { nameMaxLength, wholeNumber } from "../schemas/envelope.ts";
import { selectorFields } from "../schemas/gpu-selector.ts";

const limitMax = 10_000;
const limitDefault = 100;
/** An hour of minutes of 1,600 hosts. */
const aggregatesMax = 100_000;

/** How many elements to give. */
const limit = Type.Optional(
  wholeNumber({
    minimum: 1,
    maximum: limitMax,
    default: limitDefault,
    description: `At most this many; the newest ones. 1 to ${limitMax}, default ${limitDefault}`,
  }),
);

function timeBound(description: string) {
  return Type.Optional(
    Type.String({ format: "date-time", minLength: 1, description, examples: ["2025-07-18T20:42:34Z"] }),
  );
}

/** A name in a path. */
export function pathName(description: string, example: string) {
  return Type.String({ minLength: 1, maxLength: nameMaxLength, description, examples: [example] });
}

/** The parameters of every telemetry endpoint. */
const telemetryQuery = Type.Object(
  {
    start_time: timeBound("RFC 3339 with zone; records at or after it"),
    end_time: timeBound("RFC 3339 with zone; records at or before it"),
    limit,
    order: orderParameter,
    metrics: metricsParameter,
  },
  { additionalProperties: false },
);

/** The parameters of the newest records. */
export const latestQuery = Type.Object(
  { ...telemetryQuery.properties, ...selectorFields },
  { additionalProperties: false },
);

/** The parameters of every endpoint that gives history. */
export const historyQuery = Type.Object(
  {
    ...telemetryQuery.properties,
    resolution: Type.Optional(
      Type.String({
        pattern: "^(auto|raw|1m|1h)$",
        default: "raw",
        description:
          "Raw for every record, 1m or 1h for averages over minutes or hours, auto to choose by the window's width (raw " +
          "up to 6 h, 1m up to 7 days)",
        examples: ["auto"],
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: "next_cursor of the answer before: what comes before it in time",
        examples: ["MTc1Mjg3MTM1NDAwMDo0Mg"],
      }),
    ),
  },
  { additionalProperties: false },
);

/** The parameters of the history of all GPUs. */
export const fleetHistoryQuery = Type.Object(
  { ...historyQuery.properties, ...selectorFields },
  { additionalProperties: false },
);

/** The parameters of lists of GPUs and hosts. */
export const gpuListQuery = Type.Object({ ...selectorFields, ...listPaging }, { additionalProperties: false });

/** The parameters of what is summed up. */
export const aggregateQuery = Type.Object(
  {
    group_by: Type.String({
      pattern: `^(${groupings.join("|")})$`,
      description: `One of ${groupings.join(", ")}`,
      examples: ["host"],
    }),
    metrics: Type.Optional(
      Type.String({
        ...metricsParameter,
        description:
          "Names of /api/v1/metrics with commas between them; default gpu_utilization, memory_utilization, temperature, " +
          "power_draw",
      }),
    ),
    start_time: timeBound("RFC 3339 with zone; default an hour before the end"),
    end_time: timeBound("RFC 3339 with zone; default now"),
    resolution: Type.Optional(
      Type.String({
        pattern: "^(auto|1m|1h)$",
        default: "auto",
        description: "1m or 1h for minutes or hours, auto to choose by the window's width (1m up to 7 days)",
        examples: ["1m"],
      }),
    ),
    cluster_id: selectorFields.cluster_id,
    hostname: selectorFields.hostname,
    limit: Type.Optional(
      wholeNumber({
        minimum: 1,
        maximum: aggregatesMax,
        default: limitMax,
        description: `Rows that may come; more are an error. 1 to ${aggregatesMax}, default ${limitMax}`,
      }),
    ),
  },
  { additionalProperties: false },
);

/** The parameters of a GPU's changes. */
export const changesQuery = Type.Object(
  {
    start_time: timeBound("RFC 3339 with zone; what held then and what began later"),
    end_time: timeBound("RFC 3339 with zone; what began at or before it"),
  },
  { additionalProperties: false },
);

/** The parameters of the quarantine. */
export const quarantineQuery = Type.Object(
  {
    source_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 4096,
        description: "Only what this source brought",
        examples: ["csv:fleet.csv"],
      }),
    ),
    limit,
  },
  { additionalProperties: false },
);

/** For endpoints that take no parameters. */
export const noQuery = Type.Object({}, { additionalProperties: false });

/** What a route takes, and the check that speaks before Elysia's own: its messages name the parameter, the value and
 *  what would be right, and it refuses what Elysia would let pass (repeated parameters, `5e1`). */
export function accepts<Query extends TObject>(query: Query) {
  return {
    query,
    transform: ({ request }: { request: Request }) => {
      checkQuery(query, request.url);
      checkBody(request);
    },
  };
}

/** The same for a route with parameters in its path. */
export function acceptsAt<Params extends TObject, Query extends TObject>(params: Params, query: Query) {
  return {
    params,
    query,
    transform: (context: { request: Request; params: unknown }) => {
      checkParams(params, context.params as Record<string, unknown>);
      checkQuery(query, context.request.url);
      checkBody(context.request);
    },
  };
}

/** @throws ApiError for the first parameter at fault */
function checkQuery(query: TObject, url: string): void {
  const queryAt = url.indexOf("?");
  const given = new URLSearchParams(queryAt === -1 ? "" : url.slice(queryAt));
  for (const name of new Set(given.keys())) {
    const schema = query.properties[name];
    if (schema === undefined) throw unknownParameter(name, Object.keys(query.properties));
    const values = given.getAll(name);
    if (values.length > 1) {
      const problem = "it is given more than once";
      throw invalidParameter({ parameter: name, value: values.join(","), expected: expectedOf(schema), problem });
    }
    checkParameter(name, schema, values[0] ?? "");
  }
  const missing = (query.required ?? []).find((name) => !given.has(name));
  if (missing !== undefined) throw missingParameter(missing, query.properties[missing] as TSchema);
}

function missingParameter(name: string, schema: TSchema): ApiError {
  return invalidParameter({ parameter: name, value: "", problem: "it is missing", expected: expectedOf(schema) });
}

function checkParams(schema: TObject, params: Record<string, unknown>): void {
  for (const [name, property] of Object.entries(schema.properties)) {
    const value = params[name];
    // Elysia leaves null where the percent-encoding is broken.
    if (typeof value !== "string") {
      throw invalidParameter({
        parameter: name,
        value: "",
        problem: "its percent-encoding is broken",
        expected: expectedOf(property),
      });
    }
    checkParameter(name, property, value);
  }
}

/** @throws ApiError where the text is no value of the parameter */
export function checkParameter(name: string, schema: TSchema, text: string): void {
  const problem = problemOf(schema, text);
  if (problem === undefined) return;
  throw invalidParameter({ parameter: name, value: text, expected: expectedOf(schema), ...problemText(problem) });
}

/** @returns what is wrong, empty where what is expected says it all; undefined for a usable value */
function problemOf(schema: TSchema, text: string): string | undefined {
  if (schema["type"] === "number") {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    return value >= (schema["minimum"] as number) && value <= (schema["maximum"] as number) ? undefined : "";
  }
  if (schema["format"] === "date-time") {
    const read = readInstant(text);
    return "problem" in read ? read.problem : undefined;
  }
  if (schema["pattern"] !== undefined) return new RegExp(schema["pattern"] as string).test(text) ? undefined : "";
  // no text in a database has it
  if (text.includes("\0")) return "it has the character NUL";
  return text.length >= 1 && text.length <= (schema["maxLength"] as number) ? undefined : "";
}

function expectedOf(schema: TSchema): string {
  if (schema["type"] === "number")
    return `a whole number from ${String(schema["minimum"])} to ${String(schema["maximum"])}`;
  if (schema["format"] === "date-time") return "RFC 3339 with zone, such as 2025-07-18T20:42:34Z";
  if (schema["pattern"] !== undefined) return (schema.description ?? "").replace(/^./, (first) => first.toLowerCase());
  return `a text of 1 to ${String(schema["maxLength"])} characters`;
}

function problemText(problem: string): { problem?: string } {
  return problem === "" ? {} : { problem };
}

function unknownParameter(name: string, known: readonly string[]): ApiError {
  const expected = known.length === 0 ? "no parameters" : known.join(", ");
  return new ApiError(400, "unknown_parameter", {
    message: `There is no parameter ${JSON.stringify(shown(name))} here; expected ${expected}`,
    details: { parameter: shown(name), known },
  });
}

/** What a telemetry query asks for, in the store's terms. */
export interface TelemetryRange {
  readonly range: TimeRange;
  readonly limit: number;
}

/** @param query checked by `accepts(telemetryQuery, ...)`
 *  @throws ApiError when the range ends before it starts */
export function rangeOf(query: { start_time?: string; end_time?: string; limit?: number }): TelemetryRange {
  const start = instantOf(query.start_time);
  const end = instantOf(query.end_time);
  if (start !== undefined && end !== undefined && start.epochMs > end.epochMs) {
    throw invalidParameter({
      parameter: "start_time",
      value: query.start_time ?? "",
      problem: `it is after end_time=${JSON.stringify(query.end_time)}`,
      expected: "a start_time at or before end_time",
    });
  }
  return {
    // Records have whole milliseconds, and the API's end_time belongs to the range.
    range: {
      fromMs: start === undefined ? -Infinity : start.epochMs + (start.hasMore ? 1 : 0),
      toMs: end === undefined ? Infinity : end.epochMs + 1,
    },
    limit: query.limit ?? limitDefault,
  };
}

function instantOf(text: string | undefined): { epochMs: number; hasMore: boolean } | undefined {
  if (text === undefined) return undefined;
  const read = readInstant(text);
  return "epochMs" in read ? read : undefined;
}
