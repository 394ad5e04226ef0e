import { metrics } from "../../../domain/metrics.ts";
import { nameMaxLength } from "../../schemas/envelope.ts";
import { selectorFields } from "../../schemas/gpu-selector.ts";
import { cursorParameter } from "./cursor.ts";
import { integer, listOf, optional, type Parameter, text, withDefault } from "./parameter.ts";
import type { Text } from "./spelling.ts";

// Parameters that requests of several kinds take.

/** For requests that take no parameters. */
export const noQuery = {};

/** The name of something, such as a GPU or a host. */
export function nameOf(description: Text, example: string): Parameter<string> {
  return text({ maxLength: nameMaxLength, description, example });
}

/** Most elements of an answer that is one piece, and how many it has if nothing else is asked for. */
export const limitMax = 10_000;
export const limitDefault = 100;

interface LimitOptions {
  /** What is limited, as a sentence. */
  readonly meaning?: string;
  readonly maximum?: number;
  readonly byDefault?: number;
}

/** How many elements an answer may have. */
export function limit(options: LimitOptions = {}): Parameter<number> {
  const { meaning = "At most this many", maximum = limitMax, byDefault = limitDefault } = options;
  const description = `${meaning}; 1 to ${maximum}, default ${byDefault}`;
  return withDefault(integer({ minimum: 1, maximum, description }), byDefault);
}

/** Metrics that an answer may be narrowed to, or that are summed up at a time. */
const metricsMax = 20;

/** Names of metrics.
 *  @param absent what comes if none are given, as the end of the description */
export function metricsParameter(absent: string): Parameter<readonly string[] | undefined> {
  return optional(
    listOf(
      metrics.map(({ name }) => name),
      {
        noun: "metric",
        source: "/api/v1/metrics",
        maxItems: metricsMax,
        description: ({ listSuffix }) => `Names of /api/v1/metrics${listSuffix}; ${absent}`,
        example: "temperature,power_draw",
      },
    ),
  );
}

/** What GPUs are selected by. */
export const gpuSelection = {
  gpu_uuid: selection("gpu_uuid"),
  cluster_id: selection("cluster_id"),
  hostname: selection("hostname"),
  model: selection("model"),
  namespace: selection("namespace"),
};

/** The parameters of lists of GPUs and hosts; without a limit, a list comes as a whole. */
export const gpuListQuery = {
  ...gpuSelection,
  limit: optional(
    integer({
      minimum: 1,
      maximum: limitMax,
      description: ({ name }) =>
        `At most this many, 1 to ${limitMax}; ${name("next_cursor")} leads to those that follow. Default all`,
    }),
  ),
  cursor: cursorParameter({
    maxLength: 2048,
    following: "the elements after it",
    example: ["mtv5-dgx1-hgpu-032", 4, "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4"],
    positionOf: (place) => place,
  }),
};

function selection(name: keyof typeof selectorFields): Parameter<string | undefined> {
  const field = selectorFields[name];
  const [example] = field.examples as [string];
  return optional(nameOf(field.description ?? "", example));
}
