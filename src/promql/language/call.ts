import { badData } from "../promql-error.ts";
import { typeOf } from "./check.ts";
import type { Expression } from "./expression.ts";
import { functions, otherFunctions, type Signature } from "./functions.ts";
import type { ParseNode } from "./parse-node.ts";

/** Makes the call of a function.
 *  @throws PromqlError if the function is not supported, or its arguments are not what it takes */
export function functionCall(node: ParseNode, read: (node: ParseNode) => Expression): Expression {
  const name = node.child("FunctionIdentifier")?.text ?? "";
  const signature = functions.get(name);
  if (signature === undefined) {
    const isKnown = otherFunctions.has(name);
    throw badData(
      isKnown ? `the function ${name} is not supported` : `parse error: unknown function with name "${name}"`,
    );
  }
  const args = (node.child("FunctionCallBody")?.expressions() ?? []).map(read);
  checkCount(name, signature, args.length);
  for (const [index, arg] of args.entries()) {
    const expected = signature.takes[index] ?? signature.takes.at(-1);
    const type = typeOf(arg);
    if (type !== expected) {
      throw badData(`parse error: expected type ${expected} in call to function "${name}", got ${type}`);
    }
  }
  return { kind: "call", name, args };
}

function checkCount(name: string, { takes, optional, isVariadic }: Signature, count: number): void {
  const least = takes.length - optional;
  if (count >= least && (isVariadic || count <= takes.length)) return;
  const expected = optional === 0 ? String(least) : count < least ? `at least ${least}` : `at most ${takes.length}`;
  throw badData(`parse error: expected ${expected} argument(s) in call to "${name}", got ${count}`);
}
