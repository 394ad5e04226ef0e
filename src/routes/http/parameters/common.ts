import { metricNameOf, metricSpellings } from "../../../domain/dialects/spelling-of.ts";
import { inventoryStates } from "../../../domain/inventory.ts";
import { metricNames } from "../../../domain/metrics.ts";
import { nameMaxLength } from "../../schemas/envelope.ts";
import { selectorFields } from "../../schemas/gpu-selector.ts";
import { cursorParameter, hasTypes } from "./cursor.ts";
import { choice, integer, listOf, optional, type Parameter, text, withDefault } from "./parameter.ts";
import { promqlSelectorOf } from "./promql-example.ts";
import type { Text } from "./spelling.ts";

// Parameters that requests of several kinds accept.

/** The query of requests that accept no parameters. */
export const noQuery = {};

/** A parameter for the name of something, such as a GPU or a host. */
export function nameOf(description: Text, example: string): Parameter<string> {
  return text({ maxLength: nameMaxLength, description, example });
}

/** The largest and the default `limit`, unless an operation has its own. */
export const limitMax = 10_000;
export const limitDefault = 100;

interface LimitOptions {
  /** The start of the description. */
  readonly meaning?: string;
  readonly maximum?: number;
  readonly byDefault?: number;
}

/** The parameter for the maximum number of elements in an answer. */
export function limit(options: LimitOptions = {}): Parameter<number> {
  const { meaning = "At most this many", maximum = limitMax, byDefault = limitDefault } = options;
  const description = `${meaning}; 1 to ${maximum}, default ${byDefault}`;
  return withDefault(integer({ minimum: 1, maximum, description }), byDefault);
}

/** The maximum number of metrics that a request may name. */
export const maxMetrics = 20;

/** The parameter for names of the catalogue.
 *  @param effect the effect of the parameter and its default, as the end of the description */
export function metricsParameter(effect: string): Parameter<readonly string[] | undefined> {
  return optional(
    listOf(metricNames, {
      noun: "metric",
      source: "/api/v1/metrics",
      maxItems: maxMetrics,
      meaningOf: metricNameOf,
      known: metricSpellings,
      advice: adviceOutside,
      description: ({ listSuffix }) => `Names or spellings from /api/v1/metrics${listSuffix}; ${effect}`,
      example: "temperature,power_draw",
    }),
  );
}

/** How to ask for a metric of which there are no aggregates. */
function adviceOutside(name: string): string {
  const selector = promqlSelectorOf(name);
  const example = selector === undefined ? "" : `, such as avg by (Hostname) (${selector})`;
  return `PromQL answers metrics outside the catalogue and labelled series at /api/v1/query${example}`;
}

/** The parameters that select GPUs. */
export const gpuSelection = {
  gpu_uuid: selection("gpu_uuid"),
  parent_uuid: selection("parent_uuid"),
  cluster_id: selection("cluster_id"),
  hostname: selection("hostname"),
  model: selection("model"),
  namespace: selection("namespace"),
};

/** The parameter that selects GPUs or hosts by their state in the inventory. */
export const stateParameter = optional(
  choice(inventoryStates, {
    description: ({ value }) => `Only those in this state: one of ${inventoryStates.map(value).join(", ")}`,
  }),
);

/** The parameters of lists of GPUs and hosts. Without a limit, the whole list is returned. */
export const gpuListQuery = {
  ...gpuSelection,
  state: stateParameter,
  limit: optional(
    integer({
      minimum: 1,
      maximum: limitMax,
      description: ({ name }) =>
        `At most this many, 1 to ${limitMax}; ${name("next_cursor")} leads to the next ones. Default all`,
    }),
  ),
  cursor: cursorParameter({
    maxLength: 2048,
    following: "the elements that follow",
    example: ["mtv5-dgx1-hgpu-032", 4, "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4"],
    // of hosts, the name and the cluster
    positionOf: (place) =>
      hasTypes(place, "string", "number", "string") || hasTypes(place, "string", "string") ? place : undefined,
  }),
};

function selection(name: keyof typeof selectorFields): Parameter<string | undefined> {
  const field = selectorFields[name];
  const [example] = field.examples as [string];
  return optional(nameOf(field.description ?? "", example));
}
