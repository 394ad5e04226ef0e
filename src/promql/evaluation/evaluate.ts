import type { AggregateExpression, BinaryExpression, CallExpression, Expression } from "../language/expression.ts";
import { isSetOperator } from "../language/check.ts";
import { noLabels, withoutName } from "../labels.ts";
import type { SelectedSeries } from "../series-source.ts";
import type { Work } from "../work.ts";
import { aggregate } from "./aggregate.ts";
import { matchVectors, combined } from "./match-vectors.ts";
import { isComparison } from "./operators.ts";
import { eachWindow, newestOf, ofRanges } from "./select.ts";
import { combineSets } from "./set-operators.ts";
import {
  distinctVectorOf,
  mapped,
  ofEachSeries,
  presentOf,
  type Steps,
  stepMsOf,
  type Value,
  type VectorSeries,
  vectorOf,
} from "./value.ts";
import { absentOf, numberFunctions, ofEachValue, relabelled, scalarOf } from "./vector-functions.ts";

/** Evaluates a query at all of its steps. */
export class Evaluation {
  /** @param selected the series of each selector of the query */
  constructor(
    private readonly steps: Steps,
    private readonly selected: ReadonlyMap<Expression, readonly SelectedSeries[]>,
    private readonly work: Work,
  ) {}

  /** @throws PromqlError if the data does not fit the expression, or it needs too much */
  async evaluate(expression: Expression): Promise<Value> {
    const { steps } = this;
    switch (expression.kind) {
      case "number":
        return { kind: "scalar", values: new Float64Array(steps.count).fill(expression.value) };
      case "string":
        return { kind: "string", text: expression.value };
      case "selector":
        return presentOf(await this.ofEach(expression, (each) => newestOf(each, expression, { steps, isTime: false })));
      case "negation":
        return this.negated(await this.evaluate(expression.operand));
      case "aggregate":
        return this.aggregated(expression);
      case "binary":
        return this.binary(expression);
      case "call":
        return this.call(expression);
      case "range":
        throw new Error("a range is evaluated by its function");
    }
  }

  private async ofEach(
    selector: Expression,
    make: (series: SelectedSeries) => VectorSeries,
  ): Promise<readonly VectorSeries[]> {
    const { steps, work } = this;
    const series = this.selected.get(selector) ?? [];
    work.checkSize(series.length, steps.count);
    return ofEachSeries(series, { work, valuesOf: ({ values }) => steps.count + values.length }, make);
  }

  /** A vector of what `make` makes of the series of another one. */
  private mapped(series: readonly VectorSeries[], make: (each: VectorSeries) => VectorSeries): Promise<VectorSeries[]> {
    return ofEachSeries(series, { work: this.work, valuesOf: () => this.steps.count }, make);
  }

  private async joined(series: Promise<readonly VectorSeries[]>): Promise<Value> {
    return vectorOf(await series, this.work);
  }

  private async negated(value: Value): Promise<Value> {
    if (value.kind === "scalar") return { kind: "scalar", values: value.values.map((each) => -each) };
    const made = await this.mapped(seriesOf(value), (each) => mapped(each, withoutName, (number) => -number));
    return distinctVectorOf(made, this.work);
  }

  private async aggregated(expression: AggregateExpression): Promise<Value> {
    const { parameter } = expression;
    const given = parameter && (await this.evaluate(parameter));
    const ofSteps = given?.kind === "scalar" ? given.values : given?.kind === "string" ? given.text : undefined;
    return aggregate(expression, seriesOf(await this.evaluate(expression.operand)), {
      parameter: ofSteps,
      work: this.work,
    });
  }

