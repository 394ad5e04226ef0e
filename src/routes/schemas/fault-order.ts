import { type Static, Type } from "@sinclair/typebox";
import { faultDetailSchema } from "./fault.ts";

/** What can come of an order, with the sentence for people. */
export const orderMessages = {
  done: "It is carried out.",
  open: "It is stored, and will be carried out by the process that evaluates the rules, which has not answered yet.",
} as const;

const kinds = ["acknowledge", "reset", "reboot"] as const;

/** Result of an operator's order, as the API shows it. */
export const faultOrderSchema = Type.Object(
  {
    kind: Type.Union(
      kinds.map((kind) => Type.Literal(kind)),
      { description: "What was ordered" },
    ),
    outcome: Type.Union(
      (["done", "open"] as const).map((outcome) => Type.Literal(outcome)),
      { description: "open: it is stored, and not yet carried out" },
    ),
    message: Type.String({ description: "The outcome in a sentence" }),
    fault: Type.Optional(faultDetailSchema),
  },
  {
    $id: "FaultOrder",
    additionalProperties: false,
    description: "Result of an operator's order",
    examples: [{ kind: "reset", outcome: "done", message: orderMessages.done }],
  },
);

export type ApiFaultOrder = Static<typeof faultOrderSchema>;
