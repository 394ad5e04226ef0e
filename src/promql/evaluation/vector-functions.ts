import { type Labels, noLabels, replacing, withLabel, withoutName } from "../labels.ts";
import { compiled } from "../matcher.ts";
import { failed } from "../promql-error.ts";
import type { CallExpression, Expression } from "../language/expression.ts";
import type { Work } from "../work.ts";
import { mapped, ofEachSeries, type Value, type VectorSeries, vectorOf } from "./value.ts";

type NumberFunction = (value: number, ...parameters: number[]) => number | undefined;

/** The functions of each value of a vector, by name, with the values of their other arguments. */
export const numberFunctions: Readonly<Record<string, NumberFunction>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  ln: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  sqrt: Math.sqrt,
  sgn: Math.sign,
  round: (value, to = 1) => Math.floor(value * (1 / to) + 0.5) / (1 / to),
  clamp: (value, least = NaN, most = NaN) => (most < least ? undefined : Math.max(least, Math.min(most, value))),
  clamp_min: (value, least = NaN) => Math.max(least, value),
  clamp_max: (value, most = NaN) => Math.min(most, value),
};

/** A function that computes another one of each value of a series.
 *  @param parameters the values of the other arguments at each step */
export function ofEachValue(name: string, parameters: readonly Float64Array[]): (series: VectorSeries) => VectorSeries {
  const compute = numberFunctions[name];
  if (compute === undefined) throw failed(`the function ${name} is not supported`);
  return (series) =>
    mapped(series, withoutName, (value, step) => compute(value, ...parameters.map((values) => values[step] ?? NaN)));
}

/** The value of a vector's only series; NaN unless there is exactly one. */
export function scalarOf(series: readonly VectorSeries[], steps: number): Value {
  const values = new Float64Array(steps);
  for (let step = 0; step < steps; step += 1) {
    const present = series.filter(({ isPresent }) => isPresent[step] === 1);
    values[step] = present.length === 1 ? (present[0]?.values[step] ?? NaN) : NaN;
  }
  return { kind: "scalar", values };
}

/** 1 at each step at which none of the series has a value. */
export function absentOf(argument: Expression, presence: readonly Uint8Array[], steps: number): Value {
  const labels = labelsOfAbsent(argument);
  const values = new Float64Array(steps).fill(1);
  const isPresent = new Uint8Array(steps).map((_, step) => (presence.some((each) => each[step] === 1) ? 0 : 1));
  return { kind: "vector", series: isPresent.includes(1) ? [{ labels, values, isPresent }] : [] };
}

/** The labels that a selector says an absent series would have. */
function labelsOfAbsent(argument: Expression): Labels {
  const selector = argument.kind === "range" ? argument.selector : argument;
  if (selector.kind !== "selector") return noLabels;
  let labels = noLabels;
  const named = new Set<string>();
  for (const { name, operator, value } of selector.matchers) {
    if (name === "__name__") continue;
    const isFirst = operator === "=" && !named.has(name);
    if (operator === "=") named.add(name);
    labels = withLabel(labels, name, isFirst ? value : "");
  }
  return labels;
}

/** `label_replace` and `label_join`. */
export async function relabelled({ name, args }: CallExpression, series: readonly VectorSeries[], work: Work) {
  const texts = args.slice(1).map((arg) => (arg.kind === "string" ? arg.value : ""));
  const [target = ""] = texts;
  if (!/^[A-Za-z_]\w*$/.test(target)) {
    throw failed(`invalid destination label name in ${name}(): ${target}`);
  }
  const change = name === "label_replace" ? matching(texts) : joining(texts);
  const made = await ofEachSeries(series, { work, valuesOf: () => 0 }, (each) => ({
    ...each,
    labels: change(each.labels),
  }));
  return vectorOf(made, work);
}

function joining([target = "", separator = "", ...sources]: readonly string[]): (labels: Labels) => Labels {
  const replace = replacing(target);
  return (labels) => replace(labels, sources.map((source) => labels.get(source) ?? "").join(separator));
}

function matching([target = "", replacement = "", source = "", expression = ""]: readonly string[]) {
  const pattern = compiled(`^(?:${expression})$`);
  const replace = replacing(target);
  const parts = replacement.split(/(\$\$|\$\{\w+\}|\$\w+)/);
  return (labels: Labels): Labels => {
    const match = pattern.matcher(labels.get(source) ?? "");
    if (!match.matches()) return labels;
    const texts = parts.map((part) => {
      if (part === "$$") return "$";
      const group = /^\$\{?(\w+)\}?$/.exec(part)?.[1];
      return group === undefined ? part : groupOf(match, group);
    });
    return replace(labels, texts.join(""));
  };
}

/** A group by its number or name; one that does not exist is empty. */
function groupOf(match: ReturnType<ReturnType<typeof compiled>["matcher"]>, group: string): string {
  try {
    return match.group(/^\d+$/.test(group) ? Number(group) : group) ?? "";
  } catch {
    return "";
  }
}