  private async binary(expression: BinaryExpression): Promise<Value> {
    const [left, right] = [await this.evaluate(expression.left), await this.evaluate(expression.right)];
    const { operator, isBool } = expression;
    if (left.kind === "scalar" && right.kind === "scalar") {
      const values = left.values.map((value, step) => combined(expression, value, right.values[step] ?? NaN) ?? NaN);
      return { kind: "scalar", values };
    }
    if (left.kind === "vector" && right.kind === "vector") {
      if (isSetOperator(operator))
        return combineSets(expression, { left: left.series, right: right.series }, this.work);
      return matchVectors(expression, { left: left.series, right: right.series }, this.work);
    }
    const [series, scalars] = [seriesOf(left.kind === "vector" ? left : right), scalarsOf(left, right)];
    const keepsName = isComparison(operator) && !isBool;
    const compute = (value: number, step: number): number | undefined => {
      const scalar = scalars[step] ?? NaN;
      const result = left.kind === "vector" ? combined(expression, value, scalar) : combined(expression, scalar, value);
      // a comparison keeps the value of the vector, on whichever side it is
      return result !== undefined && keepsName ? value : result;
    };
    return this.joined(
      this.mapped(series, (each) => mapped(each, keepsName ? (labels) => labels : withoutName, compute)),
    );
  }

  private async call(expression: CallExpression): Promise<Value> {
    const { name, args } = expression;
    const { steps } = this;
    const [first] = args;
    if (name === "time") {
      return { kind: "scalar", values: new Float64Array(steps.count).map((_, step) => stepMsOf(steps, step) / 1000) };
    }
    if (first === undefined) throw new Error(`${name} has an argument`);
    const range = args.find((arg) => arg.kind === "range");
    if (range !== undefined) return this.ofRange(expression, range);
    if (name === "timestamp") return this.timestamp(first);
    const value = await this.evaluate(first);
    if (name === "vector") {
      const isPresent = new Uint8Array(steps.count).fill(1);
      return { kind: "vector", series: [{ labels: noLabels, values: scalarsOf(value, value), isPresent }] };
    }
    const series = seriesOf(value);
    if (name === "scalar") return scalarOf(series, steps.count);
    if (name === "absent")
      return absentOf(
        first,
        series.map(({ isPresent }) => isPresent),
        steps.count,
      );
    if (name === "label_replace" || name === "label_join") return relabelled(expression, series, this.work);
    if (!Object.hasOwn(numberFunctions, name)) return value; // the order of sort is that of the answer
    const others: Float64Array[] = [];
    for (const arg of args.slice(1)) others.push(scalarsOf(await this.evaluate(arg)));
    return this.joined(this.mapped(series, ofEachValue(name, others)));
  }

  private async ofRange({ name, args }: CallExpression, range: Extract<Expression, { kind: "range" }>): Promise<Value> {
    const { steps } = this;
    if (name === "absent_over_time") {
      const presence = await this.ofEach(range, (each) => {
        const isPresent = new Uint8Array(steps.count);
        eachWindow(each, { range, steps }, (_, step) => (isPresent[step] = 1));
        return { labels: each.labels, values: new Float64Array(steps.count), isPresent };
      });
      return absentOf(
        range,
        presence.map(({ isPresent }) => isPresent),
        steps.count,
      );
    }
    const [first] = args;
    const parameters = first === undefined || first === range ? undefined : scalarsOf(await this.evaluate(first));
    const made = await this.ofEach(range, (each) => ofRanges(name, each, { range, steps, parameters }));
    return distinctVectorOf(made, this.work);
  }

  /** The instants of the samples that a selector selects; of any other vector, those of the steps. */
  private async timestamp(argument: Expression): Promise<Value> {
    const { steps } = this;
    if (argument.kind === "selector") {
      return this.joined(this.ofEach(argument, (each) => newestOf(each, argument, { steps, isTime: true })));
    }
    const series = seriesOf(await this.evaluate(argument));
    const instants = (each: VectorSeries) => mapped(each, withoutName, (_, step) => stepMsOf(steps, step) / 1000);
    return this.joined(this.mapped(series, instants));
  }
}

function seriesOf(value: Value): readonly VectorSeries[] {
  return value.kind === "vector" ? value.series : [];
}

/** The numbers of whichever of the values is a scalar. */
function scalarsOf(...values: readonly Value[]): Float64Array {
  const scalar = values.find((value) => value.kind === "scalar");
  return scalar?.kind === "scalar" ? scalar.values : new Float64Array();
}
