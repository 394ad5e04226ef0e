import type { SyntaxNode } from "@lezer/common";

const expressionNames: ReadonlySet<string> = new Set([
  ...["AggregateExpr", "BinaryExpr", "FunctionCall", "MatrixSelector", "NumberDurationLiteral", "OffsetExpr"],
  ...["AnchoredExpr", "SmoothedExpr", "ParenExpr", "StringLiteral", "SubqueryExpr", "UnaryExpr", "VectorSelector"],
  "StepInvariantExpr",
]);

/** A node of a query's syntax tree, with its text. */
export class ParseNode {
  constructor(
    private readonly node: SyntaxNode,
    private readonly query: string,
  ) {}

  get name(): string {
    return this.node.name;
  }

  get text(): string {
    return this.query.slice(this.node.from, this.node.to);
  }

  children(): ParseNode[] {
    const children: ParseNode[] = [];
    for (let child = this.node.firstChild; child !== null; child = child.nextSibling) {
      if (child.name !== "LineComment") children.push(new ParseNode(child, this.query));
    }
    return children;
  }

  /** The first child of this name. */
  child(name: string): ParseNode | undefined {
    return this.children().find((child) => child.name === name);
  }

  /** The children that are expressions. */
  expressions(): ParseNode[] {
    return this.children().filter(({ name }) => expressionNames.has(name));
  }

  /** The only expression among the children. */
  expression(): ParseNode {
    const [only] = this.expressions();
    if (only === undefined) throw new Error(`${this.name} has no expression`);
    return only;
  }
}
