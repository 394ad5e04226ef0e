import { stringOf } from "./literals.ts";
import type { ParseNode } from "./parse-node.ts";

/** The names in a list of labels, such as `(a, b)`; none without a list. */
export function labelNamesIn(list: ParseNode | undefined): readonly string[] {
  return (list?.children() ?? []).flatMap(({ name, text }) => {
    if (name === "QuotedLabelName") return [stringOf(text)];
    return name === "LabelName" ? [text] : [];
  });
}
