import type { Arithmetic, Comparison } from "../language/expression.ts";

/** Go's power: JavaScript has no result where the base is 1, or -1 and the exponent infinite. */
function power(base: number, exponent: number): number {
  if (base === 1 || (base === -1 && Math.abs(exponent) === Infinity)) return 1;
  return base ** exponent;
}

/** What each operator makes of two numbers. */
export const compute: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "^": power,
  atan2: Math.atan2,
};

/** Whether a comparison holds. */
export const holds: Readonly<Record<Comparison, (a: number, b: number) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  ">": (a, b) => a > b,
  "<": (a, b) => a < b,
  ">=": (a, b) => a >= b,
  "<=": (a, b) => a <= b,
};

/** True for the operators that filter unless they have `bool`. */
export function isComparison(operator: string): operator is Comparison {
  return Object.hasOwn(holds, operator);
}
