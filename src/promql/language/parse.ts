import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";
import { matchOperators, matcherOf, type Matcher } from "../matcher.ts";
import { nameLabel } from "../labels.ts";
import { badData } from "../promql-error.ts";
import { binaryOf } from "./binary.ts";
import { functionCall } from "./call.ts";
import { typeOf } from "./check.ts";
import { aggregations, type Expression, type SelectorExpression } from "./expression.ts";
import { labelNamesIn } from "./label-names.ts";
import { durationMs, numberOf, stringOf } from "./literals.ts";
import { ParseNode } from "./parse-node.ts";

/** The longest query. */
const queryMaxLength = 16_384;
/** Expressions within expressions. */
const depthMax = 100;

/** Reads a query. The grammar is Prometheus' own (`@prometheus-io/lezer-promql`); a part that is not supported is refused by name.
 *  @throws PromqlError (bad_data) */
export function parse(query: string): Expression {
  if (query.length > queryMaxLength) throw badData(`the query is longer than ${queryMaxLength} characters`);
  if (query.trim() === "") throw badData("unknown position: parse error: no expression found in input");
  const tree = parser.parse(query);
  checkComplete(tree.topNode, query);
  const top = new ParseNode(tree.topNode, query).expressions()[0];
  if (top === undefined) throw badData("unknown position: parse error: no expression found in input");
  return new Reader().expression(top);
}

/** Reads a series selector, as the parameter match[] has it.
 *  @throws PromqlError (bad_data) */
export function parseSelector(text: string): readonly Matcher[] {
  const expression = parse(text);
  if (expression.kind !== "selector" || expression.at !== undefined || expression.offsetMs !== 0) {
    throw badData(`parse error: expected a series selector, got ${JSON.stringify(text)}`);
  }
  return expression.matchers;
}

/** An error shows so many characters of what is not understood. */
const maxShown = 60;

