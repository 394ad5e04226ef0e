import { shapes } from "./series-set.ts";
import type { Seeded } from "./seeded.ts";

// Queries within the subset. They avoid what depends on the order of equal values: topk of metrics whose values repeat.

const metrics = Object.keys(shapes);
const labels = ["gpu", "instance", "pod", "UUID"];
const matchers = [
  ...[`gpu="0"`, `gpu!="1"`, `gpu=~"0|2"`, `gpu!~"[23]"`, `instance=~"host-a.*"`, `instance="host-b:9400"`],
  ...[`pod=""`, `pod!=""`, `pod=~"train-.+"`, `UUID=~"GPU-a[0-9]"`, `job=~".*"`, `absent=""`, `gpu=~"nothing"`],
];
const ranges = ["15s", "1m", "5m", "10m", "1h", "1m30s"];
const offsets = [
  " offset 1m",
  " offset 7m30s",
  " offset -2m",
  " @ 1752870600",
  " @ start()",
  " @ end()",
  " @ 1752870600 offset 3m",
];
const rangeFunctions = [
  ...["rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets", "avg_over_time", "min_over_time"],
  ...["max_over_time", "sum_over_time", "count_over_time", "last_over_time", "stddev_over_time", "stdvar_over_time"],
  ...["present_over_time", "absent_over_time"],
];
const vectorFunctions = [
  "abs",
  "ceil",
  "floor",
  "exp",
  "ln",
  "log2",
  "log10",
  "sqrt",
  "sgn",
  "timestamp",
  "absent",
  "sort",
];

/** Makes a query of the subset. */
export function generateQuery(random: Seeded): string {
  return random.isOneIn(12) ? scalar(random, 2) : vector(random, 3);
}

function selector(random: Seeded, metric = random.pick(metrics)): string {
  const chosen = matchers.filter(() => random.isOneIn(16));
  return chosen.length === 0 ? metric : `${metric}{${chosen.join(",")}}`;
}

function modifier(random: Seeded): string {
  return random.isOneIn(5) ? random.pick(offsets) : "";
}

function scalar(random: Seeded, depth: number): string {
  const literals = ["0", "1", "2", "-1", "0.5", "100", "1e3", "Inf", "NaN", "time()"];
  if (depth <= 0 || random.isOneIn(2)) return random.pick(literals);
  if (random.isOneIn(3)) return `scalar(${vector(random, depth - 1)})`;
  const operator = random.pick(["+", "-", "*", "/", "%", "^", "== bool", "< bool"]);
  return `(${scalar(random, depth - 1)} ${operator} ${scalar(random, depth - 1)})`;
}

function vector(random: Seeded, depth: number): string {
  if (depth <= 0) return random.isOneIn(3) ? ofRange(random) : `${selector(random)}${modifier(random)}`;
  const make = random.pick([
    leaf,
    leaf,
    aggregation,
    aggregation,
    withScalar,
    call,
    withVector,
    withVector,
    set,
    negation,
  ]);
  return make(random, depth - 1);
}

const leaf = (random: Seeded): string => vector(random, 0);
const negation = (random: Seeded, depth: number): string => `-${operand(random, depth)}`;

function operand(random: Seeded, depth: number): string {
  return `(${vector(random, depth)})`;
}

function ofRange(random: Seeded): string {
  const range = `${selector(random)}[${random.pick(ranges)}]${modifier(random)}`;
  if (random.isOneIn(10)) return `quantile_over_time(${random.pick(["0", "0.5", "0.9", "1", "2", "-1"])}, ${range})`;
  return `${random.pick(rangeFunctions)}(${range})`;
}

function grouping(random: Seeded): string {
  const list = `(${labels.filter(() => random.isOneIn(3)).join(", ")})`;
  return random.isOneIn(3) ? "" : random.pick([` by ${list} `, ` without ${list} `]);
}

function aggregation(random: Seeded, depth: number): string {
  const group = grouping(random);
  if (random.isOneIn(8)) {
    // energy never has the same value twice
    const order = random.pick(["topk", "bottomk"]);
    return `${order}${group}(${random.pick(["1", "3", "0", "100"])}, DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION${modifier(random)})`;
  }
  const inner = vector(random, depth);
  if (random.isOneIn(8)) return `quantile${group}(${random.pick(["0.5", "0.95", "0", "1.5"])}, ${inner})`;
  if (random.isOneIn(10)) return `count_values${group}("value", round(${inner}))`;
  return `${random.pick(["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"])}${group}(${inner})`;
}

function withScalar(random: Seeded, depth: number): string {
  const operator = random.pick(["+", "-", "*", "/", "%", "^", ">", "<", ">=", "<=", "==", "!=", "> bool", "!= bool"]);
  const [a, b] = [operand(random, depth), scalar(random, 1)];
  return random.isOneIn(2) ? `${a} ${operator} ${b}` : `${b} ${operator} ${a}`;
}

function call(random: Seeded, depth: number): string {
  const inner = vector(random, depth);
  if (random.isOneIn(3)) return `${random.pick(vectorFunctions)}(${inner})`;
  return random.pick([
    ...[`round(${inner})`, `round(${inner}, 5)`, `clamp(${inner}, 10, 60)`, `clamp_min(${inner}, 20)`],
    ...[`clamp_max(${inner}, 20)`, `vector(${scalar(random, 1)})`, `clamp(${inner}, 5, 1)`],
    `label_replace(${inner}, "host", "$1-x", "instance", "([^:]+):.*")`,
    `label_replace(${inner}, "gpu", "", "gpu", "0")`,
    `label_join(${inner}, "place", "/", "instance", "gpu")`,
  ]);
}

function withVector(random: Seeded, depth: number): string {
  const operator = random.pick(["+", "-", "*", "/", ">", "<=", "== bool", "^", "%", "atan2"]);
  const same = random.isOneIn(2);
  const [a, b] = same ? [selector(random), selector(random)] : [operand(random, depth), operand(random, depth)];
  const matching = random.pick([
    ...["", "", "on (instance, gpu, pod)", "ignoring (job)", "on (UUID)"],
    ...["on (UUID) group_left ()", "on (instance) group_left (gpu)", "on (UUID) group_right (pod)", "on ()"],
  ]);
  return `${a} ${operator} ${matching} ${b}`;
}

function set(random: Seeded, depth: number): string {
  const matching = random.pick(["", "", "on (gpu)", "ignoring (pod)", "on ()"]);
  return `${operand(random, depth)} ${random.pick(["and", "or", "unless"])} ${matching} ${operand(random, depth)}`;
}
