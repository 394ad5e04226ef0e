import { type Expression, setOperators, type ValueType } from "./expression.ts";
import { functions } from "./functions.ts";

/** The type of an expression's value. */
export function typeOf(expression: Expression): ValueType {
  switch (expression.kind) {
    case "number":
      return "scalar";
    case "string":
      return "string";
    case "selector":
    case "aggregate":
      return "vector";
    case "range":
      return "matrix";
    case "negation":
      return typeOf(expression.operand);
    case "binary":
      return typeOf(expression.left) === "scalar" && typeOf(expression.right) === "scalar" ? "scalar" : "vector";
    case "call":
      return functions.get(expression.name)?.returns ?? "vector";
  }
}

/** True for `and`, `or` and `unless`. */
export function isSetOperator(operator: string): operator is (typeof setOperators)[number] {
  return setOperators.some((each) => each === operator);
}