function checkComplete(top: SyntaxNode, query: string): void {
  const cursor = top.cursor();
  do {
    if (!cursor.type.isError) continue;
    const rest = query.slice(cursor.from).trim();
    const shown = rest.length > maxShown ? `${rest.slice(0, maxShown)}...` : rest;
    const found = rest === "" ? "end of input" : JSON.stringify(shown);
    const word = /[A-Za-z_]\w*(?=\s*\($)/.exec(query.slice(0, query.indexOf("(", Math.max(0, cursor.from - 1)) + 1));
    const hint = rest.startsWith("(") && word !== null ? `; there is no function ${JSON.stringify(word[0])}` : "";
    throw badData(`${positionOf(query, cursor.from)}: parse error: unexpected ${found}${hint}`);
  } while (cursor.next());
}

function positionOf(query: string, offset: number): string {
  const before = query.slice(0, offset).split("\n");
  return `${before.length}:${(before.at(-1) ?? "").length + 1}`;
}

/** Makes expressions of the nodes of a syntax tree. */
class Reader {
  private depth = 0;

  expression(node: ParseNode): Expression {
    this.depth += 1;
    if (this.depth > depthMax) throw badData(`the query has more than ${depthMax} expressions within each other`);
    const read = this.read(node);
    this.depth -= 1;
    return read;
  }

  private read(node: ParseNode): Expression {
    const inner = (): Expression => this.expression(node.expression());
    switch (node.name) {
      case "ParenExpr":
        return inner();
      case "NumberDurationLiteral":
        return { kind: "number", value: numberIn(node) };
      case "StringLiteral":
        return { kind: "string", value: stringOf(node.text) };
      case "VectorSelector":
        return selectorOf(node);
      case "MatrixSelector":
        return rangeOf(inner(), node);
      case "OffsetExpr":
        return withOffset(inner(), offsetMsIn(node));
      case "StepInvariantExpr":
        return withAt(inner(), node);
      case "UnaryExpr":
        return negated(inner(), node.text.startsWith("-"));
      case "AggregateExpr":
        return this.aggregate(node);
      case "BinaryExpr":
        return binaryOf(node, (each) => this.expression(each));
      case "FunctionCall":
        return functionCall(node, (each) => this.expression(each));
      default:
        throw unsupported(node);
    }
  }

  private aggregate(node: ParseNode): Expression {
    const name = node.child("AggregateOp")?.text ?? "";
    const operator = aggregations.find((each) => each === name.toLowerCase());
    if (operator === undefined) throw badData(`the aggregation ${name} is not supported`);
    const modifier = node.child("AggregateModifier");
    const args = (node.child("FunctionCallBody")?.expressions() ?? []).map((each) => this.expression(each));
    const takesParameter = ["topk", "bottomk", "quantile", "count_values"].includes(operator);
    const [parameter, operand] = takesParameter ? args : [undefined, args[0]];
    if (operand === undefined || args.length !== (takesParameter ? 2 : 1)) {
      throw badData(`parse error: wrong number of arguments for aggregate expression ${name}, got ${args.length}`);
    }
    expectType(operand, "vector", `aggregation expression ${name}`);
    if (parameter !== undefined) {
      expectType(parameter, operator === "count_values" ? "string" : "scalar", `the parameter of ${name}`);
    }
    const isWithout = modifier?.child("Without") !== undefined;
    return {
      kind: "aggregate",
      operator,
      isWithout,
      labels: labelNamesIn(modifier?.child("GroupingLabels")),
      parameter,
      operand,
    };
  }
}

function expectType(expression: Expression, expected: string, where: string): void {
  const type = typeOf(expression);
  if (type !== expected) throw badData(`parse error: expected type ${expected} in ${where}, got ${type}`);
}

/** The error for an expression of Prometheus that is not supported. */
function unsupported({ name, text }: ParseNode): Error {
  const names: Readonly<Record<string, string>> = {
    SubqueryExpr: "subqueries",
    AnchoredExpr: "the modifier anchored",
    SmoothedExpr: "the modifier smoothed",
  };
  return badData(`${names[name] ?? name} are not supported: ${text}`);
}

function numberIn(node: ParseNode): number {
  const value = numberOf(node.text);
  if (value === undefined) throw badData(`parse error: ${JSON.stringify(node.text)} is not a number`);
  return value;
}

function selectorOf(node: ParseNode): SelectorExpression {
  const name = node.child("Identifier")?.text;
  const inBraces = node.child("LabelMatchers")?.children() ?? [];
  const matchers = inBraces.flatMap(matchersOf);
  const named = name === undefined ? [] : [matcherOf(nameLabel, "=", name)];
  const ofName = [...named, ...inBraces.filter((each) => each.name === "QuotedLabelName")];
  if (ofName.length > 1 || (name !== undefined && matchers.some((each) => each.name === nameLabel))) {
    throw badData(`parse error: metric name must not be set twice: ${node.text}`);
  }
  const all = [...named, ...matchers];
  if (all.every(({ matches }) => matches(""))) {
    throw badData(`parse error: vector selector must contain at least one non-empty matcher: ${node.text}`);
  }
  return { kind: "selector", matchers: all, offsetMs: 0, at: undefined };
}

function matchersOf(node: ParseNode): Matcher[] {
  if (node.name === "QuotedLabelName") return [matcherOf(nameLabel, "=", stringOf(node.text))];
  const label = node.child("LabelName")?.text ?? stringOf(node.child("QuotedLabelName")?.text ?? '""');
  const operator = matchOperators.find((each) => each === node.child("MatchOp")?.text);
  if (operator === undefined) return [];
  return [matcherOf(label, operator, stringOf(node.child("StringLiteral")?.text ?? '""'))];
}

function rangeOf(selector: Expression, node: ParseNode): Expression {
  const text = node.child("DurationExpr")?.text ?? "";
  const rangeMs = msOf(text);
  if (selector.kind !== "selector" || selector.offsetMs !== 0 || selector.at !== undefined) {
    throw badData(`parse error: ranges only allowed for vector selectors: ${node.text}`);
  }
  if (rangeMs <= 0) throw badData("parse error: duration must be greater than 0");
  return { kind: "range", selector, rangeMs };
}

/** A duration, or a number of seconds. Expressions of durations are not supported. */
function msOf(text: string): number {
  const ms = durationMs(text) ?? (numberOf(text) ?? NaN) * 1000;
  if (!Number.isFinite(ms)) throw badData(`${JSON.stringify(text)} is not supported as a duration`);
  return Math.round(ms);
}

function offsetMsIn(node: ParseNode): number {
  const text = node.child("OffsetDurationExpr")?.text.replaceAll(/\s/g, "") ?? "";
  return text.startsWith("-") ? -msOf(text.slice(1)) : msOf(text);
}

function withOffset(expression: Expression, offsetMs: number): Expression {
  return changed(expression, "offset", (selector) => {
    if (selector.offsetMs !== 0) throw badData("parse error: offset may not be set multiple times");
    return { ...selector, offsetMs };
  });
}

function withAt(expression: Expression, node: ParseNode): Expression {
  const literal = node.child("NumberDurationLiteral");
  const preprocessor = node.child("AtModifierPreprocessors");
  const seconds = literal === undefined ? NaN : numberIn(literal);
  if (literal !== undefined && !Number.isFinite(seconds)) {
    throw badData(`parse error: timestamp out of bounds for @ modifier: ${literal.text}`);
  }
  const ofRange = preprocessor?.child("AtStart") === undefined ? "end" : "start";
  const at = literal === undefined ? ofRange : { atMs: Math.round(seconds * 1000) };
  return changed(expression, "@", (selector) => {
    if (selector.at !== undefined) throw badData("parse error: @ <timestamp> may not be set multiple times");
    return { ...selector, at };
  });
}

function changed(
  expression: Expression,
  modifier: string,
  change: (selector: SelectorExpression) => SelectorExpression,
): Expression {
  if (expression.kind === "selector") return change(expression);
  if (expression.kind === "range") return { ...expression, selector: change(expression.selector) };
  throw badData(
    `parse error: the ${modifier} modifier must be preceded by an instant vector selector or range vector selector`,
  );
}

function negated(operand: Expression, isNegative: boolean): Expression {
  const type = typeOf(operand);
  if (type !== "scalar" && type !== "vector") {
    throw badData(`parse error: unary expression only allowed on expressions of type scalar or vector, got ${type}`);
  }
  return isNegative ? { kind: "negation", operand } : operand;
}
