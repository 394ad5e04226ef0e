import { badData } from "../promql-error.ts";
import { isSetOperator, typeOf } from "./check.ts";
import {
  arithmetic,
  type BinaryExpression,
  comparisons,
  type Expression,
  type Matching,
  setOperators,
} from "./expression.ts";
import { labelNamesIn } from "./label-names.ts";
import type { ParseNode } from "./parse-node.ts";

const operators = [...arithmetic, ...comparisons, ...setOperators] as const;

/** Makes an expression of two, with an operator between them.
 *  @throws PromqlError if the operator is not supported, or does not fit the types of the two */
export function binaryOf(node: ParseNode, read: (node: ParseNode) => Expression): Expression {
  const [left, right] = node.expressions();
  if (left === undefined || right === undefined) throw new Error("a binary expression has two operands");
  const between = node.children()[1];
  const operator = operators.find((each) => each === between?.text.toLowerCase());
  if (operator === undefined) throw badData(`the operator ${between?.text} is not supported`);
  if (node.child("FillModifier") !== undefined)
    throw badData("the modifiers fill, fill_left and fill_right are not supported");
  const isBool = node.child("BoolModifier") !== undefined;
  const clause = node.child("MatchingModifierClause");
  // the sign belongs to the power, not to its base
  const isSigned = operator === "^" && left.name === "NumberDurationLiteral" && left.text.startsWith("-");
  const base = read(left);
  const leftRead: Expression = isSigned && base.kind === "number" ? { kind: "number", value: -base.value } : base;
  const binary: BinaryExpression = {
    ...{ kind: "binary", operator, isBool, matching: matchingOf(clause) },
    ...{ left: leftRead, right: read(right) },
  };
  checkTypes(binary, clause !== undefined);
  return isSigned ? { kind: "negation", operand: binary } : binary;
}

function matchingOf(clause: ParseNode | undefined): Matching {
  const children = clause?.children() ?? [];
  const lists = children.filter(({ name }) => name === "GroupingLabels");
  const has = (name: string): boolean => children.some((child) => child.name === name);
  const grouping = has("GroupLeft") ? "group_left" : has("GroupRight") ? "group_right" : "one-to-one";
  const isOn = has("On");
  const labels = labelNamesIn(lists[0]);
  const include = labelNamesIn(lists[1]);
  const both = isOn ? include.find((name) => labels.includes(name)) : undefined;
  if (both !== undefined) throw badData(`parse error: label "${both}" must not occur in ON and GROUP clause at once`);
  return { isOn, labels, grouping, include };
}

function checkTypes({ operator, isBool, matching, left, right }: BinaryExpression, hasClause: boolean): void {
  const types = [typeOf(left), typeOf(right)];
  const wrong = types.find((type) => type !== "scalar" && type !== "vector");
  if (wrong !== undefined) {
    throw badData(`parse error: binary expression must contain only scalar and instant vector types, got ${wrong}`);
  }
  const isComparison = comparisons.some((each) => each === operator);
  if (isBool && !isComparison) throw badData("parse error: bool modifier can only be used on comparison operators");
  const areScalars = types.every((type) => type === "scalar");
  if (isComparison && areScalars && !isBool) {
    throw badData("parse error: comparisons between scalars must use BOOL modifier");
  }
  if (hasClause && types.includes("scalar")) {
    throw badData("parse error: vector matching only allowed between instant vectors");
  }
  if (!isSetOperator(operator)) return;
  if (types.includes("scalar")) {
    throw badData(`parse error: set operator "${operator}" not allowed in binary scalar expression`);
  }
  if (matching.grouping !== "one-to-one") {
    throw badData(`parse error: no grouping allowed for "${operator}" operation`);
  }
}
